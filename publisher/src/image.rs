//! What is released: a file as it is, or a directory as a tar archive that is the same for the same
//! content, wherever and whenever it is made.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cli::durable::PathError;
use manifests::digest::Sha256;
use manifests::release::ImageFormat;
use sha2::Digest as _;

/// Entries of a directory, at most: what an agent extracts.
pub const ENTRIES_MAX: usize = 100_000;

/// Bytes hashed at a time.
const HASHED_BYTES: usize = 256 << 10;

/// What every header of an archive has, and where.
const MAGIC: &[u8] = b"ustar";
const MAGIC_AT: u64 = 257;

/// Opens `path` for reading as an image. A directory is archived into `scratch` first.
///
/// # Errors
/// [`PathError`] naming the entry: unreadable, or neither file, directory nor symbolic link.
pub fn open(path: &Path, scratch: &Path) -> Result<(ImageFormat, File, u64), PathError> {
    let at = |error| PathError::new(path, error);
    if !fs::metadata(path).map_err(at)?.is_dir() {
        let file = File::open(path).map_err(at)?;
        let size = file.metadata().map_err(at)?.len();
        if size == 0 {
            return Err(at(io::Error::new(io::ErrorKind::InvalidInput, "is empty")));
        }
        return Ok((ImageFormat::Raw, file, size));
    }
    archive(path, scratch)?;
    let reopened = File::open(scratch).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, file) = reopened.map_err(|error| PathError::new(scratch, error))?;
    // The open file outlives its name: nothing is left behind however this ends.
    fs::remove_file(scratch).map_err(|error| PathError::new(scratch, error))?;
    Ok((ImageFormat::Tar, file, size))
}

/// SHA-256 of a file from where it stands to its end.
///
/// # Errors
/// Those of reading.
pub fn sha256(file: &mut impl Read) -> io::Result<Sha256> {
    let (mut hasher, mut buffer) = (sha2::Sha256::new(), vec![0; HASHED_BYTES]);
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(Sha256::new(hasher.finalize().into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

/// Whether a file is a tar archive, by its first header. Reading goes on at its start.
///
/// # Errors
/// Those of reading.
pub fn is_archive(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut magic = Vec::new();
    file.seek(io::SeekFrom::Start(MAGIC_AT))?;
    file.by_ref()
        .take(MAGIC.len() as u64)
        .read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(magic == MAGIC)
}

/// Writes a directory as a tar archive: sorted names, no owners, no times, modes 644 and 755.
fn archive(root: &Path, archive: &Path) -> Result<(), PathError> {
    let file = File::create(archive).map_err(|error| PathError::new(archive, error))?;
    let mut builder = tar::Builder::new(io::BufWriter::new(file));
    for path in entries(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path);
        append(&mut builder, &path, name).map_err(|error| PathError::new(&path, error))?;
    }
    let finish = || {
        builder
            .into_inner()?
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    };
    finish()
        .and_then(|file: File| file.sync_all())
        .map_err(|error| PathError::new(archive, error))
}

/// All paths under `root`, sorted by bytes.
fn entries(root: &Path) -> Result<Vec<PathBuf>, PathError> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let at = |error| PathError::new(&folder, error);
        for entry in fs::read_dir(&folder).map_err(at)? {
            let entry = entry.map_err(at)?;
            if entry.file_type().map_err(at)?.is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path());
            if found.len() > ENTRIES_MAX {
                return Err(at(io::Error::other(format!(
                    "more than {ENTRIES_MAX} entries"
                ))));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn append(builder: &mut tar::Builder<impl io::Write>, path: &Path, name: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if name.as_os_str().as_encoded_bytes().contains(&b'\\') {
        let rule = "has a backslash in its name, which no device extracts";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, rule));
    }
    let mut header = tar::Header::new_ustar();
    let executable = metadata.permissions().mode() & 0o111 != 0;
    header.set_mode(if executable || metadata.is_dir() {
        0o755
    } else {
        0o644
    });
    header.set_size(0);
    if metadata.is_dir() {
        header.set_entry_type(tar::EntryType::Directory);
        return builder.append_data(&mut header, name, io::empty());
    }
    if metadata.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        return builder.append_link(&mut header, name, fs::read_link(path)?);
    }
    if !metadata.is_file() {
        let rule = "is neither file, directory nor symbolic link";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, rule));
    }
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(metadata.len());
    // A file that grows while it is read must not spill into the next entry.
    builder.append_data(&mut header, name, File::open(path)?.take(metadata.len()))
}
