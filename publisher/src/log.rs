//! The publisher's transparency log: C2SP tlog-tiles as files, with one writer.
//!
//! ```text
//! log/pending            entries that were appended and are in no tree yet
//! log/tile/…             tiles and entry bundles, each written once
//! log/tree               the newest tree that is on the disk whole: a checkpoint's text, unsigned
//! log/signed             the newest checkpoint that the log signed, with the cosignatures so far
//! log/unshown            sizes that were signed and then not shown, because it was cut off: somebody may have cosigned them
//! log/view               the newest that witnesses enough have cosigned, and how the log has grown to it
//! log/checkpoint         the same checkpoint: what others are shown
//! ```
//!
//! Appending, integrating, signing, asking witnesses and publishing are steps of their own, each durable on return.
//! Whichever is cut off, the next run does it again and comes to the same bytes: entries are counted from a number
//! that stands beside them, tiles follow from entries, and a tree is named once its tiles are there.
//!
//! * [`pending`]: the queue
//! * [`node::tiles`]: tiles and bundles in a folder
//! * [`witnesses`], `endpoint`, `uploads`: asking them, where, and bringing mirrors the entries
//! * `view`: how the log has grown from what was shown before
//! * [`opened`]: all of it, with key and policy
//! * [`sigsum`]: all of it once more, for the tools of another kind of log

mod endpoint;
pub mod opened;
pub mod pending;
pub mod sigsum;
mod uploads;
mod view;
pub mod witnesses;

use std::fs::File;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use node::tiles::{Files, FilesError, Growth};
use tlog::checkpoint::Checkpoint;
use tlog::edge::{Edge, EdgeError};
use tlog::hash::Hash;
use tlog::limits::{CLOCK_SKEW_S, NOTE_BYTES_MAX, TILE_WIDTH};
use tlog::log_proof::LogProof;
use tlog::note::{Line, Note, Signed};
use tlog::policy::{Accepted, Policy, Refusal};
use tlog::proof::verify_consistency;
use tlog::tile::Bundle;
use tlog::tree::{Tree, TreeError};
use tlog::vkey::VerifierKey;

use pending::{Pending, PendingError};

const TREE: &str = "tree";
const SIGNED: &str = "signed";
const CHECKPOINT: &str = "checkpoint";
const VIEW: &str = "view";
const UNSHOWN: &str = "unshown";
/// Bytes of the sizes that were signed since something was shown.
const UNSHOWN_BYTES_MAX: u64 = 64 * 1024;

/// Why the log can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not readable or not writable.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Tiles or bundles that are missing or damaged.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The queue is damaged.
    #[error(transparent)]
    Pending(#[from] PendingError),
    /// Tiles that fit no tree.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// A file that isn't what it should be.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing is signed yet.
    #[error("nothing of the log is signed yet")]
    Unsigned,
    /// What is on the disk is not what was signed before: it may be an old copy.
    #[error("the log on this disk does not begin with the {0} entries that were signed before")]
    Forked(u64),
    /// An entry that isn't there.
    #[error("entry {0} is not in the log")]
    NoEntry(u64),
    /// Too few witnesses.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<TreeError<FilesError>> for LogError {
    fn from(error: TreeError<FilesError>) -> Self {
        match error {
            TreeError::Tiles(error) => Self::Files(error),
            TreeError::Range => Self::Edge(EdgeError::Tiles(0)),
        }
    }
}

/// A log in a folder. Whoever writes holds the repository's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    folder: PathBuf,
    origin: String,
}

impl Log {
    /// The log in `folder`.
    ///
    /// * `origin`: its name.
    pub fn new(folder: &Path, origin: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            origin: origin.to_owned(),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Tiles and bundles.
    pub fn files(&self) -> Files {
        Files::new(&self.folder)
    }

    /// Queues entries; on return they are durable and have their numbers. The number of the first is returned.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn append<'a>(&self, entries: impl IntoIterator<Item = &'a [u8]>) -> Result<u64, LogError> {
        Ok(Pending::open(&self.folder, self.tree()?.size)?.append(entries)?)
    }

