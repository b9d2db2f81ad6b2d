//! The plain bsdiff stream, for interchange: what crate `bsdiff` 0.2.1 writes, without header,
//! compression or hashes. Not what devices are sent; see the crate's documentation for that.
//!
//! Operation after operation: three numbers of 8 bytes (bytes to add, bytes to take, signed seek;
//! little endian, sign in the highest bit), the differences, the literals. Operations end with the
//! stream, so the target's size must be known from elsewhere.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::limits::{BSDIFF_BUFFER_BYTES, BSDIFF_CREATE_BYTES_MAX, BSDIFF_EMPTY_OPERATIONS_MAX};

#[cfg(test)]
mod tests;

/// Why a bsdiff stream can't be made or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BsdiffError {
    /// Base or target are larger than [`BSDIFF_CREATE_BYTES_MAX`].
    #[error("{actual} bytes are too many for bsdiff, at most {max}")]
    TooLarge {
        /// Bytes of the larger image.
        actual: u64,
        /// The limit.
        max: u64,
    },
    /// The base can't be read.
    #[error("base can't be read")]
    Base(#[source] io::Error),
    /// The stream contradicts the base's or the target's size, or itself.
    #[error("bsdiff stream is malformed: {defect}")]
    Malformed {
        /// What is wrong.
        defect: &'static str,
    },
    /// The output can't be written.
    #[error("output can't be written")]
    Output(#[source] io::Error),
    /// The stream can't be read, or ends early.
    #[error("bsdiff stream can't be read")]
    Patch(#[source] io::Error),
}

/// Makes a bsdiff stream through crate `bsdiff`.
///
/// Takes about 17 times the base in memory, and time quadratic in runs of one byte.
///
/// # Errors
/// [`BsdiffError::TooLarge`] above [`BSDIFF_CREATE_BYTES_MAX`], [`BsdiffError::Output`].
pub fn create(base: &[u8], target: &[u8], out: &mut impl Write) -> Result<(), BsdiffError> {
    let actual = u64::try_from(base.len().max(target.len())).unwrap_or(u64::MAX);
    if actual > BSDIFF_CREATE_BYTES_MAX {
        return Err(BsdiffError::TooLarge {
            actual,
            max: BSDIFF_CREATE_BYTES_MAX,
        });
    }
    ::bsdiff::diff(base, target, out).map_err(BsdiffError::Output)
}

/// Applies a bsdiff stream with [`BSDIFF_BUFFER_BYTES`] of memory twice.
///
/// The format has no hashes: the caller must check the output.
///
/// * `base`: random access; its end tells its size.
/// * `patch`: untrusted; must end with the operation that completes the target.
/// * `target_size`: bytes of the target, from trusted metadata; never one byte more is written.
///
/// # Errors
/// [`BsdiffError::Malformed`] on numbers outside base or target, trailing data or a flood of empty
/// operations; [`BsdiffError::Patch`] if the stream ends early. What was written means nothing then.
pub fn apply(
    base: &mut (impl Read + Seek),
    patch: &mut impl Read,
    target_size: u64,
    out: &mut impl Write,
) -> Result<(), BsdiffError> {
    let base_size = base.seek(SeekFrom::End(0)).map_err(BsdiffError::Base)?;
    let mut applier = Applier {
        base,
        patch,
        out,
        base_size,
        position: 0,
        left: target_size,
        empty: 0,
        bytes: vec![0; BSDIFF_BUFFER_BYTES],
        copied: vec![0; BSDIFF_BUFFER_BYTES],
    };
    while applier.left > 0 {
        applier.step()?;
    }
    let mut byte = [0];
    match applier.patch.read_exact(&mut byte) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(BsdiffError::Patch(error)),
        Ok(()) => return malformed("data after the last operation"),
    }
    out.flush().map_err(BsdiffError::Output)
}

const fn malformed<T>(defect: &'static str) -> Result<T, BsdiffError> {
    Err(BsdiffError::Malformed { defect })
}

/// Where an application is.
struct Applier<'a, B, P, W> {
    base: &'a mut B,
    patch: &'a mut P,
    out: &'a mut W,
    base_size: u64,
    /// Position in the base, always within it.
    position: u64,
    /// Bytes of the target still to make.
    left: u64,
    /// Operations without output in a row.
    empty: u32,
    /// Buffer for bytes of the stream, then of the output.
    bytes: Vec<u8>,
    /// Buffer for bytes of the base.
    copied: Vec<u8>,
}

impl<B: Read + Seek, P: Read, W: Write> Applier<'_, B, P, W> {
    /// Applies one operation.
    fn step(&mut self) -> Result<(), BsdiffError> {
        let [differences, literals, seek] = [self.number()?, self.number()?, self.number()?];
        let (Ok(differences), Ok(literals)) = (u64::try_from(differences), u64::try_from(literals))
        else {
            return malformed("a negative count");
        };
        let made = differences.saturating_add(literals);
        let Some(left) = self.left.checked_sub(made) else {
            return malformed("more output than declared");
        };
        self.left = left;
        self.empty = if made > 0 {
            0
        } else {
            self.empty.saturating_add(1)
        };
        if self.empty > BSDIFF_EMPTY_OPERATIONS_MAX {
            return malformed("too many operations without output");
        }
        let end = self
            .position
            .checked_add(differences)
            .filter(|end| *end <= self.base_size);
        let Some(end) = end else {
            return malformed("a copy reaches beyond the base");
        };
        if differences > 0 {
            self.base
                .seek(SeekFrom::Start(self.position))
                .map_err(BsdiffError::Base)?;
            self.pass(differences, Mode::Add)?;
        }
        self.pass(literals, Mode::Take)?;
        let position = end
            .checked_add_signed(seek)
            .filter(|next| *next <= self.base_size);
        let Some(position) = position else {
            return malformed("a seek leaves the base");
        };
        self.position = position;
        Ok(())
    }

    /// Reads a sign and magnitude number.
    fn number(&mut self) -> Result<i64, BsdiffError> {
        let mut bytes = [0; 8];
        self.patch
            .read_exact(&mut bytes)
            .map_err(BsdiffError::Patch)?;
        let number = u64::from_le_bytes(bytes);
        let magnitude = (number & i64::MAX.cast_unsigned()).cast_signed();
        let negative = number.cast_signed().is_negative();
        Ok(if negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        })
    }

    /// Passes `count` bytes of the stream to the output, added to the base or as they are.
    fn pass(&mut self, mut count: u64, mode: Mode) -> Result<(), BsdiffError> {
        while count > 0 {
            let size = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(BSDIFF_BUFFER_BYTES);
            let bytes = self.bytes.get_mut(..size).unwrap_or_default();
            self.patch.read_exact(bytes).map_err(BsdiffError::Patch)?;
            if mode == Mode::Add {
                let copied = self.copied.get_mut(..size).unwrap_or_default();
                self.base.read_exact(copied).map_err(BsdiffError::Base)?;
                for (byte, old) in bytes.iter_mut().zip(copied) {
                    *byte = byte.wrapping_add(*old);
                }
            }
            self.out.write_all(bytes).map_err(BsdiffError::Output)?;
            count = count.saturating_sub(u64::try_from(size).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

/// What happens to bytes of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Add,
    Take,
}
