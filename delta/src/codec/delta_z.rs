//! Type 1: copies from the base with differences, and literals, in the manner of bsdiff.
//!
//! `output = (base[position..][..copy] + differences) ‖ literals`, operation after operation. Seven
//! streams, each one zstd frame or stored: the three columns of the operations, the three of the differences
//! (see [`super::differences`]), the literals, in which calls are told as in [`super::calls`]; all
//! counts are varints. The payload starts with the [`Primer`] of the literals, then size and
//! compressed size of each stream. A position is told as the distance from where the operation before
//! would go on in step, `position + copy + literal`; at first from the segment's own position.

mod encode;

use std::io::{Read, Seek};

use zstd::zstd_safe::DCtx;

pub(crate) use encode::encode;

use super::{
    CodecError, Segment, calls,
    differences::Differences,
    malformed,
    primer::Primer,
    references::{References, Stretch, Window},
    split_front, varint, zstd_frame,
};
use crate::{kind::Machine, limits::COLUMNS_BYTES_MAX};

#[cfg(test)]
mod tests;

/// Streams in the order of the payload; the first [`COLUMNS`] are columns of counts.
const STREAMS: [&str; 7] = [
    "copies",
    "literal_counts",
    "seeks",
    "equals",
    "changes",
    "values",
    "literals",
];
/// Streams that are columns of counts.
const COLUMNS: usize = 5;
/// The stream of literals.
const LITERALS: usize = 6;

/// Decodes a segment, see [`super::decode`].
pub(super) fn decode(
    payload: Vec<u8>,
    (segment, machine): (Segment, Machine),
    base: &mut (impl Read + Seek),
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    *out = Vec::new();
    let mut window = Window::new(base, segment.base_size);
    let [
        copies,
        literal_counts,
        seeks,
        equals,
        changes,
        values,
        literals,
    ] = streams(&payload, segment, &mut window)?;
    // With the output of the segment before, this would be half of all memory.
    drop(payload);
    let mut decoder = Decoder {
        copies: &copies,
        literal_counts: &literal_counts,
        seeks: &seeks,
        differences: Differences::new(&equals, &changes, &values),
        literals: &literals,
        expected: segment.start,
        references: References::new(machine, segment.base_size),
        base: window,
    };
    out.reserve_exact(segment.size);
    while out.len() < segment.size {
        decoder.step((segment, machine), out)?;
    }
    decoder.finish()
}

/// Decompresses the streams after checking their sizes against the segment's.
fn streams<B: Read + Seek>(
    payload: &[u8],
    segment: Segment,
    base: &mut Window<'_, B>,
) -> Result<[Vec<u8>; 7], CodecError> {
    let mut rest = payload;
    let primer = Primer::take(&mut rest, segment.base_size)?;
    let mut declared = [(0, 0); 7];
    for sizes in &mut declared {
        *sizes = (size(&mut rest)?, size(&mut rest)?);
    }
    let (columns, bytes) = declared.split_at(COLUMNS);
    if total(columns) > COLUMNS_BYTES_MAX {
        return malformed("more counts than allowed");
    }
    if total(bytes) > segment.size {
        return malformed("more values and literals than the segment has bytes");
    }
    if !primer.fits_with(payload.len()) {
        return malformed("a primer larger than allowed for this payload");
    }
    if !primer.is_empty() && declared.last().is_none_or(|(literals, _)| *literals == 0) {
        return malformed("a primer without literals");
    }
    let known = primer.read(base)?;
    let mut context = DCtx::create();
    let mut streams = [const { Vec::new() }; 7];
    let named = streams.iter_mut().zip(STREAMS);
    for (index, ((stream, name), sizes)) in named.zip(declared).enumerate() {
        if index == LITERALS && !known.is_empty() {
            zstd_frame::prime(&mut context, name, &known)?;
        }
        *stream = zstd_frame::take(&mut context, (name, &mut rest), sizes)?.into_owned();
    }
    if !rest.is_empty() {
        return malformed("payload goes on after its streams");
    }
    Ok(streams)
}

