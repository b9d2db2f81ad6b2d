//! Type 1: copies from the base with differences, and literals, in the manner of bsdiff.
//!
//! `output = (base[position..][..copy] + differences) ‖ literals`, operation after operation. Seven
//! streams, each one zstd frame: the three columns of the operations, the three of the differences
//! (see [`super::differences`]), the literals; all counts are varints. The payload starts with size
//! and compressed size of each. A position is told as the distance from where the operation before
//! would go on in step, `position + copy + literal`; at first from the segment's own position.

use std::io::{self, Cursor, Read, Seek};

use super::{
    CodecError, Segment,
    differences::{self, Columns, Differences},
    malformed,
    references::{References, Stretch, Window},
    split_front, varint, word, zstd_frame,
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

/// Gaps to try, see [`differences::encode`]: single changes are best told one by one, repeated
/// patterns (tables of addresses) as one string that zstd finds again.
const GAPS: [usize; 2] = [2, 128];

/// Copies `copy` bytes from the base at `base`, then takes `literal` bytes as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) base: u64,
    pub(crate) copy: usize,
    pub(crate) literal: usize,
}

/// Encodes the segment `output`, which the operations rebuild from `base`.
///
/// Returns `None` if there is no encoding within the limits; the segment is then to be stored.
///
/// # Errors
/// What zstd reports.
pub(crate) fn encode(
    operations: &[Operation],
    (segment, machine): (Segment, Machine),
    output: &[u8],
    base: &[u8],
    level: i32,
) -> io::Result<Option<Vec<u8>>> {
    let Some(split) = split(operations, (segment, machine), output, base) else {
        return Ok(None);
    };
    let Split {
        copies,
        literal_counts,
        seeks,
        differences,
        literals,
    } = split;
    let tried = GAPS.into_iter().map(|gap| {
        let Columns {
            equals,
            changes,
            values,
        } = differences::encode(&differences, gap);
        pack(&[equals, changes, values], level)
    });
    let tried = tried.collect::<io::Result<Vec<_>>>()?;
    let packed = [
        pack(&[copies, literal_counts, seeks], level)?,
        tried
            .into_iter()
            .min_by_key(|packed| frame_bytes(packed))
            .unwrap_or_default(),
        pack(&[literals], level)?,
    ]
    .concat();
    let columns = packed.iter().take(COLUMNS).map(|packed| packed.size);
    if total(columns) > COLUMNS_BYTES_MAX {
        return Ok(None);
    }
    let mut payload = Vec::new();
    for bytes in packed
        .iter()
        .flat_map(|packed| [packed.size, packed.frame.len()])
    {
        let Ok(bytes) = u32::try_from(bytes) else {
            return Ok(None);
        };
        payload.extend(bytes.to_le_bytes());
    }
    payload.extend(packed.into_iter().flat_map(|packed| packed.frame));
    Ok(Some(payload))
}

/// A stream: its size, and compressed.
#[derive(Debug, Clone)]
struct Packed {
    size: usize,
    frame: Vec<u8>,
}

fn pack(streams: &[Vec<u8>], level: i32) -> io::Result<Vec<Packed>> {
    let pack = |stream: &Vec<u8>| {
        let frame = zstd_frame::encode(stream, level)?;
        Ok(Packed {
            size: stream.len(),
            frame,
        })
    };
    streams.iter().map(pack).collect()
}

fn frame_bytes(packed: &[Packed]) -> usize {
    total(packed.iter().map(|packed| packed.frame.len()))
}

fn total(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.fold(0, usize::saturating_add)
}

/// Operations in columns, and the bytes they take.
#[derive(Debug, Default)]
struct Split {
    copies: Vec<u8>,
    literal_counts: Vec<u8>,
    seeks: Vec<u8>,
    /// One for each byte copied.
    differences: Vec<u8>,
    literals: Vec<u8>,
}

