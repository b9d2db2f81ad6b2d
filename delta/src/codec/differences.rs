//! Differences between copied bytes of the base and the output: runs of equal bytes, runs of changed
//! bytes, and what to add to the changed ones. Most bytes are equal, and zstd codes counts of them
//! better than the zeros themselves.

use super::{CodecError, malformed, references::Token, split_front, varint, word};

#[cfg(test)]
mod tests;

/// Differences as columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Count of equal bytes of each run.
    pub(super) equals: Vec<u8>,
    /// Count of changed bytes that follow.
    pub(super) changes: Vec<u8>,
    /// What to add to the changed bytes.
    pub(super) values: Vec<u8>,
}

/// Takes what a token has become from the front of `output` and appends its difference from what was predicted.
/// Returns it.
#[inline]
pub(super) fn push(differences: &mut Vec<u8>, token: &Token, output: &mut &[u8]) -> u32 {
    let (new, rest) = output.split_at_checked(token.size).unwrap_or_default();
    *output = rest;
    let word = word(new);
    let bytes = subtract(word, token.predicted).to_le_bytes();
    differences.extend_from_slice(bytes.get(..new.len()).unwrap_or_default());
    word
}

/// Each of four bytes less one of four others, none of which borrows from its neighbour.
const fn subtract(new: u32, predicted: u32) -> u32 {
    const HIGH: u32 = 0x8080_8080;
    let low = (new | HIGH).wrapping_sub(predicted & !HIGH);
    low ^ ((new ^ !predicted) & HIGH)
}

/// Splits differences into columns.
///
/// * `gap`: equal bytes that end a run of changed ones; fewer become changes by nothing. At least 2.
pub(super) fn encode(mut differences: &[u8], gap: usize) -> Columns {
    let mut columns = Columns::default();
    while !differences.is_empty() {
        let equal = differences.iter().take_while(|value| **value == 0).count();
        let (_, rest) = differences.split_at(equal);
        let (values, rest) = rest.split_at(changed_bytes(rest, gap));
        varint::put_count(&mut columns.equals, equal);
        varint::put_count(&mut columns.changes, values.len());
        columns.values.extend(values);
        differences = rest;
    }
    columns
}

/// Bytes before the first `gap` equal ones.
fn changed_bytes(differences: &[u8], gap: usize) -> usize {
    let mut equal = 0_usize;
    for (index, value) in differences.iter().enumerate() {
        equal = if *value == 0 {
            equal.saturating_add(1)
        } else {
            0
        };
        if equal == gap {
            return index.saturating_add(1).saturating_sub(gap);
        }
    }
    differences.len()
}

/// Reads columns: what is left of them, and of the run in work.
pub(super) struct Differences<'a> {
    equals: &'a [u8],
    changes: &'a [u8],
    values: &'a [u8],
    equal: u64,
    changed: u64,
}

impl<'a> Differences<'a> {
    pub(super) const fn new(equals: &'a [u8], changes: &'a [u8], values: &'a [u8]) -> Self {
        Self {
            equals,
            changes,
            values,
            equal: 0,
            changed: 0,
        }
    }

    /// Adds the next differences to bytes copied from the base.
    ///
    /// Every round passes a byte or fails, so time is bounded by the bytes.
    pub(super) fn add(&mut self, mut copied: &mut [u8]) -> Result<(), CodecError> {
        while !copied.is_empty() {
            if self.equal == 0 && self.changed == 0 {
                self.next_run()?;
            }
            copied = pass(copied, &mut self.equal).1;
            let (changed, rest) = pass(copied, &mut self.changed);
            let values = split_front(&mut self.values, changed.len())?;
            for (byte, value) in changed.iter_mut().zip(values) {
                *byte = byte.wrapping_add(*value);
            }
            copied = rest;
        }
        Ok(())
    }

    fn next_run(&mut self) -> Result<(), CodecError> {
        let counts = (
            varint::take(&mut self.equals),
            varint::take(&mut self.changes),
        );
        let (Some(equal), Some(changed)) = counts else {
            return malformed("differences end before the copies do");
        };
        if equal == 0 && changed == 0 {
            return malformed("a run without bytes");
        }
        (self.equal, self.changed) = (equal, changed);
        Ok(())
    }

    /// Whether all differences were added.
    pub(super) const fn is_finished(&self) -> bool {
        let columns_end =
            self.equals.is_empty() && self.changes.is_empty() && self.values.is_empty();
        columns_end && self.equal == 0 && self.changed == 0
    }
}

/// Passes up to `count` bytes, and counts them down.
fn pass<'b>(bytes: &'b mut [u8], count: &mut u64) -> (&'b mut [u8], &'b mut [u8]) {
    let passed = usize::try_from(*count)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    *count = count.saturating_sub(u64::try_from(passed).unwrap_or(u64::MAX));
    bytes.split_at_mut(passed)
}
