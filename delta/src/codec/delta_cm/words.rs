//! Copies, token by token: whether it is what it was guessed to be, and if not, how its bytes differ.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "rows and lanes are masked, bytes are taken out of words"
    )
)]

use super::{
    super::references::Token,
    arithmetic::BitCoder,
    guesses::{Guess, Guesses, Ranked},
    mix::Mix,
    place,
};

/// Tokens in a row that were guessed rightly, after which one probability does for all contexts.
const QUIET_AFTER: u32 = 32;
/// How fast that probability moves, as a power of two, and its bounds.
const QUIET_RATE: u32 = 6;
const QUIET_BOUND: u16 = 32;
/// What stands in the history of kinds for a second guess that was right, and for none.
const SECOND: u32 = 12;
const NONE: u32 = 15;

/// Models of one segment.
pub(super) struct Words {
    guesses: Guesses,
    hits: Mix<10>,
    flags: Mix<9>,
    bytes: Mix<12>,
    /// Probability of a hit in quiet parts: by class, score and length.
    quiet: Vec<u16>,
    /// Tokens since the last miss.
    since: u32,
    /// A bit per token: whether the best guess was wrong.
    misses: u32,
    /// Four bits per token: the kind that was right.
    kinds: u32,
    /// The base's bytes of the token before.
    before: u32,
    /// A bit per byte of tokens that were missed: whether it differs.
    changed: u32,
    /// The last two differences.
    last: [u32; 2],
    /// The last difference by position modulo 8.
    lanes: [u32; 8],
}

impl Words {
    /// * `scale`: of the segment, as a power of two, 10 to 20.
    pub(super) fn new(scale: u32) -> Self {
        Self {
            guesses: Guesses::new(),
            hits: Mix::new(scale - 2, [256, 512], 15, 9),
            flags: Mix::new(scale - 3, [256, 64], 15, 9),
            bytes: Mix::new(scale, [256, 1024], 8, 14),
            quiet: vec![65000; 2048],
            since: 0,
            misses: 0,
            kinds: 0,
            before: 0,
            changed: 0,
            last: [0; 2],
            lanes: [0; 8],
        }
    }

    /// Codes a token.
    pub(super) fn code<C: BitCoder>(&mut self, coder: &mut C, token: &Token, truth: u32) -> u32 {
        let ranked = self.guesses.rank(token);
        let hit = self.is_best(coder, token, &ranked, truth);
        let new = if hit == 1 {
            self.since = self.since.saturating_add(1);
            self.kinds = (self.kinds << 4) | ranked.best.kind;
            ranked.best.word
        } else {
            let new = self.miss(coder, token, &ranked, truth);
            self.since = 0;
            new
        };
        self.misses = (self.misses << 1) | (1 - hit);
        self.before = token.old;
        self.guesses.learn(token, ranked.class, new);
        new
    }

    /// Codes whether the best guess is right.
    fn is_best<C: BitCoder>(
        &mut self,
        coder: &mut C,
        token: &Token,
        ranked: &Ranked,
        truth: u32,
    ) -> u32 {
        let Ranked { best, class, .. } = *ranked;
        let bit = u32::from(truth == best.word);
        if self.since < QUIET_AFTER {
            let rows = [
                (class << 4) | u32::from(best.score >> 12),
                self.misses & 255,
            ];
            let places = self.places(token, ranked, 0);
            return self.hits.code(coder, &places, rows, bit);
        }
        let length = (self.since / QUIET_AFTER).ilog2().min(7);
        let context = (class << 7) | (u32::from(best.score >> 12) << 3) | length;
        let one = &mut self.quiet[context as usize];
        let bit = coder.code(bit, (*one).clamp(QUIET_BOUND, u16::MAX - QUIET_BOUND));
        if bit == 1 {
            *one += (u16::MAX - *one) >> QUIET_RATE;
        } else {
            *one -= *one >> QUIET_RATE;
        }
        bit
    }

    /// Contexts of a guess: 0 the best, 1 the second.
    fn places(&self, token: &Token, ranked: &Ranked, rank: u32) -> [u32; 10] {
        let Ranked {
            best,
            second,
            agreeing,
            class,
        } = *ranked;
        let (old, misses, kinds) = (token.old, self.misses, self.kinds);
        let changed = u32::from(best.word != old);
        let second_score = second.map_or(0, |second| u32::from(second.score >> 12) + 1);
        let scores = best.kind | (u32::from(best.score >> 12) << 4) | (second_score << 8);
        let far_kinds = ((kinds >> 4) & 15) | ((kinds >> 8) & 0xf0) | ((kinds >> 12) & 0xf00);
        let contexts = [
            (scores, 0),
            ((misses & 255) | (class << 8), 0),
            (old, changed),
            (old >> 20, misses & 3),
            ((kinds & 0xfff) | (best.kind << 12), 0),
            (self.since.min(63) | (class << 8), 0),
            (agreeing, misses & 1),
            ((self.before >> 16) | ((old >> 24) << 16), 0),
            (old & 0xffff, (class << 1) | changed),
            (far_kinds | (best.kind << 12), 0),
        ];
        let mut index = 0;
        contexts.map(|(value, other)| {
            index += 1;
            place(value, (other << 1) | rank, index)
        })
    }

