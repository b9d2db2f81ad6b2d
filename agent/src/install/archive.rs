//! Directory slots: a tar archive extracted beside the slot, which takes its place by one rename.
//!
//! The archive's bytes are verified before this sees them, and still nothing in it is followed
//! outside the slot: names are plain, nothing goes through a link, every name comes once, only files,
//! directories and links exist (threats A42 to A46).

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use cli::durable::{self, PathError};

use super::Report;

/// Entries of an archive.
const ENTRIES_MAX: usize = 100_000;
/// Bytes of an entry's name.
const NAME_BYTES_MAX: usize = 4096;
/// Bytes compared at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// Why an archive is not extracted. The slot is as before, or empty.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk refuses, or the archive is malformed.
    #[error(transparent)]
    Disk(#[from] PathError),
    /// An entry breaks a rule.
    #[error("archive entry {name:?} {rule}")]
    Entry {
        /// The entry's name, shortened.
        name: String,
        /// The rule.
        rule: &'static str,
    },
    /// What is on the disk is not what the archive holds.
    #[error("{0} differs from the archive after it was written")]
    ReadBack(String),
    /// The program was told to stop.
    #[error("stopped")]
    Stopped,
}

/// Extracts `archive` into the directory slot at `slot`, reads everything back, then replaces the
/// slot's directory. A cut leaves the old directory, none, or the new one, never a mixture.
///
/// # Errors
/// [`ArchiveError`].
pub fn install(archive: &Path, slot: &Path, report: Report<'_>) -> Result<(), ArchiveError> {
    let fresh = beside(slot, "new");
    let old = beside(slot, "old");
    for leftover in [&fresh, &old] {
        remove(leftover)?;
    }
    if let Err(error) = fill(archive, &fresh, report) {
        // A full disk must not stay full of what is of no use.
        drop(remove(&fresh));
        return Err(error);
    }
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| PathError::new(&path, error)
    };
    if slot.exists() {
        fs::rename(slot, &old).map_err(at(slot))?;
    }
    fs::rename(&fresh, slot).map_err(at(slot))?;
    durable::sync_folder_of(slot).map_err(at(slot))?;
    remove(&old)?;
    Ok(())
}

/// Extracts the archive into a new directory and reads everything back.
fn fill(archive: &Path, fresh: &Path, report: Report<'_>) -> Result<(), ArchiveError> {
    durable::create_folder(fresh)?;
    let at = |error| PathError::new(archive, error);
    let mut file = File::open(archive).map_err(at)?;
    extract((&mut file, archive), fresh, report)?;
    io::Seek::rewind(&mut file).map_err(at)?;
    compare((&mut file, archive), fresh)
}

/// A name beside the slot, for a directory on its way in or out.
pub(crate) fn beside(slot: &Path, end: &str) -> PathBuf {
    let mut name = slot.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{end}"));
    slot.with_file_name(name)
}

fn remove(path: &Path) -> Result<(), PathError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PathError::new(path, error)),
        _ => Ok(()),
    }
}

