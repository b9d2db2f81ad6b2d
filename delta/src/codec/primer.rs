//! A range of the base that zstd knows before it reads the first literal.
//!
//! What replaces a part of the base shares words, instructions and names with the code around it, too short
//! for copies.

use std::io::{Read, Seek};

use super::{CodecError, malformed, operation::Operation, references::Window, varint};
use crate::limits::{PRIMED_BYTES_MAX, PRIMER_BYTES_MAX};

/// What a copy counts for at least, and at most, where the range is chosen.
const WEIGHTS: (usize, usize) = (16, 80);

/// A range of the base; empty for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Primer {
    from: u64,
    bytes: usize,
}

impl Primer {
    /// The range that most copies come from, each by its size within [`WEIGHTS`].
    ///
    /// * `payload`: bytes that the payload will have at most.
    pub(super) fn choose(operations: &[Operation], base: &[u8], payload: usize) -> Self {
        let payload = u64::try_from(payload).unwrap_or(u64::MAX);
        let bytes_max = PRIMED_BYTES_MAX
            .saturating_sub(payload)
            .min(PRIMER_BYTES_MAX);
        let mut copies: Vec<(u64, usize)> = operations
            .iter()
            .filter(|operation| operation.copy > 0)
            .map(|operation| {
                let weight = operation.copy.saturating_add(WEIGHTS.0).min(WEIGHTS.1);
                (operation.base, weight)
            })
            .collect();
        copies.sort_unstable();
        let (mut best, mut from, mut weight, mut firsts) = (0, 0, 0_usize, copies.iter());
        let mut first = firsts.next();
        for &(last, more) in &copies {
            weight = weight.saturating_add(more);
            while let Some((place, less)) = first
                && last.saturating_sub(*place) >= bytes_max
            {
                weight = weight.saturating_sub(*less);
                first = firsts.next();
            }
            if weight > best {
                best = weight;
                from = first.map_or(last, |(place, _)| *place);
            }
        }
        let base_size = u64::try_from(base.len()).unwrap_or_default();
        let bytes = base_size.saturating_sub(from).min(bytes_max);
        Self {
            from,
            bytes: usize::try_from(bytes).unwrap_or_default(),
        }
    }

    /// Its bytes in the base.
    pub(super) fn of(self, base: &[u8]) -> &[u8] {
        let from = usize::try_from(self.from).ok();
        let range = from.and_then(|from| base.get(from..)?.get(..self.bytes));
        range.unwrap_or_default()
    }

    pub(super) const fn is_empty(self) -> bool {
        self.bytes == 0
    }

    /// Whether a payload of so many bytes may have it.
    pub(super) fn fits_with(self, payload: usize) -> bool {
        let both = u64::try_from(self.bytes.saturating_add(payload));
        self.is_empty() || both.is_ok_and(|both| both <= PRIMED_BYTES_MAX)
    }

    /// Appends size and position; only the size of an empty one.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        varint::put_count(out, self.bytes);
        if !self.is_empty() {
            varint::put(out, self.from);
        }
    }

    /// Inverse of [`Self::put`].
    pub(super) fn take(stream: &mut &[u8], base_size: u64) -> Result<Self, CodecError> {
        let Some(size) = varint::take(stream) else {
            return malformed("payload ends before its sizes");
        };
        if size > PRIMER_BYTES_MAX {
            return malformed("a primer larger than allowed");
        }
        if size == 0 {
            return Ok(Self::default());
        }
        let Some(from) = varint::take(stream) else {
            return malformed("payload ends before its sizes");
        };
        if from.checked_add(size).is_none_or(|end| end > base_size) {
            return malformed("a primer reaches beyond the base");
        }
        let bytes = usize::try_from(size).unwrap_or_default();
        Ok(Self { from, bytes })
    }

    /// Reads its bytes from the base.
    pub(super) fn read<B: Read + Seek>(
        self,
        base: &mut Window<'_, B>,
    ) -> Result<Vec<u8>, CodecError> {
        let mut bytes = vec![0; self.bytes];
        base.read_exact_at(self.from, &mut bytes)?;
        Ok(bytes)
    }
}
