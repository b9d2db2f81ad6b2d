//! One update: Checking → Planning → Fetching → Installing → Verifying → Switching.
//!
//! Every step is in the journal before it is taken, and each step leaves a state from which the next
//! run finishes: the slot being written can't start, what was fetched is found again by its hashes.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, Output};
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::release::{Content, DeltaRef, Release};
use node::blocks::fetch::FetchReport;
use node::blocks::partial::Partial;
use protocol::dht::key::DhtKey;
use protocol::exchange::tree::Blob;
use serde::Serialize;
use serde_json::json;

use crate::device::Device;
use crate::install::{self, InstallError};
use crate::plan::{self, Way};
use crate::policy::{self, Decision, Refusal};
use crate::slot::{Slot, SlotKind};
use crate::source::metadata::{Checked, check};
use crate::source::{self, Sources};
use crate::state::{Image, Pending, State};

/// What an update did, for people, programs and the journal.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version that ran before, if known.
    pub from: Option<String>,
    /// The version that was installed.
    pub to: String,
    /// Its release counter.
    pub release: u64,
    /// The slot that holds it.
    pub slot: String,
    /// `delta` or `whole`.
    pub way: &'static str,
    /// Bytes of chunks that were fetched.
    pub fetched_bytes: u64,
    /// Bytes of the full image.
    pub image_bytes: u64,
    /// Where they came from.
    pub sources: FetchReport,
    /// The keys that signed the product's role, by the first 16 digits of their ids.
    pub verified_by: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// How an update ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A release is installed and starts at the next boot.
    Installed(Box<Report>),
    /// A release installed before waits for the next boot.
    RebootPending,
    /// Nothing is newer.
    UpToDate,
}

/// What a check found.
#[derive(Debug)]
pub struct Found {
    /// The verified metadata.
    pub checked: Checked,
    /// What policy says.
    pub decision: Decision,
    /// The image that runs, if known.
    pub running: Option<Image>,
}

/// Checks for a release: gets and verifies metadata, identifies what runs, decides.
///
/// # Errors
/// [`CliError`] naming source, file and rule.
pub async fn look(device: &mut Device, sources: &Sources) -> Result<Found, CliError> {
    let checked = check(device, sources).await.inspect_err(|error| {
        tracing::debug!(%error, "check failed");
    });
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let data = json!({ "why": error.to_string(), "exit": error.exit as u8 });
            device.record("check-refused", data)?;
            return Err(error);
        }
    };
    let mut state = device.state()?;
    note_newest(&mut state, &checked.repository);
    let running = identify(device, &mut state, &checked.repository)?;
    device.save_state(&state)?;
    let decision = policy::decide(
        &policy::Device {
            pin: &device.pin,
            hardware: &device.config.hardware,
            slots: device.config.slots[0].kind,
            state: &state,
            running: running.as_ref().map_or(0, |image| image.release),
        },
        &checked.repository.product,
    );
    if let Decision::Refuse(why) = &decision {
        device.record("refused", json!({ "why": why.to_string() }))?;
    }
    Ok(Found {
        checked,
        decision,
        running,
    })
}

/// Remembers when something new was last heard, so that a freeze can be told (threats M18).
fn note_newest(state: &mut State, repository: &Repository) {
    let version = repository.timestamp.header().version;
    if state.newest_seen.is_none_or(|(seen, _)| seen < version) {
        state.newest_seen = Some((version, node::storage::records::unix_now()));
    }
}

/// What the running slot holds. A factory device does not say; its content is then compared with
/// the images of the verified releases.
fn identify(
    device: &Device,
    state: &mut State,
    repository: &Repository,
) -> Result<Option<Image>, CliError> {
    let slot = device.running_slot()?;
    if let Some(image) = state.slots.get(&slot.bootname) {
        return Ok(Some(image.clone()));
    }
    if slot.kind == SlotKind::Dir || !slot.device.exists() {
        return Ok(None);
    }
    let targets = repository.product.targets().values();
    let mut releases: Vec<&Release> = targets.filter_map(|it| it.release.as_ref()).collect();
    releases.sort_by_key(|release| (release.image.size, release.release));
    let mut hashed: Option<Blob> = None;
    for release in releases {
        if hashed.is_none_or(|blob| blob.size != release.image.size) {
            let tree = install::hash_prefix(&slot.device, release.image.size);
            hashed = Some(tree.context(Exit::No, "running slot")?.blob());
        }
        if hashed == Some(blob_of(&release.image)) {
            let image = image_of(release);
            state.slots.insert(slot.bootname, image.clone());
            return Ok(Some(image));
        }
    }
    Ok(None)
}

