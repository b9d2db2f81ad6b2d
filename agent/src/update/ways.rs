//! The ways to an image: a delta, else the whole image, each fetched, written and read back.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit};
use manifests::release::{Content, DeltaRef};
use node::blocks::fetch::FetchReport;
use node::blocks::partial::Partial;
use protocol::dht::key::DhtKey;
use protocol::exchange::tree::Blob;
use serde_json::json;

use super::{Work, blob_of, blocking};
use crate::device::Device;
use crate::install::{self, InstallError};
use crate::plan::{self, Way};
use crate::slot::{Slot, SlotKind};
use crate::source::{self, Sources};
use crate::state::Image;

/// Tries the planned ways in order until the slot holds the image.
pub(super) async fn install_release(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    catalog: Option<Blob>,
) -> Result<(&'static str, FetchReport), CliError> {
    let image = blob_of(&work.release.image);
    device.record("planning", work.describe())?;
    let base = base_content(device, work).await?;
    let mut used = FetchReport::default();
    let mut failed = None;
    for way in plan::ways(work.release, base.as_ref()) {
        let blob = match &way {
            Way::Delta(delta) => blob_of(&delta.blob),
            Way::Whole(_) => image,
        };
        let keep: Vec<Blob> = [Some(blob), catalog, base.as_ref().map(blob_of), Some(image)]
            .into_iter()
            .flatten()
            .collect();
        device.keep_only(&keep).context(Exit::No, "data folder")?;
        match take_way(device, sources, work, &way, &mut used).await {
            Ok(name) => return Ok((name, used)),
            // A delta that does not fit costs bandwidth, not the update (threats D30).
            Err(Failure::Way(error)) if matches!(way, Way::Delta(_)) => {
                let data = json!({ "why": error.to_string(), "slot": work.target.name });
                device.record("delta-failed", data)?;
                failed = Some(explain(work, &error));
            }
            Err(Failure::Way(error)) => return Err(explain(work, &error)),
            Err(Failure::Other(error)) => return Err(error),
        }
    }
    Err(failed.unwrap_or_else(|| CliError::new(Exit::No, "no way to the image")))
}

/// Before the first byte of a slot changes: it can't start, whatever happens, until `switch`. Not
/// earlier, so that a source that lies costs no slot.
fn take_slot(device: &mut Device, sources: &Sources, work: &Work<'_>) -> Result<(), CliError> {
    device.record("installing", work.describe())?;
    let mut boot = device.boot()?;
    boot.forbid(&work.target.bootname);
    device.save_boot(&boot)?;
    let mut state = device.state()?;
    if let Some(held) = state.slots.remove(&work.target.bootname) {
        held.blob().inspect(|blob| sources.blobs().remove(blob));
    }
    state.pending = None;
    device.save_state(&state)
}

enum Failure {
    /// This way failed; another may do.
    Way(InstallError),
    /// The update can't go on now.
    Other(CliError),
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::Other(error)
    }
}

fn explain(work: &Work<'_>, error: &InstallError) -> CliError {
    let context = format!("slot {} was not written", work.target.name);
    CliError::from_error(Exit::No, context, error)
        .hint("the running system is untouched; run again to finish")
}

/// Where the bytes of the running image are: the slot, or for directories the kept archive.
fn image_path(device: &Device, slot: &Slot, image: &Blob) -> PathBuf {
    match slot.kind {
        SlotKind::Raw => slot.device.clone(),
        SlotKind::Dir => device.blob_path(image),
    }
}

/// The running image, if its bytes are what the state says: a modified base gets no delta.
async fn base_content(device: &Device, work: &Work<'_>) -> Result<Option<Content>, CliError> {
    let Some(blob) = work.running.and_then(Image::blob) else {
        return Ok(None);
    };
    let path = image_path(device, &device.running_slot()?, &blob);
    if !path.exists() {
        return Ok(None);
    }
    let hashed = blocking(move || install::hash_prefix(&path, blob.size)).await?;
    let hashed = hashed.context(Exit::No, "running slot")?;
    let same = hashed.blob() == blob;
    let blake3 = manifests::digest::Blake3::new(blob.root);
    Ok(same.then_some(Content {
        blake3,
        size: blob.size,
    }))
}

