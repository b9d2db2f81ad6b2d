//! The base around a position, read in pieces.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "positions are below 2^41, and a piece always holds what is indexed"
    )
)]

use std::io::{self, Read, Seek, SeekFrom};

use super::super::CodecError;

/// Bytes before a token that tell what it is.
const BEFORE: usize = 4;
/// Bytes from a token's start that tell what it is: itself and nine words.
const AFTER: usize = 40;
/// Bytes of a copy read at a time.
const PIECE_BYTES: usize = 32 << 10;

/// Bytes of the base around a position; where the base has none, they are 0.
pub(super) type Around = [u8; BEFORE + AFTER];

/// The byte `back` before the position.
#[inline]
pub(super) const fn byte_before(around: &Around, back: usize) -> u8 {
    around[BEFORE - back]
}

/// The little endian word `at` bytes after the position.
#[inline]
pub(super) const fn word(around: &Around, at: usize) -> u32 {
    let at = BEFORE + at;
    u32::from_le_bytes([around[at], around[at + 1], around[at + 2], around[at + 3]])
}

/// Reads the base where it is needed.
pub(in super::super) struct Window<'b, B> {
    base: &'b mut B,
    base_size: u64,
    /// Position in the base whose surroundings start `bytes`.
    start: u64,
    bytes: Vec<u8>,
}

impl<'b, B: Read + Seek> Window<'b, B> {
    pub(in super::super) const fn new(base: &'b mut B, base_size: u64) -> Self {
        Self {
            base,
            base_size,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// What is around `from`, of which, and of the `left` - 1 bytes after it, will be asked.
    ///
    /// # Errors
    /// [`CodecError::Base`].
    #[inline]
    pub(super) fn around(&mut self, from: u64, left: usize) -> Result<&Around, CodecError> {
        const NOTHING: &Around = &[0; BEFORE + AFTER];
        let inside = from.wrapping_sub(self.start);
        if inside.saturating_add(NOTHING.len() as u64) > self.bytes.len() as u64 {
            self.read(from, left.min(PIECE_BYTES))
                .map_err(CodecError::Base)?;
        }
        let bytes = &self.bytes[(from - self.start) as usize..];
        Ok(bytes.first_chunk().unwrap_or(NOTHING))
    }

    /// Reads exactly these bytes.
    ///
    /// # Errors
    /// [`CodecError::Base`].
    pub(in super::super) fn read_exact_at(
        &mut self,
        from: u64,
        bytes: &mut [u8],
    ) -> Result<(), CodecError> {
        let sought = self.base.seek(SeekFrom::Start(from));
        sought
            .and_then(|_| self.base.read_exact(bytes))
            .map_err(CodecError::Base)
    }

    /// Reads what is around `count` bytes.
    fn read(&mut self, from: u64, count: usize) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.resize(BEFORE + count + AFTER, 0);
        self.start = from;
        let first = from.saturating_sub(BEFORE as u64);
        let missing = BEFORE - (from - first) as usize;
        let after = (from + (count + AFTER) as u64).min(self.base_size);
        let size = after.saturating_sub(first) as usize;
        self.base.seek(SeekFrom::Start(first))?;
        self.base.read_exact(&mut self.bytes[missing..][..size])
    }
}
