//! The data folder of one device and everything that lives in it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use cli::durable::{self, Lock, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::pin::Pin;
use node::clock::Clock;
use protocol::exchange::tree::Blob;

use crate::boot::{BootFile, BootState};
use crate::config::Config;
use crate::journal::Journal;
use crate::slot::Slot;
use crate::state::{State, StateFile};
use crate::trust::TrustStore;

/// 2026-01-01: this program is younger. A device without a battery starts its clock in 1970.
const EARLIEST: u64 = 1_767_225_600;
/// Refusals that are remembered, so that they are told once.
const TOLD_MAX: usize = 16;

/// Bytes that deltas leave free for journal and state: a data folder without room stops the device.
const SPARE_BYTES: u64 = 512 * 1024;

/// An opened device: this process alone may change it.
#[derive(Debug)]
pub struct Device {
    /// The configuration.
    pub config: Config,
    /// Whom it trusts and what it follows.
    pub pin: Pin,
    /// The trusted files.
    pub trust: TrustStore,
    /// The journal.
    pub journal: Journal,
    /// Refusals that the journal told lately: sources that refuse at every poll must not push the rest
    /// out of it.
    told: VecDeque<String>,
    boot_file: BootFile,
    state_file: StateFile,
    _lock: Lock,
}

impl Device {
    /// Makes the data folder of a new device that trusts `pin`. What is there is kept: a boot state that
    /// was lost is made again from the agent's state, a lost agent's state is not.
    ///
    /// # Errors
    /// [`CliError`] if the device trusts another pin or its state is lost.
    pub fn create(config: &Config, pin: &Pin) -> Result<(), CliError> {
        let data = config.data_directory.as_path();
        durable::create_folder(data).context(Exit::No, "data folder")?;
        let trust = TrustStore::new(data);
        let (boot_file, state_file) = (BootFile::new(data), StateFile::new(data));
        if !state_file.exists() && !trust.is_pinned() {
            state_file.save(&State::default())?;
        }
        let state = state_file.load()?;
        if !boot_file.exists() {
            boot_file.save(&BootState::guess(&config.slots, &state))?;
        }
        // The pin comes last: with it the device is complete.
        trust.store_pin(pin)
    }

    /// Opens the device for changes.
    ///
    /// # Errors
    /// [`CliError`]: [`Exit::Retry`] if another agent runs (threats S88), [`Exit::Usage`] if there is
    /// no pin.
    pub fn open(config: Config) -> Result<Self, CliError> {
        let data = config.data_directory.as_path();
        let trust = TrustStore::new(data);
        let pin = trust.pin()?;
        let lock = Lock::acquire(data)
            .context(Exit::No, "lock")?
            .ok_or_else(|| {
                let message = format!("{} is in use by another agent", data.display());
                CliError::new(Exit::Retry, message).hint("wait for it, or stop it")
            })?;
        for name in ["blobs", "trees"] {
            durable::create_folder(&data.join(name)).context(Exit::No, "data folder")?;
        }
        check_slots(&config.slots)?;
        let journal = Journal::open(data).context(Exit::No, "journal")?;
        let (boot_file, state_file) = (BootFile::new(data), StateFile::new(data));
        let device = Self {
            trust,
            pin,
            journal,
            told: VecDeque::new(),
            boot_file,
            state_file,
            _lock: lock,
            config,
        };
        device.boot()?;
        device.state()?;
        Ok(device)
    }