    /// Codes a token that isn't the best guess.
    fn miss<C: BitCoder>(
        &mut self,
        coder: &mut C,
        token: &Token,
        ranked: &Ranked,
        truth: u32,
    ) -> u32 {
        let best = ranked.best;
        if let Some(second) = ranked.second {
            let rows = [
                (ranked.class << 4) | u32::from(second.score >> 12),
                256 | (second.kind << 4) | best.kind,
            ];
            let places = self.places(token, ranked, 1);
            let bit = u32::from(truth == second.word);
            if self.hits.code(coder, &places, rows, bit) == 1 {
                self.kinds = (self.kinds << 4) | SECOND;
                return second.word;
            }
        }
        self.kinds = (self.kinds << 4) | NONE;
        let other = if best.word == token.predicted {
            ranked.second.unwrap_or(best)
        } else {
            best
        };
        self.spell(coder, token, other, truth)
    }

    /// Codes a token byte by byte, as differences from what is predicted for it.
    fn spell<C: BitCoder>(
        &mut self,
        coder: &mut C,
        token: &Token,
        other: Guess,
        truth: u32,
    ) -> u32 {
        let mut new = 0;
        for index in 0..token.size as u32 {
            let byte = |word: u32| (word >> (8 * index)) & 255;
            let predicted = byte(token.predicted);
            let byte = Byte {
                index,
                lane: (token.from as usize + index as usize) & 7,
                predicted,
                other: byte(other.word).wrapping_sub(predicted) & 255,
                truth: byte(truth).wrapping_sub(predicted) & 255,
            };
            let difference = self.difference(coder, token, &byte);
            new |= ((predicted + difference) & 255) << (8 * index);
        }
        new
    }

    /// Codes by how much a byte differs.
    fn difference<C: BitCoder>(&mut self, coder: &mut C, token: &Token, byte: &Byte) -> u32 {
        let places = self.flag_places(token, byte);
        let rows = [self.changed & 255, ((token.field as u32) << 2) | byte.index];
        let differs = self
            .flags
            .code(coder, &places, rows, u32::from(byte.truth != 0));
        self.changed = (self.changed << 1) | differs;
        let mut difference = 0;
        if differs == 1 {
            let contexts = self.value_contexts(token, byte);
            let rows = |node: u32, _| [node, (node << 2) | byte.index];
            difference = self.bytes.byte(coder, &contexts, rows, byte.truth);
            self.lanes[byte.lane] = difference;
        }
        self.last = [difference, self.last[0]];
        difference
    }

    fn flag_places(&self, token: &Token, byte: &Byte) -> [u32; 9] {
        let (old, index, changed) = (token.old, byte.index, self.changed);
        let recent = index | ((changed & 15) << 2);
        let contexts = [
            (changed & 255, index),
            (byte.predicted, index),
            (old, index),
            (old >> 20, recent),
            (self.since.min(31), index | ((changed & 7) << 2)),
            (byte.other, index | ((changed & 3) << 2)),
            (
                u32::from(byte.other != 0) | ((token.field as u32) << 1),
                recent,
            ),
            (self.lanes[byte.lane] | (byte.predicted << 8), changed & 1),
            ((self.before >> 24) | ((old >> 24) << 8), recent),
        ];
        let mut salt = 0;
        contexts.map(|(value, other)| {
            salt += 1;
            place(value, other, salt)
        })
    }

    fn value_contexts(&self, token: &Token, byte: &Byte) -> [u32; 12] {
        let (old, index) = (token.old, byte.index);
        let [last, before] = self.last;
        let lane = self.lanes[byte.lane];
        let again = self.guesses.last_change(old);
        let again = again.map_or(256, |change| (change >> (8 * index)) & 255);
        let contexts = [
            (0, index),
            (again, index),
            (byte.predicted, index),
            (old, index),
            (lane, byte.lane as u32),
            (last | (before << 8), index),
            (old >> 22, index),
            (last | (byte.predicted << 8), index),
            (byte.other, 0),
            (byte.other | (last << 8), index),
            (self.changed & 255, token.field as u32),
            (lane | (byte.predicted << 8), index),
        ];
        let mut salt = 0;
        contexts.map(|(value, other)| {
            salt += 1;
            place(value, other, salt)
        })
    }
}

/// A byte of a token that is spelt.
struct Byte {
    /// In the token.
    index: u32,
    /// Position in the base modulo 8.
    lane: usize,
    predicted: u32,
    /// Another guess, less `predicted`.
    other: u32,
    /// What it is, less `predicted`.
    truth: u32,
}
