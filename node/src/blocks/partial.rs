//! A blob on its way in: bytes written at their place in a file or device, chunk level beside it.
//!
//! There is no journal of chunks. On resume every chunk that lies in the file is hashed against the
//! chunk level: what matches is there, whatever wrote it. So a cut loses nothing that reached the
//! disk, and a slot that holds an older image already has all chunks that did not change.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cli::durable::{self, Access, PathError};
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::{Blob, ChunkTree};

use super::arrivals::{Arrivals, ArrivingBlob};

/// Bytes of a stored chunk level: 32 per chunk of a 16 GiB blob.
const TREE_BYTES_MAX: u64 = 2 << 20;

/// Where a blob's bytes go.
#[derive(Clone, Debug)]
pub struct Partial {
    blob: Blob,
    path: PathBuf,
    tree_path: PathBuf,
    file: Arc<File>,
    arrivals: Arc<Arrivals>,
}

impl Partial {
    /// Opens or creates the file at `path`; a device must exist and be large enough. What is there
    /// stays until the first write. `tree_path` is where the chunk level is kept.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn open(blob: Blob, path: &Path, tree_path: &Path) -> Result<Self, PathError> {
        let file = durable::open_in_place(path).map_err(|error| PathError::new(path, error))?;
        Ok(Self::new(blob, path, tree_path, file))
    }

    /// Opens what is there for reading alone, such as the slot that runs: nothing is made, cut or
    /// written.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn open_existing(blob: Blob, path: &Path, tree_path: &Path) -> Result<Self, PathError> {
        let file = File::open(path).map_err(|error| PathError::new(path, error))?;
        Ok(Self::new(blob, path, tree_path, file))
    }

    fn new(blob: Blob, path: &Path, tree_path: &Path, file: File) -> Self {
        Self {
            blob,
            path: path.to_owned(),
            tree_path: tree_path.to_owned(),
            file: Arc::new(file),
            arrivals: Arc::new(Arrivals::of(&blob)),
        }
    }

    /// Reads the blob from its start while it is fetched.
    pub fn reader(&self) -> ArrivingBlob {
        ArrivingBlob {
            blob: self.blob,
            file: self.file.clone(),
            arrivals: self.arrivals.clone(),
            position: 0,
        }
    }

    /// Ends all readers that wait for a chunk: no more will come.
    pub fn give_up(&self) {
        self.arrivals.give_up();
    }

    /// The blob.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    /// The file that takes the bytes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The chunk level that an earlier run kept, if it is this blob's.
    ///
    /// # Errors
    /// [`PathError`] if the file can't be read.
    pub fn stored_tree(&self) -> Result<Option<ChunkTree>, PathError> {
        let bytes = durable::read_if_there(&self.tree_path, TREE_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| ChunkTree::parse(self.blob, &bytes).ok()))
    }

    /// Keeps the chunk level for the next run.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn keep_tree(&self, bytes: &[u8]) -> Result<(), PathError> {
        durable::replace(&self.tree_path, bytes, Access::World)
    }

    /// Finds the chunks that lie in the file already, one chunk of memory at a time. One that can't be
    /// read is not there: a bad sector is often a good one once it is written.
    pub fn scan(&self, tree: &ChunkTree) -> ChunkMap {
        let count = self.blob.chunk_count();
        let mut map = ChunkMap::empty(count);
        let mut buffer = Vec::new();
        let mut unreadable = None;
        for chunk in 0..count {
            buffer.resize(
                usize::try_from(self.blob.chunk_len(chunk)).unwrap_or(usize::MAX),
                0,
            );
            match self
                .file
                .read_exact_at(&mut buffer, self.blob.chunk_start(chunk))
            {
                Ok(()) if tree.verify(chunk, &buffer) => {
                    map.insert(chunk);
                    self.arrivals.insert(chunk);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => unreadable = Some(error),
                Ok(()) => {}
            }
        }
        if let Some(error) = unreadable {
            tracing::warn!(path = %self.path.display(), %error, "what can't be read is fetched again");
        }
        map
    }

    /// Gives a file the blob's length; a device has its own.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn make_room(&self) -> Result<(), PathError> {
        let resize = || {
            let metadata = self.file.metadata()?;
            if metadata.is_file() && metadata.len() != self.blob.size {
                self.file.set_len(self.blob.size)?;
            }
            Ok(())
        };
        resize().map_err(|error| PathError::new(&self.path, error))
    }

    /// Writes a verified chunk.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn write(&self, chunk: u32, bytes: &[u8]) -> Result<(), PathError> {
        let start = self.blob.chunk_start(chunk);
        self.file
            .write_all_at(bytes, start)
            .map_err(|error| PathError::new(&self.path, error))?;
        self.arrivals.insert(chunk);
        Ok(())
    }

    /// Makes the bytes durable.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn sync(&self) -> Result<(), PathError> {
        self.file
            .sync_data()
            .map_err(|error| PathError::new(&self.path, error))
    }

    /// Removes file and chunk level, for blobs that are needed no more.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn discard(path: &Path, tree_path: &Path) -> Result<(), PathError> {
        for path in [path, tree_path] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PathError::new(path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
