//! The repository on disk.
//!
//! ```text
//! publisher.toml                      settings
//! keys/                               key files, never exported
//! metadata/1.root.json …              versioned roles, written once
//! metadata/timestamp.json             the commit point: replaced last
//! targets/<sha256>.<name>             images, as TUF names them (hard links to blobs)
//! blobs/<blake3>                      images, deltas, catalogs by content
//! trees/<blake3>.tree                 their chunk levels
//! heads/<version>.<channel>.jws       signed release heads
//! staged/<role>.json                  the change that is being signed
//! committing/                         what a commit that was cut off still has to write
//! ```
//!
//! A commit gathers its files in a folder and renames it to `committing/`: from then on they are in
//! force, and whoever writes next finishes copying them. So a crash leaves the old repository whole or
//! the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cli::durable::{self, Access, Lock, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::client::{self, Client, ClientError, Reason, Repository, Request, Stored};
use manifests::digest::Sha256;
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use manifests::limits;
use manifests::name::Name;
use manifests::pin::Pin;
use protocol::exchange::tree::{Blob, ChunkTree, TreeBuilder};
use sha2::Digest as _;

/// The name of the commit point.
pub const TIMESTAMP: &str = "timestamp.json";
/// The time at which a publisher reads its own repository: expiry is for devices. A publisher that
/// comes back after a timestamp has expired must be able to sign the next one.
pub const OWN_CLOCK: UtcTime = UtcTime::EPOCH;
/// The folder of files that are in force already and on their way to `metadata/`.
const COMMITTING: &str = "committing";
/// Bytes copied at a time.
const COPY_BYTES: usize = 256 * 1024;
/// Bytes of a chunk level of the largest blob.
const TREE_BYTES_MAX: u64 = 2 << 20;

/// The folders of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The repository's folder.
    pub folder: PathBuf,
}

/// What a written blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Content address.
    pub blob: Blob,
    /// SHA-256, for TUF.
    pub sha256: Sha256,
}

