//! The node's store: sled, for what the network can give back.
//!
//! sled 0.34 has two known faults (reference: crates.md section 5): a leftover `snap.*.generating`
//! makes it refuse to open for ever, and `flush` never calls fsync. Both are remedied here.

pub mod quota;
pub mod records;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// An open store.
#[derive(Clone, Debug)]
pub struct Storage {
    db: sled::Db,
    folder: PathBuf,
}

/// Why the store can't be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The disk refuses.
    #[error("{}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// sled refuses.
    #[error("{}", .path.display())]
    Sled {
        /// The store's folder.
        path: PathBuf,
        /// What sled says.
        source: sled::Error,
    },
}

impl Storage {
    /// Opens or creates the store in `folder`. A store that stays corrupt after the remedies is set
    /// aside and a new one begun: the network has what was in it.
    ///
    /// # Errors
    /// [`StorageError`] naming the path.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        fs::create_dir_all(folder).map_err(|source| at(folder, source))?;
        remove_half_written_snapshots(folder)?;
        let db = match open_sled(folder) {
            Err(StorageError::Sled {
                source: sled::Error::Corruption { .. },
                ..
            }) => {
                tracing::warn!(store = %folder.display(), "store is corrupt, snapshots set aside");
                set_snapshots_aside(folder)?;
                open_sled(folder)
            }
            result => result,
        };
        let db = match db {
            Err(StorageError::Sled {
                source: sled::Error::Corruption { .. },
                ..
            }) => {
                let aside = folder.with_extension("corrupt");
                tracing::warn!(aside = %aside.display(), "store is corrupt, set aside");
                if aside.exists() {
                    fs::remove_dir_all(&aside).map_err(|source| at(&aside, source))?;
                }
                fs::rename(folder, &aside).map_err(|source| at(folder, source))?;
                open_sled(folder)?
            }
            result => result?,
        };
        Ok(Self {
            db,
            folder: folder.to_owned(),
        })
    }

    /// Opens a tree of the store.
    ///
    /// # Errors
    /// [`StorageError::Sled`].
    pub fn tree(&self, name: &str) -> Result<sled::Tree, StorageError> {
        self.db.open_tree(name).map_err(|source| self.error(source))
    }

    /// Makes everything written so far survive a power cut.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sync(&self) -> Result<(), StorageError> {
        self.db.flush().map_err(|source| self.error(source))?;
        let file = self.folder.join("db");
        File::open(&file)
            .and_then(|file| file.sync_data())
            .map_err(|source| at(&file, source))
    }

    /// Names the store in an error of sled.
    pub fn error(&self, source: sled::Error) -> StorageError {
        StorageError::Sled {
            path: self.folder.clone(),
            source,
        }
    }
}

fn at(path: &Path, source: io::Error) -> StorageError {
    StorageError::Io {
        path: path.to_owned(),
        source,
    }
}

fn open_sled(folder: &Path) -> Result<sled::Db, StorageError> {
    sled::Config::new()
        .path(folder)
        .cache_capacity(4 << 20)
        .open()
        .map_err(|source| match &source {
            sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
                StorageError::InUse(folder.to_owned())
            }
            _ => StorageError::Sled {
                path: folder.to_owned(),
                source,
            },
        })
}

fn snapshots(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let entries = fs::read_dir(folder).map_err(|source| at(folder, source))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| at(folder, source))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") {
            found.push(path);
        }
    }
    Ok(found)
}

/// A kill while sled wrote a snapshot leaves `snap.*.generating`, which it then takes for a real one.
fn remove_half_written_snapshots(folder: &Path) -> Result<(), StorageError> {
    let half = |path: &PathBuf| path.extension().is_some_and(|end| end == "generating");
    for path in snapshots(folder)?.into_iter().filter(half) {
        tracing::warn!(file = %path.display(), "half-written snapshot removed");
        fs::remove_file(&path).map_err(|source| at(&path, source))?;
    }
    Ok(())
}

/// Without its snapshots sled rebuilds from the log.
fn set_snapshots_aside(folder: &Path) -> Result<(), StorageError> {
    let aside = folder.join("aside");
    fs::create_dir_all(&aside).map_err(|source| at(&aside, source))?;
    for path in snapshots(folder)? {
        let target = aside.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &target).map_err(|source| at(&path, source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
