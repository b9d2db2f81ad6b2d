//! Literals: what came after the same bytes before.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "positions are of the output, which holds them; tables are indexed by as many bits as they have"
    )
)]

use super::{arithmetic::BitCoder, mix::Mix, place};

/// Places of the index, as a power of two.
const INDEX_BITS: u32 = 16;
/// Bytes that must agree before a place is believed in, and of which the index keeps the last place.
const MATCH_BYTES_MIN: usize = 5;
/// Bytes of output before the first place that is indexed.
const INDEXED_MIN: usize = 8;
/// Bytes that are compared when a place is found.
const LOOK_BYTES: usize = 32;
/// Stands for no predicted byte.
const NO_BYTE: u32 = 256;

/// Models of one segment.
pub(super) struct Literals {
    bytes: Mix<9>,
    /// End of the last occurrence of some bytes in the output, by their hash; 0 for none.
    index: Vec<u32>,
    /// Bytes of the output that are indexed.
    indexed: usize,
    /// Where the output goes on alike, and for how many bytes it has.
    place: usize,
    length: usize,
    /// The last two literals that followed each two bytes.
    followed: Vec<u32>,
}

/// Place in the index of the last five of the bytes before `end`.
fn key(out: &[u8], end: usize) -> usize {
    let last = out[..end]
        .last_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let last = last >> (64 - 8 * MATCH_BYTES_MIN);
    (last.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - INDEX_BITS)) as usize
}

impl Literals {
    /// * `scale`: of the segment, as a power of two, 10 to 20.
    pub(super) fn new(scale: u32) -> Self {
        Self {
            bytes: Mix::new(scale + 1, [1024, 512], 12, 9),
            index: vec![0; 1 << INDEX_BITS],
            indexed: INDEXED_MIN,
            place: 0,
            length: 0,
            followed: vec![0; 1 << 16],
        }
    }

    /// Codes `count` bytes, which go to the end of `out`.
    ///
    /// * `truth`: as many bytes, or none if they are read.
    pub(super) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        truth: &[u8],
        count: usize,
        out: &mut Vec<u8>,
    ) {
        self.length = 0;
        for index in 0..count {
            self.find(out);
            let truth = truth.get(index).map_or(0, |byte| u32::from(*byte));
            let byte = self.byte(coder, truth, out);
            out.push(byte as u8);
        }
    }

    /// Goes on with the match, or finds another.
    fn find(&mut self, out: &[u8]) {
        let end = out.len();
        for next in self.indexed..end {
            self.index[key(out, next)] = next as u32;
        }
        self.indexed = self.indexed.max(end);
        if self.length > 0 && out[self.place] == out[end - 1] {
            self.place += 1;
            self.length += 1;
            return;
        }
        self.length = 0;
        if end < INDEXED_MIN {
            return;
        }
        let place = self.index[key(out, end)] as usize;
        let pairs = out[..place].iter().rev().zip(out.iter().rev());
        let length = pairs
            .take(LOOK_BYTES)
            .take_while(|(old, new)| old == new)
            .count();
        if length >= MATCH_BYTES_MIN {
            (self.place, self.length) = (place, length);
        }
    }

    fn byte<C: BitCoder>(&mut self, coder: &mut C, truth: u32, out: &[u8]) -> u32 {
        let at = |back: usize| {
            out.len()
                .checked_sub(back)
                .map_or(0, |place| u32::from(out[place]))
        };
        let (one, two, three, four) = (at(1), at(2), at(3), at(4));
        let (pair, lane) = (one | (two << 8), out.len() as u32 & 3);
        let last_four = pair | (three << 16) | (four << 24);
        let predicted = if self.length > 0 {
            u32::from(out[self.place])
        } else {
            NO_BYTE
        };
        let length = self.length.min(31) as u32 / 2;
        let followed = &mut self.followed[pair as usize];
        let contexts = [
            (0, 0),
            (one, 0),
            (pair, 0),
            (last_four, 0),
            (four | (at(8) << 8), lane),
            (one | (four << 8), lane),
            (two | (three << 8) | (four << 16), lane),
            (predicted | (length << 9), 0),
            (*followed | (one << 16), 0),
        ];
        let mut salt = 0;
        let contexts = contexts.map(|(value, other)| {
            salt += 1;
            place(value, other, salt)
        });
        let rows = |node: u32, bit: u32| {
            let matching = if (predicted | NO_BYTE) >> (bit + 1) == node && predicted < NO_BYTE {
                (length << 1) | ((predicted >> bit) & 1)
            } else {
                256 | one
            };
            [node | (lane << 8), matching]
        };
        let byte = self.bytes.byte(coder, &contexts, rows, truth);
        *followed = ((*followed << 8) | byte) & 0xffff;
        byte
    }
}
