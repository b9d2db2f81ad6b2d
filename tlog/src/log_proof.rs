//! Proofs that travel: an entry's place, the way to the root, and the checkpoint with its signatures (C2SP
//! tlog-proof).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::decimal;
use crate::hash::Hash;
use crate::limits::{LOG_PROOF_BYTES_MAX, PROOF_HASHES_MAX};
use crate::note::{Note, NoteError};
use crate::policy::{Accepted, Policy, Refusal};
use crate::proof::{ProofError, verify_inclusion};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// That an entry is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// Whatever goes with it; nobody has signed it.
    pub extra: Option<Vec<u8>>,
    /// The entry's place, from 0.
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint of a tree with the entry.
    pub checkpoint: Note,
}

/// Why bytes are no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// Too long, not text, or a line is missing.
    #[error("not a proof of a log: {HEADER}, index, hashes, a blank line, a checkpoint")]
    Shape,
    /// Neither index nor extra as they are written.
    #[error("the index or the extra data of the proof are malformed")]
    Head,
    /// Not a hash, or too many of them.
    #[error("a proof has at most {PROOF_HASHES_MAX} hashes in base64")]
    Hashes,
    /// The checkpoint is no note.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
}

/// Why a proof doesn't show that an entry is in a log that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLogged {
    /// The policy doesn't accept the checkpoint.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The entry isn't there.
    #[error("the entry is not in the log: {0}")]
    Proof(#[from] ProofError),
}

impl LogProof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`LogProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LogProofError> {
        if bytes.len() > LOG_PROOF_BYTES_MAX {
            return Err(LogProofError::Shape);
        }
        let text = str::from_utf8(bytes).map_err(|_| LogProofError::Shape)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(LogProofError::Shape)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(LogProofError::Shape);
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                lines.next();
                Some(STANDARD.decode(extra).map_err(|_| LogProofError::Head)?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal).ok_or(LogProofError::Head)?;
        let hashes = lines.map(str::parse).collect::<Result<Vec<Hash>, _>>();
        let hashes = hashes.map_err(|_| LogProofError::Hashes)?;
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(LogProofError::Hashes);
        }
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: Note::parse(checkpoint.as_bytes())?,
        })
    }

    /// Whether an entry is in a log, by a checkpoint that the policy accepts.
    ///
    /// * `leaf`: [`Hash::of_leaf`] of the entry.
    /// * `latest`: see [`Policy::accept`].
    ///
    /// # Errors
    /// [`NotLogged`].
    pub fn verify(&self, leaf: Hash, policy: &Policy, latest: u64) -> Result<Accepted, NotLogged> {
        let accepted = policy.accept(&self.checkpoint, latest)?;
        let (size, root) = (accepted.checkpoint.size, &accepted.checkpoint.root);
        verify_inclusion(leaf, (self.index, size), &self.hashes, root)?;
        Ok(accepted)
    }

    /// The form from before there was a first line, in which `spicy-torchwood` 0.9 reads it.
    pub fn to_spicy(&self) -> String {
        let text = self.to_string();
        let rest = text.strip_prefix(HEADER).map(str::trim_start);
        rest.unwrap_or_default().to_owned()
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(formatter, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(formatter, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(formatter, "{hash}")?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