    /// The boot state.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn boot(&self) -> Result<BootState, CliError> {
        self.boot_file.load(&self.config.slots)
    }

    /// Replaces the boot state.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn save_boot(&self, state: &BootState) -> Result<(), CliError> {
        self.boot_file.save(state)
    }

    /// The agent's state.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn state(&self) -> Result<State, CliError> {
        self.state_file.load()
    }

    /// What is known of the time: the clock is wrong where it is behind the last verified metadata.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn clock(&self) -> Result<Clock, CliError> {
        let floor = self.state()?.time_floor.max(EARLIEST);
        Ok(Clock::not_before(floor))
    }

    /// Replaces the agent's state.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn save_state(&self, state: &State) -> Result<(), CliError> {
        self.state_file.save(state)
    }

    /// Adds a decision to the journal.
    ///
    /// # Errors
    /// [`CliError`]; what was decided must not be done then.
    pub fn record(&mut self, event: &str, data: serde_json::Value) -> Result<(), CliError> {
        tracing::info!(event, %data, "journal");
        let added = self.journal.add(event, data);
        added
            .context(Exit::No, "journal")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }

    /// Adds a refusal to the journal unless it was told lately.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn record_refusal(&mut self, event: &str, why: &str, exit: Exit) -> Result<(), CliError> {
        if self.told.iter().any(|told| told == why) {
            return Ok(());
        }
        self.record(event, serde_json::json!({ "why": why, "exit": exit as u8 }))?;
        self.told.truncate(TOLD_MAX - 1);
        self.told.push_front(why.to_owned());
        Ok(())
    }

    /// The slot that runs.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn running_slot(&self) -> Result<Slot, CliError> {
        let booted = self.boot()?.booted;
        self.find_slot(|slot| slot.bootname == booted)
    }

    /// The other slot: the only one that is ever written.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn other_slot(&self) -> Result<Slot, CliError> {
        let booted = self.boot()?.booted;
        self.find_slot(|slot| slot.bootname != booted)
    }

    fn find_slot(&self, wanted: impl Fn(&Slot) -> bool) -> Result<Slot, CliError> {
        let slot = self.config.slots.iter().find(|slot| wanted(slot)).cloned();
        slot.ok_or_else(|| CliError::new(Exit::Usage, "no such slot in the configuration"))
    }

    /// Where a blob is kept. The name has the size too: whoever may name a blob by a wrong size must
    /// not cut the file of the right one.
    pub fn blob_path(&self, blob: &Blob) -> PathBuf {
        self.blobs_folder().join(blob.address())
    }

    /// Where a blob's chunk level is kept.
    pub fn tree_path(&self, blob: &Blob) -> PathBuf {
        tree_path(&self.config.data_directory, blob)
    }

    /// Whether blobs may take so many bytes more. Where the file system doesn't say, they may.
    pub fn has_room(&self, bytes: u64) -> bool {
        let free = rustix::fs::statvfs(self.blobs_folder())
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        free.map_or(true, |free| free >= bytes.saturating_add(SPARE_BYTES))
    }

    /// The blobs of the data folder, each whole or in part.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn blobs(&self) -> Result<Vec<Blob>, PathError> {
        let folder = self.blobs_folder();
        let at = |error| PathError::new(&folder, error);
        let mut blobs = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at)? {
            let name = entry.map_err(at)?.file_name();
            blobs.extend(name.to_str().and_then(Blob::from_address));
        }
        Ok(blobs)
    }

    fn blobs_folder(&self) -> PathBuf {
        self.config.data_directory.join("blobs")
    }

    /// Removes blobs and chunk levels other than those named, so that aborted runs don't fill the
    /// disk (threats S89).
    ///
    /// # Errors
    /// [`PathError`].
    pub fn keep_only(&self, blobs: &[Blob]) -> Result<(), PathError> {
        let names: Vec<String> = blobs.iter().map(Blob::address).collect();
        self.remove_where(|name| !names.iter().any(|kept| kept == name))
    }

    /// Removes a blob and its chunk level, whole or in part.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn remove_blob(&self, blob: &Blob) -> Result<(), PathError> {
        let unwanted = blob.address();
        self.remove_where(|name| name == unwanted)
    }

    fn remove_where(&self, unwanted: impl Fn(&str) -> bool) -> Result<(), PathError> {
        for folder in ["blobs", "trees"] {
            let folder = self.config.data_directory.join(folder);
            let at = |error| PathError::new(&folder, error);
            for entry in fs::read_dir(&folder).map_err(at)? {
                let path = entry.map_err(at)?.path();
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                if !unwanted(&stem) {
                    continue;
                }
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(PathError::new(&path, error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Two names for one device would have the running system overwritten (threats S87).
fn check_slots(slots: &[Slot; 2]) -> Result<(), CliError> {
    let identity = |slot: &Slot| {
        let metadata = fs::metadata(&slot.device).ok()?;
        // Several nodes may stand for one block device.
        let of_device = metadata.file_type().is_block_device();
        let node = (metadata.dev(), metadata.ino());
        Some((
            of_device,
            if of_device {
                (metadata.rdev(), 0)
            } else {
                node
            },
        ))
    };
    let [a, b] = slots;
    if identity(a).is_some_and(|first| identity(b) == Some(first)) {
        let (a, b) = (a.device.display(), b.device.display());
        let message = format!("slot: {a} and {b} are the same device");
        return Err(CliError::new(Exit::Usage, message).hint("put slot.*.device right"));
    }
    Ok(())
}

fn tree_path(data: &Path, blob: &Blob) -> PathBuf {
    data.join("trees").join(format!("{}.tree", blob.address()))
}

#[cfg(test)]
mod tests;
