//! A mirror: keeps every entry of the logs that its witness watches, and cosigns, with a key of its own, what it holds
//! (C2SP tlog-mirror).
//!
//! ```text
//! mirror/HASH/tile/…        entries and tiles
//! mirror/HASH/tree          how much of them is whole: a checkpoint's text, unsigned
//! mirror/HASH/checkpoint    what was cosigned last
//! ```
//!
//! The newest checkpoint that the witness cosigned says which entries may come. They are compared with its root before
//! they are written, and it is cosigned once all of them are on the disk.

use std::ops::Range;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use keys::SigningKey;
use tlog::checkpoint::Checkpoint;
use tlog::edge::{Edge, EdgeError};
use tlog::hash::Hash;
use tlog::limits::NOTE_BYTES_MAX;
use tlog::mirror::{INFO_TYPE, MirrorInfo, Package, Upload};
use tlog::note::{self, Line, Note};
use tlog::proof::verify_subtree;
use tlog::vkey::VerifierKey;

use super::place::{self, Place, PlaceError};
use super::{Answer, TEXT_TYPE, internal};
use crate::tiles::{Files, FilesError, Growth};

const TREE: &str = "tree";
const CHECKPOINT: &str = "checkpoint";
/// Parts of a tile's path, at most: `tile`, a level, seven groups of digits, and the width of a partial one.
const PATH_PARTS_MAX: usize = 10;

/// Its key.
pub(super) struct Mirror {
    key: VerifierKey,
    signing: SigningKey,
}

/// An upload under way.
pub(super) struct Receiving {
    held: Held,
    /// What its entries lead to, signed by the log.
    note: Note,
    checkpoint: Checkpoint,
    growth: Growth,
}

/// What is held of a log.
struct Held {
    folder: PathBuf,
    origin: String,
}

/// Why nothing comes of an upload.
#[derive(Debug, thiserror::Error)]
pub(super) enum MirrorError {
    /// The witness's files.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The mirror's files.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl From<EdgeError> for MirrorError {
    fn from(error: EdgeError) -> Self {
        Self::Files(error.into())
    }
}

impl From<durable::PathError> for MirrorError {
    fn from(error: durable::PathError) -> Self {
        Self::Place(error.into())
    }
}

impl From<MirrorError> for Answer {
    fn from(error: MirrorError) -> Self {
        internal(&error)
    }
}

impl Mirror {
    pub(super) fn new(place: &Place, signing: SigningKey) -> Result<Self, PlaceError> {
        let key = place.key_of_mirror(&signing.public())?;
        Ok(Self { key, signing })
    }

    /// Whether an upload may come.
    pub(super) fn begin(&self, place: &Place, upload: &Upload) -> Result<Receiving, Answer> {
        let logs = place.logs().map_err(MirrorError::from)?;
        if !logs.iter().any(|log| log.name() == upload.origin) {
            return Err(Answer::text(404, "the log is not known"));
        }
        let held = Held::of(place, &upload.origin);
        let cosigned = place.cosigned(&upload.origin).map_err(MirrorError::from)?;
        let Some((note, checkpoint)) = cosigned else {
            return Err(info(409, 0, 0));
        };
        let tree = held.tree()?;
        let bundle = Package::bundle_start(&(tree.size..tree.size));
        let starts = bundle..=tree.size;
        if upload.end != checkpoint.size || !starts.contains(&upload.start) {
            return Err(info(409, checkpoint.size, tree.size));
        }
        let growth = Growth::open(held.files(), tree.size).map_err(MirrorError::from)?;
        if growth.edge().root() != tree.root {
            let error = place::damaged(&held.folder, "its tiles have another root");
            return Err(MirrorError::from(error).into());
        }
        Ok(Receiving {
            held,
            note: note.reassembled(&logs),
            checkpoint,
            growth,
        })
    }

    /// Cosigns what an upload leads to, if that is all here.
    pub(super) fn finish(&self, receiving: &Receiving, now: u64) -> Result<Answer, MirrorError> {
        let (held, checkpoint) = (&receiving.held, &receiving.checkpoint);
        let tree = held.tree()?;
        let before = held.cosigned_size()?;
        if tree.size < checkpoint.size || before > checkpoint.size {
            return Ok(info(409, checkpoint.size.max(before), tree.size));
        }
        let mut note = receiving.note.clone();
        // The key is one that cosigns: see `Place::key_of_mirror`.
        let message = note::message(&self.key, note.text(), now).unwrap_or_default();
        let line = Line::new(&self.key, now, &self.signing.sign(&message));
        note.add(line.clone());
        held.put(CHECKPOINT, &note.to_string())?;
        tracing::info!(origin = checkpoint.origin, size = checkpoint.size, "held");
        Ok(Answer {
            status: 200,
            kind: TEXT_TYPE,
            body: line.to_string(),
        })
    }
}