/// Takes a size; one that no payload has counts as too large by what it is compared with.
fn size(rest: &mut &[u8]) -> Result<usize, CodecError> {
    let Some(size) = varint::take(rest) else {
        return malformed("payload ends before its sizes");
    };
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

fn total(declared: &[(usize, usize)]) -> usize {
    let sizes = declared.iter().map(|(size, _)| *size);
    sizes.fold(0, usize::saturating_add)
}

/// What is left of each stream, and where the base would go on.
struct Decoder<'a, 'b, B> {
    copies: &'a [u8],
    literal_counts: &'a [u8],
    seeks: &'a [u8],
    differences: Differences<'a>,
    literals: &'a [u8],
    expected: u64,
    references: References,
    base: Window<'b, B>,
}

impl<B: Read + Seek> Decoder<'_, '_, B> {
    /// Decodes one operation. Each makes at least one byte and none makes more than the segment has
    /// left, so neither time nor `out` can exceed it.
    fn step(
        &mut self,
        (segment, machine): (Segment, Machine),
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let (Some(copy), Some(literal), Some(seek)) = (
            varint::take(&mut self.copies),
            varint::take(&mut self.literal_counts),
            varint::take(&mut self.seeks),
        ) else {
            return malformed("operations end before the segment does");
        };
        let left = segment.size.saturating_sub(out.len());
        let (Ok(copied), Ok(taken)) = (usize::try_from(copy), usize::try_from(literal)) else {
            return malformed("more output than the segment has bytes");
        };
        let made = copied.saturating_add(taken);
        if made == 0 {
            return malformed("an operation without output");
        }
        if made > left {
            return malformed("more output than the segment has bytes");
        }
        let start = self.expected.checked_add_signed(varint::unzigzag(seek));
        let end = start.and_then(|start| start.checked_add(copy));
        let expected = end.and_then(|end| end.checked_add(literal));
        let (Some(start), Some(end), Some(expected)) = (start, end, expected) else {
            return malformed("a position outside 64 bits");
        };
        self.expected = expected;
        if copied > 0 {
            if end > segment.base_size {
                return malformed("a copy reaches beyond the base");
            }
            let stretch = Stretch {
                from: start,
                to: segment.position(out.len()),
                count: copied,
            };
            match machine {
                Machine::None => self.copy(start, copied, out)?,
                _ => self.copy_code(stretch, out)?,
            }
        }
        let literals = split_front(&mut self.literals, taken)?;
        let at = segment.position(out.len());
        out.extend_from_slice(literals);
        let told = out.len().saturating_sub(taken);
        calls::to_distances(machine, out.get_mut(told..).unwrap_or_default(), at);
        Ok(())
    }

    /// Copies bytes that refer to nothing: what [`Self::copy_code`] does, at once.
    fn copy(&mut self, start: u64, count: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let made = out.len();
        out.resize(made.saturating_add(count), 0);
        let copied = out.get_mut(made..).unwrap_or_default();
        self.base.read_exact_at(start, copied)?;
        self.differences.add(copied)
    }

    fn copy_code(&mut self, stretch: Stretch, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let differences = &mut self.differences;
        let base = &mut self.base;
        self.references.copy(base, stretch, out, |token| {
            let mut bytes = token.predicted.to_le_bytes();
            differences.add(bytes.get_mut(..token.size).unwrap_or_default())?;
            Ok(u32::from_le_bytes(bytes))
        })
    }

    /// Checks that nothing is left over.
    const fn finish(&self) -> Result<(), CodecError> {
        let columns_end =
            self.copies.is_empty() && self.literal_counts.is_empty() && self.seeks.is_empty();
        if columns_end && self.literals.is_empty() && self.differences.is_finished() {
            return Ok(());
        }
        malformed("streams go on after the segment's end")
    }
}
