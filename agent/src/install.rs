//! Writing a slot. The slot can't start while this runs; only after everything was read back from it
//! and matches the signed digest does the caller let it.

mod archive;
mod raw;

use std::ops::ControlFlow;
use std::path::Path;

use cli::durable::PathError;
use protocol::exchange::tree::ChunkTree;

pub(crate) use archive::beside;
pub use archive::{ArchiveError, install as install_archive};
pub use raw::{Applied, apply_delta, check_room, copy, hash_prefix, open_delta, read_back};

/// Why a slot was not written. It stays unable to start; the next run writes it again.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The disk refuses.
    #[error(transparent)]
    Disk(#[from] PathError),
    /// The delta can't be applied: wrong base or damaged.
    #[error("delta: {0}")]
    Delta(#[from] delta::ApplyError),
    /// The archive can't be extracted.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The slot is smaller than the image.
    #[error("{path} has {actual} bytes, the image {needed}")]
    SlotTooSmall {
        /// The slot's device.
        path: String,
        /// Its size in bytes.
        actual: u64,
        /// The image's size in bytes.
        needed: u64,
    },
    /// What was read back is not what is signed.
    #[error(
        "{path}: read back {actual}, signed is {expected}: the disk does not keep what is written"
    )]
    ReadBack {
        /// The file or device.
        path: String,
        /// The signed BLAKE3.
        expected: String,
        /// The BLAKE3 that was read.
        actual: String,
    },
    /// The program was told to stop.
    #[error("stopped")]
    Stopped,
}

/// Reports bytes done; breaks to stop.
pub type Report<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// Checks a read-back tree against what is signed.
pub(crate) fn check_root(
    path: &Path,
    tree: &ChunkTree,
    expected: &[u8; 32],
) -> Result<(), InstallError> {
    let actual = tree.blob().root;
    if actual == *expected {
        return Ok(());
    }
    Err(InstallError::ReadBack {
        path: path.display().to_string(),
        expected: hex::encode(expected),
        actual: hex::encode(actual),
    })
}
