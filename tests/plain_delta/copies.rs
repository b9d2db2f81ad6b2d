//! Tokens of copies in DELTA-CM segments: guessed, or spelt byte by byte.

use super::code::{Code, Mixture, Rows, places};
use super::references::{References, Shifts, Token};

const KINDS: usize = 11;
const CLASSES: usize = 12;
/// How many words before the changes of kinds 4 to 8 are.
const CHANGES_BEFORE: [usize; 5] = [1, 2, 3, 4, 6];

/// The words guessed for a token, by kind.
type Guesses = [Option<u32>; KINDS];

#[derive(Clone, Copy)]
struct Guess {
    kind: u32,
    word: u32,
    score: u32,
}

/// What a token is looked for among, and which guesses have best's word.
struct Choice {
    old: u32,
    class: u32,
    best: Guess,
    second: Option<Guess>,
    agreeing: u32,
}

pub(super) struct Copies<'a> {
    references: References<'a>,
    word_shifts: Shifts,
    scores: [[u32; KINDS]; CLASSES],
    /// The probabilities q that best is right when it was for long.
    steady: [u32; CLASSES * 128],
    hits: Mixture<10>,
    flags: Mixture<9>,
    values: Mixture<12>,
    past: Past,
}

/// What is known of the tokens and spelt bytes before.
#[derive(Default)]
struct Past {
    since: u32,
    misses: u32,
    kinds: u32,
    before: u32,
    /// Changes of words, the newest first.
    changes: [u32; 6],
    flag: u32,
    differences: [u32; 2],
    lanes: [u32; 8],
}

impl<'a> Copies<'a> {
    pub(super) fn new(base: &'a [u8], machine: u8, scale: u32) -> Self {
        Copies {
            references: References::new(base, machine),
            word_shifts: Shifts::default(),
            scores: [[32768; KINDS]; CLASSES],
            steady: [65000; CLASSES * 128],
            hits: Mixture::new(scale - 2, [256, 512], 15, 9),
            flags: Mixture::new(scale - 3, [256, 64], 15, 9),
            values: Mixture::new(scale, [256, 1024], 8, 14),
            past: Past::default(),
        }
    }

    pub(super) fn copy(
        &mut self,
        code: &mut Code<'_>,
        (mut from, mut to): (i64, i64),
        mut left: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), String> {
        while left > 0 {
            let token = self.references.next_token(from, to, left);
            let new = self.token(code, &token, from)?;
            output.extend(&new.to_le_bytes()[..token.size]);
            self.references.learn(&token, to, new);
            from += token.size as i64;
            to += token.size as i64;
            left -= token.size;
        }
        Ok(())
    }

    fn token(&mut self, code: &mut Code<'_>, token: &Token, from: i64) -> Result<u32, String> {
        let guesses = self.guesses(token);
        let choice = self.choose(token, from, &guesses)?;
        let (new, outcome) = if self.is_best(code, &choice)? {
            (choice.best.word, choice.best.kind)
        } else if let Some(second) = choice.second
            && self.is_second(code, &choice, second)?
        {
            (second.word, 12)
        } else {
            (self.spell(code, token, from, &choice)?, 15)
        };
        let missed = outcome >= 12;
        let past = &mut self.past;
        past.since = past.since.saturating_add(1);
        if missed {
            past.since = 0;
        }
        past.misses = past.misses << 1 | u32::from(missed);
        past.kinds = past.kinds << 4 | outcome;
        self.learn(token, choice.class, &guesses, new);
        Ok(new)
    }

