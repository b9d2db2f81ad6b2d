//! Which instruction set predicts a segment best.

use std::io::Cursor;

use super::{
    Segment,
    delta_z::Operation,
    references::{References, Stretch, Window},
    word,
};
use crate::kind::Machine;

/// The set with the fewest tokens predicted wrongly; the first of equals.
///
/// * `operations`: rebuild `output`, the segment, from `base`.
pub(crate) fn choose(
    operations: &[Operation],
    segment: Segment,
    output: &[u8],
    base: &[u8],
) -> Machine {
    let mut best = (Machine::None, u64::MAX);
    for machine in Machine::ALL {
        let wrong = wrong(operations, (segment, machine), (output, base), best.1);
        if wrong < best.1 {
            best = (machine, wrong);
        }
    }
    best.0
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
