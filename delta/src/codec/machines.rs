//! Which instruction set codes a segment best.

use std::io::Cursor;

use super::{
    Segment, calls,
    delta_z::Operation,
    references::{References, Stretch, Window},
    word, zstd_frame,
};
use crate::kind::Machine;

/// Level at which literals are compressed to compare sets.
const LEVEL: i32 = 1;

/// The set with the fewest bytes predicted wrongly and the smallest literals; the first of equals.
///
/// * `operations`: rebuild `output`, the segment, from `base`.
pub(crate) fn choose(
    operations: &[Operation],
    segment: Segment,
    output: &[u8],
    base: &[u8],
) -> Machine {
    let cost = |machine, enough: u64| {
        let code = (segment, machine);
        let literals = literals(operations, code, output);
        let enough = enough.saturating_sub(literals);
        literals.saturating_add(wrong(operations, code, (output, base), enough))
    };
    // Data is copied faster as data: a set has to save a hundredth.
    let none = cost(Machine::None, u64::MAX);
    let mut best = (Machine::None, none.saturating_sub(none / 100));
    for machine in Machine::ALL.into_iter().skip(1) {
        let cost = cost(machine, best.1);
        if cost < best.1 {
            best = (machine, cost);
        }
    }
    best.0
}

/// About what the literals take, calls told in the set's way.
fn literals(
    operations: &[Operation],
    (segment, machine): (Segment, Machine),
    output: &[u8],
) -> u64 {
    let mut literals = Vec::new();
    let mut at = 0_usize;
    for operation in operations {
        let told = literals.len();
        let from = at.saturating_add(operation.copy);
        at = from.saturating_add(operation.literal);
        literals.extend_from_slice(output.get(from..at).unwrap_or_default());
        let literals = literals.get_mut(told..).unwrap_or_default();
        calls::to_positions(machine, literals, segment.position(from));
    }
    let packed = zstd_frame::encode(&literals, LEVEL);
    packed.map_or(0, |frame| u64::try_from(frame.len()).unwrap_or(u64::MAX))
}

/// Bytes of tokens that are not what they are predicted to be, counted up to `enough`.
fn wrong(
    operations: &[Operation],
    (segment, machine): (Segment, Machine),
    (output, base): (&[u8], &[u8]),
    enough: u64,
) -> u64 {
    let mut references = References::new(machine, segment.base_size);
    let mut cursor = Cursor::new(base);
    let mut window = Window::new(&mut cursor, segment.base_size);
    let (mut rest, mut made, mut wrong) = (output, Vec::new(), 0_u64);
    for operation in operations {
        if wrong >= enough {
            break;
        }
        let to = segment.position(output.len().saturating_sub(rest.len()));
        let stretch = Stretch {
            from: operation.base,
            to,
            count: operation.copy,
        };
        let copied = references.copy(&mut window, stretch, &mut made, |token| {
            let (new, after) = rest.split_at_checked(token.size).unwrap_or_default();
            rest = after;
            let new = word(new);
            let bytes = (new ^ token.predicted).to_le_bytes();
            let differing = bytes.iter().filter(|byte| **byte != 0).count();
            wrong = wrong.saturating_add(u64::try_from(differing).unwrap_or(u64::MAX));
            Ok(new)
        });
        if copied.is_err() {
            return u64::MAX;
        }
        made.clear();
        rest = rest.get(operation.literal..).unwrap_or_default();
    }
    wrong
}
