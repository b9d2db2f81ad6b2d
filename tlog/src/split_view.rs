//! Evidence that a log has two histories: two checkpoints under one key that can't both be true, for anybody who
//! has that key.

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::limits::{EVIDENCE_BYTES_MAX, PROOF_HASHES_MAX};
use crate::note::{Note, Signed};
use crate::proof::verify_consistency;
use crate::vkey::VerifierKey;

const SCHEMA: &str = "streembit/split-view/1";

/// Two checkpoints, and if their sizes differ, what the larger tree begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitView {
    smaller: Note,
    larger: Note,
    prefix: Option<Prefix>,
}

/// The root that the larger tree has at the size of the smaller one, and the proof of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The root.
    pub root: Hash,
    /// From it to the root of the larger tree, see [`verify_consistency`].
    pub proof: Vec<Hash>,
}

/// What evidence shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The log.
    pub origin: String,
    /// The two states.
    pub checkpoints: [Checkpoint; 2],
}

/// Why there is no evidence in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitViewError {
    /// Not a file of this kind.
    #[error("not a file of evidence: {SCHEMA}")]
    Shape,
    /// Not two checkpoints of the log.
    #[error("the log of this key has not signed both checkpoints")]
    Unsigned,
    /// Both can be true.
    #[error("the two checkpoints don't contradict each other")]
    Consistent,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    smaller: String,
    larger: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    proof: Vec<String>,
}

impl SplitView {
    /// Puts two checkpoints of a log side by side.
    ///
    /// * `prefix`: if they have different sizes, what the larger tree has at the smaller size.
    ///
    /// # Errors
    /// [`SplitViewError`] unless it is evidence under this key.
    pub fn between(
        notes: [&Note; 2],
        prefix: Option<Prefix>,
        log: &VerifierKey,
    ) -> Result<Self, SplitViewError> {
        let [mut smaller, mut larger] = notes;
        let [first, second] = [signed(smaller, log)?, signed(larger, log)?];
        if first.size > second.size {
            std::mem::swap(&mut smaller, &mut larger);
        }
        let view = Self {
            smaller: smaller.reassembled([log]),
            larger: larger.reassembled([log]),
            prefix,
        };
        view.verify(log)?;
        Ok(view)
    }

    /// Checks that this is evidence under a log's key.
    ///
    /// # Errors
    /// [`SplitViewError::Unsigned`], [`SplitViewError::Consistent`].
    pub fn verify(&self, log: &VerifierKey) -> Result<Shown, SplitViewError> {
        let (smaller, larger) = (signed(&self.smaller, log)?, signed(&self.larger, log)?);
        let contradicts = match &self.prefix {
            None => smaller.size == larger.size && smaller.root != larger.root,
            Some(prefix) => {
                let (old, new) = ((smaller.size, &prefix.root), (larger.size, &larger.root));
                prefix.root != smaller.root && verify_consistency(old, new, &prefix.proof).is_ok()
            }
        };
        if !contradicts {
            return Err(SplitViewError::Consistent);
        }
        Ok(Shown {
            origin: smaller.origin.clone(),
            checkpoints: [smaller, larger],
        })
    }

    /// Reads a file of evidence.
    ///
    /// # Errors
    /// [`SplitViewError::Shape`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SplitViewError> {
        Self::read(bytes).ok_or(SplitViewError::Shape)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return None;
        }
        let file: File = serde_json::from_slice(bytes).ok()?;
        let note = |text: &str| Note::parse(text.as_bytes()).ok();
        let proof = file.proof.iter().map(|hash| hash.parse());
        let proof = proof.collect::<Result<Vec<Hash>, _>>().ok()?;
        let prefix = match file.root {
            Some(root) => Some(Prefix {
                root: root.parse().ok()?,
                proof,
            }),
            None if proof.is_empty() => None,
            None => return None,
        };
        let is_sized = |prefix: &Prefix| prefix.proof.len() <= PROOF_HASHES_MAX;
        if file.schema != SCHEMA || !prefix.as_ref().is_none_or(is_sized) {
            return None;
        }
        Some(Self {
            smaller: note(&file.smaller)?,
            larger: note(&file.larger)?,
            prefix,
        })
    }

    /// The file's text: JSON.
    pub fn encode(&self) -> String {
        let prefix = self.prefix.as_ref();
        let file = File {
            schema: SCHEMA.to_owned(),
            smaller: self.smaller.to_string(),
            larger: self.larger.to_string(),
            root: prefix.map(|prefix| prefix.root.to_string()),
            proof: prefix
                .map(|prefix| prefix.proof.iter().map(Hash::to_string).collect())
                .unwrap_or_default(),
        };
        // A struct of strings always has a text.
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }
}

fn signed(note: &Note, log: &VerifierKey) -> Result<Checkpoint, SplitViewError> {
    let checkpoint: Checkpoint = note.text().parse().map_err(|_| SplitViewError::Unsigned)?;
    let is_signed = note.signed_by(log) == Some(Signed::Note) && checkpoint.origin == log.name();
    is_signed
        .then_some(checkpoint)
        .ok_or(SplitViewError::Unsigned)
}

#[cfg(test)]
mod tests;
