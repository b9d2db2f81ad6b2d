//! Coding one segment in the smallest way that a coder allows.

use std::{io, ops::Range};

use super::Coder;
use crate::{
    codec::{Segment, delta_cm, delta_z, machines, raw_zstd},
    kind::{Kind, Machine},
    limits::PAYLOAD_BYTES_MAX,
    matching::{Matcher, Operation},
};

/// What a byte of literals is assumed to cost where there are few, in units of 1/16 bit.
const PRICE: u64 = 72;
/// Literals below which their price isn't measured.
const MEASURED_BYTES_MIN: usize = 4096;
/// Level at which it is measured.
const PRICE_LEVEL: i32 = 3;
/// Level at which covers are compared.
const TRIAL_LEVEL: i32 = 6;
/// What zstd makes of literals at high levels, of what it makes of them at a fast one, in percent. The smaller
/// numbers are right where a primer knows them and calls repeat, so all are tried.
const ZSTD_PERCENT: &[u64] = &[65, 50, 38];
/// What context mixing makes of them.
const MIXING_PERCENT: &[u64] = &[78];

/// A segment that has at least one literal in so many bytes is tried by zstd too: that goes on from a primer,
/// which context mixing does not, and is faster to decode.
const LITERAL_SHARE: usize = 4;

/// Bytes that a segment may lose by being stored: that needs neither base nor models.
const STORED_LOSS_MAX: usize = 64;

/// How a segment is coded, and its payload.
type Coding = (Kind, Vec<u8>);

/// One coded segment.
#[derive(Debug)]
pub(super) enum Coded {
    Copy { base: u64 },
    Payload { kind: Kind, bytes: Vec<u8> },
}

/// What a byte of these literals may cost, in units of 1/16 bit.
fn prices(coder: Coder, literals: &[u8]) -> Vec<u64> {
    if literals.len() < MEASURED_BYTES_MIN {
        return vec![PRICE];
    }
    let packed = zstd::bulk::compress(literals, PRICE_LEVEL);
    let packed = packed.map_or(literals.len(), |frame| frame.len()) as u64;
    let percents = match coder {
        Coder::Zstd => ZSTD_PERCENT,
        Coder::Mixing => MIXING_PERCENT,
    };
    let price =
        |percent: &u64| (packed * 8 * 16 * percent / 100 / literals.len() as u64).clamp(8, 128);
    percents.iter().map(price).collect()
}

/// All literals of a segment.
fn literals(operations: &[Operation], mut output: &[u8]) -> Vec<u8> {
    let mut literals = Vec::new();
    for operation in operations {
        let (made, rest) = output.split_at(operation.copy + operation.literal);
        literals.extend_from_slice(&made[operation.copy..]);
        output = rest;
    }
    literals
}

/// Codes one segment.
pub(super) fn encode(
    matcher: &Matcher<'_>,
    output: &[u8],
    range: Range<usize>,
    coder: Coder,
    level: i32,
) -> io::Result<Coded> {
    if let Some(base) = matcher.copy(&range) {
        return Ok(Coded::Copy { base });
    }
    let base = matcher.base();
    if base.is_empty() {
        // From nothing everything is stored: whoever takes single segments needs one decoder.
        return smallest(None, false, output, level);
    }
    let segment = Segment {
        start: range.start as u64,
        size: output.len(),
        base_size: base.len() as u64,
    };
    let start = range.start;
    let cover = matcher.cover(range);
    if let Some(base) = whole_copy(&cover, (output, base)) {
        return Ok(Coded::Copy { base });
    }
    let mut covers: Vec<Vec<Operation>> = prices(coder, &literals(&cover, output))
        .into_iter()
        .map(|price| matcher.economise(&cover, start, price))
        .collect();
    covers.dedup();
    let (cheapest, machine) = cheapest(&covers, coder, segment, (output, base))?;
    let mut best = delta(cheapest, (coder, machine, level), segment, (output, base))?;
    let literals: usize = cover.iter().map(|operation| operation.literal).sum();
    if coder == Coder::Mixing && literals >= output.len() / LITERAL_SHARE {
        let machine = choose(Coder::Zstd, cheapest, segment, (output, base));
        let code = (Coder::Zstd, machine, level);
        let other = delta(cheapest, code, segment, (output, base))?;
        best = fewer(other, best);
    }
    // Compressing is slow, and copies are nearly always smaller than what they stand for.
    smallest(best, literals < output.len() / 2, output, level)
}