/// Installs the newest release if there is one and policy allows it.
///
/// # Errors
/// [`CliError`]; the running slot is untouched, and the next run finishes.
pub async fn update(
    device: &mut Device,
    sources: &Sources,
    output: Output,
) -> Result<Outcome, CliError> {
    let started = Instant::now();
    let found = look(device, sources).await?;
    let release = match found.decision {
        Decision::Install(release) => *release,
        Decision::UpToDate => return Ok(Outcome::UpToDate),
        Decision::Pending => return Ok(Outcome::RebootPending),
        Decision::Refuse(why) => return Err(refused(&why)),
    };
    let target = device.other_slot()?;
    check_fallback(device, &target)?;
    let work = Work {
        release: &release,
        target: &target,
        running: found.running.as_ref(),
        output,
    };
    let catalog = found.checked.catalog;
    let (way, sources_used) = install_release(device, sources, &work, catalog).await?;
    let repository = &found.checked.repository;
    let signers = repository.product.signers().iter();
    let report = Report {
        from: found.running.as_ref().map(|image| image.version.clone()),
        to: release.version.clone(),
        release: release.release,
        slot: target.name.clone(),
        way,
        fetched_bytes: sources_used.bytes_by_source.values().sum(),
        image_bytes: release.image.size,
        sources: sources_used,
        verified_by: signers
            .map(|key| manifests::author::key_id(key).chars().take(16).collect())
            .collect(),
        seconds: started.elapsed().as_secs_f64(),
    };
    switch(device, &work, &report)?;
    Ok(Outcome::Installed(Box::new(report)))
}

/// Gives a refusal of policy its exit code and the fix.
pub fn refused(why: &Refusal) -> CliError {
    let (exit, fix) = match why {
        Refusal::Older { .. } | Refusal::Security { .. } => {
            (Exit::Rollback, "the source serves old files; use another")
        }
        Refusal::Failed(_) => (Exit::No, "wait for a newer release"),
        Refusal::Format { .. } => (Exit::No, "put slot.*.type right, or follow another product"),
        Refusal::Hardware { .. } => (Exit::No, "put system.compatible right; this is not for it"),
    };
    CliError::new(exit, format_args!("refused: {why}")).hint(fix)
}

/// The last good slot is not overwritten while what runs has not proved itself (threats S79, S86).
fn check_fallback(device: &Device, target: &Slot) -> Result<(), CliError> {
    let boot = device.boot()?;
    let good = |name: &str| boot.slot(name).is_some_and(|slot| slot.good);
    if good(&boot.booted) || !good(&target.bootname) {
        return Ok(());
    }
    let message = format!(
        "slot {} runs and is not good; {} is the only good slot and is not overwritten",
        boot.booted, target.bootname
    );
    Err(CliError::new(Exit::Retry, message).hint("reboot, or streembit-agent mark-good"))
}

/// One release on its way into one slot.
#[derive(Clone, Copy)]
struct Work<'a> {
    release: &'a Release,
    target: &'a Slot,
    running: Option<&'a Image>,
    output: Output,
}

impl Work<'_> {
    fn describe(&self) -> serde_json::Value {
        json!({ "version": self.release.version, "release": self.release.release,
            "slot": self.target.name, "blake3": self.release.image.blake3.to_string() })
    }
}

/// Tries the planned ways in order until the slot holds the image.
async fn install_release(
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

/// Lets the verified slot start. The state comes first: a cut in between leaves a slot that can't
/// start and a state that says what is in it.
fn switch(device: &mut Device, work: &Work<'_>, report: &Report) -> Result<(), CliError> {
    device.record("switching", json!(report))?;
    let image = image_of(work.release);
    let bootname = work.target.bootname.clone();
    let mut state = device.state()?;
    state.slots.insert(bootname.clone(), image.clone());
    state.pending = Some(Pending {
        bootname: bootname.clone(),
        image,
        from: work.running.map(|image| image.version.clone()),
    });
    device.save_state(&state)?;
    let mut boot = device.boot()?;
    boot.try_next(&bootname, device.config.boot_attempts);
    device.save_boot(&boot)?;
    device.record("rebooting", work.describe())
}

/// The address of signed content.
pub fn blob_of(content: &Content) -> Blob {
    Blob {
        root: *content.blake3.as_bytes(),
        size: content.size,
    }
}

fn image_of(release: &Release) -> Image {
    Image {
        version: release.version.clone(),
        release: release.release,
        security_version: release.security_version,
        blake3: release.image.blake3.to_string(),
        size: release.image.size,
    }
}

/// Runs long disk work off the loop.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work)
        .await
        .context(Exit::No, "internal")
}
