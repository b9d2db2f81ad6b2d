//! Entries that were appended and are in no tree yet.
//!
//! The file begins with the number of its first entry (`u64`); each entry is `length u16 ‖ check [8] ‖ bytes`, big
//! endian, the check being the first bytes of the entry's SHA-256. What a power cut leaves of the last one is not
//! an entry, since nobody was told that it was appended.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use sha2::{Digest as _, Sha256};
use tlog::limits::ENTRY_BYTES_MAX;

use super::open_to_append;

const NAME: &str = "pending";
const HEADER_BYTES: u64 = 8;
const CHECK_BYTES: usize = 8;
/// Bytes in front of an entry.
const HEAD_BYTES: usize = 2 + CHECK_BYTES;

/// Why the queue can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// Not readable or not writable.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It belongs to another state of the log.
    #[error("{path} begins with entry {first}, but the tree has {size} entries")]
    Gap {
        /// The file.
        path: String,
        /// Its first entry.
        first: u64,
        /// Entries of the tree.
        size: u64,
    },
    /// Too long.
    #[error("an entry has at most {ENTRY_BYTES_MAX} bytes")]
    TooLong,
}

/// The queue behind a tree.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    /// Entries of the tree.
    size: u64,
}

/// Whole entries of the file.
#[derive(Debug)]
pub struct Entries {
    /// `None` if there is no file.
    reader: Option<BufReader<File>>,
    /// Where the last whole entry ends.
    end: u64,
    path: PathBuf,
}

impl Pending {
    /// The queue in `folder`, behind a tree of `size` entries.
    ///
    /// # Errors
    /// [`PendingError`].
    pub fn open(folder: &Path, size: u64) -> Result<Self, PendingError> {
        let pending = Self {
            path: folder.join(NAME),
            size,
        };
        let Some(first) = pending.first()? else {
            return Ok(pending);
        };
        if first == size {
            return Ok(pending);
        }
        // The tree took them in, and was cut off before it could discard them.
        let count = pending.entries()?.count_whole()?;
        if first.checked_add(count) == Some(size) {
            pending.discard()?;
            return Ok(pending);
        }
        Err(PendingError::Gap {
            path: pending.path.display().to_string(),
            first,
            size,
        })
    }

    /// Appends entries; the number of the first.
    ///
    /// # Errors
    /// [`PendingError`].
    pub fn append<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<u64, PendingError> {
        if self.first()?.is_none() {
            if let Some(folder) = self.path.parent() {
                durable::create_folder(folder)?;
            }
            durable::replace(&self.path, &self.size.to_be_bytes(), Access::World)?;
        }
        let mut whole = self.entries()?;
        let count = whole.count_whole()?;
        let file = open_to_append(&self.path)?;
        // What a cut left of an entry.
        let cut = || file.set_len(whole.end);
        let written = cut().and_then(|()| write(&file, entries));
        match written {
            Ok(()) => Ok(self.size.saturating_add(count)),
            Err(error) => {
                // Some may be there: nobody was told so.
                drop(cut());
                if error.kind() == io::ErrorKind::InvalidInput {
                    return Err(PendingError::TooLong);
                }
                Err(PathError::new(&self.path, error).into())
            }
        }
    }

    /// The entries, in their order.
    ///
    /// # Errors
    /// [`PendingError`].
    pub fn entries(&self) -> Result<Entries, PendingError> {
        let reader = match File::open(&self.path) {
            Ok(mut file) => {
                let mut header = [0; 8];
                let skipped = file.read_exact(&mut header);
                skipped.map_err(|error| PathError::new(&self.path, error))?;
                Some(BufReader::new(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(PathError::new(&self.path, error).into()),
        };
        Ok(Entries {
            reader,
            end: HEADER_BYTES,
            path: self.path.clone(),
        })
    }

    /// Removes the file: its entries are in the tree.
    ///
    /// # Errors
    /// [`PendingError`].
    pub fn discard(&self) -> Result<(), PendingError> {
        Ok(durable::remove(&self.path)?)
    }

    /// The number of the first entry; `None` if there is no file.
    fn first(&self) -> Result<Option<u64>, PendingError> {
        let mut header = [0; 8];
        let read = match File::open(&self.path) {
            Ok(mut file) => file.read_exact(&mut header),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        read.map_err(|error| PathError::new(&self.path, error))?;
        Ok(Some(u64::from_be_bytes(header)))
    }
}

impl Entries {
    fn count_whole(&mut self) -> Result<u64, PendingError> {
        let mut count = 0_u64;
        for entry in self {
            entry?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }
}

impl Iterator for Entries {
    type Item = Result<Vec<u8>, PendingError>;

    /// The next whole entry; `None` at the end, or where a cut left a part of one.
    fn next(&mut self) -> Option<Self::Item> {
        match read(self.reader.as_mut()?) {
            Ok(entry) => {
                let bytes = HEAD_BYTES.saturating_add(entry.len());
                self.end = self
                    .end
                    .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                Some(Ok(entry))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(PathError::new(&self.path, error).into())),
        }
    }
}

/// One entry; [`io::ErrorKind::UnexpectedEof`] if it is not whole.
fn read(reader: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let (mut length, mut expected) = ([0; 2], [0; CHECK_BYTES]);
    reader.read_exact(&mut length)?;
    reader.read_exact(&mut expected)?;
    let mut entry = vec![0; u16::from_be_bytes(length).into()];
    reader.read_exact(&mut entry)?;
    if check(&entry) == expected {
        Ok(entry)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Appends entries, durably.
fn write<'a>(file: &File, entries: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
    let mut writer = BufWriter::new(file);
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        writer.write_all(&length.to_be_bytes())?;
        writer.write_all(&check(entry))?;
        writer.write_all(entry)?;
    }
    writer.flush()?;
    file.sync_all()
}

fn check(entry: &[u8]) -> [u8; CHECK_BYTES] {
    let hash: [u8; 32] = Sha256::digest(entry).into();
    hash.first_chunk().copied().unwrap_or_default()
}
