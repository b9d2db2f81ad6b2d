//! The coders of one segment. [`Kind`] chooses; each coder is a module with `encode` and `decode`.
//!
//! A coder sees one payload, the base and the segment's size, and nothing else.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::io::{self, Read, Seek};

use crate::kind::Kind;

mod calls;
pub(crate) mod delta_cm;
pub(crate) mod delta_z;
mod differences;
pub(crate) mod machines;
pub(crate) mod operation;
mod primer;
pub(crate) mod raw_zstd;
mod references;
pub(crate) mod varint;
mod zstd_frame;

/// Why a payload can't be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The base can't be read.
    #[error("base can't be read")]
    Base(#[source] io::Error),
    /// zstd refused a stream.
    #[error("stream {stream} can't be decompressed")]
    Decompress {
        /// Name of the stream in `docs/formats.md`.
        stream: &'static str,
        /// From zstd.
        #[source]
        source: io::Error,
    },
    /// The payload contradicts itself, the base's size or the segment's.
    #[error("payload is malformed: {defect}")]
    Malformed {
        /// What is wrong.
        defect: &'static str,
    },
    /// A stream wants a larger window than [`crate::limits::WINDOW_BYTES_MAX`].
    #[error("stream {stream} wants a window of {actual} bytes")]
    Window {
        /// Name of the stream in `docs/formats.md`.
        stream: &'static str,
        /// Bytes the frame declares.
        actual: u64,
    },
}

/// What a coder may know of a segment besides its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    /// Position in the target.
    pub(crate) start: u64,
    /// Output bytes, at most [`crate::limits::SEGMENT_BYTES`].
    pub(crate) size: usize,
    /// Bytes of the base.
    pub(crate) base_size: u64,
}

impl Segment {
    /// Position in the target of what follows `made` bytes of the segment.
    fn position(self, made: usize) -> u64 {
        let made = u64::try_from(made).unwrap_or(u64::MAX);
        self.start.saturating_add(made)
    }
}

/// Decodes `payload` into `out`, which is cleared first and then holds exactly `segment.size` bytes.
///
/// # Errors
/// Any of [`CodecError`]; what `out` holds then means nothing.
pub(crate) fn decode(
    kind: Kind,
    payload: Vec<u8>,
    segment: Segment,
    base: &mut (impl Read + Seek),
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match kind {
        Kind::DeltaZ(machine) => delta_z::decode(payload, (segment, machine), base, out),
        Kind::DeltaCm(machine) => delta_cm::decode(&payload, (segment, machine), base, out),
        Kind::RawZstd => raw_zstd::decode(&payload, segment, out),
    }
}

const fn malformed<T>(defect: &'static str) -> Result<T, CodecError> {
    Err(CodecError::Malformed { defect })
}

/// Up to four bytes as a little endian word.
#[inline]
fn word(bytes: &[u8]) -> u32 {
    if let Ok(word) = bytes.try_into() {
        return u32::from_le_bytes(word);
    }
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_le_bytes(word)
}

/// Takes `count` bytes from the front of a stream.
fn split_front<'a>(stream: &mut &'a [u8], count: usize) -> Result<&'a [u8], CodecError> {
    let Some((front, rest)) = stream.split_at_checked(count) else {
        return malformed("a stream ends before the segment does");
    };
    *stream = rest;
    Ok(front)
}
