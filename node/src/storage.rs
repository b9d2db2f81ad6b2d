//! The node's store: sled, for what the network can give back.
//!
//! sled 0.34 has two known faults (reference: crates.md section 5): a leftover `snap.*.generating`
//! makes it refuse to open for ever, and `flush` never calls fsync. A third: on some damage it
//! panics. All are remedied here. What the remedies do to the folder is done under a lock of our
//! own: sled takes its lock too late for that.

pub mod quota;
pub mod records;

use std::fs::{self, File};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cli::durable::{Lock, PathError};

/// How often sled is opened: it frees its own lock a moment after the last handle is dropped, and a
/// process that this one starts holds it until it has become another program.
const LOCK_TRIES: u32 = 100;
/// Between two tries.
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// An open store.
#[derive(Clone, Debug)]
pub struct Storage {
    /// `None` while the disk refuses to open it again.
    db: Option<sled::Db>,
    folder: PathBuf,
    /// Freed after `db`: fields are dropped in order.
    _lock: Arc<Lock>,
}

/// Why the store can't be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was closed after a failed write and can't be opened again yet.
    #[error("{} is closed: the disk refused it", .0.display())]
    Closed(PathBuf),
    /// The lock file can't be made.
    #[error(transparent)]
    Lock(#[from] PathError),
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
        let mut lock = lock(folder)?;
        remove_half_written_snapshots(folder)?;
        let mut db = open_sled(folder);
        if is_corrupt(&db) {
            tracing::warn!(store = %folder.display(), "store is corrupt, snapshots set aside");
            set_snapshots_aside(folder)?;
            db = open_sled(folder);
        }
        if is_corrupt(&db) {
            let aside = folder.with_extension("corrupt");
            tracing::warn!(aside = %aside.display(), "store is corrupt, set aside");
            if aside.exists() {
                fs::remove_dir_all(&aside).map_err(|source| at(&aside, source))?;
            }
            fs::rename(folder, &aside).map_err(|source| at(folder, source))?;
            lock = self::lock(folder)?;
            db = open_sled(folder);
        }
        Ok(Self {
            db: Some(db?),
            folder: folder.to_owned(),
            _lock: Arc::new(lock),
        })
    }

    /// Opens a tree of the store.
    ///
    /// # Errors
    /// [`StorageError::Sled`].
    pub fn tree(&self, name: &str) -> Result<sled::Tree, StorageError> {
        let tree = self.db()?.open_tree(name);
        tree.map_err(|source| self.error(source))
    }

    /// Closes and opens the store. After a failed write sled refuses all others until then, even when
    /// there is room again. No other handle, tree or clone, may be left.
    ///
    /// # Errors
    /// [`StorageError`]; the store is closed then, and this may be tried again.
    pub fn reopen(&mut self) -> Result<(), StorageError> {
        drop(self.db.take());
        self.db = Some(open_sled(&self.folder)?);
        Ok(())
    }

    fn db(&self) -> Result<&sled::Db, StorageError> {
        let closed = || StorageError::Closed(self.folder.clone());
        self.db.as_ref().ok_or_else(closed)
    }

    /// Makes everything written so far survive a power cut.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sync(&self) -> Result<(), StorageError> {
        self.db()?.flush().map_err(|source| self.error(source))?;
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

/// Creates the folder if need be and takes it for this process.
fn lock(folder: &Path) -> Result<Lock, StorageError> {
    fs::create_dir_all(folder).map_err(|source| at(folder, source))?;
    Lock::acquire(folder)?.ok_or_else(|| StorageError::InUse(folder.to_owned()))
}

/// Opens sled; it panics on some damage, which counts as corruption.
fn open_sled(folder: &Path) -> Result<sled::Db, StorageError> {
    let opened = panic::catch_unwind(AssertUnwindSafe(|| open_and_read(folder)));
    opened.unwrap_or_else(|_| {
        Err(StorageError::Sled {
            path: folder.to_owned(),
            source: sled::Error::ReportableBug("panic while opening".to_owned()),
        })
    })
}

/// Opens sled and reads every row once, since sled finds some damage only then.
fn open_and_read(folder: &Path) -> Result<sled::Db, StorageError> {
    let error = |source| StorageError::Sled {
        path: folder.to_owned(),
        source,
    };
    let mut tries = 0;
    let db = loop {
        let config = sled::Config::new().path(folder).cache_capacity(4 << 20);
        match config.open() {
            Err(sled::Error::Io(source)) if is_lock(&source) => {
                tries += 1;
                if tries >= LOCK_TRIES {
                    return Err(StorageError::InUse(folder.to_owned()));
                }
                thread::sleep(LOCK_WAIT);
            }
            result => break result.map_err(error)?,
        }
    };
    for name in db.tree_names() {
        let tree = db.open_tree(name).map_err(error)?;
        for row in &tree {
            row.map_err(error)?;
        }
    }
    Ok(db)
}

fn is_lock(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

/// Whether the store's content is at fault, not the disk's state or another process.
fn is_corrupt(opened: &Result<sled::Db, StorageError>) -> bool {
    let Err(StorageError::Sled { source, .. }) = opened else {
        return false;
    };
    match source {
        sled::Error::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => true,
    }
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
