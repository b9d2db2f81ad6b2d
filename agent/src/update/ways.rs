//! The ways to an image: a delta, else the whole image, each fetched, written and read back.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, durable};
use manifests::release::Content;
use node::blocks::fetch::FetchReport;
use node::blocks::partial::Partial;
use protocol::dht::key::DhtKey;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::{Blob, ChunkTree};
use serde_json::json;

use super::failure::{Failure, Run};
use super::{Work, blob_of, blocking, check_battery, stream};
use crate::device::Device;
use crate::install;
use crate::plan::{self, Base, Circumstances, Way};
use crate::power;
use crate::slot::{Slot, SlotKind};
use crate::source::{self, Sources, Unfetched};
use crate::state::Image;

/// Bytes of a chunk level: 32 per chunk of the largest image.
const CHUNK_LEVEL_BYTES_MAX: u64 = 2 << 20;
/// Bytes per second of a link that was never measured.
const LINK_SPEED: u64 = 1_000_000;
/// Image bytes per second by context mixing on a CPU that was never measured: a small one.
const MIXING_SPEED: u64 = 2_000_000;

/// Tries the planned ways in order until the slot holds the image.
pub(super) async fn install_release(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    catalog: Option<Blob>,
) -> Result<(&'static str, FetchReport), CliError> {
    let image = blob_of(&work.release.image);
    device.record("planning", work.describe())?;
    let base = base_of(device, work).await?;
    let circumstances = circumstances(device)?;
    let mut keep: Vec<Blob> = [Some(image), catalog, base.map(|base| blob_of(&base.image))]
        .into_iter()
        .flatten()
        .collect();
    keep.extend(work.release.deltas.iter().map(|delta| blob_of(&delta.blob)));
    device.keep_only(&keep).context(Exit::No, "data folder")?;
    let mut run = Run::default();
    let mut failed = None;
    for way in plan::ways(work.release, base.as_ref(), &circumstances) {
        if run.skips(&way) {
            continue;
        }
        // What came before may have taken long.
        check_battery(device)?;
        match (take_way(device, sources, work, &way, &mut run).await, &way) {
            (Ok(name), _) => {
                note_link(device, sources)?;
                return Ok((name, run.used));
            }
            // A delta that does not fit, finds no room or that nobody serves costs bandwidth, not the
            // update (threats D30).
            (Err(failure), Way::Delta(delta)) if failure.leaves_other_ways() => {
                run.set_aside(device, sources, blob_of(&delta.blob), &failure)?;
                let error = failure.explain(work);
                let data = json!({ "why": error.to_string(), "slot": work.target.name });
                device.record("delta-failed", data)?;
                failed = Some(error);
            }
            (Err(failure), _) => return Err(failure.explain(work)),
        }
    }
    Err(failed.unwrap_or_else(|| CliError::new(Exit::No, "no way to the image")))
}

/// Before the first byte of a slot changes: it can't start, whatever happens, until `switch`. Not
/// earlier, so that a source that lies costs no slot.
pub(super) fn take_slot(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
) -> Result<(), CliError> {
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

/// Where the bytes of the running image are: the slot, or for directories the kept archive.
pub(super) fn image_path(device: &Device, slot: &Slot, image: &Blob) -> PathBuf {
    match slot.kind {
        SlotKind::Raw => slot.device.clone(),
        SlotKind::Dir => device.blob_path(image),
    }
}

/// The running image as it was installed, and how much of it is no longer so. `None` where nothing tells: no
/// state, or a modified slot whose chunk level is gone.
async fn base_of(device: &Device, work: &Work<'_>) -> Result<Option<Base>, CliError> {
    let Some(blob) = work.running.and_then(Image::blob) else {
        return Ok(None);
    };
    let path = image_path(device, &device.running_slot()?, &blob);
    if !path.exists() {
        return Ok(None);
    }
    let hashed = match blocking(move || install::hash_prefix(&path, blob.size)).await? {
        Ok(hashed) => hashed,
        Err(error) => {
            tracing::warn!(%error, "what runs can't be read, so no delta starts from it");
            return Ok(None);
        }
    };
    let modified = if hashed.blob() == blob {
        0
    } else {
        let level = durable::read_if_there(&device.tree_path(&blob), CHUNK_LEVEL_BYTES_MAX);
        let level = level.context(Exit::No, "chunk level")?;
        let tree = level.and_then(|level| ChunkTree::parse(blob, &level).ok());
        let Some(tree) = tree else {
            return Ok(None);
        };
        modified_bytes(&tree, &hashed)
    };
    let blake3 = manifests::digest::Blake3::new(blob.root);
    let size = blob.size;
    let image = Content { blake3, size };
    Ok(Some(Base { image, modified }))
}

/// Bytes of the chunks that are no longer what they were.
fn modified_bytes(was: &ChunkTree, is: &ChunkTree) -> u64 {
    let blob = was.blob();
    (0..blob.chunk_count())
        .filter(|chunk| was.nodes(*chunk, 1) != is.nodes(*chunk, 1))
        .map(|chunk| blob.chunk_len(chunk))
        .sum()
}

/// Remembers how fast the link is, for the next choice.
fn note_link(device: &mut Device, sources: &Sources) -> Result<(), CliError> {
    let Some(speed) = sources.link_speed() else {
        return Ok(());
    };
    let mut state = device.state()?;
    state.measured.note_link(speed);
    device.save_state(&state)
}

/// What decides between ways, here and now.
///
/// # Errors
/// [`CliError`] if the state can't be read.
pub fn circumstances(device: &Device) -> Result<Circumstances, CliError> {
    let policy = device.config.streaming;
    let measured = device.state()?.measured;
    let prefer = match power::discharging(&device.config.power_supply) {
        Some(_) => policy.prefer_on_battery,
        None => policy.prefer,
    };
    let mixing = policy.mixing_speed.or(measured.mixing);
    Ok(Circumstances {
        prefer,
        link: policy.link_speed.or(measured.link).unwrap_or(LINK_SPEED),
        mixing: policy.mixing.then(|| mixing.unwrap_or(MIXING_SPEED)),
    })
}

async fn take_way(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    way: &Way,
    run: &mut Run,
) -> Result<&'static str, Failure> {
    let kind = work.target.kind;
    let image = blob_of(&work.release.image);
    if kind == SlotKind::Raw {
        // A slot that is too small keeps what it holds.
        install::check_room(&work.target.device, image.size)
            .map_err(|error| Failure::of_install(error, kind))?;
    }
    let name = match way {
        Way::Delta(delta) => {
            stream::install_delta(device, sources, work, delta, run).await?;
            if plan::is_repack(delta) {
                "repack"
            } else {
                "delta"
            }
        }
        Way::Whole(_) => {
            fetch_image(device, sources, work, None, run).await?;
            "whole"
        }
    };
    if kind == SlotKind::Dir {
        take_slot(device, sources, work)?;
        let (archive, slot) = (device.blob_path(&image), work.target.device.clone());
        let progress = Progress::start(work.output, "extract", image.size);
        let result = blocking(move || {
            let mut report = |done| go_on(&progress, done);
            install::install_archive(&archive, &slot, &mut report)
        });
        result
            .await?
            .map_err(|error| Failure::of_install(error.into(), kind))?;
    }
    Ok(name)
}