    /// The newest tree whose tiles are on the disk.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn tree(&self) -> Result<Checkpoint, LogError> {
        let path = self.folder.join(TREE);
        let Some(bytes) = durable::read_if_there(&path, limit())? else {
            return Ok(self.checkpoint_of(&Edge::default()));
        };
        let text = String::from_utf8(bytes).ok();
        let tree = text.and_then(|text| text.parse::<Checkpoint>().ok());
        let tree = tree.filter(|tree| tree.origin == self.origin);
        tree.ok_or_else(|| damaged(&path, "no checkpoint of this log"))
    }

    /// Takes what is queued into the tree.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn integrate(&self) -> Result<Checkpoint, LogError> {
        let tree = self.tree()?;
        let pending = Pending::open(&self.folder, tree.size)?;
        let mut growth = Growth::open(self.files(), tree.size)?;
        if growth.edge().root() != tree.root {
            return Err(damaged(
                &self.folder.join(TREE),
                "its tiles have another root",
            ));
        }
        for entry in pending.entries()? {
            growth.push(&entry?)?;
        }
        growth.settle()?;
        let tree = self.checkpoint_of(growth.edge());
        self.put(TREE, &tree.to_string())?;
        pending.discard()?;
        Ok(tree)
    }

    /// Signs the tree, unless it is signed already.
    ///
    /// * `sign`: signs a text with the log's key.
    ///
    /// # Errors
    /// [`LogError::Forked`] if the tree doesn't begin with what was signed before; those of `sign`.
    pub fn sign<E: From<LogError>>(
        &self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Note, E> {
        let tree = self.tree()?;
        if let Some(note) = self.signed()? {
            let before = self.parse(SIGNED, &note)?;
            self.check_begins_with(&tree, &before)?;
            if before.size == tree.size && note.signed_by(key) == Some(Signed::Note) {
                return Ok(note);
            }
            self.remember_unshown(before.size)?;
        }
        let text = tree.to_string();
        let note = Note::unsigned(&text).map_err(|_| damaged(&self.folder.join(TREE), "no text"));
        let mut note = note?;
        note.add(Line::new(key, 0, &sign(text.as_bytes())?));
        self.put(SIGNED, &note.to_string())?;
        Ok(note)
    }

    /// The newest checkpoint that the log signed, with the cosignatures so far.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn signed(&self) -> Result<Option<Note>, LogError> {
        self.note(SIGNED)
    }

    /// The newest checkpoint that others are shown.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn checkpoint(&self) -> Result<Option<Note>, LogError> {
        self.note(CHECKPOINT)
    }

    /// Adds cosignatures to the newest checkpoint; those that are no good ones of these keys are left out.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn add_cosignatures<'a>(
        &self,
        lines: impl IntoIterator<Item = Line>,
        keys: impl IntoIterator<Item = &'a VerifierKey>,
    ) -> Result<Note, LogError> {
        let mut note = self.signed()?.ok_or(LogError::Unsigned)?;
        for line in lines {
            note.add(line);
        }
        let note = note.reassembled(keys);
        self.put(SIGNED, &note.to_string())?;
        Ok(note)
    }

    /// Shows the newest checkpoint to others, if the policy accepts it.
    ///
    /// # Errors
    /// [`LogError::Refused`].
    pub fn publish(&self, policy: &Policy, now: u64) -> Result<Accepted, LogError> {
        let note = self.signed()?.ok_or(LogError::Unsigned)?;
        let accepted = policy.accept(&note, now.saturating_add(CLOCK_SKEW_S))?;
        self.put(
            VIEW,
            &self.view_of(&note, &accepted.checkpoint)?.to_string(),
        )?;
        self.put(CHECKPOINT, &note.to_string())?;
        durable::remove(&self.folder.join(UNSHOWN)).map_err(LogError::from)?;
        Ok(accepted)
    }

    /// The proof that an entry is in a tree that the log signed.
    ///
    /// * `checkpoint`: the checkpoint of that tree.
    ///
    /// # Errors
    /// [`LogError::NoEntry`].
    pub fn prove(&self, index: u64, checkpoint: Note) -> Result<LogProof, LogError> {
        let tree = self.parse(CHECKPOINT, &checkpoint)?;
        if index >= tree.size {
            return Err(LogError::NoEntry(index));
        }
        let hashes = Tree::new(&self.files(), tree.size).inclusion(index)?;
        Ok(LogProof {
            extra: None,
            index,
            hashes,
            checkpoint,
        })
    }

    /// An entry of the newest tree.
    ///
    /// # Errors
    /// [`LogError::NoEntry`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        let width = u64::from(TILE_WIDTH);
        let bundle = Bundle::of(index / width, self.tree()?.size);
        let bundle = bundle.ok_or(LogError::NoEntry(index))?;
        let place = usize::try_from(index % width).unwrap_or(usize::MAX);
        let mut entries = self.files().entries(bundle)?.into_iter().skip(place);
        entries.next().ok_or(LogError::NoEntry(index))
    }

    /// Reads every entry, and compares the tree over them with the tiles and with what is signed and published.
    ///
    /// # Errors
    /// [`LogError`] naming what differs.
    pub fn verify(&self) -> Result<Checkpoint, LogError> {
        let (tree, files) = (self.tree()?, self.files());
        let mut edge = Edge::default();
        for index in 0..tree.size.div_ceil(u64::from(TILE_WIDTH)) {
            let Some(bundle) = Bundle::of(index, tree.size) else {
                break;
            };
            for entry in files.entries(bundle)? {
                for (tile, hashes) in edge.append(Hash::of_leaf(&entry))? {
                    files.check_tile(tile, &hashes)?;
                }
            }
        }
        for (tile, hashes) in edge.partial() {
            files.check_tile(tile, &hashes)?;
        }
        if edge.root() != tree.root {
            return Err(damaged(
                &self.folder.join(TREE),
                "its entries have another root",
            ));
        }
        for (name, note) in [(SIGNED, self.signed()?), (CHECKPOINT, self.checkpoint()?)] {
            let Some(note) = note else { continue };
            let signed = self.parse(name, &note)?;
            self.check_begins_with(&tree, &signed)?;
        }
        Ok(tree)
    }

    /// Whether a tree begins with one that was signed before: by the tiles of the newer one, since those of the
    /// earlier one are there too and say what they said then.
    fn check_begins_with(&self, tree: &Checkpoint, before: &Checkpoint) -> Result<(), LogError> {
        let forked = LogError::Forked(before.size);
        if before.size > tree.size {
            return Err(forked);
        }
        let proof = Tree::new(&self.files(), tree.size).consistency(before.size)?;
        let (old, new) = ((before.size, &before.root), (tree.size, &tree.root));
        verify_consistency(old, new, &proof).map_err(|_| forked)
    }

    fn checkpoint_of(&self, edge: &Edge) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size: edge.size(),
            root: edge.root(),
        }
    }

    fn note(&self, name: &str) -> Result<Option<Note>, LogError> {
        let path = self.folder.join(name);
        let bytes = durable::read_if_there(&path, limit())?;
        let note = bytes.map(|bytes| Note::parse(&bytes)).transpose();
        note.map_err(|_| damaged(&path, "no signed note"))
    }

    fn parse(&self, name: &str, note: &Note) -> Result<Checkpoint, LogError> {
        let checkpoint = note.text().parse::<Checkpoint>().ok();
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint.origin == self.origin);
        checkpoint.ok_or_else(|| damaged(&self.folder.join(name), "no checkpoint of this log"))
    }

    fn put(&self, name: &str, text: &str) -> Result<(), LogError> {
        durable::create_folder(&self.folder)?;
        Ok(durable::replace(
            &self.folder.join(name),
            text.as_bytes(),
            Access::World,
        )?)
    }
}

fn limit() -> u64 {
    u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX)
}

fn damaged(path: &Path, reason: &'static str) -> LogError {
    LogError::Damaged {
        path: path.display().to_string(),
        reason,
    }
}

/// Opens a file to append to; there has to be one.
fn open_to_append(path: &Path) -> Result<File, PathError> {
    let opened = File::options().read(true).append(true).open(path);
    opened.map_err(|error| PathError::new(path, error))
}

#[cfg(test)]
mod tests;
