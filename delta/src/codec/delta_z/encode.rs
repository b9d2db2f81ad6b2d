//! Making payloads of type 1.

use std::io::{self, Cursor};

use crate::{
    codec::{
        Segment, calls,
        differences::{self, Columns},
        operation::Operation,
        primer::Primer,
        references::{References, Stretch, Window},
        varint,
        zstd_frame::{self, Packed},
    },
    kind::Machine,
    limits::COLUMNS_BYTES_MAX,
};

/// Gaps to try, see [`differences::encode`]: single changes are best told one by one, repeated
/// patterns (tables of addresses) as one string that zstd finds again.
const GAPS: [usize; 2] = [2, 128];
/// Level at which it is tried which gap is best, and whether a primer pays.
const TRIAL_LEVEL: i32 = 6;
/// A gap that takes a fiftieth more there is taken to be the worse one at any level.
const TRIAL_DOUBT: usize = 50;
/// Bytes that a primer must save: it takes some to tell, and a device has to read it.
const PRIMER_GAIN_MIN: usize = 256;
/// Literals below which it isn't worth trying.
const PRIMED_LITERALS_MIN: usize = 4096;
/// Bytes of a primer's place and of the sizes of all streams.
const SIZES_BYTES_MAX: usize = 64;

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
    let operations_packed = pack(&[copies, literal_counts, seeks], level)?;
    let room = COLUMNS_BYTES_MAX.saturating_sub(bytes(&operations_packed));
    let Some(differences_packed) = pack_differences(&differences, room, level)? else {
        return Ok(None);
    };
    let mut packed = [operations_packed, differences_packed].concat();
    let told = frame_bytes(&packed).saturating_add(SIZES_BYTES_MAX);
    let (primer, literals) = pack_literals(&literals, operations, (base, told), level)?;
    packed.push(literals);
    let mut payload = Vec::new();
    primer.put(&mut payload);
    for packed in &packed {
        varint::put_count(&mut payload, packed.size);
        varint::put_count(&mut payload, packed.told());
    }
    payload.extend(packed.into_iter().flat_map(|packed| packed.bytes));
    Ok(Some(payload))
}

fn pack(streams: &[Vec<u8>], level: i32) -> io::Result<Vec<Packed>> {
    let pack = |stream: &Vec<u8>| Packed::new(stream, level);
    streams.iter().map(pack).collect()
}

/// Compresses differences with the gap that is smallest within `room` for the columns; `None` if there is none.
fn pack_differences(
    differences: &[u8],
    room: usize,
    level: i32,
) -> io::Result<Option<Vec<Packed>>> {
    let mut tried = Vec::new();
    for gap in GAPS {
        let Columns {
            equals,
            changes,
            values,
        } = differences::encode(differences, gap);
        if equals.len().saturating_add(changes.len()) <= room {
            let columns = [equals, changes, values];
            tried.push((pack(&columns, level.min(TRIAL_LEVEL))?, columns));
        }
    }
    if level > TRIAL_LEVEL {
        // Compressing well takes long: what is clearly larger at a fast level is not tried.
        let trials = tried.iter().map(|(packed, _)| frame_bytes(packed));
        let fewest = trials.min().unwrap_or_default();
        let most = fewest.saturating_add(fewest / TRIAL_DOUBT);
        tried.retain(|(packed, _)| frame_bytes(packed) <= most);
        for (packed, columns) in &mut tried {
            *packed = pack(columns, level)?;
        }
    }
    let packed = tried.into_iter().map(|(packed, _)| packed);
    Ok(packed.min_by_key(|packed| frame_bytes(packed)))
}

/// Compresses literals, with a primer if that is smaller.
///
/// * `told`: bytes of the payload beside them.
fn pack_literals(
    literals: &[u8],
    operations: &[Operation],
    (base, told): (&[u8], usize),
    level: i32,
) -> io::Result<(Primer, Packed)> {
    let size = literals.len();
    if size >= PRIMED_LITERALS_MIN {
        let trial = level.min(TRIAL_LEVEL);
        let plain = zstd_frame::encode(literals, trial)?.len();
        let primer = Primer::choose(operations, base, told.saturating_add(plain));
        let primed = zstd_frame::encode_primed(literals, primer.of(base), trial)?.len();
        if primed.saturating_add(PRIMER_GAIN_MIN) < plain {
            let frame = zstd_frame::encode_primed(literals, primer.of(base), level)?;
            if primer.fits_with(told.saturating_add(frame.len())) {
                return Ok((primer, Packed { size, bytes: frame }));
            }
        }
    }
    Ok((Primer::default(), Packed::new(literals, level)?))
}

fn bytes(packed: &[Packed]) -> usize {
    total(packed.iter().map(|packed| packed.size))
}

fn frame_bytes(packed: &[Packed]) -> usize {
    total(packed.iter().map(|packed| packed.bytes.len()))
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
            let stretch = Stretch {
                from: operation.base,
                to,
                count: operation.copy,
            };
            let copied = references.copy(&mut window, stretch, &mut made, |token| {
                Ok(differences::push(&mut split.differences, token, &mut rest))
            });
            copied.ok()?;
            made.clear();
        }
        let told = split.literals.len();
        split.literals.extend(literal);
        let at = to.checked_add(u64::try_from(operation.copy).ok()?)?;
        calls::to_positions(machine, split.literals.get_mut(told..)?, at);
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