fn extract(
    (archive, archive_path): (&mut File, &Path),
    root: &Path,
    report: Report<'_>,
) -> Result<(), ArchiveError> {
    let at = |error| PathError::new(archive_path, error);
    let mut seen = BTreeSet::new();
    let mut links = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    let mut done = 0;
    let mut reader = tar::Archive::new(BufReader::new(archive));
    for entry in reader.entries().map_err(at)? {
        let mut entry = entry.map_err(at)?;
        let name = safe_name(&entry, &links)?;
        let refuse = |rule| refuse(&name, rule);
        if seen.len() >= ENTRIES_MAX {
            return Err(refuse("is one too many"));
        }
        if !seen.insert(name.clone()) {
            return Err(refuse("comes twice"));
        }
        let path = root.join(&name);
        match entry.header().entry_type() {
            tar::EntryType::Directory => {
                let made = fs::create_dir(&path).and_then(|()| set_mode(&path, 0o755));
                made.map_err(|error| PathError::new(&path, error))?;
                folders.push(path);
            }
            tar::EntryType::Regular => {
                let executable = entry.header().mode().map_err(at)? & 0o100 != 0;
                let mode = if executable { 0o755 } else { 0o644 };
                done += write(&mut entry, &path, mode)?;
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name().map_err(at)?;
                let target = target.ok_or_else(|| refuse("is a link to nothing"))?;
                symlink(&target, &path).map_err(|error| PathError::new(&path, error))?;
                links.insert(name);
            }
            _ => return Err(refuse("is neither file, directory nor symbolic link")),
        }
        if report(done).is_break() {
            return Err(ArchiveError::Stopped);
        }
    }
    for folder in folders {
        let synced = File::open(&folder).and_then(|open| open.sync_all());
        synced.map_err(|error| PathError::new(&folder, error))?;
    }
    Ok(())
}

fn refuse(name: &Path, rule: &'static str) -> ArchiveError {
    let name = name.display().to_string().chars().take(80).collect();
    ArchiveError::Entry { name, rule }
}

/// A relative name of plain components, none of whose parents is a link.
fn safe_name(
    entry: &tar::Entry<'_, impl Read>,
    links: &BTreeSet<PathBuf>,
) -> Result<PathBuf, ArchiveError> {
    let raw = entry.path_bytes();
    let name = entry
        .path()
        .map_err(|_| refuse(Path::new("?"), "has no valid name"))?
        .into_owned();
    let plain = name
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let bytes_ok = raw.len() <= NAME_BYTES_MAX && !raw.contains(&0) && !raw.contains(&b'\\');
    if !plain || !bytes_ok || name.as_os_str().is_empty() {
        return Err(refuse(&name, "leaves the slot or has an odd name"));
    }
    if name
        .ancestors()
        .skip(1)
        .any(|parent| links.contains(parent))
    {
        return Err(refuse(&name, "goes through a link"));
    }
    Ok(name)
}

fn write(entry: &mut impl Read, path: &Path, mode: u32) -> Result<u64, PathError> {
    let at = |error| PathError::new(path, error);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(at)?;
    let written = io::copy(entry, &mut file).map_err(at)?;
    set_mode(path, mode)
        .and_then(|()| file.sync_all())
        .map_err(at)?;
    Ok(written)
}

/// Sets a mode whatever the umask of the agent is.
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Reads every file back and compares it with the archive.
fn compare((archive, archive_path): (&mut File, &Path), root: &Path) -> Result<(), ArchiveError> {
    let at = |error| PathError::new(archive_path, error);
    let mut reader = tar::Archive::new(BufReader::new(archive));
    for entry in reader.entries().map_err(at)? {
        let mut entry = entry.map_err(at)?;
        let path = root.join(entry.path().map_err(at)?);
        let error = |error| PathError::new(&path, error);
        let same = match entry.header().entry_type() {
            tar::EntryType::Regular => {
                let file = File::open(&path).map_err(error)?;
                same_bytes(&mut entry, file).map_err(error)?
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name().map_err(at)?;
                target.as_deref() == Some(fs::read_link(&path).map_err(error)?.as_path())
            }
            _ => path.is_dir(),
        };
        if !same {
            return Err(ArchiveError::ReadBack(path.display().to_string()));
        }
    }
    Ok(())
}

fn same_bytes(left: &mut impl Read, mut right: impl Read) -> io::Result<bool> {
    let (mut a, mut b) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    loop {
        let length = left.read(&mut a)?;
        let (Some(a), Some(b)) = (a.get(..length), b.get_mut(..length)) else {
            return Ok(false);
        };
        if length == 0 {
            return Ok(right.read(&mut [0])? == 0);
        }
        match right.read_exact(b) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            result => result?,
        }
        if a != b {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests;
