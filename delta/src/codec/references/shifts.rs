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
/// Stands for 0 in a table, where 0 stands for nothing: memory of a table that nobody has written to is no
/// memory yet.
const ZERO: i32 = i32::MIN;

/// What was learnt; a later entry with the same place replaces an earlier one.
pub(in super::super) struct Shifts {
    /// Lower half of the number, and its shift as [`stored`].
    exact: Vec<(u32, i32)>,
    near: [Vec<i32>; 3],
}

/// A shift as it stands in a table; that of [`i32::MIN`] stands for nothing.
#[inline]
const fn stored(shift: i32) -> i32 {
    shift ^ ZERO
}

/// The shift that stands in a table.
#[inline]
fn shift(stored: i32) -> Option<i32> {
    (stored != 0).then_some(stored ^ ZERO)
}

#[inline]
fn place(number: u64, bits: u32) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}

impl Shifts {
    pub(in super::super) fn new() -> Self {
        Self {
            exact: vec![(0, 0); 1 << EXACT_BITS],
            near: NEAR.map(|(_, bits)| vec![0; 1 << bits]),
        }
    }

    /// The last shift of this number.
    #[inline]
    pub(in super::super) fn exact(&self, number: u64) -> Option<i32> {
        let (key, stored) = self.exact[place(number, EXACT_BITS)];
        shift(stored).filter(|_| key == number as u32)
    }

    /// The last shift in the smallest neighbourhood of this number of which one is known.
    #[inline]
    pub(in super::super) fn near(&self, number: u64) -> Option<i32> {
        let mut tables = NEAR.iter().zip(&self.near);
        tables.find_map(|((size, bits), table)| shift(table[place(number >> size, *bits)]))
    }

    /// Learns that a number has changed by `shift`; shifts beyond 32 bits are not kept.
    #[inline]
    pub(in super::super) fn learn(&mut self, number: u64, shift: i64) {
        let Ok(shift) = i32::try_from(shift) else {
            return;
        };
        let stored = stored(shift);
        self.exact[place(number, EXACT_BITS)] = (number as u32, stored);
        for ((size, bits), table) in NEAR.iter().zip(&mut self.near) {
            table[place(number >> size, *bits)] = stored;
        }
    }
}
