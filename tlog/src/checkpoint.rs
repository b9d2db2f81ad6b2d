//! Checkpoints: which log, how many entries, which root (C2SP tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use crate::hash::Hash;
use crate::limits::{NAME_BYTES_MAX, TREE_SIZE_MAX};

/// The state of a log, as the text of a note says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not three lines or more, each with its line end.
    #[error("a checkpoint has three lines: origin, size, root")]
    Shape,
    /// Empty or too long.
    #[error("the origin has 1 to {NAME_BYTES_MAX} bytes")]
    Origin,
    /// Not a decimal number without leading zeros, below 2^63.
    #[error("the size is no decimal number below 2^63")]
    Size,
    /// Not a hash, or that of another tree without entries.
    #[error("the root is no SHA-256 hash in base64, or not that of a tree without entries")]
    Root,
}

/// A decimal number, as all of C2SP writes it: without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text && number <= TREE_SIZE_MAX).then_some(number)
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Lines after the third belong to the log and are not looked at.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Shape)?;
        let mut lines = lines.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Shape);
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Shape);
        }
        if !(1..=NAME_BYTES_MAX).contains(&origin.len()) {
            return Err(CheckpointError::Origin);
        }
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = root.parse().map_err(|_| CheckpointError::Root)?;
        if size == 0 && root != Hash::of_nothing() {
            return Err(CheckpointError::Root);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

#[cfg(test)]
mod tests;