/// The one with fewer bytes, the first of equals.
fn fewer(first: Option<Coding>, second: Option<Coding>) -> Option<Coding> {
    let codings = first.into_iter().chain(second);
    codings.min_by_key(|(_, bytes)| bytes.len())
}

/// Where the segment is in the base, if the operations copy it whole and unchanged.
fn whole_copy(operations: &[Operation], (output, base): (&[u8], &[u8])) -> Option<u64> {
    let [operation] = operations else { return None };
    let from = operation.base as usize;
    let is_whole = operation.copy == output.len() && base[from..][..operation.copy] == *output;
    is_whole.then_some(operation.base)
}

/// The cover that takes the fewest bytes, and the instruction set that it is coded with.
fn cheapest<'a>(
    covers: &'a [Vec<Operation>],
    coder: Coder,
    segment: Segment,
    images: (&[u8], &[u8]),
) -> io::Result<(&'a [Operation], Machine)> {
    let [first, others @ ..] = covers else {
        return Ok((&[], Machine::None));
    };
    let machine = choose(coder, first, segment, images);
    if others.is_empty() {
        return Ok((first, machine));
    }
    // What is code in one cover is code in all.
    let size = |operations: &[Operation]| {
        let coded = delta(operations, (coder, machine, TRIAL_LEVEL), segment, images)?;
        io::Result::Ok(coded.map_or(usize::MAX, |(_, bytes)| bytes.len()))
    };
    let (mut best, mut fewest) = (first, size(first)?);
    for operations in others {
        let size = size(operations)?;
        if size < fewest {
            (fewest, best) = (size, operations);
        }
    }
    Ok((best, machine))
}

/// The instruction set with which a coder takes the fewest bytes.
fn choose(
    coder: Coder,
    operations: &[Operation],
    segment: Segment,
    images: (&[u8], &[u8]),
) -> Machine {
    let machines = match coder {
        Coder::Zstd => &Machine::ALL[..],
        Coder::Mixing => &Machine::SETS[..],
    };
    machines::choose(machines, operations, segment, images)
}

/// The segment as operations, if they can be coded.
fn delta(
    operations: &[Operation],
    (coder, machine, level): (Coder, Machine, i32),
    segment: Segment,
    (output, base): (&[u8], &[u8]),
) -> io::Result<Option<Coding>> {
    let code = (segment, machine);
    let (kind, bytes) = match coder {
        Coder::Zstd => (
            Kind::DeltaZ(machine),
            delta_z::encode(operations, code, output, base, level)?,
        ),
        Coder::Mixing => (
            Kind::DeltaCm(machine),
            delta_cm::encode(operations, code, output, base, level)?,
        ),
    };
    Ok(bytes.map(|bytes| (kind, bytes)))
}

/// The delta, or the segment stored if that is smaller.
fn smallest(
    delta: Option<Coding>,
    is_mostly_copied: bool,
    output: &[u8],
    level: i32,
) -> io::Result<Coded> {
    let fits = |bytes: &Vec<u8>| bytes.len() <= PAYLOAD_BYTES_MAX as usize;
    let delta = match delta.filter(|(_, bytes)| fits(bytes)) {
        Some((kind, bytes)) if is_mostly_copied => return Ok(Coded::Payload { kind, bytes }),
        delta => delta,
    };
    let stored = (Kind::RawZstd, raw_zstd::encode(output, level)?);
    let (kind, bytes) = delta
        .filter(|(_, bytes)| bytes.len() + STORED_LOSS_MAX < stored.1.len())
        .unwrap_or(stored);
    if !fits(&bytes) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Coded::Payload { kind, bytes })
}
