//! Deltas of bsdiff 4 (BSDIFF40), for interchange with `bsdiff` and `bspatch`. Not what devices are
//! sent: no hashes, memory of the base many times over to make one. Format: `docs/formats.md`.
//!
//! * `header`: magic and three lengths, and how numbers are written.
//! * `part`: one bzip2 stream within a delta.
//! * `apply`: base and delta to target.
//! * `create`: crate `bsdiff` finds the matches; its stream is split in three and compressed.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::io;

mod apply;
mod create;
mod header;
mod part;
#[cfg(test)]
mod tests;

pub use apply::{apply, inspect};
pub use create::create;
pub use header::{Header, MAGIC};

/// Why a bsdiff delta can't be made or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BsdiffError {
    /// The base can't be read.
    #[error("base can't be read")]
    Base(#[source] io::Error),
    /// A part is no bzip2 stream, or a damaged one.
    #[error("{part} are no bzip2 stream")]
    Compressed {
        /// Which part.
        part: &'static str,
        /// From bzip2.
        #[source]
        source: io::Error,
    },
    /// The delta can't be read.
    #[error("bsdiff delta can't be read")]
    Delta(#[source] io::Error),
    /// The delta contradicts the base's or the target's size, or itself.
    #[error("bsdiff delta is malformed: {defect}")]
    Malformed {
        /// What is wrong.
        defect: &'static str,
    },
    /// The mirror check failed: the delta made doesn't rebuild the target. A defect of crate `bsdiff` or ours.
    #[error("the bsdiff delta made doesn't rebuild the target")]
    Mirror,
    /// The output can't be written.
    #[error("output can't be written")]
    Output(#[source] io::Error),
    /// The delta makes a target of another size than the trusted one.
    #[error("bsdiff delta makes {declared} bytes, not {expected}")]
    TargetSize {
        /// Bytes that the header declares.
        declared: u64,
        /// Bytes that the caller trusts in.
        expected: u64,
    },
    /// An image is larger than a limit of ours.
    #[error("{actual} bytes are too many for bsdiff, at most {max}")]
    TooLarge {
        /// Bytes of the image.
        actual: u64,
        /// The limit.
        max: u64,
    },
}

const fn malformed<T>(defect: &'static str) -> Result<T, BsdiffError> {
    Err(BsdiffError::Malformed { defect })
}