impl Layout {
    /// Names the folders under `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Creates the folders.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn create(&self) -> Result<(), PathError> {
        for name in ["metadata", "targets", "blobs", "trees", "heads"] {
            durable::create_folder(&self.folder.join(name))?;
        }
        Ok(())
    }

    /// Takes the writer's lock.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Retry`] if another writer has it.
    pub fn lock(&self) -> Result<Lock, CliError> {
        let lock = Lock::acquire(&self.folder).context(Exit::No, "lock")?;
        let lock = lock.ok_or_else(|| {
            let message = format!(
                "{} is being written by another process",
                self.folder.display()
            );
            CliError::new(Exit::Retry, message).hint("wait for it, then run again")
        })?;
        self.finish_commit()?;
        Ok(lock)
    }

    /// A metadata file.
    pub fn metadata(&self, name: &str) -> PathBuf {
        self.folder.join("metadata").join(name)
    }

    /// A blob's file.
    pub fn blob(&self, blob: &Blob) -> PathBuf {
        self.folder.join("blobs").join(blob.name())
    }

    /// A blob's chunk level.
    pub fn tree(&self, blob: &Blob) -> PathBuf {
        self.folder
            .join("trees")
            .join(format!("{}.tree", blob.name()))
    }

    /// An image under its TUF name.
    pub fn target(&self, sha256: &Sha256, name: &Name) -> PathBuf {
        self.folder.join("targets").join(format!("{sha256}.{name}"))
    }

    /// A release head.
    pub fn head(&self, version: u64, channel: &str) -> PathBuf {
        self.folder
            .join("heads")
            .join(format!("{version}.{channel}.jws"))
    }

    /// Reads a metadata file for the verifier.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn read_metadata(&self, request: &Request) -> Result<Option<Vec<u8>>, PathError> {
        let committing = self.folder.join(COMMITTING).join(&request.name);
        match durable::read_if_there(&committing, request.length_max)? {
            Some(bytes) => Ok(Some(bytes)),
            None => durable::read_if_there(&self.metadata(&request.name), request.length_max),
        }
    }

    /// Reads a metadata file that must be there.
    ///
    /// # Errors
    /// [`CliError`] naming it.
    pub fn read_file(&self, name: &str, limit: u64) -> Result<Vec<u8>, CliError> {
        let committing = self.folder.join(COMMITTING).join(name);
        let read = durable::read_if_there(&committing, limit).context(Exit::No, "metadata")?;
        match read {
            Some(bytes) => Ok(bytes),
            None => durable::read(&self.metadata(name), limit).context(Exit::No, "metadata"),
        }
    }

    /// Where a staged change is.
    pub fn staged(&self) -> PathBuf {
        self.folder.join("staged")
    }

    /// Makes files part of the repository, all or none: they are in force once they are together in
    /// `committing/`, whatever happens then; readers look there first.
    ///
    /// # Errors
    /// [`CliError`]; the repository is the old or the new one.
    pub fn commit(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<(), CliError> {
        let (gathering, committing) = (
            self.folder.join("committing.tmp"),
            self.folder.join(COMMITTING),
        );
        let disk = |error: CliError| error.hint(durable::DISK_FIX);
        if gathering.exists() {
            let removed = fs::remove_dir_all(&gathering);
            removed
                .context(Exit::No, gathering.display())
                .map_err(disk)?;
        }
        durable::create_folder(&gathering).context(Exit::No, "metadata")?;
        for (name, bytes) in files {
            durable::replace(&gathering.join(name), bytes, Access::World)
                .context(Exit::No, "metadata")
                .map_err(disk)?;
        }
        fs::rename(&gathering, &committing)
            .and_then(|()| durable::sync_folder_of(&committing))
            .map_err(|error| PathError::new(&committing, error))
            .context(Exit::No, "metadata")
            .map_err(disk)?;
        self.finish_commit()
    }

    /// Finishes a commit that was cut off.
    ///
    /// # Errors
    /// [`CliError`]; readers see the new repository all the same.
    pub fn finish_commit(&self) -> Result<(), CliError> {
        let committing = self.folder.join(COMMITTING);
        let finish = || {
            let entries = match fs::read_dir(&committing) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            let mut names = Vec::new();
            for entry in entries {
                names.push(entry?.file_name());
            }
            // Whoever copies the folder at this moment gets the timestamp last.
            names.sort_by_key(|name| name == TIMESTAMP);
            for name in names {
                let bytes = fs::read(committing.join(&name))?;
                durable::replace(
                    &self.folder.join("metadata").join(&name),
                    &bytes,
                    Access::World,
                )
                .map_err(io::Error::other)?;
            }
            fs::remove_dir_all(&committing)?;
            durable::sync_folder_of(&committing)
        };
        finish()
            .map_err(|error: io::Error| PathError::new(&committing, error))
            .context(Exit::No, "metadata")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }

    /// Verifies the repository as a device that knows nothing but root version 1 would.
    ///
    /// # Errors
    /// [`CliError`] naming file and rule; [`Exit::Stale`] if something is expired.
    pub fn verify(&self, product: Name, now: UtcTime) -> Result<Repository, CliError> {
        verify_with(self.first_root()?, product, now, |request| {
            self.read_metadata(request)
        })
    }

    /// Root version 1.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] if there is none.
    pub fn first_root(&self) -> Result<Vec<u8>, CliError> {
        durable::read(&self.metadata("1.root.json"), limits::ROOT_BYTES_MAX)
            .context(Exit::Usage, "no repository here")
            .map_err(|error| error.hint("streembit-publisher init"))
    }

    /// The pin that devices of this repository get.
    ///
    /// # Errors
    /// [`CliError`] if root version 1 is unfit.
    pub fn pin(
        &self,
        product: Name,
        channel: Name,
        life: std::time::Duration,
    ) -> Result<Pin, CliError> {
        Pin::new(&self.first_root()?, product, channel, life).context(Exit::No, "1.root.json")
    }

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

/// Runs the verifier over files that `read` returns.
///
/// # Errors
/// As [`Layout::verify`].
pub fn verify_with(
    root: Vec<u8>,
    product: Name,
    now: UtcTime,
    mut read: impl FnMut(&Request) -> Result<Option<Vec<u8>>, PathError>,
) -> Result<Repository, CliError> {
    let stored = Stored {
        root,
        ..Stored::default()
    };
    let client = Client::for_product(stored, product, now).map_err(|error| from_client(&error))?;
    let read = |request: &Request| read(request).context(Exit::No, "metadata").map_err(Failure);
    client::run(client, read, |_| Ok(())).map_err(|Failure(error)| error)
}

struct Failure(CliError);

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self(from_client(&error))
    }
}

/// The versioned metadata files in force: the root chain, snapshot, targets, the product's role.
pub fn names_in_force(repository: &Repository, product: &str) -> Vec<String> {
    let roots = 1..=repository.root.header().version;
    let mut names: Vec<String> = roots
        .map(|version| format!("{version}.root.json"))
        .collect();
    names.push(format!(
        "{}.snapshot.json",
        repository.snapshot.header().version
    ));
    names.push(format!(
        "{}.targets.json",
        repository.targets.header().version
    ));
    names.push(format!(
        "{}.{product}.json",
        repository.product.header().version
    ));
    names
}

/// Gives a verifier's refusal its exit code.
pub fn from_client(error: &ClientError) -> CliError {
    let exit = match &error.reason {
        Reason::Expired { .. } => Exit::Stale,
        Reason::Rollback { .. } => Exit::Rollback,
        Reason::Equivocation(_) => Exit::Equivocation,
        Reason::Absent => Exit::Undecided,
        _ => Exit::No,
    };
    let error = CliError::new(exit, format_args!("metadata/{error}"));
    match exit {
        Exit::Stale => error.hint("sign a release: that renews timestamp and snapshot"),
        _ => error,
    }
}
