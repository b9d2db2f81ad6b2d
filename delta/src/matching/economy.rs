//! Leaves out copies that cost more than the literals they save.
//!
//! Costs are in units of 1/16 bit and estimate what the coders make of operations.

use super::Operation;

/// A byte of a copy that isn't equal.
const CHANGED: u64 = 9 << 4;
/// Passes over the operations at most; few of them change after the second.
const PASSES_MAX: usize = 4;

/// A copy with what follows it.
struct Piece {
    operation: Operation,
    /// Position in the base less position in the target.
    displacement: i64,
    /// What to pay for its bytes that aren't equal.
    changes: u64,
}

/// A number with about `value` of its like.
const fn number(value: u64) -> u64 {
    (2 + (u64::BITS - value.leading_zeros()) as u64) << 4
}

/// Going from one displacement to another.
const fn seek(from: i64, to: i64) -> u64 {
    match from.abs_diff(to) {
        0 => 2 << 4,
        distance => number(distance) + (3 << 4),
    }
}

/// Leaves out what doesn't pay.
///
/// * `operations`: rebuild the second of `images` from `start` on, copying from the first.
/// * `price`: a byte of literals.
pub(super) fn economise(
    operations: &[Operation],
    (base, target): (&[u8], &[u8]),
    start: usize,
    price: u64,
) -> Vec<Operation> {
    let mut at = start;
    let mut pieces = Vec::with_capacity(operations.len());
    for &operation in operations {
        let Operation {
            base: from,
            copy,
            literal,
        } = operation;
        let old = if copy == 0 {
            &[]
        } else {
            &base[from as usize..][..copy]
        };
        let unequal = old
            .iter()
            .zip(&target[at..])
            .filter(|(old, new)| old != new);
        pieces.push(Piece {
            operation,
            displacement: from as i64 - at as i64,
            changes: unequal.count() as u64 * CHANGED,
        });
        at += copy + literal;
    }
    for _ in 0..PASSES_MAX {
        let before = pieces.len();
        pieces = pass(pieces, price);
        if pieces.len() == before {
            break;
        }
    }
    pieces.into_iter().map(|piece| piece.operation).collect()
}

/// Gives each copy that doesn't pay to the literals of the piece before.
fn pass(pieces: Vec<Piece>, price: u64) -> Vec<Piece> {
    let mut kept: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut rest = pieces.into_iter().peekable();
    while let Some(piece) = rest.next() {
        let next = rest.peek().map(|next| next.displacement);
        let go_on = |from: i64| next.map_or(0, |next| seek(from, next));
        let Operation { copy, literal, .. } = piece.operation;
        match kept.last_mut() {
            Some(last) if copy > 0 => {
                let before = last.operation.literal;
                let with = seek(last.displacement, piece.displacement)
                    + go_on(piece.displacement)
                    + piece.changes
                    + [before, copy, literal]
                        .map(|count| number(count as u64))
                        .iter()
                        .sum::<u64>();
                let all = before + copy + literal;
                let without = copy as u64 * price + go_on(last.displacement) + number(all as u64);
                if without < with {
                    last.operation.literal = all;
                } else {
                    kept.push(piece);
                }
            }
            _ => kept.push(piece),
        }
    }
    kept
}
