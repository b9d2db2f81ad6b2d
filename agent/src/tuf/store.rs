//! Trusted metadata in a folder: `root.json` and the rest by role name, byte for byte as received.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, Lock, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::client::{Effect, Stored};
use manifests::limits;

use super::names;

/// Bytes of all files that are read: 32 roles at their limit.
const BYTES_MAX: u64 = 32 * limits::TARGETS_BYTES_MAX;

/// The folder, held for this process alone.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    _lock: Lock,
}

impl Store {
    /// Opens or creates the folder.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Retry`] if another process holds it.
    pub(super) fn open(folder: &Path) -> Result<Self, CliError> {
        durable::create_folder(folder).context(Exit::No, "metadata folder")?;
        let lock = Lock::acquire(folder).context(Exit::No, "metadata folder")?;
        let lock = lock.ok_or_else(|| {
            let message = format!("{} is in use by another process", folder.display());
            CliError::new(Exit::Retry, message).hint("wait for it, or stop it")
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Begins anew with a root that was verified: what was trusted under another one goes first.
    ///
    /// # Errors
    /// [`CliError`].
    pub(super) fn begin(&self, root: &[u8]) -> Result<(), CliError> {
        for (name, path) in self.files()? {
            if name != "root" {
                durable::remove(&path).context(Exit::No, "metadata folder")?;
            }
        }
        self.apply(&Effect::Store("root.json".to_owned(), root.to_vec()))
    }

    /// Reads all files.
    ///
    /// # Errors
    /// [`CliError`] if there is no root, or more than 32 MiB.
    pub(super) fn load(&self) -> Result<Stored, CliError> {
        let mut stored = Stored::default();
        let mut left = BYTES_MAX;
        for (name, path) in self.files()? {
            let limit = left.min(limits::SNAPSHOT_BYTES_MAX.max(limits::TARGETS_BYTES_MAX));
            let bytes = durable::read(&path, limit).context(Exit::No, "trusted metadata")?;
            left = left.saturating_sub(bytes.len() as u64);
            stored.apply(&Effect::Store(format!("{name}.json"), bytes));
        }
        if stored.root.is_empty() {
            let message = format!("{} has no root.json", self.folder.display());
            return Err(CliError::new(Exit::Usage, message).hint("streembit-tuf init ROOT.json"));
        }
        Ok(stored)
    }

    /// Does what the client wants stored, durably.
    ///
    /// # Errors
    /// [`CliError`]; the client must not go on then.
    pub(super) fn apply(&self, effect: &Effect) -> Result<(), CliError> {
        let done = match effect {
            Effect::Store(name, bytes) => durable::replace(&self.path(name), bytes, Access::World),
            Effect::Delete(name) => durable::remove(&self.path(name)),
        };
        done.context(Exit::No, "trusted metadata")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(names::encode(name))
    }

    /// Role names and paths of the files whose names we would give.
    fn files(&self) -> Result<Vec<(String, PathBuf)>, CliError> {
        let list = || {
            let mut files = Vec::new();
            for entry in fs::read_dir(&self.folder)? {
                let path = entry?.path();
                let name = path.file_name().and_then(OsStr::to_str);
                let role = name.and_then(|name| names::decode(name.strip_suffix(".json")?));
                files.extend(role.map(|role| (role, path.clone())));
            }
            Ok(files)
        };
        list()
            .map_err(|error| PathError::new(&self.folder, error))
            .context(Exit::No, "metadata folder")
    }
}
