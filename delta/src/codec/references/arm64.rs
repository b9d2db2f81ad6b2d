//! A64: branches, and addresses in two instructions. Encodings: Arm ARM DDI 0487, C4.1.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "positions are below 2^41, fields are masked to their bits, arrays by register numbers"
    )
)]

use super::{
    Field, References, Token,
    window::{Around, word},
};

/// Words after an `ADRP` in which its low part is looked for.
const PAIR_WORDS: u64 = 9;
/// Positions are below this.
const FAR: i64 = 1 << 48;

/// Pages that registers hold.
pub(super) struct Pages {
    /// In the base: position of the last `ADRP` to the register, and its page.
    old: [(i64, i64); 32],
    /// In the output: the page of the last `ADRP` to the register.
    new: [i64; 32],
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            old: [(-FAR, 0); 32],
            new: [0; 32],
        }
    }
}

/// `B` or `BL`.
const fn is_branch(word: u32) -> bool {
    word & 0x7c00_0000 == 0x1400_0000
}

/// Where a branch at `at` leads.
const fn branch_target(word: u32, at: i64) -> i64 {
    at + ((word << 6).cast_signed() >> 4) as i64
}

const fn is_page(word: u32) -> bool {
    word & 0x9f00_0000 == 0x9000_0000
}

/// The page that an `ADRP` at `at` makes.
const fn page(word: u32, at: i64) -> i64 {
    let pages = ((word >> 5 & 0x7_ffff) << 2 | (word >> 29 & 3)) << 11;
    (at & !0xfff) + ((pages.cast_signed() >> 11) as i64) * 0x1000
}

/// Low part of an address: the register it is added to, its bytes, and log2 of its unit.
const fn low(word: u32) -> Option<(usize, u32, u32)> {
    let register = (word >> 5 & 31) as usize;
    let count = word >> 10 & 0xfff;
    if word & 0x7fc0_0000 == 0x1100_0000 {
        return Some((register, count, 0));
    }
    if word & 0x3b00_0000 == 0x3900_0000 {
        let is_vector = word >> 26 & 1 == 1 && word >> 23 & 1 == 1 && word >> 30 == 0;
        let unit = if is_vector { 4 } else { word >> 30 };
        return Some((register, count << unit, unit));
    }
    None
}

impl References {
    /// Predicts an instruction.
    #[inline]
    pub(super) fn arm64(&mut self, token: &mut Token, around: &Around, to: u64) {
        let (old, from) = (token.old, token.from);
        let (at, at_new) = (from.cast_signed(), to.cast_signed());
        if is_branch(old) {
            token.field = Field::Branch;
            token.target = branch_target(old, at);
            let (now, known) = self.moved(token.target, from, to);
            token.known = known;
            token.predicted = old & 0xfc00_0000 | ((now - at_new) >> 2) as u32 & 0x3ff_ffff;
        } else if is_page(old) {
            let register = (old & 31) as usize;
            token.target = page(old, at);
            self.arm64.old[register] = (at, token.target);
            let mut words =
                (1..=PAIR_WORDS as usize).filter_map(|later| low(word(around, 4 * later)));
            let pair = words.find(|(of, ..)| *of == register);
            token.field = pair.map_or(Field::Page, |_| Field::PageOfPair);
            token.target += pair.map_or(0, |(_, bytes, _)| i64::from(bytes));
            let (now, known) = self.moved(token.target, from, to);
            token.known = known;
            let pages = ((now >> 12) - (at_new >> 12)) as u32;
            token.predicted = old & 0x9f00_001f | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5;
        } else if let Some((register, bytes, unit)) = low(old) {
            let (page_at, page) = self.arm64.old[register];
            if at - page_at > 4 * PAIR_WORDS as i64 || at < page_at {
                return;
            }
            token.field = Field::Low;
            token.target = page + i64::from(bytes);
            let (now, known) = self.moved(token.target, from, to);
            token.known = known;
            token.predicted = old & !(0xfff << 10) | ((now & 0xfff) as u32 >> unit) << 10;
        }
    }
}

impl Pages {
    /// Where a reference that is `new` at `to` leads, as far as it tells.
    #[inline]
    pub(super) fn learn(&mut self, field: Field, new: u32, to: u64) -> Option<i64> {
        let at = to.cast_signed();
        match field {
            Field::Branch => is_branch(new).then(|| branch_target(new, at)),
            Field::Page | Field::PageOfPair => {
                let page = is_page(new).then(|| page(new, at))?;
                self.new[(new & 31) as usize] = page;
                (field == Field::Page).then_some(page)
            }
            Field::Low => {
                low(new).map(|(register, bytes, _)| self.new[register] + i64::from(bytes))
            }
            Field::None | Field::Displacement => None,
        }
    }
}
