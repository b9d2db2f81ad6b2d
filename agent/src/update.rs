//! One update: Checking → Planning → Fetching → Installing → Verifying → Switching.
//!
//! Every step is in the journal before it is taken, and each step leaves a state from which the next
//! run finishes: the slot being written can't start, what was fetched is found again by its hashes.

mod failure;
mod repair;
mod stream;
mod ways;

use std::time::Instant;

pub use ways::circumstances;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use manifests::product::Product;
use manifests::release::{Content, Release};
use node::blocks::fetch::FetchReport;
use protocol::exchange::tree::{Blob, ChunkTree};
use serde::Serialize;
use serde_json::json;

use crate::device::Device;
use crate::evidence;
use crate::install;
use crate::policy::{self, Decision, Refusal};
use crate::power;
use crate::slot::{Slot, SlotKind};
use crate::source::Sources;
use crate::source::metadata::{Checked, check, refuse};
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
    /// `delta`, `repack` or `whole`.
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

/// Why an update did not come about.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: CliError,
    /// The release whose installation was tried, if it came to that.
    pub release: Option<u64>,
}

impl From<CliError> for Failed {
    fn from(error: CliError) -> Self {
        let release = None;
        Self { error, release }
    }
}

impl From<Failed> for CliError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
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
    let checked = match check(device, sources).await {
        Ok(checked) => checked,
        Err(error) => {
            device.record_refusal("check-refused", &error.to_string(), error.exit)?;
            return Err(error);
        }
    };
    let mut state = device.state()?;
    note_newest(&mut state, &checked);
    let product = checked.repository.product(&device.pin.product);
    let product = product.map_err(|error| refuse(&error))?;
    let running = identify(device, &mut state, product)?;
    device.save_state(&state)?;
    let decision = policy::decide(
        &policy::Device {
            pin: &device.pin,
            hardware: &device.config.hardware,
            slots: device.config.slots[0].kind,
            state: &state,
            running: running.as_ref().map_or(0, |image| image.release),
        },
        product,
    );
    if let Decision::Refuse(why) = &decision {
        device.record_refusal("refused", &why.to_string(), refused(why).exit)?;
    }
    let shown = match &decision {
        Decision::Install(release) => evidence::demand(device, sources, &checked, release).await,
        Decision::Refuse(_) => Ok(()),
        _ => evidence::look(device, sources, &checked).await.map(drop),
    };
    if let Err(error) = shown {
        device.record_refusal("evidence-refused", &error.to_string(), error.exit)?;
        return Err(error);
    }
    let catalog = checked.catalog.as_ref().map(|(blob, _)| *blob);
    let wanted = wanted_blobs(&state, &decision, catalog);
    device.keep_only(&wanted).context(Exit::No, "data folder")?;
    sources.blobs().retain(&wanted);
    Ok(Found {
        checked,
        decision,
        running,
    })
}

/// What the data folder may hold after a check: the catalog, the images that the slots hold, and
/// whatever an update to the newest release may have begun to fetch. Old catalogs go, so that a source
/// which offers a new one at every check fills no disk (threats S89).
fn wanted_blobs(state: &State, decision: &Decision, catalog: Option<Blob>) -> Vec<Blob> {
    let mut wanted: Vec<Blob> = catalog.into_iter().collect();
    wanted.extend(state.slots.values().filter_map(Image::blob));
    if let Decision::Install(release) = decision {
        wanted.push(blob_of(&release.image));
        wanted.extend(release.deltas.iter().map(|delta| blob_of(&delta.blob)));
    }
    wanted
}

/// Remembers when something new was last heard, so that a freeze can be told (threats M18).
fn note_newest(state: &mut State, checked: &Checked) {
    let (version, now) = (checked.version(), checked.verified_at.as_unix());
    // Below, since keys were rotated, counts as well: what went before is void.
    if state.newest_seen.is_none_or(|(seen, _)| seen != version) {
        state.newest_seen = Some((version, now));
    }
    state.time_floor = state.time_floor.max(now);
}

