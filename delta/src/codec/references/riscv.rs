//! RISC-V: jumps, and addresses in two instructions. Encodings: Unprivileged ISA, 2.2 to 2.6.

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

/// Bytes from an `AUIPC` to the last place where its low part is looked for.
const PAIR_BYTES: usize = 34;

/// `JAL` that forgets where it came from, or keeps it in a register for that.
const fn is_jump(word: u32) -> bool {
    word & 0x7f == 0x6f && matches!(made(word), 0 | 1 | 5)
}

/// Where a `JAL` at `at` leads.
const fn jump_target(word: u32, at: i64) -> i64 {
    let distance = (word >> 31) << 20
        | (word >> 12 & 0xff) << 12
        | (word >> 20 & 1) << 11
        | (word >> 21 & 0x3ff) << 1;
    at + ((distance << 11).cast_signed() >> 11) as i64
}

/// The `JAL` that leads so far.
const fn jump(old: u32, distance: i64) -> u32 {
    let distance = distance as u32;
    old & 0xfff
        | (distance >> 20 & 1) << 31
        | (distance >> 1 & 0x3ff) << 21
        | (distance >> 11 & 1) << 20
        | (distance >> 12 & 0xff) << 12
}

/// `AUIPC` of a register that keeps it.
const fn is_upper(word: u32) -> bool {
    word & 0x7f == 0x17 && made(word) != 0
}

/// What an `AUIPC` at `at` makes.
const fn upper(word: u32, at: i64) -> i64 {
    at + (word & !0xfff).cast_signed() as i64
}

/// Register that an instruction makes.
const fn made(word: u32) -> usize {
    (word >> 7 & 31) as usize
}

/// Register that a low part is added to.
const fn used(word: u32) -> usize {
    (word >> 15 & 31) as usize
}

/// `ADDI`, `JALR`, a load or a store.
const fn is_low(word: u32) -> bool {
    match word & 0x7f {
        0x13 | 0x67 => word >> 12 & 7 == 0,
        0x03 | 0x07 => true,
        _ => is_store(word),
    }
}

/// A store's number is in two pieces.
const fn is_store(word: u32) -> bool {
    matches!(word & 0x7f, 0x23 | 0x27)
}

/// Number in a low part.
const fn low(word: u32) -> i64 {
    let number = word.cast_signed() >> 20;
    if is_store(word) {
        (number & !31 | (word >> 7 & 31).cast_signed()) as i64
    } else {
        number as i64
    }
}

/// A low part with another number.
const fn with_low(word: u32, number: i64) -> u32 {
    let number = number as u32;
    if is_store(word) {
        word & 0x01ff_f07f | (number >> 5 & 0x7f) << 25 | (number & 31) << 7
    } else {
        word & 0xf_ffff | number << 20
    }
}

/// How far behind the `AUIPC` at `skip` its low part is, and the number in that.
fn pair(around: &Around, skip: usize) -> Option<(u64, i64)> {
    let register = made(word(around, skip));
    (4..=PAIR_BYTES).step_by(2).find_map(|later| {
        let word = word(around, skip + later);
        let is_pair = is_low(word) && used(word) == register;
        is_pair.then(|| (later as u64, low(word)))
    })
}

impl References {
    /// Predicts an instruction, or ends the token before the next one.
    #[inline]
    pub(super) fn riscv(&mut self, token: &mut Token, around: &Around, to: u64, left: usize) {
        let first = (token.from & 1) as usize;
        for skip in (first..token.size).step_by(2) {
            if skip + 4 > left {
                return;
            }
            let Some((field, target)) = self.riscv_target(around, skip, token.from) else {
                continue;
            };
            if skip > 0 {
                token.size = skip;
                return;
            }
            token.size = 4;
            let (old, at_new) = (token.old, to.cast_signed());
            let now = self.refer(token, field, target, (token.from, to));
            token.predicted = match field {
                Field::Branch => jump(old, now - at_new),
                Field::Low => with_low(old, now - self.pairs.made(used(old))),
                _ => {
                    self.start_pair(token, around);
                    old & 0xfff | (now - at_new + 0x800) as u32 & !0xfff
                }
            };
            return;
        }
    }

    /// What the instruction `skip` bytes after `from` refers with, and to what.
    fn riscv_target(&self, around: &Around, skip: usize, from: u64) -> Option<(Field, i64)> {
        let old = word(around, skip);
        let from = from + skip as u64;
        let at = from.cast_signed();
        if is_jump(old) {
            let target = jump_target(old, at);
            self.is_inside(target).then_some((Field::Branch, target))
        } else if is_upper(old) {
            let (_, number) = pair(around, skip)?;
            Some((Field::PageOfPair, upper(old, at) + number))
        } else if is_low(old) {
            let upper = self.pairs.end(used(old), from)?;
            Some((Field::Low, upper + low(old)))
        } else {
            None
        }
    }

    /// Remembers an `AUIPC` and where its low part is.
    fn start_pair(&mut self, token: &Token, around: &Around) {
        if let Some((later, _)) = pair(around, 0) {
            let upper = upper(token.old, token.from.cast_signed());
            self.pairs.start(made(token.old), token.from + later, upper);
        }
    }

    /// Where a reference that is `new` at `to` leads, as far as it tells.
    #[inline]
    pub(super) fn learn_riscv(&mut self, field: Field, new: u32, to: u64) -> Option<i64> {
        let at = to.cast_signed();
        match field {
            Field::Branch => is_jump(new).then(|| jump_target(new, at)),
            Field::Low => is_low(new).then(|| self.pairs.made(used(new)) + low(new)),
            _ => {
                if is_upper(new) {
                    self.pairs.make(made(new), upper(new, at));
                }
                None
            }
        }
    }
}
