//! The files of a witness, `witness` in the data folder:
//!
//! ```text
//! witness.json              its name, its key, and the logs that it watches
//! witness.key               its private key
//! latest/HASH/checkpoint    what it cosigned last of a log; HASH is the SHA-256 of the origin
//! latest/HASH/evidence      a checkpoint of the same log that has as many entries and another root
//! mirror.key                the private key of its mirror, if there is one
//! mirror/HASH/              what the mirror holds of a log
//! ```

use std::path::{Path, PathBuf};

use cli::durable::{self, Access, Lock, PathError};
use keys::PublicKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog::checkpoint::Checkpoint;
use tlog::limits::NOTE_BYTES_MAX;
use tlog::note::{Note, Signed};
use tlog::vkey::{Scheme, VerifierKey, VkeyError};
use tlog::witness::Latest;

const FOLDER: &str = "witness";
const MIRROR: &str = "mirror";
const MIRROR_KEY: &str = "mirror.key";
const SETTINGS: &str = "witness.json";
const KEY: &str = "witness.key";
const LATEST: &str = "latest";
const CHECKPOINT: &str = "checkpoint";
const EVIDENCE: &str = "evidence";
/// Logs that a witness watches.
pub const LOGS_MAX: usize = 4096;
/// Bytes of the settings.
const SETTINGS_BYTES_MAX: u64 = 4 << 20;
/// Digits of the hash of an origin.
const HASH_DIGITS: usize = 64;

/// Who it is, and which logs it watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The witness's key, with its name.
    key: String,
    /// Keys of logs, whose names are their origins.
    logs: Vec<String>,
    /// The mirror's key, with its name: another than the witness's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mirror: Option<String>,
}

/// Why files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Not readable or not writable.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Damaged, or not ours.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing is there.
    #[error("no witness in {0}; fix: `streembit witness init NAME`")]
    Missing(String),
    /// Something is there already.
    #[error("a witness is in {0} already")]
    Taken(String),
    /// It is a mirror already.
    #[error("the witness in {0} is a mirror already; `streembit witness show` prints its key")]
    Mirror(String),
    /// Another process holds it.
    #[error("{0} is held by another process")]
    Locked(String),
    /// No name or key of a witness or a log.
    #[error(transparent)]
    Key(#[from] VkeyError),
    /// A key that signs something else.
    #[error("{0} is not a key that signs notes (type 1), as logs have it")]
    NoLog(String),
    /// A mirror says more than a witness does, and says it under its own name.
    #[error("a mirror needs a name and a key of its own, not those of the witness")]
    SameKey,
    /// Too many logs.
    #[error("a witness watches at most {LOGS_MAX} logs")]
    Full,
}

/// The folder of a witness.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    held: Option<Lock>,
}

impl Place {
    /// The folder in a data folder, whether anything is there or not.
    pub fn of(data_directory: &Path) -> Self {
        Self {
            folder: data_directory.join(FOLDER),
            held: None,
        }
    }

    /// Where the private key is.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// Makes the folder of a new witness, for its key.
    ///
    /// # Errors
    /// [`PlaceError::Taken`], [`PlaceError::Path`].
    pub fn prepare(&self) -> Result<(), PlaceError> {
        if self.folder.join(SETTINGS).exists() {
            return Err(PlaceError::Taken(self.folder.display().to_string()));
        }
        Ok(durable::create_folder(&self.folder)?)
    }

