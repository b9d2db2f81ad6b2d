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
    let wrong = |machine: &Machine| wrong(operations, (segment, *machine), output, base);
    let best = Machine::ALL.into_iter().min_by_key(wrong);
    best.unwrap_or(Machine::None)
}

/// Bytes of tokens that are not what they are predicted to be.
fn wrong(
    operations: &[Operation],
    (segment, machine): (Segment, Machine),
    output: &[u8],
    base: &[u8],
) -> u64 {
    let mut references = References::new(machine, segment.base_size);
    let mut cursor = Cursor::new(base);
    let mut window = Window::new(&mut cursor, segment.base_size);
    let (mut rest, mut made, mut wrong) = (output, Vec::new(), 0_u64);
    for operation in operations {
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
