//! Witnesses: what is asked of one, and what it may say (C2SP tlog-witness).
//!
//! A witness cosigns one history of a log. What it cosigned last is on its disk before it answers, and looking and
//! writing is one step for each origin: both are the shell's to keep.

use std::fmt;

use crate::checkpoint::{Checkpoint, decimal};
use crate::hash::Hash;
use crate::limits::{ADD_CHECKPOINT_BYTES_MAX, PROOF_HASHES_MAX};
use crate::note::{Note, Signed};
use crate::proof::verify_consistency;
use crate::vkey::VerifierKey;

/// The type of a body that says a size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// A request for a cosignature: the body of `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the witness cosigned last, as the submitter knows it.
    pub old_size: u64,
    /// That the tree begins with that one.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by its log.
    pub checkpoint: Note,
}

/// What a witness cosigned last for an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Latest {
    /// What it has seen of a log before the first checkpoint.
    pub fn nothing() -> Self {
        Self {
            size: 0,
            root: Hash::of_nothing(),
        }
    }
}

/// Why a witness doesn't cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a request.
    #[error("not a request: old SIZE, hashes, a blank line, a checkpoint")]
    Malformed,
    /// The old tree would be larger than the new one.
    #[error("the old size is larger than that of the checkpoint")]
    Shrinks,
    /// No log that it watches.
    #[error("the log is not known")]
    UnknownLog,
    /// No known key of the log has signed.
    #[error("no known key of the log has signed the checkpoint")]
    Unsigned,
    /// The submitter knows another tree than it cosigned last.
    #[error("the newest checkpoint that was cosigned has {0} entries")]
    OldSize(u64),
    /// Another root at the same size: a fork.
    #[error("another root was cosigned for {0} entries")]
    Forked(u64),
    /// The tree doesn't begin with the one that it cosigned last.
    #[error("the checkpoint is not consistent with the one that was cosigned last")]
    Inconsistent,
}

impl Refusal {
    /// The status of HTTP.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Shrinks => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::OldSize(_) | Self::Forked(_) => 409,
            Self::Inconsistent => 422,
        }
    }

    /// The size that an answer of 409 says.
    pub const fn size(self) -> Option<u64> {
        match self {
            Self::OldSize(size) | Self::Forked(size) => Some(size),
            Self::Malformed
            | Self::Shrinks
            | Self::UnknownLog
            | Self::Unsigned
            | Self::Inconsistent => None,
        }
    }

    /// Whether it shows that a log has two histories: a bad proof shows something of whoever sent it alone.
    pub const fn is_fork(self) -> bool {
        matches!(self, Self::Forked(_))
    }
}

impl AddCheckpoint {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::read(bytes).ok_or(Refusal::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > ADD_CHECKPOINT_BYTES_MAX {
            return None;
        }
        let (head, checkpoint) = str::from_utf8(bytes).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old_size = decimal(lines.next()?.strip_prefix("old ")?)?;
        let proof = lines
            .map(str::parse)
            .collect::<Result<Vec<Hash>, _>>()
            .ok()?;
        let checkpoint = Note::parse(checkpoint.as_bytes()).ok()?;
        (proof.len() <= PROOF_HASHES_MAX).then_some(Self {
            old_size,
            proof,
            checkpoint,
        })
    }

    /// Decides whether the checkpoint may be cosigned.
    ///
    /// * `logs`: keys of logs, whose names are their origins.
    /// * `latest`: looks up what was cosigned last for an origin.
    ///
    /// Returns what to keep before anything is signed.
    ///
    /// # Errors
    /// [`Refusal`], in the order of C2SP.
    pub fn check<'a>(
        &self,
        logs: impl IntoIterator<Item = &'a VerifierKey>,
        latest: impl FnOnce(&str) -> Latest,
    ) -> Result<Checkpoint, Refusal> {
        let checkpoint: Checkpoint = self
            .checkpoint
            .text()
            .parse()
            .map_err(|_| Refusal::Malformed)?;
        let of_log = |key: &&VerifierKey| key.name() == checkpoint.origin;
        let mut keys = logs.into_iter().filter(of_log).peekable();
        keys.peek().ok_or(Refusal::UnknownLog)?;
        if !keys.any(|key| self.checkpoint.signed_by(key) == Some(Signed::Note)) {
            return Err(Refusal::Unsigned);
        }
        if self.old_size > checkpoint.size {
            return Err(Refusal::Shrinks);
        }
        let latest = latest(&checkpoint.origin);
        if self.old_size != latest.size {
            return Err(Refusal::OldSize(latest.size));
        }
        if checkpoint.size == latest.size && checkpoint.root != latest.root {
            return Err(Refusal::Forked(latest.size));
        }
        let (old, new) = (
            (latest.size, &latest.root),
            (checkpoint.size, &checkpoint.root),
        );
        verify_consistency(old, new, &self.proof).map_err(|_| Refusal::Inconsistent)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(formatter, "{hash}")?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
