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
//! account-changes                     how the account that signs heads has changed
//! staged.json                         the change that is being signed
//! committing/                         what a commit that was cut off still has to write
//! ```
//!
//! A commit gathers its files in a folder and renames it to `committing/`: from then on they are in
//! force, and whoever writes next finishes copying them. So a crash leaves the old repository whole or
//! the new one.

mod blobs;
mod commit;

use std::path::{Path, PathBuf};

use cli::durable::{self, Lock, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::client::{self, Client, ClientError, Reason, Repository, Request, Stored};
use manifests::digest::Sha256;
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use manifests::limits;
use manifests::name::Name;
use manifests::pin::Pin;
use manifests::product::Product;
use manifests::release::Release;
use protocol::exchange::tree::Blob;

/// The name of the commit point.
pub const TIMESTAMP: &str = "timestamp.json";
/// The time at which a publisher reads its own repository: expiry is for devices. A publisher that
/// comes back after a timestamp has expired must be able to sign the next one.
pub const OWN_CLOCK: UtcTime = UtcTime::EPOCH;
/// The folder of files that are in force already and on their way to `metadata/`.
const COMMITTING: &str = "committing";

/// Metadata files by name.
pub type Files = std::collections::BTreeMap<String, Vec<u8>>;

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

    /// Where the changes of account are.
    pub fn account_changes(&self) -> PathBuf {
        self.folder.join("account-changes")
    }

    /// Where a staged change is.
    pub fn staged(&self) -> PathBuf {
        self.folder.join("staged.json")
    }

    /// Verifies the repository with all its products as devices that know nothing but root version 1
    /// would.
    ///
    /// # Errors
    /// [`CliError`] naming file and rule; [`Exit::Stale`] if something is expired.
    pub fn verify(&self, now: UtcTime) -> Result<Repository, CliError> {
        verify_with(self.first_root()?, now, |request| {
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
}

/// Runs the verifier over files that `read` returns.
///
/// # Errors
/// As [`Layout::verify`].
pub fn verify_with(
    root: Vec<u8>,
    now: UtcTime,
    mut read: impl FnMut(&Request) -> Result<Option<Vec<u8>>, PathError>,
) -> Result<Repository, CliError> {
    let mut stored = Stored {
        root,
        ..Stored::default()
    };
    let mut read = |request: &Request| read(request).context(Exit::No, "metadata");
    loop {
        let client = Client::for_all_products(stored.clone(), now);
        let client = client.map_err(|error| from_client(&error))?;
        let read = |request: &Request| read(request).map_err(Failure::Read);
        let effect = |effect| {
            stored.apply(&effect);
            Ok(())
        };
        match client::run(client, read, effect) {
            Ok(repository) => return Ok(repository),
            // A device goes on in its next run; so does this.
            Err(Failure::Client(error)) if matches!(error.reason, Reason::TooManyRoots(_)) => {}
            Err(Failure::Client(error)) => return Err(from_client(&error)),
            Err(Failure::Read(error)) => return Err(error),
        }
    }
}

enum Failure {
    Client(ClientError),
    Read(CliError),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// The role of a product.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if there is none.
pub fn product_of<'a>(repository: &'a Repository, name: &Name) -> Result<&'a Product, CliError> {
    repository.products.get(name.as_str()).ok_or_else(|| {
        CliError::new(Exit::Usage, format_args!("there is no product {name}"))
            .hint("streembit-publisher keys list")
    })
}

/// All releases of all products.
pub fn releases(repository: &Repository) -> impl Iterator<Item = &Release> {
    repository.products.values().flat_map(Product::releases)
}

/// The versioned metadata files in force: the root chain, snapshot, targets, the products' roles.
pub fn names_in_force(repository: &Repository) -> Vec<String> {
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
    let products = repository.products.iter();
    names.extend(products.map(|(name, role)| format!("{}.{name}.json", role.header().version)));
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
        Exit::Stale => error.hint("streembit-publisher doctor says what to renew"),
        _ => error,
    }
}
