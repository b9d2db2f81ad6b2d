//! Type 3: the operations of type 1, every number and byte of them coded by context mixing.
//!
//! One arithmetic code carries all: for each operation its numbers, the tokens of its copy, its literals.
//! Models start fresh in every segment. Literals that don't compress stand apart, as one stream.

mod arithmetic;
mod guesses;
mod literals;
mod logistic;
mod mix;
mod numbers;
mod operations;
mod words;

use std::io::{self, Cursor, Read, Seek};

use arithmetic::{BitCoder, Decoder, Encoder};
use literals::Literals;
use operations::Operations;
use words::Words;
use zstd::zstd_safe::DCtx;

use super::{
    CodecError, Segment, malformed,
    operation::Operation,
    references::{References, Stretch, Window},
    split_front, word,
    zstd_frame::{self, Packed},
};
use crate::{kind::Machine, limits::SEGMENT_BYTES};

#[cfg(test)]
mod tests;

/// Segments below this have models as if they had as many bytes.
const SCALED_BYTES_MIN: u32 = 1 << 10;
/// Bytes of the payload before the frame of literals: size and packed size.
const HEAD_BYTES: usize = 8;

/// Scale of the models' tables, as a power of two: that of the segment, within bounds.
fn scale(segment: Segment) -> u32 {
    let size = u32::try_from(segment.size).unwrap_or(SEGMENT_BYTES);
    let size = size.clamp(SCALED_BYTES_MIN, SEGMENT_BYTES);
    size.next_power_of_two().ilog2()
}

/// Spreads a value over 32 bits.
#[inline]
const fn hash(value: u32, salt: u32) -> u32 {
    let mixed = value.wrapping_mul(0x9e37_79b1) ^ salt.wrapping_mul(0x85eb_ca6b);
    let mixed = mixed.wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 15)
}

/// Place of context `index` with two values.
#[inline]
const fn place(value: u32, other: u32, index: u32) -> u32 {
    hash(value, (other << 4) | index)
}

/// What isn't in the code.
#[derive(Clone, Copy, Default)]
struct Given<'a> {
    /// To an encoder, the operations.
    operations: &'a [Operation],
    /// To an encoder, the whole output.
    output: &'a [u8],
    /// Literals that stand apart; if there are none, they are coded.
    literals: &'a [u8],
}

/// Encodes the segment `output`, which the operations rebuild from `base`.
///
/// `None` if the operations don't fit segment and base; the segment is then to be stored.
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
    let literals = apart(operations, output, level)?;
    let (plain, packed) = literals.unwrap_or_default();
    let mut coder = Encoder::new();
    let given = Given {
        operations,
        output,
        literals: &plain,
    };
    let mut made = Vec::new();
    let mut base = Cursor::new(base);
    let coded = code(&mut coder, given, (segment, machine), &mut base, &mut made);
    let sizes = [packed.size, packed.told()].map(u32::try_from);
    let ([Ok(size), Ok(told)], Ok(())) = (sizes, coded) else {
        return Ok(None);
    };
    let mut payload = size.to_le_bytes().to_vec();
    payload.extend(told.to_le_bytes());
    payload.extend(packed.bytes);
    payload.extend(coder.finish());
    Ok(Some(payload))
}

/// The literals, also packed, if zstd finds next to nothing in them: then neither will the models, which
/// take a thousand times longer.
fn apart(
    operations: &[Operation],
    output: &[u8],
    level: i32,
) -> io::Result<Option<(Vec<u8>, Packed)>> {
    let mut literals = Vec::new();
    let mut rest = output;
    for operation in operations {
        rest = rest.get(operation.copy..).unwrap_or_default();
        let (taken, after) = rest.split_at_checked(operation.literal).unwrap_or_default();
        literals.extend(taken);
        rest = after;
    }
    let packed = Packed::new(&literals, level)?;
    let saved = literals.len().saturating_sub(packed.bytes.len());
    let compresses = saved > literals.len() / 32;
    Ok((!compresses && !literals.is_empty()).then_some((literals, packed)))
}

/// Decodes a segment, see [`super::decode`].
pub(super) fn decode(
    mut payload: &[u8],
    (segment, machine): (Segment, Machine),
    base: &mut (impl Read + Seek),
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let head = split_front(&mut payload, HEAD_BYTES)?;
    let (size, packed) = head.split_at(HEAD_BYTES / 2);
    let number = |bytes: &[u8]| {
        let bytes = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        bytes.and_then(|bytes| usize::try_from(bytes).ok())
    };
    let (Some(size), Some(packed)) = (number(size), number(packed)) else {
        return malformed("size beyond this machine");
    };
    if size > segment.size {
        return malformed("more literals than the segment has bytes");
    }
    let stream = ("literals", &mut payload);
    let literals = zstd_frame::take(&mut DCtx::create(), stream, (size, packed))?;
    let Some(mut coder) = Decoder::new(payload) else {
        return malformed("payload ends before its code");
    };
    let given = Given {
        literals: &literals,
        ..Given::default()
    };
    code(&mut coder, given, (segment, machine), base, out)?;
    if coder.is_finished() {
        return Ok(());
    }
    malformed("the code goes on after the segment's end, or ends otherwise")
}

/// Codes a segment, its output to `out`.
fn code<C: BitCoder>(
    coder: &mut C,
    given: Given<'_>,
    (segment, machine): (Segment, Machine),
    base: &mut (impl Read + Seek),
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut literals = given.literals;
    let are_apart = !literals.is_empty();
    let mut truth = given.operations.iter();
    let mut references = References::new(machine, segment.base_size);
    let mut base = Window::new(base, segment.base_size);
    let scale = scale(segment);
    let (mut operations, mut words) = (Operations::new(), Words::new(scale));
    let mut bytes = Literals::new(scale);
    out.clear();
    out.reserve_exact(segment.size);
    while out.len() < segment.size {
        let to = segment.position(out.len());
        let truth = truth.next().copied().unwrap_or_default();
        let Some(operation) = operations.code(coder, to, truth) else {
            return malformed("a copy starts before the base");
        };
        check(operation, segment, out.len())?;
        let mut rest = given.output.get(out.len()..).unwrap_or_default();
        let stretch = Stretch {
            from: operation.base,
            to,
            count: operation.copy,
        };
        references.copy(&mut base, stretch, out, |token| {
            let (bytes, after) = rest.split_at_checked(token.size).unwrap_or_default();
            rest = after;
            Ok(words.code(coder, token, word(bytes)))
        })?;
        if are_apart {
            out.extend_from_slice(split_front(&mut literals, operation.literal)?);
        } else {
            bytes.code(coder, rest, operation.literal, out);
        }
        if coder.is_overrun() {
            return malformed("the code ends before the segment does");
        }
    }
    if literals.is_empty() {
        return Ok(());
    }
    malformed("literals go on after the segment's end")
}

/// Checks that an operation makes something, fits the segment, and copies from inside the base.
fn check(operation: Operation, segment: Segment, made: usize) -> Result<(), CodecError> {
    let makes = operation.copy.saturating_add(operation.literal);
    if makes == 0 {
        return malformed("an operation without output");
    }
    if makes > segment.size.saturating_sub(made) {
        return malformed("more output than the segment has bytes");
    }
    let copy = u64::try_from(operation.copy).unwrap_or(u64::MAX);
    if operation.base.saturating_add(copy) > segment.base_size {
        return malformed("a copy reaches beyond the base");
    }
    Ok(())
}
