//! The blobs that this node holds, wholly or in part, and where their bytes lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::{Blob, ChunkTree};

/// A blob in a file or block device.
#[derive(Clone, Debug)]
pub struct Held {
    /// The verified chunk level.
    pub tree: Arc<ChunkTree>,
    /// Which chunks are there.
    pub map: ChunkMap,
    /// The file or device, from whose first byte on the blob lies.
    pub path: PathBuf,
}

/// A registry of blobs, shared by serving and fetching. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct BlobStore {
    held: Arc<Mutex<BTreeMap<[u8; 32], Held>>>,
}

impl BlobStore {
    /// Registers a blob, or replaces what was known of it.
    pub fn insert(&self, held: Held) {
        let root = held.tree.blob().root;
        self.lock().insert(root, held);
    }

    /// Registers a whole blob.
    pub fn insert_whole(&self, tree: ChunkTree, path: PathBuf) {
        let map = ChunkMap::full(tree.blob().chunk_count());
        self.insert(Held {
            tree: Arc::new(tree),
            map,
            path,
        });
    }

    /// Notes a chunk that arrived.
    pub fn add_chunk(&self, blob: &Blob, chunk: u32) {
        if let Some(held) = self.lock().get_mut(&blob.root) {
            held.map.insert(chunk);
        }
    }

    /// Forgets a blob, before its bytes are changed.
    pub fn remove(&self, blob: &Blob) {
        self.lock().remove(&blob.root);
    }

    /// Forgets all blobs but those named.
    pub fn retain(&self, blobs: &[Blob]) {
        self.lock()
            .retain(|_, held| blobs.contains(&held.tree.blob()));
    }

    /// What is held of a blob.
    pub fn find(&self, blob: &Blob) -> Option<Held> {
        self.lock()
            .get(&blob.root)
            .filter(|held| held.tree.blob() == *blob)
            .cloned()
    }

    /// How many blobs are held.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Held>> {
        // Every change is a single call; a panic elsewhere leaves the map sound.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Reads a chunk and checks it: a file that changed on disk is never served.
    ///
    /// # Errors
    /// The I/O error; [`io::ErrorKind::InvalidData`] if the bytes are not the chunk.
    pub fn read_chunk(&self, chunk: u32) -> io::Result<Vec<u8>> {
        let blob = self.tree.blob();
        let length = usize::try_from(blob.chunk_len(chunk)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        File::open(&self.path)?.read_exact_at(&mut bytes, blob.chunk_start(chunk))?;
        if !self.tree.verify(chunk, &bytes) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "chunk changed on disk",
            ));
        }
        Ok(bytes)
    }
}
