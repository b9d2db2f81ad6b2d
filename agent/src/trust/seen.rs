//! What the device last saw of the log: its checkpoint, and the policy if it has changed since the pin.

use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tlog::checkpoint::Checkpoint;
use tlog::limits::{NOTE_BYTES_MAX, POLICY_BYTES_MAX};
use tlog::note::Note;
use tlog::policy::Policy;

const CHECKPOINT: &str = "log.checkpoint";
const POLICY: &str = "log-policy.json";
const STATED: &str = "log-release.json";
const OTHERS: &str = "log-others.json";
const EVIDENCE: &str = "evidence";
const SPLIT_VIEW: &str = "split-view.json";

/// Bytes of what is known of the newest release.
const STATED_BYTES_MAX: usize = 4096;

/// A policy that a signed change has brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    /// The number of its entry in the log: those before are of the past.
    pub index: u64,
    /// What it says.
    pub policy: String,
}

/// A checkpoint that others have seen, and our sources don't show yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ahead {
    /// As it was signed.
    pub note: String,
    /// When it was first heard of, seconds since 1970.
    pub since: u64,
}

/// The newest release whose statement was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// The log.
    pub origin: String,
    /// The release counter.
    pub release: u64,
    /// The number of the statement's entry: those of later releases come later.
    pub index: u64,
}

/// The files, in the folder of trusted ones.
#[derive(Clone, Debug)]
pub struct Seen {
    folder: PathBuf,
}

impl Seen {
    /// The files in a folder.
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// The newest checkpoint that was accepted, as it was signed.
    ///
    /// # Errors
    /// [`CliError`]: a damaged file is no new device.
    pub fn note(&self) -> Result<Option<Note>, CliError> {
        let path = self.folder.join(CHECKPOINT);
        let limit = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read_if_there(&path, limit).context(Exit::No, "log")?;
        let note = bytes.map(|bytes| Note::parse(&bytes)).transpose();
        note.context(Exit::No, path.display())
    }

    /// What it says, if it is of a log of the policy.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn checkpoint(&self, policy: &Policy) -> Result<Option<Checkpoint>, CliError> {
        let Some(note) = self.note()? else {
            return Ok(None);
        };
        let checkpoint: Checkpoint = note.text().parse().context(Exit::No, CHECKPOINT)?;
        let mut logs = policy.logs().iter();
        let is_ours = logs.any(|log| log.name == checkpoint.origin);
        Ok(is_ours.then_some(checkpoint))
    }

    /// Remembers the newest.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn store(&self, note: &Note) -> Result<(), CliError> {
        self.put(CHECKPOINT, &note.to_string())
    }

    /// A policy that came after the pin's.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn policy(&self) -> Result<Option<Adopted>, CliError> {
        self.read(POLICY, 2 * POLICY_BYTES_MAX)
    }

    /// Puts another policy in force.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn store_policy(&self, adopted: &Adopted) -> Result<(), CliError> {
        self.write(POLICY, adopted)
    }

    /// The newest release whose statement was accepted.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn stated(&self) -> Result<Option<Stated>, CliError> {
        self.read(STATED, STATED_BYTES_MAX)
    }

    /// Remembers it.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn store_stated(&self, stated: &Stated) -> Result<(), CliError> {
        self.write(STATED, stated)
    }

    /// The largest checkpoint that others have seen and our sources didn't show.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn ahead(&self) -> Result<Option<Ahead>, CliError> {
        self.read(OTHERS, 2 * NOTE_BYTES_MAX)
    }

    /// Remembers it, or forgets it once it is shown.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn store_ahead(&self, ahead: Option<&Ahead>) -> Result<(), CliError> {
        match ahead {
            Some(ahead) => self.write(OTHERS, ahead),
            None => durable::remove(&self.folder.join(OTHERS)).context(Exit::No, "log"),
        }
    }

    /// Keeps what shows two histories, where it is. The first stays.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn keep_evidence(&self, text: &str) -> Result<String, CliError> {
        let folder = self.folder.join(EVIDENCE);
        durable::create_folder(&folder).context(Exit::No, "evidence")?;
        let path = folder.join(SPLIT_VIEW);
        if !path.exists() {
            durable::replace(&path, text.as_bytes(), Access::World)
                .context(Exit::No, "evidence")?;
        }
        Ok(path.display().to_string())
    }

    /// A file in JSON of so many bytes at most, if it is there.
    fn read<T: DeserializeOwned>(&self, name: &str, limit: usize) -> Result<Option<T>, CliError> {
        let path = self.folder.join(name);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let bytes = durable::read_if_there(&path, limit).context(Exit::No, "log")?;
        let value = bytes.map(|bytes| serde_json::from_slice(&bytes));
        value.transpose().context(Exit::No, path.display())
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).context(Exit::No, "log")?;
        self.put(name, &text)
    }

    fn put(&self, name: &str, text: &str) -> Result<(), CliError> {
        durable::replace(&self.folder.join(name), text.as_bytes(), Access::World)
            .context(Exit::No, "log")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }
}
