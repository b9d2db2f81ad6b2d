//! By how much numbers have changed: each exactly, and its neighbourhood.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "places come out of a hash of as many bits as the table has"
    )
)]

/// Entries of the exact table, as a power of two.
const EXACT_BITS: u32 = 15;
/// Neighbourhoods from small to large: their size and the entries of their table, as powers of two.
const NEAR: [(u32, u32); 3] = [(6, 14), (9, 14), (13, 12)];
/// Marks a place where nothing was learnt.
const UNKNOWN: i32 = i32::MIN;

/// What was learnt; a later entry with the same place replaces an earlier one.
pub(in super::super) struct Shifts {
    /// Lower half of the number, and its shift.
    exact: Vec<(u32, i32)>,
    near: [Vec<i32>; 3],
}

#[inline]
fn place(number: u64, bits: u32) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}

impl Shifts {
    pub(in super::super) fn new() -> Self {
        Self {
            exact: vec![(0, UNKNOWN); 1 << EXACT_BITS],
            near: NEAR.map(|(_, bits)| vec![UNKNOWN; 1 << bits]),
        }
    }

    /// The last shift of this number.
    #[inline]
    pub(in super::super) fn exact(&self, number: u64) -> Option<i32> {
        let (key, shift) = self.exact[place(number, EXACT_BITS)];
        (key == number as u32 && shift != UNKNOWN).then_some(shift)
    }

    /// The last shift in the smallest neighbourhood of this number of which one is known.
    #[inline]
    pub(in super::super) fn near(&self, number: u64) -> Option<i32> {
        let mut tables = NEAR.iter().zip(&self.near);
        tables.find_map(|((size, bits), table)| {
            let shift = table[place(number >> size, *bits)];
            (shift != UNKNOWN).then_some(shift)
        })
    }

    /// Learns that a number has changed by `shift`; shifts beyond 32 bits are not kept.
    #[inline]
    pub(in super::super) fn learn(&mut self, number: u64, shift: i64) {
        let Ok(shift) = i32::try_from(shift) else {
            return;
        };
        self.exact[place(number, EXACT_BITS)] = (number as u32, shift);
        for ((size, bits), table) in NEAR.iter().zip(&mut self.near) {
            table[place(number >> size, *bits)] = shift;
        }
    }
}
