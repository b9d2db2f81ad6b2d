//! What a token of a copy may have become: candidates, and how often each kind was right.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "kinds and classes are below 16, scores move between 0 and 65535"
    )
)]

use super::super::references::{Field, Known, Shifts, Token};

/// Kinds of guesses: the bytes of the base; a reference that is known exactly, nearly, not; the change that
/// the word had which is [`LAGS`] words before; the change that this word had last, and words near it.
const SAME: u32 = 0;
const REFERENCE: u32 = 1;
const LAG: u32 = 4;
const AGAIN: u32 = 9;
const NEARLY: u32 = 10;
/// Words back.
const LAGS: [usize; 5] = [1, 2, 3, 4, 6];
/// Guesses for one token at most: the same, a change for each lag, one by value.
const GUESSES_MAX: usize = 7;
/// Class of pieces shorter than a word.
const SHORT: u32 = 11;

/// A guess.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guess {
    pub(super) word: u32,
    /// Below 11.
    pub(super) kind: u32,
    /// How often its kind was right lately in this class of tokens, in units of 2^-16.
    pub(super) score: u16,
}

/// The two best guesses of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    pub(super) best: Guess,
    /// The best of those that say something else.
    pub(super) second: Option<Guess>,
    /// A bit for each kind that says what `best` says.
    pub(super) agreeing: u32,
    /// Below 12.
    pub(super) class: u32,
}

/// What guesses come from.
pub(super) struct Guesses {
    /// Changes of words by their value.
    values: Shifts,
    /// Changes of the last words, the newest first.
    changes: [u32; 6],
    /// By class and kind.
    scores: [[u16; 16]; 16],
    /// For the token in work.
    list: [Guess; GUESSES_MAX],
    count: usize,
}

/// Tokens that are guessed alike: by what they refer with; words without a reference by their highest byte
/// and whether they are the first or the second of eight bytes.
fn class(token: &Token) -> u32 {
    match token.field {
        Field::None if token.size < 4 => SHORT,
        Field::None => {
            let top = match token.old >> 24 {
                0 => 0,
                0xff => 1,
                _ => 2,
            };
            top * 2 + (token.from >> 2 & 1) as u32
        }
        Field::Branch => 6,
        Field::Page => 7,
        Field::PageOfPair => 8,
        Field::Low => 9,
        Field::Displacement => 10,
    }
}

impl Guesses {
    pub(super) fn new() -> Self {
        Self {
            values: Shifts::new(),
            changes: [0; 6],
            scores: [[1 << 15; 16]; 16],
            list: [Guess::default(); GUESSES_MAX],
            count: 0,
        }
    }

    fn add(&mut self, class: u32, kind: u32, word: u32) {
        let score = self.scores[class as usize][kind as usize];
        self.list[self.count] = Guess { word, kind, score };
        self.count += 1;
    }

    /// The change that this word had last.
    pub(super) fn last_change(&self, old: u32) -> Option<u32> {
        self.values.exact(u64::from(old)).map(i32::cast_unsigned)
    }

    /// Guesses a token.
    #[inline]
    pub(super) fn rank(&mut self, token: &Token) -> Ranked {
        let class = class(token);
        let old = token.old;
        self.count = 0;
        self.add(class, SAME, old);
        if token.field != Field::None {
            let kind = match token.known {
                Known::Exactly => REFERENCE,
                Known::Nearly => REFERENCE + 1,
                Known::Not => REFERENCE + 2,
            };
            self.add(class, kind, token.predicted);
        } else if class != SHORT {
            for (kind, lag) in (LAG..).zip(LAGS) {
                let change = self.changes[lag - 1];
                if change != 0 {
                    self.add(class, kind, old.wrapping_add(change));
                }
            }
        }
        if class != SHORT && old != 0 {
            if let Some(change) = self.values.exact(u64::from(old)) {
                self.add(class, AGAIN, old.wrapping_add_signed(change));
            } else if token.field == Field::None
                && let Some(change) = self.values.near(u64::from(old))
            {
                self.add(class, NEARLY, old.wrapping_add_signed(change));
            }
        }
        self.sort(class)
    }

    /// The guess with the highest score, the first of equals, and the next that differs from it.
    fn sort(&self, class: u32) -> Ranked {
        let guesses = &self.list[..self.count];
        let mut best = guesses[0];
        for guess in &guesses[1..] {
            if guess.score > best.score {
                best = *guess;
            }
        }
        let mut second: Option<Guess> = None;
        let mut agreeing = 0;
        for guess in guesses {
            if guess.word == best.word {
                agreeing |= 1 << guess.kind;
            } else if second.is_none_or(|second| guess.score > second.score) {
                second = Some(*guess);
            }
        }
        Ranked {
            best,
            second,
            agreeing,
            class,
        }
    }

    /// Learns what the token that was ranked last has become.
    #[inline]
    pub(super) fn learn(&mut self, token: &Token, class: u32, new: u32) {
        for guess in &self.list[..self.count] {
            let score = &mut self.scores[class as usize][guess.kind as usize];
            if guess.word == new {
                *score += (u16::MAX - *score) >> 4;
            } else {
                *score -= *score >> 4;
            }
        }
        if token.size == 4 {
            let change = new.wrapping_sub(token.old);
            if token.old != 0 {
                let change = i64::from(change.cast_signed());
                self.values.learn(u64::from(token.old), change);
            }
            self.changes.rotate_right(1);
            self.changes[0] = change;
        }
    }
}
