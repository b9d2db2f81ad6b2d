//! What was read of a log, on the disk.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::digest::Sha256;
use tlog::checkpoint::Checkpoint;
use tlog::edge::{Edge, Filled};
use tlog::hash::Hash;
use tlog::limits::NOTE_BYTES_MAX;
use tlog::note::Note;
#[cfg(feature = "online")]
use tlog::split_view::Prefix;
#[cfg(feature = "online")]
use tlog::tree::Tree;

#[cfg(feature = "online")]
use super::tiles::Held;

const LEAVES: &str = "leaves";
const CHECKPOINT: &str = "checkpoint";
const UNEXPLAINED: &str = "unexplained";
const SPLIT_VIEW: &str = "split-view.json";
#[cfg(feature = "online")]
const HEAD: &str = "head";
#[cfg(feature = "online")]
const HEAD_BYTES_MAX: u64 = 128;
#[cfg(feature = "online")]
const OTHER_HEAD: &str = "head-fork.jws";
const KEYS: &str = "keys";
/// Bytes of the list of keys, of which there are 1024 at most.
const KEYS_BYTES_MAX: u64 = 64 << 10;
/// Bytes of the list of what isn't explained.
const UNEXPLAINED_BYTES_MAX: u64 = 16 << 20;

/// A folder for one log.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

/// Hashes of entries in their order: those of the file, and new ones.
#[derive(Debug)]
pub(super) struct Leaves {
    path: PathBuf,
    kept: u64,
    new: Vec<Hash>,
}

impl Place {
    /// The folder, made if need be.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn open(folder: &Path) -> Result<Self, CliError> {
        durable::create_folder(folder).context(Exit::No, "state")?;
        let folder = folder.to_owned();
        Ok(Self { folder })
    }

    /// The newest checkpoint whose entries were all read.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn checkpoint(&self) -> Result<Option<Note>, CliError> {
        let path = self.folder.join(CHECKPOINT);
        let limit = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read_if_there(&path, limit).context(Exit::No, "state")?;
        let note = bytes.map(|bytes| Note::parse(&bytes)).transpose();
        note.context(Exit::No, path.display())
    }

    /// The leaves below a checkpoint; what a cut left behind them is read again.
    pub(super) fn leaves(&self, before: Option<&Checkpoint>) -> Result<Leaves, CliError> {
        let path = self.folder.join(LEAVES);
        let kept = before.map_or(0, |before| before.size);
        let length = std::fs::metadata(&path).map_or(0, |file| file.len());
        if length < kept.saturating_mul(HASH_BYTES) {
            let message = format!(
                "{} is shorter than the checkpoint beside it says",
                path.display()
            );
            return Err(
                CliError::new(Exit::No, message).hint("begin anew with another --state folder")
            );
        }
        let new = Vec::new();
        Ok(Leaves { path, kept, new })
    }

    /// What the newest tree begins with at the size of another, and how it has grown from there; `None` if they have one
    /// size.
    #[cfg(feature = "online")]
    pub(super) fn prefix(
        &self,
        other: &Checkpoint,
        newest: &Checkpoint,
    ) -> Result<Option<Prefix>, CliError> {
        if other.size == newest.size {
            return Ok(None);
        }
        let root = self.leaves(Some(other))?.edge()?.root();
        let mut tiles = Held::default();
        let edge = self
            .leaves(Some(newest))?
            .edge_with(|filled| tiles.keep(filled))?;
        tiles.keep(edge.partial());
        let tree = Tree::new(&tiles, newest.size);
        let proof = tree.consistency(other.size).context(Exit::No, "log")?;
        Ok(Some(Prefix { root, proof }))
    }

    /// What nobody shows the content of.
    pub(super) fn unexplained(&self) -> Result<BTreeSet<(u64, Sha256)>, CliError> {
        let path = self.folder.join(UNEXPLAINED);
        let bytes =
            durable::read_if_there(&path, UNEXPLAINED_BYTES_MAX).context(Exit::No, "state")?;
        let text =
            String::from_utf8(bytes.unwrap_or_default()).context(Exit::No, path.display())?;
        let line = |line: &str| {
            let (index, digest) = line.split_once(' ')?;
            Some((index.parse().ok()?, Sha256::parse(digest).ok()?))
        };
        let lines = text.lines().map(line).collect::<Option<_>>();
        lines.ok_or_else(|| damaged(&path))
    }

    /// Fingerprints of the keys that have signed entries.
    pub(super) fn keys(&self) -> Result<BTreeSet<String>, CliError> {
        let path = self.folder.join(KEYS);
        let bytes = durable::read_if_there(&path, KEYS_BYTES_MAX).context(Exit::No, "state")?;
        let text = String::from_utf8(bytes.unwrap_or_default());
        let text = text.context(Exit::No, path.display())?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    pub(super) fn keep_keys(&self, keys: &BTreeSet<String>) -> Result<(), CliError> {
        let lines = keys.iter().map(|key| format!("{key}\n"));
        self.put(KEYS, &lines.collect::<String>())
    }

    /// Keeps what was read; the checkpoint comes last.
    pub(super) fn keep(
        &self,
        leaves: &Leaves,
        unexplained: &BTreeSet<(u64, Sha256)>,
        checkpoint: &Note,
    ) -> Result<(), CliError> {
        leaves.keep()?;
        let lines = unexplained
            .iter()
            .map(|(index, digest)| format!("{index} {digest}\n"));
        self.put(UNEXPLAINED, &lines.collect::<String>())?;
        self.put(CHECKPOINT, &checkpoint.to_string())
    }

    /// Keeps what shows two histories; the first stays.
    pub(super) fn keep_evidence(&self, text: &str) -> Result<String, CliError> {
        let path = self.folder.join(SPLIT_VIEW);
        if !path.exists() {
            self.put(SPLIT_VIEW, text)?;
        }
        Ok(path.display().to_string())
    }

    /// The newest head that was seen: the version of its timestamp, and the digest of what was signed.
    ///
    /// # Errors
    /// [`CliError`].
    #[cfg(feature = "online")]
    pub(super) fn head(&self) -> Result<Option<(u64, Sha256)>, CliError> {
        let path = self.folder.join(HEAD);
        let bytes = durable::read_if_there(&path, HEAD_BYTES_MAX).context(Exit::No, "state")?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let read = |bytes| {
            let text = str::from_utf8(bytes).ok()?;
            let (version, digest) = text.trim_end().split_once(' ')?;
            Some((version.parse().ok()?, Sha256::parse(digest).ok()?))
        };
        read(&bytes).ok_or_else(|| damaged(&path)).map(Some)
    }

    #[cfg(feature = "online")]
    pub(super) fn keep_head(&self, version: u64, digest: &Sha256) -> Result<(), CliError> {
        self.put(HEAD, &format!("{version} {digest}\n"))
    }

    /// Keeps a head that contradicts another; the first stays.
    #[cfg(feature = "online")]
    pub(super) fn keep_other_head(&self, token: &[u8]) -> Result<String, CliError> {
        let path = self.folder.join(OTHER_HEAD);
        if !path.exists() {
            self.put(OTHER_HEAD, &String::from_utf8_lossy(token))?;
        }
        Ok(path.display().to_string())
    }

    fn put(&self, name: &str, text: &str) -> Result<(), CliError> {
        let path = self.folder.join(name);
        durable::replace(&path, text.as_bytes(), Access::World).context(Exit::No, "state")
    }
}

