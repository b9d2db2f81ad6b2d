//! Which instruction set codes a segment best.

use std::io::Cursor;

use super::{
    Segment, calls, differences,
    operation::Operation,
    references::{References, Stretch, Window},
    zstd_frame,
};
use crate::kind::Machine;

/// Level at which bytes are compressed to compare sets.
const LEVEL: i32 = 3;

/// The set with the smallest differences and literals; the first of equals.
///
/// * `machines`: the coder's.
/// * `operations`: rebuild `output`, the segment, from `base`.
pub(crate) fn choose(
    machines: &[Machine],
    operations: &[Operation],
    segment: Segment,
    (output, base): (&[u8], &[u8]),
) -> Machine {
    let cost = |machine| {
        let code = (segment, machine);
        let literals = literals(operations, code, output);
        literals.saturating_add(differences(operations, code, (output, base)))
    };
    // Data is copied faster as data: a set has to save a hundredth.
    let none = cost(Machine::None);
    let mut best = (Machine::None, none.saturating_sub(none / 100));
    for &machine in machines {
        let cost = cost(machine);
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
    packed(&literals)
}

/// About what the differences from the predicted tokens take.
fn differences(
    operations: &[Operation],
    (segment, machine): (Segment, Machine),
    (output, base): (&[u8], &[u8]),
) -> u64 {
    let mut references = References::new(machine, segment.base_size);
    let mut cursor = Cursor::new(base);
    let mut window = Window::new(&mut cursor, segment.base_size);
    let (mut rest, mut made, mut differences) = (output, Vec::new(), Vec::new());
    for operation in operations {
        let to = segment.position(output.len().saturating_sub(rest.len()));
        let stretch = Stretch {
            from: operation.base,
            to,
            count: operation.copy,
        };
        let copied = references.copy(&mut window, stretch, &mut made, |token| {
            Ok(differences::push(&mut differences, token, &mut rest))
        });
        if copied.is_err() {
            return u64::MAX;
        }
        made.clear();
        rest = rest.get(operation.literal..).unwrap_or_default();
    }
    packed(&differences)
}

fn packed(bytes: &[u8]) -> u64 {
    let packed = zstd_frame::encode(bytes, LEVEL);
    packed.map_or(0, |frame| u64::try_from(frame.len()).unwrap_or(u64::MAX))
}