/// What the running slot holds. A factory device does not say; its content is then compared with
/// the images of the verified releases.
fn identify(
    device: &Device,
    state: &mut State,
    product: &Product,
) -> Result<Option<Image>, CliError> {
    let slot = device.running_slot()?;
    if let Some(image) = state.slots.get(&slot.bootname) {
        return Ok(Some(image.clone()));
    }
    if slot.kind == SlotKind::Dir || !slot.device.exists() {
        return Ok(None);
    }
    let mut releases: Vec<&Release> = product.releases().collect();
    releases.sort_by_key(|release| (release.image.size, release.release));
    let mut hashed: Option<ChunkTree> = None;
    for release in releases {
        let blob = blob_of(&release.image);
        let tree = match hashed.take().filter(|tree| tree.blob().size == blob.size) {
            Some(tree) => tree,
            None => match install::hash_prefix(&slot.device, blob.size) {
                Ok(tree) => tree,
                Err(error) => {
                    tracing::warn!(%error, "what runs can't be read, so it stays unknown");
                    return Ok(None);
                }
            },
        };
        if tree.blob() == blob {
            let image = image_of(release);
            // Tells later which parts of it were modified.
            durable::replace(&device.tree_path(&blob), &tree.encode(), Access::World)
                .context(Exit::No, "chunk level")?;
            state.slots.insert(slot.bootname, image.clone());
            return Ok(Some(image));
        }
        hashed = Some(tree);
    }
    Ok(None)
}

/// Installs the newest release if there is one and policy allows it.
///
/// # Errors
/// [`Failed`]; the running slot is untouched, and the next run finishes.
pub async fn update(
    device: &mut Device,
    sources: &Sources,
    output: Output,
) -> Result<Outcome, Failed> {
    let started = Instant::now();
    let found = look(device, sources).await?;
    let release = match found.decision {
        Decision::Install(release) => *release,
        Decision::UpToDate => return Ok(Outcome::UpToDate),
        Decision::Pending => return Ok(Outcome::RebootPending),
        Decision::Refuse(why) => return Err(refused(&why).into()),
    };
    let target = device.other_slot()?;
    check_fallback(device, &target)?;
    check_battery(device)?;
    let work = Work {
        release: &release,
        target: &target,
        running: found.running.as_ref(),
        output,
    };
    let catalog = found.checked.catalog.as_ref().map(|(blob, _)| *blob);
    let installed = ways::install_release(device, sources, &work, catalog).await;
    let (way, sources_used) = installed.map_err(|error| Failed {
        error,
        release: Some(release.release),
    })?;
    let product = found.checked.repository.product(&device.pin.product);
    let signers = product.map_err(|error| refuse(&error))?.signers().iter();
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
            .map(|key| key.id().chars().take(16).collect())
            .collect(),
        seconds: started.elapsed().as_secs_f64(),
    };
    switch(device, &work, &report)?;
    Ok(Outcome::Installed(Box::new(report)))
}

/// Gives a refusal of policy its exit code and the fix.
pub fn refused(why: &Refusal) -> CliError {
    let (exit, fix) = match why {
        Refusal::Older { .. } | Refusal::Security { .. } => (
            Exit::Rollback,
            "that release was withdrawn, or the source serves old files; wait for a newer one",
        ),
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

/// Nothing is installed on a battery that may not last.
fn check_battery(device: &Device) -> Result<(), CliError> {
    let needed = device.config.streaming.min_battery;
    match power::discharging(&device.config.power_supply) {
        Some(charge) if charge < needed => {
            let message = format!("the battery has {charge} %, an update needs {needed} %");
            let fix = "charge it, or lower streaming.min-battery in agent.toml";
            Err(CliError::new(Exit::Retry, message).hint(fix))
        }
        _ => Ok(()),
    }
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
