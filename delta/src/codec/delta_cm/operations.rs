//! Operations: how much to copy and to take, and from where.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "numbers are below 2^43 and displacements below 2^58, indices below those of the array"
    )
)]

use super::{
    super::{operation::Operation, varint},
    arithmetic::BitCoder,
    numbers::Numbers,
};

/// Displacements kept.
const RECENT: usize = 16;
/// Distance up to which a displacement is told by a recent one.
const NEAR: u64 = 1 << 14;
/// Distance up to which it replaces that recent one.
const SAME: u64 = 256;
/// Classes of numbers: copies, literals by copy, indices and distances by the literals before.
const COPY: usize = 0;
const LITERAL: usize = 1;
const INDEX: usize = 6;
const IN_STEP: usize = 13;
const NEARBY: usize = 20;
const FAR: usize = 21;
const CLASSES: usize = 22;

/// Models of one segment.
pub(super) struct Operations {
    numbers: Numbers,
    /// Position in the base less position in the target, of the last copies, the newest first.
    recent: [i64; RECENT],
    /// Bits of the last count of literals.
    gap: usize,
}

impl Operations {
    pub(super) fn new() -> Self {
        Self {
            numbers: Numbers::new(CLASSES),
            recent: [0; RECENT],
            gap: 0,
        }
    }

    /// Codes an operation whose output starts at `to` in the target; without a copy it has no base.
    ///
    /// `None` if it starts before the base. What is returned is otherwise unchecked.
    pub(super) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        to: u64,
        truth: Operation,
    ) -> Option<Operation> {
        let copy = self.numbers.code(coder, COPY, truth.copy as u64);
        let after_copy = (copy.min(64) / 16) as usize;
        let literal = self
            .numbers
            .code(coder, LITERAL + after_copy, truth.literal as u64);
        let base = if copy == 0 {
            0
        } else {
            let displacement = truth.base.cast_signed() - to.cast_signed();
            let displacement = self.displacement(coder, displacement);
            u64::try_from(to.cast_signed() + displacement).ok()?
        };
        self.gap = (64 - literal.leading_zeros()).min(6) as usize;
        Some(Operation {
            base,
            copy: usize::try_from(copy).ok()?,
            literal: usize::try_from(literal).ok()?,
        })
    }

    fn displacement<C: BitCoder>(&mut self, coder: &mut C, truth: i64) -> i64 {
        let distance = |index: &usize| truth.abs_diff(self.recent[*index]);
        let nearest = (0..RECENT).min_by_key(distance).unwrap_or(0);
        let index = if distance(&nearest) < NEAR {
            nearest
        } else {
            RECENT
        };
        let index = self.numbers.code(coder, INDEX + self.gap, index as u64);
        let index = index.min(RECENT as u64) as usize;
        let (class, from) = match index {
            0 => (IN_STEP + self.gap, 0),
            RECENT => (FAR, 0),
            _ => (NEARBY, index),
        };
        let from = self.recent[from];
        let distance = varint::zigzag(truth - from);
        let distance = varint::unzigzag(self.numbers.code(coder, class, distance));
        let now = from + distance;
        let replaced = if index < RECENT && distance.unsigned_abs() < SAME {
            index
        } else {
            RECENT - 1
        };
        self.recent[..=replaced].rotate_right(1);
        self.recent[0] = now;
        now
    }
}