fn damaged(path: &Path) -> CliError {
    CliError::new(Exit::No, format_args!("{}: damaged", path.display()))
        .hint("begin anew with another --state folder")
}

/// Bytes of a hash.
const HASH_BYTES: u64 = 32;

impl Leaves {
    pub(super) fn len(&self) -> u64 {
        self.kept
    }

    pub(super) fn push(&mut self, leaf: Hash) {
        self.new.push(leaf);
    }

    /// The edge of the tree over those that are kept.
    pub(super) fn edge(&self) -> Result<Edge, CliError> {
        self.edge_with(|_| {})
    }

    /// * `full`: is told of the tiles that become full.
    fn edge_with(&self, mut full: impl FnMut(Vec<Filled>)) -> Result<Edge, CliError> {
        let mut edge = Edge::default();
        if self.kept == 0 {
            return Ok(edge);
        }
        let file = File::open(&self.path).context(Exit::No, self.path.display())?;
        let mut reader = BufReader::new(file);
        for _ in 0..self.kept {
            let mut hash = [0; 32];
            reader
                .read_exact(&mut hash)
                .context(Exit::No, self.path.display())?;
            let filled = edge.append(Hash::from_bytes(hash));
            full(filled.context(Exit::No, "log")?);
        }
        Ok(edge)
    }

    fn keep(&self) -> Result<(), CliError> {
        let write = || {
            let mut options = File::options();
            let file = options
                .create(true)
                .read(true)
                .write(true)
                .truncate(false)
                .open(&self.path)?;
            let end = self.kept.saturating_mul(HASH_BYTES);
            file.set_len(end)?;
            let mut file = std::io::BufWriter::new(file);
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(end))?;
            for hash in &self.new {
                file.write_all(hash.as_bytes())?;
            }
            file.flush()?;
            file.get_ref().sync_all()
        };
        let written: std::io::Result<()> = write();
        written.context(Exit::No, self.path.display())
    }
}
