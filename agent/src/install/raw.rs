//! Raw slots: block devices and files, streamed with constant memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use cli::durable::{self, PathError};
use delta::{Delta, Expected};
use manifests::release::DeltaRef;
use protocol::exchange::tree::{Blob, ChunkTree, TreeBuilder};

use super::{InstallError, Report, check_root};

/// Bytes read or written at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// Opens a slot for writing an image of `size` bytes from its start. A device must be large enough;
/// a file is made exactly as long as the image.
fn open_slot(path: &Path, size: u64) -> Result<File, InstallError> {
    let at = |error| PathError::new(path, error);
    let mut file = durable::open_in_place(path).map_err(at)?;
    if file.metadata().map_err(at)?.is_file() {
        file.set_len(size).map_err(at)?;
        return Ok(file);
    }
    check_device(path, &mut file, size)?;
    Ok(file)
}

/// Checks that a device is large enough for `size` bytes, without writing; a file always is, the disk
/// decides.
///
/// # Errors
/// [`InstallError::SlotTooSmall`] (threats D33, S87).
pub fn check_room(path: &Path, size: u64) -> Result<(), InstallError> {
    let at = |error| PathError::new(path, error);
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.starts_with("/dev") => {
            return Ok(());
        }
        result => result.map_err(at)?,
    };
    if file.metadata().map_err(at)?.is_file() {
        return Ok(());
    }
    check_device(path, &mut file, size)
}

fn check_device(path: &Path, file: &mut File, size: u64) -> Result<(), InstallError> {
    let at = |error| PathError::new(path, error);
    let actual = file.seek(SeekFrom::End(0)).map_err(at)?;
    file.rewind().map_err(at)?;
    if actual < size {
        let path = path.display().to_string();
        return Err(InstallError::SlotTooSmall {
            path,
            actual,
            needed: size,
        });
    }
    Ok(())
}

/// Opens a delta from `reader`: header and table must be what the signed metadata says. Nothing is
/// written.
///
/// # Errors
/// [`InstallError::Delta`].
pub fn open_delta<R: Read + Seek>(
    reader: R,
    delta: &DeltaRef,
    image: &Blob,
) -> Result<Delta<R>, InstallError> {
    let expected = Expected {
        base: *delta.base.blake3.as_bytes(),
        base_size: delta.base.size,
        target: image.root,
        target_size: image.size,
    };
    let opened = Delta::open(reader, delta.blob.size, &expected)?;
    opened.check_format(&delta.format)?;
    Ok(opened)
}

/// What came of applying a delta.
#[derive(Debug, Default)]
pub struct Applied {
    /// Segments that the base does not rebuild: they have to come from elsewhere.
    pub left_out: Vec<u32>,
    /// Bytes rebuilt and written.
    pub written: u64,
    /// CPU time that it took.
    pub cpu: Duration,
}

/// Applies segments of an opened delta to the image in `base`, or to nothing, and writes them to their
/// places in the slot at `target`. Every segment is verified before it is written; those that are there
/// already are not written again, so a run that was cut goes on where it was.
///
/// # Errors
/// [`InstallError`]; the slot is half-written then.
pub fn apply_delta<R: Read + Seek>(
    delta: &mut Delta<R>,
    base: Option<&Path>,
    (target, image): (&Path, &Blob),
    segments: &[u32],
    report: Report<'_>,
) -> Result<Applied, InstallError> {
    let mut slot = open_slot(target, image.size)?;
    let segments = segments.iter().copied();
    let before = cpu_time();
    let made = match base {
        Some(base) => {
            let unreadable = |error| io::Error::other(PathError::new(base, error));
            let mut base =
                File::open(base).map_err(|error| delta::ApplyError::Base(unreadable(error)))?;
            delta::apply_in_place(delta, &mut base, &mut slot, segments, report)?
        }
        None => delta::apply_in_place(delta, &mut io::empty(), &mut slot, segments, report)?,
    };
    let cpu = cpu_time().saturating_sub(before);
    slot.sync_all()
        .map_err(|error| PathError::new(target, error))?;
    Ok(Applied {
        left_out: made.left_out,
        written: made.written,
        cpu,
    })
}

/// What this thread has worked so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Copies a verified file into the slot.
///
/// # Errors
/// [`InstallError`]; the slot is half-written then.
pub fn copy(
    source: &Path,
    target: &Path,
    size: u64,
    report: Report<'_>,
) -> Result<(), InstallError> {
    let at = |error| PathError::new(source, error);
    let mut reader = File::open(source).map_err(at)?.take(size);
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, open_slot(target, size)?);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut done = 0;
    loop {
        let length = reader.read(&mut buffer).map_err(at)?;
        let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
            break;
        };
        writer
            .write_all(piece)
            .map_err(|error| PathError::new(target, error))?;
        done += length as u64;
        if report(done).is_break() {
            return Err(InstallError::Stopped);
        }
    }
    finish(writer, target)
}

fn finish(writer: BufWriter<File>, target: &Path) -> Result<(), InstallError> {
    let sync = || {
        writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()
    };
    Ok(sync().map_err(|error| PathError::new(target, error))?)
}

/// Reads the first `image.size` bytes of a slot back and checks them against the signed digest.
/// Returns the chunk level, for serving the image to others.
///
/// # Errors
/// [`InstallError::ReadBack`] if they differ (threats S83).
pub fn read_back(path: &Path, image: &Blob) -> Result<ChunkTree, InstallError> {
    let tree = hash_prefix(path, image.size)?;
    check_root(path, &tree, &image.root)?;
    Ok(tree)
}

/// The chunk level of the first `size` bytes of a file or device, or of all of it if it is shorter.
///
/// # Errors
/// [`PathError`].
pub fn hash_prefix(path: &Path, size: u64) -> Result<ChunkTree, PathError> {
    let read = || {
        let mut reader = File::open(path)?.take(size);
        let mut builder = TreeBuilder::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let length = reader.read(&mut buffer)?;
            let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
                break;
            };
            builder.update(piece);
        }
        Ok(builder.finish())
    };
    read().map_err(|error| PathError::new(path, error))
}

#[cfg(test)]
mod tests;