impl Receiving {
    /// Takes entries, if the tree contains them; says whether it does.
    pub(super) fn take(
        &mut self,
        range: &Range<u64>,
        package: &Package,
    ) -> Result<bool, MirrorError> {
        let start = Package::bundle_start(range);
        let known = usize::try_from(range.start.saturating_sub(start)).unwrap_or(usize::MAX);
        let mut bundle = Edge::default();
        if known > 0 {
            for entry in self.growth.bundle_begin(known)? {
                drop(bundle.append(Hash::of_leaf(entry))?);
            }
        }
        for entry in &package.entries {
            drop(bundle.append(Hash::of_leaf(entry))?);
        }
        let place = (start, range.end, self.checkpoint.size);
        let root = &self.checkpoint.root;
        let is_whole = start.checked_add(bundle.size()) == Some(range.end);
        if !is_whole || verify_subtree(bundle.root(), place, &package.proof, root).is_err() {
            return Ok(false);
        }
        let next = self.growth.edge().size();
        let skip = usize::try_from(next.saturating_sub(range.start)).unwrap_or(usize::MAX);
        for entry in package.entries.iter().skip(skip) {
            self.growth.push(entry)?;
        }
        Ok(true)
    }

    /// Makes what was taken count. Others may have brought more meanwhile: what they wrote are the same bytes.
    pub(super) fn settle(&self) -> Result<(), MirrorError> {
        let edge = self.growth.edge();
        if edge.size() <= self.held.tree()?.size {
            return Ok(());
        }
        self.growth.settle()?;
        self.held
            .put(TREE, &self.held.checkpoint_of(edge).to_string())
    }

    /// How far the mirror has come.
    pub(super) fn info(&self, status: u16) -> Answer {
        info(status, self.checkpoint.size, self.growth.edge().size())
    }
}

impl Held {
    fn of(place: &Place, origin: &str) -> Self {
        Self {
            folder: place.mirror_folder(&place::hash(origin)),
            origin: origin.to_owned(),
        }
    }

    fn files(&self) -> Files {
        Files::new(&self.folder)
    }

    fn checkpoint_of(&self, edge: &Edge) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size: edge.size(),
            root: edge.root(),
        }
    }

    /// What is whole on the disk.
    fn tree(&self) -> Result<Checkpoint, MirrorError> {
        match self.read(TREE)? {
            Some(text) => self.parse(TREE, &text),
            None => Ok(self.checkpoint_of(&Edge::default())),
        }
    }

    fn cosigned_size(&self) -> Result<u64, MirrorError> {
        let Some(text) = self.read(CHECKPOINT)? else {
            return Ok(0);
        };
        let note = Note::parse(text.as_bytes());
        let note = note.map_err(|_| place::damaged(&self.folder, "no signed note"))?;
        Ok(self.parse(CHECKPOINT, note.text())?.size)
    }

    fn parse(&self, name: &str, text: &str) -> Result<Checkpoint, MirrorError> {
        let checkpoint = text.parse::<Checkpoint>().ok();
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint.origin == self.origin);
        let path = self.folder.join(name);
        Ok(checkpoint.ok_or_else(|| place::damaged(&path, "no checkpoint of this log"))?)
    }

    fn read(&self, name: &str) -> Result<Option<String>, MirrorError> {
        let path = self.folder.join(name);
        let limit = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read_if_there(&path, limit)?;
        let text = bytes.map(String::from_utf8).transpose();
        Ok(text.map_err(|_| place::damaged(&path, "not text"))?)
    }

    fn put(&self, name: &str, text: &str) -> Result<(), MirrorError> {
        durable::create_folder(&self.folder)?;
        let path = self.folder.join(name);
        Ok(durable::replace(&path, text.as_bytes(), Access::World)?)
    }
}

/// How far a mirror has come: what may come, and what is next.
fn info(status: u16, size: u64, next: u64) -> Answer {
    let info = MirrorInfo {
        size,
        next,
        ticket: Vec::new(),
    };
    Answer {
        status,
        kind: INFO_TYPE,
        body: info.to_string(),
    }
}

/// The file of a log that a reader asks for: its checkpoint, or a tile or bundle by its path; `None` for anything else.
pub(super) fn file(place: &Place, origin_hash: &str, path: &str) -> Option<PathBuf> {
    let is_file = path == CHECKPOINT || is_tile(path);
    let is_named = place::is_hash(origin_hash) && is_file;
    is_named.then(|| place.mirror_folder(origin_hash).join(Path::new(path)))
}

/// Whether a path is that of a tile or a bundle: digits, and nothing that leads elsewhere.
fn is_tile(path: &str) -> bool {
    let mut parts = path.split('/');
    let is_group = |part: &str| {
        let digits = part.strip_prefix('x').unwrap_or(part);
        let digits = digits.strip_suffix(".p").unwrap_or(digits);
        (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_level = |part: &str| part == "entries" || is_group(part);
    parts.next() == Some("tile")
        && parts.next().is_some_and(is_level)
        && parts.clone().count() > 0
        && path.split('/').count() <= PATH_PARTS_MAX
        && parts.all(is_group)
}