pub(super) fn go_on(progress: &Progress, done: u64) -> ControlFlow<()> {
    progress.set(done);
    ControlFlow::Continue(())
}

/// Fetches the whole image: into a raw slot directly, so that it is never held twice; an archive into
/// the data folder. `wanted`: chunks of it, if not all.
pub(super) async fn fetch_image(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    wanted: Option<ChunkMap>,
    run: &mut Run,
) -> Result<(), Failure> {
    let kind = work.target.kind;
    let image = blob_of(&work.release.image);
    let path = image_path(device, work.target, &image);
    let partial = open_partial(device, image, &path)?;
    let progress = Progress::start(work.output, "fetch", image.size);
    let gate = async || match kind {
        SlotKind::Raw => take_slot(device, sources, work),
        SlotKind::Dir => Ok(()),
    };
    let fetched = sources.fetch_part(&partial, wanted, gate, |done| progress.set(done));
    let fetched = fetched.await;
    progress.finish();
    if let Err(Unfetched::Starved(_)) = &fetched {
        run.note_useless(image);
    }
    let report = fetched.map_err(|error| Failure::of_image(error, kind))?;
    source::add(&mut run.used, report);
    announce(sources, &image).await?;
    read_back(device, work, &path).await
}

/// Whether the data folder takes so many bytes more of a delta.
pub(super) fn check_room(device: &Device, bytes: u64) -> Result<(), Failure> {
    if device.has_room(bytes) {
        return Ok(());
    }
    let message = format!("data folder: a delta needs {bytes} bytes, and some to spare");
    let error = CliError::new(Exit::No, message);
    Err(Failure::Folder(error.hint(durable::DISK_FIX)))
}

/// Opens where the bytes of a blob go.
pub(super) fn open_partial(
    device: &mut Device,
    blob: Blob,
    path: &Path,
) -> Result<Partial, CliError> {
    let data = json!({ "blake3": blob.name(), "bytes": blob.size });
    device.record("fetching", data)?;
    Partial::open(blob, path, &device.tree_path(&blob))
        .context(Exit::No, "data folder")
        .map_err(|error| error.hint(durable::DISK_FIX))
}

/// Tells the network that this device can serve a blob.
pub(super) async fn announce(sources: &Sources, blob: &Blob) -> Result<(), CliError> {
    match &sources.node {
        Some(node) => node
            .provide(DhtKey::blob(&blob.root))
            .await
            .context(Exit::No, "node"),
        None => Ok(()),
    }
}

/// Reads the image back from where it was written, and keeps its chunk level for serving it.
pub(super) async fn read_back(
    device: &Device,
    work: &Work<'_>,
    path: &Path,
) -> Result<(), Failure> {
    let (image, path) = (blob_of(&work.release.image), path.to_owned());
    let tree = blocking(move || install::read_back(&path, &image))
        .await?
        .map_err(|error| Failure::of_install(error, work.target.kind))?;
    durable::replace(
        &device.tree_path(&image),
        &tree.encode(),
        durable::Access::World,
    )
    .context(Exit::No, "chunk level")?;
    Ok(())
}