/// Splits a segment; `None` if the operations don't fit segment and base.
fn split(
    operations: &[Operation],
    (segment, machine): (Segment, Machine),
    mut output: &[u8],
    base: &[u8],
) -> Option<Split> {
    let mut split = Split::default();
    let mut expected = segment.start;
    let mut to = segment.start;
    let mut references = References::new(machine, segment.base_size);
    let mut cursor = Cursor::new(base);
    let mut window = Window::new(&mut cursor, segment.base_size);
    let mut made = Vec::new();
    for operation in operations {
        let (copied, rest) = output.split_at_checked(operation.copy)?;
        let (literal, rest) = rest.split_at_checked(operation.literal)?;
        output = rest;
        if operation.copy > 0 {
            let from = usize::try_from(operation.base).ok()?;
            base.get(from..)?.get(..operation.copy)?;
            let mut rest = copied;
            let differences = &mut split.differences;
            let stretch = Stretch {
                from: operation.base,
                to,
                count: operation.copy,
            };
            let copied = references.copy(&mut window, stretch, &mut made, |token| {
                let (new, after) = rest.split_at_checked(token.size).unwrap_or_default();
                rest = after;
                let predicted = token.predicted.to_le_bytes();
                let pairs = new.iter().zip(predicted);
                differences.extend(pairs.map(|(new, old)| new.wrapping_sub(old)));
                Ok(word(new))
            });
            copied.ok()?;
            made.clear();
        }
        split.literals.extend(literal);
        let seek = operation
            .base
            .cast_signed()
            .checked_sub(expected.cast_signed())?;
        varint::put_count(&mut split.copies, operation.copy);
        varint::put_count(&mut split.literal_counts, operation.literal);
        varint::put(&mut split.seeks, varint::zigzag(seek));
        let makes = operation.copy.checked_add(operation.literal)?;
        let makes = u64::try_from(makes).ok()?;
        to = to.checked_add(makes)?;
        expected = operation.base.checked_add(makes)?;
    }
    output.is_empty().then_some(split)
}

/// Decodes a segment, see [`super::decode`].
pub(super) fn decode(
    payload: &[u8],
    (segment, machine): (Segment, Machine),
    base: &mut (impl Read + Seek),
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let [
        copies,
        literal_counts,
        seeks,
        equals,
        changes,
        values,
        literals,
    ] = streams(payload, segment.size)?;
    let mut decoder = Decoder {
        copies: &copies,
        literal_counts: &literal_counts,
        seeks: &seeks,
        differences: Differences::new(&equals, &changes, &values),
        literals: &literals,
        expected: segment.start,
        references: References::new(machine, segment.base_size),
        base: Window::new(base, segment.base_size),
    };
    out.clear();
    out.reserve_exact(segment.size);
    while out.len() < segment.size {
        decoder.step((segment, machine), out)?;
    }
    decoder.finish()
}

/// Decompresses the streams after checking their sizes against the segment's.
fn streams(payload: &[u8], segment_size: usize) -> Result<[Vec<u8>; 7], CodecError> {
    let mut rest = payload;
    let mut declared = [(0, 0); 7];
    for sizes in &mut declared {
        *sizes = (size(&mut rest)?, size(&mut rest)?);
    }
    let (columns, bytes) = declared.split_at(COLUMNS);
    if total(columns.iter().map(|(size, _)| *size)) > COLUMNS_BYTES_MAX {
        return malformed("more counts than allowed");
    }
    if total(bytes.iter().map(|(size, _)| *size)) > segment_size {
        return malformed("more values and literals than the segment has bytes");
    }
    let mut streams = [const { Vec::new() }; 7];
    for ((stream, name), (size, packed)) in streams.iter_mut().zip(STREAMS).zip(declared) {
        let Some((frame, after)) = rest.split_at_checked(packed) else {
            return malformed("payload ends before its streams");
        };
        *stream = zstd_frame::decode(name, frame, size)?;
        rest = after;
    }
    if !rest.is_empty() {
        return malformed("payload goes on after its streams");
    }
    Ok(streams)
}

fn size(rest: &mut &[u8]) -> Result<usize, CodecError> {
    let Some((&bytes, after)) = rest.split_first_chunk() else {
        return malformed("payload ends before its sizes");
    };
    *rest = after;
    usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| CodecError::Malformed {
        defect: "size beyond this machine",
    })
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
        out.extend_from_slice(split_front(&mut self.literals, taken)?);
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
