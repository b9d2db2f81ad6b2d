//! A32: branches, addresses in `MOVW` and `MOVT`, words added to the PC. Encodings: Arm ARM DDI 0406, A8.8.

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

/// Bytes from a `MOVW` to the last place where its `MOVT` is looked for.
const PAIR_BYTES: usize = 36;
/// By how much the PC is ahead of an instruction.
const AHEAD: i64 = 8;

/// `B` or `BL`; the condition 15 means something else.
const fn is_branch(word: u32) -> bool {
    word & 0x0e00_0000 == 0x0a00_0000 && word >> 28 != 15
}

/// Where a branch at `at` leads.
const fn branch_target(word: u32, at: i64) -> i64 {
    at + AHEAD + ((word << 8).cast_signed() >> 6) as i64
}

const fn is_low(word: u32) -> bool {
    word & 0x0ff0_0000 == 0x0300_0000 && word >> 28 != 15
}

const fn is_high(word: u32) -> bool {
    word & 0x0ff0_0000 == 0x0340_0000 && word >> 28 != 15
}

/// Register of `MOVW`, `MOVT` and `LDR`.
const fn register(word: u32) -> usize {
    (word >> 12 & 15) as usize
}

/// Number in a `MOVW` or `MOVT`.
const fn number(word: u32) -> i64 {
    (word >> 4 & 0xf000 | word & 0xfff) as i64
}

/// A `MOVW` or `MOVT` with another number.
const fn with_number(word: u32, number: i64) -> u32 {
    let number = number as u32;
    word & 0xfff0_f000 | (number & 0xf000) << 4 | number & 0xfff
}

/// How far behind a `MOVW` its `MOVT` is, and the number in that.
fn pair(low: u32, around: &Around) -> Option<(u64, i64)> {
    (4..=PAIR_BYTES).step_by(4).find_map(|later| {
        let high = word(around, later);
        let is_pair = is_high(high) && register(high) == register(low);
        is_pair.then(|| (later as u64, number(high)))
    })
}

impl References {
    /// Predicts an instruction or a word.
    #[inline]
    pub(super) fn a32(&mut self, token: &mut Token, around: &Around, to: u64) {
        let (old, from) = (token.old, token.from);
        let (at, at_new) = (from.cast_signed(), to.cast_signed());
        if let Some((pc, pc_new)) = self.literal_pools.pc(from) {
            let target = pc + i64::from(old.cast_signed());
            let now = self.refer(token, Field::Displacement, target, (from, to));
            token.predicted = (now - pc_new) as u32;
        } else if is_branch(old) && self.is_inside(branch_target(old, at)) {
            let now = self.refer(token, Field::Branch, branch_target(old, at), (from, to));
            let words = ((now - at_new - AHEAD) >> 2) as u32;
            token.predicted = old & 0xff00_0000 | words & 0xff_ffff;
        } else if is_low(old) {
            let Some((later, high)) = pair(old, around) else {
                return;
            };
            self.pairs.start(register(old), from + later, number(old));
            let target = high << 16 | number(old);
            let now = self.refer(token, Field::PageOfPair, target, (0, 0));
            token.predicted = with_number(old, now);
        } else if is_high(old) {
            let Some(low) = self.pairs.end(register(old), from) else {
                return;
            };
            let target = number(old) << 16 | low;
            let now = self.refer(token, Field::Low, target, (0, 0));
            token.predicted = with_number(old, now >> 16);
        } else {
            self.a32_literal(old, from, to);
        }
    }

    /// Follows words from where they are loaded to where they are added to the PC.
    fn a32_literal(&mut self, old: u32, from: u64, to: u64) {
        let ahead = AHEAD.cast_unsigned();
        if old & 0x0fff_0000 == 0x059f_0000 {
            let word = from + ahead + u64::from(old & 0xfff);
            self.literal_pools.load(register(old), word);
        } else if old & 0x0fff_0ff0 == 0x008f_0000 {
            let register = (old & 15) as usize;
            self.literal_pools.add(register, from + ahead, to + ahead);
        }
    }

    /// Where a reference that is `new` at `to` leads, as far as it tells.
    #[inline]
    pub(super) fn learn_a32(&mut self, token: &Token, new: u32, to: u64) -> Option<i64> {
        match token.field {
            Field::Branch => is_branch(new).then(|| branch_target(new, to.cast_signed())),
            Field::PageOfPair => {
                if is_low(new) {
                    self.pairs.make(register(new), number(new));
                }
                None
            }
            Field::Low => {
                let low = self.pairs.made(register(new));
                is_high(new).then(|| number(new) << 16 | low)
            }
            _ => self.literal(token, new),
        }
    }

    /// Where a word that is `new` leads.
    pub(super) fn literal(&self, token: &Token, new: u32) -> Option<i64> {
        let (_, pc) = self.literal_pools.pc(token.from)?;
        Some(pc + i64::from(new.cast_signed()))
    }
}
