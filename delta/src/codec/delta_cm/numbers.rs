//! Numbers in exponential Golomb codes: length in unary, then the bits below the first, adaptive both.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "classes are constants, lengths are bounded by BITS_MAX"
    )
)]

use super::{arithmetic::BitCoder, mix::Slot};

/// Bits of a number plus one: displacements have 42 with their sign.
const BITS_MAX: usize = 43;
/// Bits below the first that adapt; those after are even.
const ADAPTIVE_BITS: usize = 3;
/// Slots of a class: lengths, then 8 for each length.
const CLASS_SLOTS: usize = 512;
/// Where the slots of bits start.
const BITS_AT: usize = 64;
/// See [`Slot::learn`].
const LIMIT: u16 = 15;

/// Models of some classes of numbers.
pub(super) struct Numbers {
    slots: Vec<Slot>,
}

impl Numbers {
    pub(super) fn new(classes: usize) -> Self {
        Self {
            slots: vec![Slot::NEW; classes * CLASS_SLOTS],
        }
    }

    /// Codes a number below 2^43 - 1 of a class.
    pub(super) fn code<C: BitCoder>(&mut self, coder: &mut C, class: usize, number: u64) -> u64 {
        let slots = &mut self.slots[class * CLASS_SLOTS..][..CLASS_SLOTS];
        let mut adaptive = |coder: &mut C, place: usize, bit: u32| {
            let slot: &mut Slot = &mut slots[place];
            let bit = coder.code(bit, slot.probability());
            slot.learn(bit, LIMIT);
            bit
        };
        let value = number + 1;
        let wanted = value.ilog2() as usize;
        let mut bits = 0;
        while bits < BITS_MAX - 1 && adaptive(coder, bits, u32::from(bits < wanted)) == 1 {
            bits += 1;
        }
        let mut made = 1;
        for (depth, shift) in (0..bits).rev().enumerate() {
            let bit = (value >> shift) as u32 & 1;
            let bit = if depth < ADAPTIVE_BITS {
                adaptive(coder, BITS_AT + bits * 8 + made as usize, bit)
            } else {
                coder.code(bit, 1 << 15)
            };
            made = made << 1 | u64::from(bit);
        }
        made - 1
    }
}
