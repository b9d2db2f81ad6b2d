//! Coding one segment in the smallest way that a coder allows.

use std::{io, ops::Range};

use super::Coder;
use crate::{
    codec::{Segment, delta_cm, delta_z, machines, raw_zstd},
    kind::Kind,
    limits::PAYLOAD_BYTES_MAX,
    matching::{Matcher, Operation},
};

/// What a byte of literals is assumed to cost where there are few, in units of 1/16 bit.
const PRICE: u64 = 72;
/// Literals below which their price isn't measured.
const MEASURED_BYTES_MIN: usize = 4096;
/// Level at which it is measured.
const PRICE_LEVEL: i32 = 3;

/// One coded segment.
#[derive(Debug)]
pub(super) enum Coded {
    Copy { base: u64 },
    Payload { kind: Kind, bytes: Vec<u8> },
}

/// What a byte of these literals will cost, in units of 1/16 bit.
///
/// Context mixing makes about 0.78 of what zstd makes of them at a fast level, high levels of zstd 0.65 to 0.9.
fn price(coder: Coder, literals: &[u8]) -> u64 {
    if literals.len() < MEASURED_BYTES_MIN {
        return PRICE;
    }
    let packed = zstd::bulk::compress(literals, PRICE_LEVEL);
    let packed = packed.map_or(literals.len(), |frame| frame.len()) as u64;
    let percent = match coder {
        Coder::Zstd => 65,
        Coder::Mixing => 78,
    };
    (packed * 8 * 16 * percent / 100 / literals.len() as u64).clamp(8, 128)
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
    let segment = Segment {
        start: range.start as u64,
        size: output.len(),
        base_size: base.len() as u64,
    };
    let operations = matcher.cover(range, |literals| price(coder, literals));
    if let [
        Operation {
            base: place, copy, ..
        },
    ] = *operations
        && copy == output.len()
        && base[place as usize..][..copy] == *output
    {
        return Ok(Coded::Copy { base: place });
    }
    let machine = machines::choose(&operations, segment, output, base);
    let code = (segment, machine);
    let (kind, delta) = match coder {
        Coder::Zstd => (
            Kind::DeltaZ(machine),
            delta_z::encode(&operations, code, output, base, level)?,
        ),
        Coder::Mixing => (
            Kind::DeltaCm(machine),
            delta_cm::encode(&operations, code, output, base, level)?,
        ),
    };
    // Compressing is slow, and copies are nearly always smaller than what they stand for.
    let literals: usize = operations.iter().map(|operation| operation.literal).sum();
    smallest(kind, delta, literals < output.len() / 2, output, level)
}

/// The delta, or the segment stored if that is smaller.
fn smallest(
    kind: Kind,
    delta: Option<Vec<u8>>,
    is_mostly_copied: bool,
    output: &[u8],
    level: i32,
) -> io::Result<Coded> {
    let delta = delta.filter(|delta| delta.len() <= PAYLOAD_BYTES_MAX as usize);
    let stored = match &delta {
        Some(_) if is_mostly_copied => None,
        _ => Some(raw_zstd::encode(output, level)?),
    };
    match (delta, stored) {
        (Some(bytes), Some(stored)) if bytes.len() < stored.len() => {
            Ok(Coded::Payload { kind, bytes })
        }
        (_, Some(bytes)) if bytes.len() <= PAYLOAD_BYTES_MAX as usize => Ok(Coded::Payload {
            kind: Kind::RawZstd,
            bytes,
        }),
        (Some(bytes), None) => Ok(Coded::Payload { kind, bytes }),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}
