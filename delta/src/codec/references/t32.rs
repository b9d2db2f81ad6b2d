//! T32: branches, and words added to the PC. Encodings: Arm ARM DDI 0406, A8.8.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "positions are below 2^41, fields are masked to their bits"
    )
)]

use super::{
    Field, References, Token,
    window::{Around, word},
};

/// By how much the PC is ahead of an instruction.
const AHEAD: u64 = 4;

/// `BLX`, if it is a branch.
const fn is_exchange(word: u32) -> bool {
    word & 0xd001_0000 == 0xc000_0000
}

/// `BL`, `B.W` or `BLX`; the first halfword is the lower.
const fn is_branch(word: u32) -> bool {
    word & 0xf800 == 0xf000 && (word & 0x9000_0000 == 0x9000_0000 || is_exchange(word))
}

/// What a branch at `at` adds to.
const fn origin(word: u32, at: u64) -> i64 {
    let pc = (at + AHEAD).cast_signed();
    if is_exchange(word) { pc & !3 } else { pc }
}

/// Where a branch at `at` leads. Bits 29 and 27 are those of the distance if bit 10, its sign, is set.
const fn branch_target(word: u32, at: u64) -> i64 {
    let sign = word >> 10 & 1;
    let upper = (word >> 29 ^ sign ^ 1) & 1;
    let lower = (word >> 27 ^ sign ^ 1) & 1;
    let distance =
        sign << 24 | upper << 23 | lower << 22 | (word & 0x3ff) << 12 | (word >> 16 & 0x7ff) << 1;
    origin(word, at) + ((distance << 7).cast_signed() >> 7) as i64
}

/// The branch at `at` that leads to `now`.
const fn branch(old: u32, now: i64, at: u64) -> u32 {
    let mut distance = (now - origin(old, at)) as u32;
    if is_exchange(old) {
        distance &= !3;
    }
    let sign = distance >> 24 & 1;
    let upper = (distance >> 23 ^ sign ^ 1) & 1;
    let lower = (distance >> 22 ^ sign ^ 1) & 1;
    let halves = (distance >> 1 & 0x7ff) << 16 | distance >> 12 & 0x3ff;
    old & 0xd000_f800 | sign << 10 | upper << 29 | lower << 27 | halves
}

impl References {
    /// Predicts a branch or a word, or ends the token before the next one.
    #[inline]
    pub(super) fn t32(&mut self, token: &mut Token, around: &Around, to: u64, left: usize) {
        let first = (token.from & 1) as usize;
        for skip in (first..token.size).step_by(2) {
            let old = word(around, skip);
            let at = token.from + skip as u64;
            let literal = self.literal_pools.pc(at);
            let is_branch = is_branch(old) && self.is_inside(branch_target(old, at));
            if skip + 4 > left || !is_branch && literal.is_none() {
                self.t32_literal(old, at, to + skip as u64);
                continue;
            }
            if skip > 0 {
                token.size = skip;
                return;
            }
            token.size = 4;
            if let Some((pc, pc_new)) = literal {
                let target = pc + i64::from(old.cast_signed());
                let now = self.refer(token, Field::Displacement, target, (at, to));
                token.predicted = (now - pc_new) as u32;
            } else {
                let now = self.refer(token, Field::Branch, branch_target(old, at), (at, to));
                token.predicted = branch(old, now, to);
            }
            return;
        }
    }

    /// Follows words from where they are loaded to where they are added to the PC.
    fn t32_literal(&mut self, old: u32, from: u64, to: u64) {
        let pc = from + AHEAD;
        if old & 0xf800 == 0x4800 {
            let word = (pc & !3) + u64::from(old & 0xff) * 4;
            self.literal_pools.load((old >> 8 & 7) as usize, word);
        } else if old & 0xffff == 0xf8df {
            let word = (pc & !3) + u64::from(old >> 16 & 0xfff);
            self.literal_pools.load((old >> 28) as usize, word);
        } else if old & 0xff78 == 0x4478 {
            let register = (old >> 4 & 8 | old & 7) as usize;
            self.literal_pools.add(register, pc, to + AHEAD);
        }
    }

    /// Where a reference that is `new` at `to` leads, as far as it tells.
    #[inline]
    pub(super) fn learn_t32(&self, token: &Token, new: u32, to: u64) -> Option<i64> {
        match token.field {
            Field::Branch => is_branch(new).then(|| branch_target(new, to)),
            _ => self.literal(token, new),
        }
    }
}