    fn guesses(&self, token: &Token) -> Guesses {
        let old = token.old;
        let mut guesses = [None; KINDS];
        guesses[0] = Some(old);
        if let Some(reference) = &token.reference {
            guesses[reference.known] = Some(token.predicted);
        } else if token.size == 4 {
            for (guess, n) in guesses[4..9].iter_mut().zip(CHANGES_BEFORE) {
                let change = self.past.changes[n - 1];
                *guess = (change != 0).then_some(old.wrapping_add(change));
            }
        }
        if token.size == 4 && old != 0 {
            let shifted = |shift: i32| old.wrapping_add_signed(shift);
            guesses[9] = self.word_shifts.exactly(old.into()).map(shifted);
            if guesses[9].is_none() && token.reference.is_none() {
                guesses[10] = self.word_shifts.nearly(old.into()).map(shifted);
            }
        }
        guesses
    }

    fn choose(&self, token: &Token, from: i64, guesses: &Guesses) -> Result<Choice, String> {
        let class = class(token, from);
        let scores = &self.scores[class as usize];
        let best = highest(guesses, scores, None).ok_or("no guess")?;
        let mut agreeing = 0;
        for (kind, guess) in guesses.iter().enumerate() {
            agreeing |= u32::from(*guess == Some(best.word)) << kind;
        }
        Ok(Choice {
            old: token.old,
            class,
            best,
            second: highest(guesses, scores, Some(best.word)),
            agreeing,
        })
    }

    fn is_best(&mut self, code: &mut Code<'_>, choice: &Choice) -> Result<bool, String> {
        let (class, score) = (choice.class, choice.best.score >> 12);
        if self.past.since < 32 {
            let rows = [class << 4 | score, self.past.misses & 255];
            return self.hit(code, choice, 0, rows);
        }
        let duration = (self.past.since / 32).ilog2().min(7);
        let q = &mut self.steady[(class << 7 | score << 3 | duration) as usize];
        let hit = code.bit((*q).clamp(32, 65503))?;
        if hit {
            *q += (65535 - *q) >> 6;
        } else {
            *q -= *q >> 6;
        }
        Ok(hit)
    }

    fn is_second(
        &mut self,
        code: &mut Code<'_>,
        choice: &Choice,
        second: Guess,
    ) -> Result<bool, String> {
        let score = second.score >> 12;
        let kinds = second.kind << 4 | choice.best.kind;
        self.hit(code, choice, 1, [choice.class << 4 | score, 256 | kinds])
    }

    fn hit(
        &mut self,
        code: &mut Code<'_>,
        choice: &Choice,
        r: u32,
        rows: Rows,
    ) -> Result<bool, String> {
        let (misses, kinds) = (self.past.misses, self.past.kinds);
        let (old, class, best) = (choice.old, choice.class, choice.best);
        let changed = u32::from(best.word != old);
        let second_score = choice.second.map_or(0, |second| (second.score >> 12) + 1);
        let every_other = kinds >> 4 & 15 | kinds >> 8 & 0xf0 | kinds >> 12 & 0xf00;
        let contexts = [
            (best.kind | best.score >> 12 << 4 | second_score << 8, 0),
            (misses & 255 | class << 8, 0),
            (old, changed),
            (old >> 20, misses & 3),
            (kinds & 0xfff | best.kind << 12, 0),
            (self.past.since.min(63) | class << 8, 0),
            (choice.agreeing, misses & 1),
            (self.past.before >> 16 | old >> 24 << 16, 0),
            (old & 0xffff, class << 1 | changed),
            (every_other | best.kind << 12, 0),
        ];
        let places = places(contexts.map(|(a, b)| (a, 2 * b + r)));
        self.hits.bit(code, places, rows)
    }

    fn spell(
        &mut self,
        code: &mut Code<'_>,
        token: &Token,
        from: i64,
        choice: &Choice,
    ) -> Result<u32, String> {
        let predicted = token.predicted.to_le_bytes();
        let other = match choice.second {
            Some(second) if choice.best.word == token.predicted => second.word,
            _ => choice.best.word,
        };
        let mut new = predicted;
        for (n, other) in other.to_le_bytes().into_iter().enumerate().take(token.size) {
            let other = other.wrapping_sub(predicted[n]).into();
            let lane = ((from + n as i64) & 7) as usize;
            let difference = self.difference(code, token, (n, lane), other)?;
            new[n] = predicted[n].wrapping_add(difference);
        }
        Ok(u32::from_le_bytes(new))
    }

