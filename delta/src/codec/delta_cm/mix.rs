//! Predicting a bit from several contexts: an adaptive probability of each, and a mixture of their logits
//! whose weights learn from every bit.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "slots are indexed modulo their table, sums of products of 16 bits stay below 2^31"
    )
)]

use super::{
    arithmetic::BitCoder,
    logistic::{LOGIT_MAX, logit, probability},
};

/// Weights and inputs of a mixture: contexts, one constant, and zeros.
const LANES: usize = 16;
/// The constant input.
const BIAS: i16 = 256;
/// Sum of the weights at first, where 16384 is 1.
const WEIGHTS: usize = 9830;

/// An adaptive probability: 12 bits of it, and in 4 bits how often it has learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u16);

/// How far a slot moves that has learnt `n` times: 65536 / (n + 1.6), rounded down.
const RATES: [i32; 16] = [
    40960, 25206, 18204, 14246, 11702, 9929, 8623, 7620, 6826, 6182, 5649, 5201, 4818, 4488, 4201,
    3947,
];

impl Slot {
    pub(super) const NEW: Self = Self(0x8000);

    /// In units of 2^-16; never 0.
    #[inline(always)]
    pub(super) const fn probability(self) -> u16 {
        (self.0 & 0xfff0) | 8
    }

    /// Moves towards `bit`; `limit` is how many times count at most, up to 15.
    #[inline(always)]
    pub(super) fn learn(&mut self, bit: u32, limit: u16) {
        let count = self.0 & 15;
        let now = i32::from(self.0 >> 4);
        let end = if bit == 1 { 4095 } else { 0 };
        let step = ((end - now) * RATES[usize::from(count)] + 0x8000) >> 16;
        self.0 = (((now + step) as u16) << 4) | (count + u16::from(count < limit));
    }
}

/// `N` contexts that share a table of slots, and two sets of weights.
pub(super) struct Mix<const N: usize> {
    slots: Vec<Slot>,
    weights: [Vec<[i16; LANES]>; 2],
    /// See [`Slot::learn`].
    limit: u16,
    /// How fast weights learn.
    rate: i32,
}

impl<const N: usize> Mix<N> {
    /// * `bits`: slots, as a power of two.
    /// * `sets`: how many rows of weights each set has.
    pub(super) fn new(bits: u32, sets: [usize; 2], limit: u16, rate: i32) -> Self {
        let mut row = [0; LANES];
        row[..N].fill((WEIGHTS / N) as i16);
        Self {
            slots: vec![Slot::NEW; 1 << bits],
            weights: sets.map(|rows| vec![row; rows]),
            limit,
            rate,
        }
    }

    /// Codes a bit.
    ///
    /// * `places`: slot of each context, modulo the table.
    /// * `rows`: which weights of each set, modulo its rows.
    #[inline(always)]
    pub(super) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        places: &[u32; N],
        rows: [u32; 2],
        bit: u32,
    ) -> u32 {
        let mask = self.slots.len() - 1;
        let mut inputs = [0; LANES];
        for (input, place) in inputs.iter_mut().zip(places) {
            *input = logit(self.slots[*place as usize & mask].0 >> 4);
        }
        inputs[N] = BIAS;
        let [first, second] = &mut self.weights;
        let (first, second) = (&mut first[rows[0] as usize], &mut second[rows[1] as usize]);
        let one = probability(dot(first, second, &inputs));
        let bit = coder.code(bit, one);
        let error = ((bit << 16) as i32 - i32::from(one)) >> 4;
        let error = ((error * self.rate) >> 2) as i16;
        learn(first, &inputs, error);
        learn(second, &inputs, error);
        for place in places {
            self.slots[*place as usize & mask].learn(bit, self.limit);
        }
        bit
    }

    /// Codes a byte, its highest bit first: the contexts choose 16 slots for each half.
    ///
    /// * `rows`: by the bits before, with a 1 in front, and the bit's place.
    #[inline(always)]
    pub(super) fn byte<C: BitCoder>(
        &mut self,
        coder: &mut C,
        contexts: &[u32; N],
        rows: impl Fn(u32, u32) -> [u32; 2],
        byte: u32,
    ) -> u32 {
        let mut node = 1;
        for half in [4, 0] {
            let lines = match half {
                4 => *contexts,
                _ => contexts.map(|context| super::hash(context, node)),
            };
            let mut inner = 1;
            for bit in (half..half + 4).rev() {
                let places = lines.map(|line| (line & !15) | inner);
                let bit = self.code(coder, &places, rows(node, bit), (byte >> bit) & 1);
                inner = (inner << 1) | bit;
                node = (node << 1) | bit;
            }
        }
        node & 255
    }
}

/// Logit of a mixture by the mean of two rows of weights.
#[inline(always)]
fn dot(first: &[i16; LANES], second: &[i16; LANES], inputs: &[i16; LANES]) -> i32 {
    let sum = |row: &[i16; LANES]| -> i32 {
        let products = row.iter().zip(inputs);
        products
            .map(|(weight, input)| i32::from(*weight) * i32::from(*input))
            .sum()
    };
    let sum = sum(first) + sum(second);
    (sum >> 15).clamp(-LOGIT_MAX, LOGIT_MAX)
}

/// Moves weights by input times error.
#[inline(always)]
fn learn(weights: &mut [i16; LANES], inputs: &[i16; LANES], error: i16) {
    for (weight, input) in weights.iter_mut().zip(inputs) {
        let product = (i32::from(*input * 8) * i32::from(error)) >> 16;
        *weight = weight.saturating_add((product as i16 + 1) >> 1);
    }
}
