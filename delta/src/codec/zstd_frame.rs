//! Streams: each its bytes as they are, or one zstd frame (RFC 8878) of known decompressed size, decoded in one go into a buffer of that
//! size: no window is allocated, and no number of the frame decides about memory.

use std::{borrow::Cow, io};

use zstd::zstd_safe::{self, DCtx};

use super::{CodecError, split_front};
use crate::limits::WINDOW_BYTES_MAX;

#[cfg(test)]
mod tests;

/// Magic of a frame, RFC 8878 section 3.1.1; skippable frames have others and are refused.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bits of the descriptor that say how long a dictionary's id is: we have none, nor an id of 0.
const DICTIONARY_ID: u8 = 3;

/// Compresses `bytes` to one frame; nothing becomes nothing.
///
/// # Errors
/// What zstd reports.
pub(super) fn encode(bytes: &[u8], level: i32) -> io::Result<Vec<u8>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut frame = zstd::bulk::compress(bytes, level)?;
    frame.shrink_to_fit();
    Ok(frame)
}

/// A stream as it stands in a payload: compressed, or as it is if that is not smaller.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    /// Bytes of its content.
    pub(super) size: usize,
    /// One frame, or the content.
    pub(super) bytes: Vec<u8>,
}

impl Packed {
    /// Compresses a stream.
    ///
    /// # Errors
    /// What zstd reports.
    pub(super) fn new(stream: &[u8], level: i32) -> io::Result<Self> {
        let frame = encode(stream, level)?;
        let is_smaller = frame.len() < stream.len();
        Ok(Self {
            size: stream.len(),
            bytes: if is_smaller { frame } else { stream.to_vec() },
        })
    }

    /// Bytes of the frame, 0 if there is none.
    pub(super) const fn told(&self) -> usize {
        if self.bytes.len() < self.size {
            self.bytes.len()
        } else {
            0
        }
    }
}

/// Takes a stream from the front of `rest`: a frame of `packed` bytes, or if that is 0 the `size` bytes themselves.
///
/// * `size`: trusted and bounded by the caller; allocated.
///
/// # Errors
/// Those of [`decode`].
pub(super) fn take<'a>(
    context: &mut DCtx<'_>,
    (name, rest): (&'static str, &mut &'a [u8]),
    (size, packed): (usize, usize),
) -> Result<Cow<'a, [u8]>, CodecError> {
    let is_stored = packed == 0;
    let stream = split_front(rest, if is_stored { size } else { packed })?;
    if is_stored {
        return Ok(Cow::Borrowed(stream));
    }
    decode_with(context, (name, stream), size).map(Cow::Owned)
}

/// Compresses `bytes`, at least one, as if they followed `primer`, which the frame doesn't hold.
///
/// # Errors
/// What zstd reports.
pub(super) fn encode_primed(bytes: &[u8], primer: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor
        .context_mut()
        .ref_prefix(primer)
        .map_err(reported)?;
    compressor.compress(bytes)
}

/// Decompresses one frame to exactly `size` bytes.
///
/// * `size`: trusted and bounded by the caller; allocated.
///
/// # Errors
/// [`CodecError::Window`], or [`CodecError::Decompress`] also if the frame yields another size.
pub(super) fn decode(
    stream: &'static str,
    frame: &[u8],
    size: usize,
) -> Result<Vec<u8>, CodecError> {
    decode_with(&mut DCtx::create(), (stream, frame), size)
}

/// As [`decode`], for several frames in turn; the next one goes on from a prefix that `context` was given.
///
/// # Errors
/// Those of [`decode`].
fn decode_with(
    context: &mut DCtx<'_>,
    (stream, frame): (&'static str, &[u8]),
    size: usize,
) -> Result<Vec<u8>, CodecError> {
    let wrong_size = CodecError::Malformed {
        defect: "a stream has another size than declared",
    };
    if size == 0 {
        return if frame.is_empty() {
            Ok(Vec::new())
        } else {
            Err(wrong_size)
        };
    }
    let actual = window(frame).ok_or(CodecError::Malformed {
        defect: "no zstd frame",
    })?;
    if actual > WINDOW_BYTES_MAX {
        return Err(CodecError::Window { stream, actual });
    }
    let one_frame = zstd_safe::find_frame_compressed_size(frame);
    if one_frame != Ok(frame.len()) {
        return Err(CodecError::Malformed {
            defect: "more or less than one zstd frame",
        });
    }
    let mut bytes = vec![0; size];
    let written = context
        .decompress(&mut bytes, frame)
        .map_err(|code| CodecError::Decompress {
            stream,
            source: reported(code),
        })?;
    if written != size {
        return Err(wrong_size);
    }
    Ok(bytes)
}

/// Gives a context the prefix that [`encode_primed`] was given, for the next frame.
///
/// # Errors
/// [`CodecError::Decompress`].
pub(super) fn prime<'a>(
    context: &mut DCtx<'a>,
    stream: &'static str,
    primer: &'a [u8],
) -> Result<(), CodecError> {
    let primed = context.ref_prefix(primer).map(drop);
    primed.map_err(|code| CodecError::Decompress {
        stream,
        source: reported(code),
    })
}

/// What zstd says about a code that it returned.
fn reported(code: usize) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}

/// Window the frame declares, RFC 8878 section 3.1.1.1: its descriptor, or the content size.
fn window(frame: &[u8]) -> Option<u64> {
    let (&magic, rest) = frame.split_first_chunk::<4>()?;
    let (&descriptor, rest) = rest.split_first()?;
    if magic != MAGIC || descriptor & DICTIONARY_ID != 0 {
        return None;
    }
    if descriptor & 0x20 == 0 {
        let (&byte, _) = rest.split_first()?;
        let base = 1_u64 << (10_u32.saturating_add(u32::from(byte >> 3)));
        let eighths = u64::from(byte & 7);
        return Some(base.saturating_add((base >> 3).saturating_mul(eighths)));
    }
    match descriptor >> 6 {
        0 => rest.first().map(|&byte| u64::from(byte)),
        1 => rest
            .first_chunk()
            .map(|&size| u64::from(u16::from_le_bytes(size)).saturating_add(256)),
        2 => rest
            .first_chunk()
            .map(|&size| u64::from(u32::from_le_bytes(size))),
        _ => rest.first_chunk().map(|&size| u64::from_le_bytes(size)),
    }
}