async fn take_way(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    way: &Way,
    used: &mut FetchReport,
) -> Result<&'static str, Failure> {
    let image = blob_of(&work.release.image);
    let name = match way {
        Way::Delta(delta) => {
            fetch_blob(device, sources, work, blob_of(&delta.blob), used).await?;
            if work.target.kind == SlotKind::Raw {
                install::check_room(&work.target.device, image.size).map_err(Failure::Way)?;
                take_slot(device, sources, work)?;
            }
            write_by_delta(device, work, delta).await?;
            "delta"
        }
        Way::Whole(_) => {
            if work.target.kind == SlotKind::Raw {
                // A slot that is too small keeps what it holds.
                install::check_room(&work.target.device, image.size).map_err(Failure::Way)?;
                take_slot(device, sources, work)?;
            }
            fetch_image(device, sources, work, used).await?;
            "whole"
        }
    };
    if work.target.kind == SlotKind::Dir {
        take_slot(device, sources, work)?;
        let (archive, slot) = (device.blob_path(&image), work.target.device.clone());
        let progress = Progress::start(work.output, "extract", image.size);
        let result = blocking(move || {
            let mut report = |done| go_on(&progress, done);
            install::install_archive(&archive, &slot, &mut report)
        });
        result.await?.map_err(|error| Failure::Way(error.into()))?;
    }
    Ok(name)
}

fn go_on(progress: &Progress, done: u64) -> ControlFlow<()> {
    progress.set(done);
    ControlFlow::Continue(())
}

/// Fetches a blob into the data folder.
async fn fetch_blob(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    blob: Blob,
    used: &mut FetchReport,
) -> Result<(), CliError> {
    let path = device.blob_path(&blob);
    fetch_to(device, sources, work, (blob, &path), used).await
}

/// Fetches the whole image: into a raw slot directly, so that it is never held twice; an archive into
/// the data folder.
async fn fetch_image(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    used: &mut FetchReport,
) -> Result<(), Failure> {
    let image = blob_of(&work.release.image);
    let path = image_path(device, work.target, &image);
    fetch_to(device, sources, work, (image, &path), used).await?;
    read_back(device, &path, image).await
}

async fn fetch_to(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    (blob, path): (Blob, &Path),
    used: &mut FetchReport,
) -> Result<(), CliError> {
    let data = json!({ "blake3": blob.name(), "bytes": blob.size });
    device.record("fetching", data)?;
    let partial = Partial::open(blob, path, &device.tree_path(&blob)).context(Exit::No, "blob")?;
    let progress = Progress::start(work.output, "fetch", blob.size);
    let report = sources.fetch(&partial, |done| progress.set(done)).await?;
    progress.finish();
    source::add(used, report);
    announce(sources, &blob).await
}

/// Tells the network that this device can serve a blob.
async fn announce(sources: &Sources, blob: &Blob) -> Result<(), CliError> {
    match &sources.node {
        Some(node) => node
            .provide(DhtKey::blob(&blob.root))
            .await
            .context(Exit::No, "node"),
        None => Ok(()),
    }
}

async fn write_by_delta(device: &Device, work: &Work<'_>, delta: &DeltaRef) -> Result<(), Failure> {
    let image = blob_of(&work.release.image);
    let base = image_path(device, &device.running_slot()?, &blob_of(&delta.base));
    let target = image_path(device, work.target, &image);
    let (delta_path, delta) = (device.blob_path(&blob_of(&delta.blob)), delta.clone());
    let progress = Progress::start(work.output, "apply", image.size);
    let path = target.clone();
    let applied = blocking(move || {
        let mut report = |done| go_on(&progress, done);
        install::apply_delta(&base, (&delta_path, &delta), (&path, &image), &mut report)
    });
    applied.await?.map_err(Failure::Way)?;
    read_back(device, &target, image).await
}

/// Reads the image back from where it was written, and keeps its chunk level for serving it.
async fn read_back(device: &Device, path: &Path, image: Blob) -> Result<(), Failure> {
    let path = path.to_owned();
    let tree = blocking(move || install::read_back(&path, &image))
        .await?
        .map_err(Failure::Way)?;
    cli::durable::replace(
        &device.tree_path(&image),
        &tree.encode(),
        cli::durable::Access::World,
    )
    .context(Exit::No, "chunk level")?;
    Ok(())
}
