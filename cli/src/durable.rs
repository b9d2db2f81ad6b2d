//! Small files that survive a cut: replaced whole by write, fsync, rename, fsync of the folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// What to do if a file can't be written.
pub const DISK_FIX: &str = "make room or check the disk, then run again";

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone: mode 0600.
    Owner,
    /// Everybody: mode 0644.
    World,
}

/// An error of a path.
#[derive(Debug, thiserror::Error)]
#[error("{path}")]
pub struct PathError {
    /// The path.
    pub path: String,
    #[source]
    source: io::Error,
}

impl PathError {
    /// Names the path of an I/O error.
    pub fn new(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.display().to_string(),
            source,
        }
    }

    /// The kind of the I/O error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Replaces `path` by `bytes`: afterwards, whatever happens, it holds the old or the new content.
///
/// # Errors
/// [`PathError`]; the old content is still there then.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), PathError> {
    let temporary = temporary_for(path);
    let written = write_synced(&temporary, bytes, access)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder_of(path));
    written.map_err(|error| {
        drop(fs::remove_file(&temporary));
        PathError::new(path, error)
    })
}

/// The name beside `path` that holds half-written content; a leftover is overwritten.
fn temporary_for(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    path.with_file_name(name)
}

fn write_synced(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mode = match access {
        Access::Owner => 0o600,
        Access::World => 0o644,
    };
    // A leftover may carry another mode; it is never opened again.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a rename, creation or removal in the folder of `path` durable.
///
/// # Errors
/// The I/O error.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Opens what is written in place: a file, made if it is absent, or a device.
///
/// Nothing is ever made below `/dev`: a device that is missing there must not become a file in memory
/// that looks like one. A block device that is mounted is refused (`O_EXCL`, open(2)).
///
/// # Errors
/// The I/O error.
pub fn open_in_place(path: &Path) -> io::Result<File> {
    const O_EXCL: i32 = 0o200;
    let is_device = fs::metadata(path).is_ok_and(|it| it.file_type().is_block_device());
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    if is_device {
        options.custom_flags(O_EXCL);
    } else {
        options.create(!path.starts_with("/dev"));
    }
    options.open(path)
}

/// Removes a file durably; a missing one is fine.
///
/// # Errors
/// [`PathError`].
pub fn remove(path: &Path) -> Result<(), PathError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result
            .and_then(|()| sync_folder_of(path))
            .map_err(|error| PathError::new(path, error)),
    }
}

/// Reads a file of at most `limit` bytes; a longer one is an error before it is read.
///
/// # Errors
/// [`PathError`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, PathError> {
    let read = || {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("longer than {limit} bytes"),
            ));
        }
        Ok(bytes)
    };
    read().map_err(|error| PathError::new(path, error))
}

/// Reads a file as [`read`] does; `None` if there is none.
///
/// # Errors
/// [`PathError`].
pub fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, PathError> {
    match read(path, limit) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Checks that a file that decides trust is a regular file which others can't write, no symlink.
///
/// # Errors
/// [`PathError`] naming the rule (threats M28).
pub fn check_trustworthy(path: &Path) -> Result<(), PathError> {
    let check = || {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "is not a regular file",
            ));
        }
        if metadata.mode() & 0o022 != 0 {
            let rule = "is writable by group or others; fix: chmod go-w";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, rule));
        }
        Ok(())
    };
    check().map_err(|error| PathError::new(path, error))
}

/// Creates a folder and its parents, durably.
///
/// # Errors
/// [`PathError`].
pub fn create_folder(path: &Path) -> Result<(), PathError> {
    fs::create_dir_all(path)
        .and_then(|()| sync_folder_of(path))
        .map_err(|error| PathError::new(path, error))
}

/// How long a lock is waited for. A process that a holder starts shares the lock until it runs its
/// program, so a lock that was freed may look held for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at a lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Holds a folder for one process; freed when dropped or when the process ends, however.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `folder`; `None` if another process holds it.
    ///
    /// # Errors
    /// [`PathError`] if the lock file can't be made.
    pub fn acquire(folder: &Path) -> Result<Option<Self>, PathError> {
        let path = folder.join(".lock");
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = open.map_err(|error| PathError::new(&path, error))?;
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if Instant::now() >= patience => return Ok(None),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_INTERVAL),
                Err(TryLockError::Error(error)) => return Err(PathError::new(&path, error)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
