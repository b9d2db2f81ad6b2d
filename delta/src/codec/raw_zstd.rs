//! Type 2: the segment as one zstd frame, without the base.

use std::io;

use super::{CodecError, Segment, zstd_frame};

/// Encodes a segment.
///
/// # Errors
/// What zstd reports.
pub(crate) fn encode(output: &[u8], level: i32) -> io::Result<Vec<u8>> {
    zstd_frame::encode(output, level)
}

/// Decodes a segment, see [`super::decode`].
pub(super) fn decode(
    payload: &[u8],
    segment: Segment,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    *out = zstd_frame::decode("segment", payload, segment.size)?;
    Ok(())
}
