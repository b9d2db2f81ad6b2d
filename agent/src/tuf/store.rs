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

/// Bytes of all delegated roles that are read: 32 at their limit, as many as a search visits.
const ROLE_BYTES_MAX: u64 = 32 * limits::TARGETS_BYTES_MAX;
/// Roles that are always read.
const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

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
    /// [`CliError`] if there is no root.
    pub(super) fn load(&self) -> Result<Stored, CliError> {
        let mut stored = Stored::default();
        let mut left = ROLE_BYTES_MAX;
        let mut files = self.files()?;
        files.sort_by_key(|(name, _)| !TOP_LEVEL.contains(&name.as_str()));
        for (name, path) in files {
            let bytes = if TOP_LEVEL.contains(&name.as_str()) {
                durable::read(&path, limits::SNAPSHOT_BYTES_MAX)
            } else {
                durable::read(&path, left.min(limits::TARGETS_BYTES_MAX))
            };
            match bytes {
                Ok(bytes) => {
                    if !TOP_LEVEL.contains(&name.as_str()) {
                        left = left.saturating_sub(bytes.len() as u64);
                    }
                    stored.apply(&Effect::Store(format!("{name}.json"), bytes));
                }
                // Delegated roles are a cache: what has no room is fetched again (threats M19, M20).
                Err(_) if !TOP_LEVEL.contains(&name.as_str()) => {}
                Err(error) => return Err(error).context(Exit::No, "trusted metadata"),
            }
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
        self.folder.join(names::document(name))
    }

    /// Removes delegated roles that are listed no more.
    ///
    /// # Errors
    /// [`CliError`].
    pub(super) fn keep(&self, is_listed: impl Fn(&str) -> bool) -> Result<(), CliError> {
        for (name, path) in self.files()? {
            if !TOP_LEVEL.contains(&name.as_str()) && !is_listed(&name) {
                durable::remove(&path).context(Exit::No, "metadata folder")?;
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests;