    /// Makes a new witness.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn create(&self, name: &str, public: PublicKey) -> Result<VerifierKey, PlaceError> {
        self.prepare()?;
        let key = VerifierKey::new(name, Scheme::Cosignature(public))?;
        self.write(&Settings {
            key: key.to_string(),
            logs: Vec::new(),
            mirror: None,
        })?;
        Ok(key)
    }

    /// Where the mirror's private key is.
    pub fn mirror_key_file(&self) -> PathBuf {
        self.folder.join(MIRROR_KEY)
    }

    /// Where the mirror keeps what it holds of a log, by the hash of its origin.
    pub fn mirror_folder(&self, origin_hash: &str) -> PathBuf {
        self.folder.join(MIRROR).join(origin_hash)
    }

    /// Makes the witness a mirror, too.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn create_mirror(&self, name: &str, public: PublicKey) -> Result<VerifierKey, PlaceError> {
        let key = VerifierKey::new(name, Scheme::Cosignature(public))?;
        let lock = Lock::acquire(&self.folder)?;
        let _lock = lock.ok_or_else(|| PlaceError::Locked(self.folder.display().to_string()))?;
        let mut settings = self.read()?;
        if settings.mirror.is_some() {
            return Err(PlaceError::Mirror(self.folder.display().to_string()));
        }
        let witness = self.verifier_key()?;
        if witness.name() == key.name() || witness.scheme() == key.scheme() {
            return Err(PlaceError::SameKey);
        }
        settings.mirror = Some(key.to_string());
        self.write(&settings)?;
        Ok(key)
    }

    /// The mirror's key, as others know it; `None` if there is no mirror.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn mirror_key(&self) -> Result<Option<VerifierKey>, PlaceError> {
        let key = self.read()?.mirror;
        Ok(key.map(|key| key.parse()).transpose()?)
    }

    /// Keeps other processes from using it, until dropped.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn hold(&mut self) -> Result<(), PlaceError> {
        self.read()?;
        let folder = self.folder.join(LATEST);
        durable::create_folder(&folder)?;
        let lock = Lock::acquire(&folder)?;
        self.held = Some(lock.ok_or_else(|| PlaceError::Locked(folder.display().to_string()))?);
        Ok(())
    }

    /// The witness's key; `public` is that of its key file.
    ///
    /// # Errors
    /// [`PlaceError::Damaged`] if the two don't belong together.
    pub fn key(&self, public: &PublicKey) -> Result<VerifierKey, PlaceError> {
        same_key(self.verifier_key()?, public, &self.key_file())
    }

    /// The mirror's key; `public` is that of its key file.
    ///
    /// # Errors
    /// [`PlaceError::Damaged`] if the two don't belong together.
    pub fn key_of_mirror(&self, public: &PublicKey) -> Result<VerifierKey, PlaceError> {
        let path = self.mirror_key_file();
        let key = self.mirror_key()?;
        same_key(
            key.ok_or_else(|| damaged(&path, "not named"))?,
            public,
            &path,
        )
    }

    /// The witness's key, as others know it.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn verifier_key(&self) -> Result<VerifierKey, PlaceError> {
        Ok(self.read()?.key.parse()?)
    }

    /// The keys of the logs that it watches.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn logs(&self) -> Result<Vec<VerifierKey>, PlaceError> {
        let logs = self.read()?.logs;
        Ok(logs
            .iter()
            .map(|key| key.parse())
            .collect::<Result<_, _>>()?)
    }

    /// Watches a log, or stops to; says whether that is a change. What was cosigned stays known.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn watch(&self, log: &VerifierKey, is_watched: bool) -> Result<bool, PlaceError> {
        if !matches!(log.scheme(), Scheme::Note(_)) {
            return Err(PlaceError::NoLog(log.to_string()));
        }
        self.read()?;
        let lock = Lock::acquire(&self.folder)?;
        let _lock = lock.ok_or_else(|| PlaceError::Locked(self.folder.display().to_string()))?;
        let mut settings = self.read()?;
        let before = settings.logs.len();
        settings.logs.retain(|key| *key != log.to_string());
        if is_watched {
            settings.logs.push(log.to_string());
        }
        if settings.logs.len() > LOGS_MAX {
            return Err(PlaceError::Full);
        }
        self.write(&settings)?;
        Ok(settings.logs.len() != before)
    }

    /// What was cosigned last of a log.
    ///
    /// # Errors
    /// [`PlaceError`]: a damaged file is no log without history.
    pub fn latest(&self, origin: &str) -> Result<Latest, PlaceError> {
        let latest = self.cosigned(origin)?;
        Ok(
            latest.map_or_else(Latest::nothing, |(_, checkpoint)| Latest {
                size: checkpoint.size,
                root: checkpoint.root,
            }),
        )
    }

    /// The same as it was cosigned; `None` if nothing was.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn cosigned(&self, origin: &str) -> Result<Option<(Note, Checkpoint)>, PlaceError> {
        let path = self.file_of(&hash(origin), CHECKPOINT);
        let Some(bytes) = durable::read_if_there(&path, limit())? else {
            return Ok(None);
        };
        let broken = |reason| damaged(&path, reason);
        let note = Note::parse(&bytes).map_err(|_| broken("no signed note"))?;
        // A file that was exchanged for another's would let the log start anew.
        if !matches!(note.signed_by(&self.verifier_key()?), Some(Signed::At(_))) {
            return Err(broken("not cosigned by this witness"));
        }
        let checkpoint: Result<Checkpoint, _> = note.text().parse();
        let checkpoint = checkpoint.map_err(|_| broken("no checkpoint"))?;
        if checkpoint.origin != origin {
            return Err(broken("a checkpoint of another log"));
        }
        Ok(Some((note, checkpoint)))
    }

    /// The newest checkpoint that was cosigned, by the hash of the origin; `None` if there is none.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn checkpoint(&self, origin_hash: &str) -> Result<Option<String>, PlaceError> {
        if !is_hash(origin_hash) {
            return Ok(None);
        }
        let path = self.file_of(origin_hash, CHECKPOINT);
        let bytes = durable::read_if_there(&path, limit())?;
        let text = bytes.map(String::from_utf8).transpose();
        text.map_err(|_| damaged(&path, "not text"))
    }

    /// Keeps what is cosigned, durably on return.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn keep(&self, origin: &str, note: &Note) -> Result<(), PlaceError> {
        self.put(origin, CHECKPOINT, note)
    }

    /// Keeps the first checkpoint that doesn't go with what was cosigned.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn keep_evidence(&self, origin: &str, note: &Note) -> Result<(), PlaceError> {
        if self.file_of(&hash(origin), EVIDENCE).exists() {
            return Ok(());
        }
        self.put(origin, EVIDENCE, note)
    }

    fn put(&self, origin: &str, name: &str, note: &Note) -> Result<(), PlaceError> {
        let path = self.file_of(&hash(origin), name);
        if let Some(folder) = path.parent() {
            durable::create_folder(folder)?;
        }
        Ok(durable::replace(
            &path,
            note.to_string().as_bytes(),
            Access::World,
        )?)
    }

    fn file_of(&self, origin_hash: &str, name: &str) -> PathBuf {
        self.folder.join(LATEST).join(origin_hash).join(name)
    }

    fn read(&self) -> Result<Settings, PlaceError> {
        let path = self.folder.join(SETTINGS);
        let bytes = durable::read_if_there(&path, SETTINGS_BYTES_MAX)?;
        let missing = || PlaceError::Missing(self.folder.display().to_string());
        let bytes = bytes.ok_or_else(missing)?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error))
    }

    fn write(&self, settings: &Settings) -> Result<(), PlaceError> {
        let path = self.folder.join(SETTINGS);
        let bytes = serde_json::to_vec_pretty(settings).map_err(|error| damaged(&path, error))?;
        Ok(durable::replace(&path, &bytes, Access::World)?)
    }
}

fn same_key(key: VerifierKey, public: &PublicKey, file: &Path) -> Result<VerifierKey, PlaceError> {
    if *key.scheme() == Scheme::Cosignature(public.clone()) {
        Ok(key)
    } else {
        Err(damaged(file, "not the key that witness.json names"))
    }
}

/// The name of a log's folder, and of its checkpoint to monitors.
pub fn hash(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}

/// Whether a text is what [`hash`] gives.
pub fn is_hash(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == HASH_DIGITS && text.bytes().all(is_digit)
}

fn limit() -> u64 {
    u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX)
}

pub(super) fn damaged(path: &Path, reason: impl std::fmt::Display) -> PlaceError {
    PlaceError::Damaged {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}
