//! A log's newest checkpoint, and from each earlier size that the log begins with the tree of that size: what a device
//! needs that remembers one of them, without tiles.
//!
//! ```text
//! streembit-log/1
//! 8 ROOT HASH HASH …   an earlier size, its root, and the proof (RFC 6962 section 2.1.2), base64
//! 17 ROOT HASH …
//!
//! fwlog.example.com    the checkpoint, with its signatures
//! …
//! ```

use std::collections::BTreeMap;
use std::fmt;

use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::limits::PROOF_HASHES_MAX;
use tlog::note::Note;
use tlog::proof::verify_consistency;
use tlog::split_view::Prefix;

use crate::limits::{LOG_VIEW_BYTES_MAX, LOG_VIEW_SIZES_MAX};

const HEADER: &str = "streembit-log/1";

/// Roots and proofs by earlier size, all to the tree of one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogView {
    /// Sizes below the checkpoint's.
    pub prefixes: BTreeMap<u64, Prefix>,
    /// The newest checkpoint.
    pub checkpoint: Note,
}

/// Not such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a view of a log: {HEADER}, sizes with their proofs, a blank line, a checkpoint")]
pub struct LogViewError;

/// Why a tree isn't known to begin with an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// The newer is smaller: a rollback, or another history.
    #[error("the log has {new} entries, and had {old} before")]
    Shrunk {
        /// Entries before.
        old: u64,
        /// Entries now.
        new: u64,
    },
    /// Nothing is said of that size.
    #[error("nothing shows how the log has grown from {0} entries")]
    Unknown(u64),
    /// The proof leads nowhere: whoever sent it is wrong, and the log may be right.
    #[error("what shows how the log has grown from {0} entries is damaged")]
    Damaged(u64),
    /// It doesn't begin with the earlier one: two histories. The larger has this root at the smaller size, `None` if
    /// they have one size.
    #[error("the log does not begin with the {0} entries that were seen before")]
    Forked(u64, Option<Prefix>),
}

impl LogView {
    /// The same with the newest sizes alone.
    #[must_use]
    pub fn newest(&self, count: usize) -> Self {
        let prefixes = self.prefixes.iter().rev().take(count);
        let prefixes = prefixes.map(|(size, prefix)| (*size, prefix.clone()));
        Self {
            prefixes: prefixes.collect(),
            checkpoint: self.checkpoint.clone(),
        }
    }

    /// Whether the newest tree begins with an earlier one of the same log.
    ///
    /// * `new`: what the checkpoint says.
    ///
    /// # Errors
    /// [`Inconsistent`].
    pub fn check(&self, old: &Checkpoint, new: &Checkpoint) -> Result<(), Inconsistent> {
        if old.size > new.size {
            return Err(Inconsistent::Shrunk {
                old: old.size,
                new: new.size,
            });
        }
        let forked = |prefix| Err(Inconsistent::Forked(old.size, prefix));
        if old.size == new.size {
            return if old.root == new.root {
                Ok(())
            } else {
                forked(None)
            };
        }
        if old.size == 0 {
            return Ok(());
        }
        let prefix = self.prefixes.get(&old.size);
        let prefix = prefix.ok_or(Inconsistent::Unknown(old.size))?;
        let (before, after) = ((old.size, &prefix.root), (new.size, &new.root));
        let verified = verify_consistency(before, after, &prefix.proof);
        verified.map_err(|_| Inconsistent::Damaged(old.size))?;
        if prefix.root == old.root {
            Ok(())
        } else {
            forked(Some(prefix.clone()))
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LogViewError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LogViewError> {
        if bytes.len() > LOG_VIEW_BYTES_MAX {
            return Err(LogViewError);
        }
        let text = str::from_utf8(bytes).map_err(|_| LogViewError)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(LogViewError)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(LogViewError);
        }
        let mut prefixes = BTreeMap::new();
        for line in lines {
            let mut words = line.split(' ');
            let written = words.next().unwrap_or_default();
            let size = written.parse::<u64>().map_err(|_| LogViewError)?;
            let hashes = words.map(str::parse).collect::<Result<Vec<Hash>, _>>();
            let hashes = hashes.map_err(|_| LogViewError)?;
            let (root, proof) = hashes.split_first().ok_or(LogViewError)?;
            let is_next = prefixes
                .last_key_value()
                .is_none_or(|(last, _)| *last < size);
            if !is_next
                || written != size.to_string()
                || proof.len() > PROOF_HASHES_MAX
                || prefixes.len() >= LOG_VIEW_SIZES_MAX
            {
                return Err(LogViewError);
            }
            let (root, proof) = (*root, proof.to_vec());
            prefixes.insert(size, Prefix { root, proof });
        }
        Ok(Self {
            prefixes,
            checkpoint: Note::parse(checkpoint.as_bytes()).map_err(|_| LogViewError)?,
        })
    }
}

impl fmt::Display for LogView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{HEADER}")?;
        for (size, prefix) in &self.prefixes {
            write!(formatter, "{size} {}", prefix.root)?;
            for hash in &prefix.proof {
                write!(formatter, " {hash}")?;
            }
            writeln!(formatter)?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