    /// The difference of byte `n` of a token from what is predicted.
    fn difference(
        &mut self,
        code: &mut Code<'_>,
        token: &Token,
        (n, position): (usize, usize),
        other: u32,
    ) -> Result<u8, String> {
        let (old, lane, field) = (token.old, self.past.lanes[position], field(token));
        let is = u32::from(token.predicted.to_le_bytes()[n]);
        let n = n as u32;
        let history = n | (self.past.flag & 15) << 2;
        let contexts = [
            (self.past.flag & 255, n),
            (is, n),
            (old, n),
            (old >> 20, history),
            (self.past.since.min(31), n | (self.past.flag & 7) << 2),
            (other, n | (self.past.flag & 3) << 2),
            (u32::from(other != 0) | field << 1, history),
            (lane | is << 8, self.past.flag & 1),
            (self.past.before >> 24 | old >> 24 << 8, history),
        ];
        let rows = [self.past.flag & 255, field << 2 | n];
        let differs = self.flags.bit(code, places(contexts), rows)?;
        self.past.flag = self.past.flag << 1 | u32::from(differs);
        let [d1, d2] = self.past.differences;
        let mut difference = 0;
        if differs {
            let shift = self.word_shifts.exactly(old.into());
            let shift_byte = shift.map_or(256, |shift| shift as u32 >> (8 * n) & 255);
            let contexts = [
                (0, n),
                (shift_byte, n),
                (is, n),
                (old, n),
                (lane, position as u32),
                (d1 | d2 << 8, n),
                (old >> 22, n),
                (d1 | is << 8, n),
                (other, 0),
                (other | d1 << 8, n),
                (self.past.flag & 255, field),
                (lane | is << 8, n),
            ];
            let rows = |node| [node, node << 2 | n];
            difference = self.values.byte(code, places(contexts), rows)?;
            self.past.lanes[position] = difference.into();
        }
        self.past.differences = [difference.into(), d1];
        Ok(difference)
    }

    fn learn(&mut self, token: &Token, class: u32, guesses: &Guesses, new: u32) {
        let scores = &mut self.scores[class as usize];
        for (score, guess) in scores.iter_mut().zip(guesses) {
            match guess {
                Some(word) if *word == new => *score += (65535 - *score) >> 4,
                Some(_) => *score -= *score >> 4,
                None => {}
            }
        }
        self.past.before = token.old;
        if token.size == 4 {
            let change = new.wrapping_sub(token.old);
            self.past.changes.rotate_right(1);
            self.past.changes[0] = change;
            if token.old != 0 {
                self.word_shifts.learn(token.old.into(), change as i32);
            }
        }
    }
}

/// The guess with the highest score, the first of equals, of those that are not `except`.
fn highest(guesses: &Guesses, scores: &[u32; KINDS], except: Option<u32>) -> Option<Guess> {
    let mut highest: Option<Guess> = None;
    for (kind, (guess, &score)) in (0..).zip(guesses.iter().zip(scores)) {
        let Some(word) = *guess else { continue };
        if *guess != except && highest.is_none_or(|best| score > best.score) {
            highest = Some(Guess { kind, word, score });
        }
    }
    highest
}

fn class(token: &Token, from: i64) -> u32 {
    match (token.old >> 24, field(token)) {
        (_, 1..) => 5 + field(token),
        _ if token.size < 4 => 11,
        (0x00, _) => (from >> 2 & 1) as u32,
        (0xff, _) => 2 + (from >> 2 & 1) as u32,
        _ => 4 + (from >> 2 & 1) as u32,
    }
}

fn field(token: &Token) -> u32 {
    let reference = token.reference.as_ref();
    reference.map_or(0, |reference| reference.kind as u32)
}
