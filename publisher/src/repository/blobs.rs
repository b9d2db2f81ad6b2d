//! Blobs: images, deltas and catalogs by content, with their chunk levels.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::digest::Sha256;
use manifests::name::Name;
use protocol::exchange::tree::{Blob, ChunkTree, TreeBuilder};
use sha2::Digest as _;

use super::{Layout, StoredBlob};

/// Bytes copied at a time.
const COPY_BYTES: usize = 256 * 1024;
/// Bytes of a chunk level of the largest blob.
const TREE_BYTES_MAX: u64 = 2 << 20;

impl Layout {
    /// Stores a blob as it is read: its bytes, its chunk level, both durable.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn store_blob(
        &self,
        source: &mut impl io::Read,
        progress: impl FnMut(u64),
    ) -> Result<StoredBlob, PathError> {
        let temporary = self.temporary();
        let stored = self.copy_in(&temporary, source, progress);
        let stored = stored.and_then(|(stored, tree)| {
            fs::rename(&temporary, self.blob(&stored.blob))?;
            durable::sync_folder_of(&temporary)?;
            Ok((stored, tree))
        });
        let (stored, tree) = stored.map_err(|error| {
            drop(fs::remove_file(&temporary));
            PathError::new(&temporary, error)
        })?;
        durable::replace(&self.tree(&stored.blob), &tree.encode(), Access::World)?;
        Ok(stored)
    }

    /// A name for a blob on its way in; several may be at once.
    fn temporary(&self) -> PathBuf {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        self.folder
            .join("blobs")
            .join(format!("incoming-{number}.tmp"))
    }

    fn copy_in(
        &self,
        path: &Path,
        source: &mut impl io::Read,
        mut progress: impl FnMut(u64),
    ) -> io::Result<(StoredBlob, ChunkTree)> {
        let mut file = File::create(path)?;
        let (mut tree, mut sha256) = (TreeBuilder::new(), sha2::Sha256::new());
        let mut buffer = vec![0; COPY_BYTES];
        let mut size = 0;
        loop {
            let length = source.read(&mut buffer)?;
            let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
                break;
            };
            file.write_all(piece)?;
            tree.update(piece);
            sha256.update(piece);
            size += length as u64;
            progress(size);
        }
        file.sync_all()?;
        let tree = tree.finish();
        let sha256 = Sha256::new(sha256.finalize().into());
        Ok((
            StoredBlob {
                blob: tree.blob(),
                sha256,
            },
            tree,
        ))
    }

    /// Gives a blob its TUF name.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn link_target(&self, stored: &StoredBlob, name: &Name) -> Result<(), PathError> {
        let target = self.target(&stored.sha256, name);
        match fs::hard_link(self.blob(&stored.blob), &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result
                .and_then(|()| durable::sync_folder_of(&target))
                .map_err(|error| PathError::new(&target, error)),
        }
    }

    /// Loads the chunk level of a stored blob.
    ///
    /// # Errors
    /// [`CliError`] naming the file.
    pub fn load_tree(&self, blob: Blob) -> Result<ChunkTree, CliError> {
        let path = self.tree(&blob);
        let bytes = durable::read(&path, TREE_BYTES_MAX).context(Exit::No, "chunk level")?;
        ChunkTree::parse(blob, &bytes).context(Exit::No, path.display())
    }

    /// Reads a stored blob wholly and checks it against its address and SHA-256.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::No`] naming file and rule.
    pub fn check_blob(&self, blob: &Blob, sha256: Option<&Sha256>) -> Result<(), CliError> {
        let path = self.blob(blob);
        let open = || {
            let mut file = File::open(&path)?;
            let length = file.seek(io::SeekFrom::End(0))?;
            file.rewind()?;
            Ok((file, length))
        };
        let (mut file, length) = open()
            .map_err(|error| PathError::new(&path, error))
            .context(Exit::No, "blob")?;
        let (mut blake3, mut sha) = (blake3::Hasher::new(), sha2::Sha256::new());
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(|error| PathError::new(&path, error));
            let length = read.context(Exit::No, "blob")?;
            let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
                break;
            };
            blake3.update(piece);
            sha.update(piece);
        }
        let sha = Sha256::new(sha.finalize().into());
        let wrong = length != blob.size
            || *blake3.finalize().as_bytes() != blob.root
            || sha256.is_some_and(|expected| *expected != sha);
        if wrong {
            let message = format!(
                "{}: content does not match its signed digest",
                path.display()
            );
            return Err(CliError::new(Exit::No, message).hint("restore the file, or release again"));
        }
        Ok(())
    }
}
