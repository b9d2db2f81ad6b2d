//! The second decoder of deltas, that of the cross-crate tests: what it makes of one payload.

#![allow(
    dead_code,
    reason = "the tests decode whole containers, targets one segment"
)]

#[path = "../../tests/plain_delta/calls.rs"]
mod calls;
#[path = "../../tests/plain_delta/code.rs"]
mod code;
#[path = "../../tests/plain_delta/container.rs"]
mod container;
#[path = "../../tests/plain_delta/copies.rs"]
mod copies;
#[path = "../../tests/plain_delta/delta_cm.rs"]
mod delta_cm;
#[path = "../../tests/plain_delta/delta_z.rs"]
mod delta_z;
#[path = "../../tests/plain_delta/input.rs"]
mod input;
#[path = "../../tests/plain_delta/instructions.rs"]
mod instructions;
#[path = "../../tests/plain_delta/literals.rs"]
mod literals;
#[path = "../../tests/plain_delta/references.rs"]
mod references;
#[path = "../../tests/plain_delta/tables.rs"]
mod tables;

use crate::segment::{Kind, Segment};

fn plain<'a>(segment: &Segment<'a>) -> container::Segment<'a> {
    container::Segment {
        base: segment.base,
        machine: segment.machine,
        position: segment.position() as i64,
        size: usize::from(segment.size),
    }
}

/// Decodes one payload.
///
/// # Errors
/// Why it is refused.
pub fn decode(segment: &Segment<'_>, payload: &[u8]) -> Result<Vec<u8>, String> {
    let plain = plain(segment);
    match segment.kind {
        Kind::DeltaCm => delta_cm::decode(&plain, payload),
        Kind::DeltaZ => delta_z::decode(&plain, payload),
        Kind::RawZstd => input::unpack(&mut zstd::zstd_safe::DCtx::create(), payload, plain.size),
    }
}

/// Ends a payload of type 3 where its segment is full, so that it is accepted; `None` if that is never.
pub fn end_code(segment: &Segment<'_>, payload: &[u8]) -> Option<Vec<u8>> {
    let (_, code) = delta_cm::decode_begun(&plain(segment), payload).ok()?;
    let (unread, end) = code.end();
    let read = payload.len() - unread;
    Some([&payload[..read - end.len()], &end].concat())
}

/// The arithmetic code of a payload of type 3, alone.
pub struct Bits<'a>(code::Code<'a>);

impl<'a> Bits<'a> {
    /// Reads a code.
    ///
    /// # Errors
    /// If it is shorter than any.
    pub fn new(code: &'a [u8]) -> Result<Self, String> {
        code::Code::new(code).map(Self)
    }

    /// The next bit; `one` is the probability that it is 1, in units of 2^-16.
    ///
    /// # Errors
    /// If the code is too short for it.
    pub fn bit(&mut self, one: u16) -> Result<u32, String> {
        self.0.bit(one.into()).map(u32::from)
    }

    /// Whether the code ends here.
    pub fn is_finished(&self) -> bool {
        self.0.check_end().is_ok()
    }
}
