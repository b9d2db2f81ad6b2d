//! Tables: numbers that change like those some words before, or like numbers near them.
//!
//! Relocations, symbols and lists of addresses are records of a few words; one insertion in the image moves
//! whole columns by the same number.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "classes and guesses are below the lengths of their arrays, scores move between 0 and 65535"
    )
)]

use super::{Field, References, Shifts, Token};

/// Words back whose change is guessed.
const LAGS: [usize; 6] = [1, 2, 3, 4, 6, 8];
/// Guesses: no change, that of each lag, that of this number before, that of numbers near it.
const GUESSES: usize = LAGS.len() + 3;
/// Kinds of words that are scored apart: by their highest byte, and first or second of eight bytes.
const CLASSES: usize = 6;
/// What a score starts with, and how much of the way to right or wrong it goes each time, as a power of two.
const SCORE_START: u16 = 1 << 15;
const SCORE_RATE: u32 = 4;

/// What was seen of the words so far.
pub(super) struct Tables {
    /// Changes of the last words, the newest first.
    changes: [u32; 8],
    /// How often each guess was right lately, in units of 2^-16.
    scores: [[u16; GUESSES]; CLASSES],
    /// For the word in work.
    guesses: [u32; GUESSES],
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            changes: [0; 8],
            scores: [[SCORE_START; GUESSES]; CLASSES],
            guesses: [0; GUESSES],
        }
    }
}

const fn class(token: &Token) -> usize {
    let top = match token.old >> 24 {
        0 => 0,
        0xff => 1,
        _ => 2,
    };
    top * 2 + (token.from >> 2 & 1) as usize
}

impl Tables {
    /// The guess with the highest score, the first of equals.
    fn guess(&mut self, token: &Token, shifts: &Shifts) -> u32 {
        let old = token.old;
        let shifted = |shift: Option<i32>| old.wrapping_add_signed(shift.unwrap_or(0));
        self.guesses[0] = old;
        for (guess, lag) in self.guesses[1..].iter_mut().zip(LAGS) {
            *guess = old.wrapping_add(self.changes[lag - 1]);
        }
        self.guesses[GUESSES - 2] = shifted(shifts.exact(u64::from(old)));
        self.guesses[GUESSES - 1] = shifted(shifts.near(u64::from(old)));
        let scores = &self.scores[class(token)];
        let mut best = 0;
        for (index, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = index;
            }
        }
        self.guesses[best]
    }

    fn learn(&mut self, token: &Token, new: u32) {
        let scores = &mut self.scores[class(token)];
        for (score, guess) in scores.iter_mut().zip(self.guesses) {
            if guess == new {
                *score += (u16::MAX - *score) >> SCORE_RATE;
            } else {
                *score -= *score >> SCORE_RATE;
            }
        }
        self.changes.rotate_right(1);
        self.changes[0] = new.wrapping_sub(token.old);
    }
}

impl References {
    /// Predicts a whole word.
    #[inline]
    pub(super) fn table(&mut self, token: &mut Token) {
        token.field = Field::Displacement;
        token.predicted = self.tables.guess(token, &self.shifts);
    }

    /// Learns what a whole word has become; where the number it was leads now.
    #[inline]
    pub(super) fn learn_table(&mut self, token: &Token, new: u32) {
        self.tables.learn(token, new);
        let change = new.wrapping_sub(token.old).cast_signed();
        self.shifts.learn(u64::from(token.old), i64::from(change));
    }
}
