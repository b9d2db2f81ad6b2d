//! Numbers of tables, predicted from the changes of those before.

use super::references::Shifts;

const LAGS: [usize; 6] = [1, 2, 3, 4, 6, 8];

pub(super) struct Tables {
    shifts: Shifts,
    /// Of all tokens of 4 bytes, in order.
    changes: Vec<u32>,
    scores: [[u32; 9]; 6],
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            shifts: Shifts::default(),
            changes: Vec::new(),
            scores: [[32768; 9]; 6],
        }
    }

    /// What the bytes `old`, at `from` of the base, become.
    pub(super) fn copy(&mut self, old: &[u8], mut from: i64, mut additions: &[u8]) -> Vec<u8> {
        let mut new = Vec::new();
        let mut rest = old;
        while !rest.is_empty() {
            let size = rest.len().min(4 - (from & 3) as usize);
            let (bytes, after) = rest.split_at(size);
            let (values, later) = additions.split_at(size);
            if let Ok(bytes) = bytes.try_into() {
                let old = u32::from_le_bytes(bytes);
                let made = added(&self.predict(old, from).to_le_bytes(), values);
                self.learn(old, from, u32::from_le_bytes([0, 1, 2, 3].map(|n| made[n])));
                new.extend(made);
            } else {
                new.extend(added(bytes, values));
            }
            (rest, additions) = (after, later);
            from += size as i64;
        }
        new
    }

    fn guesses(&self, old: u32) -> [u32; 9] {
        let mut changes = vec![0];
        for lag in LAGS {
            let place = self.changes.len().checked_sub(lag);
            changes.push(place.map_or(0, |place| self.changes[place]));
        }
        for shift in [
            self.shifts.exactly(i64::from(old)),
            self.shifts.nearly(i64::from(old)),
        ] {
            changes.push(shift.unwrap_or(0) as u32);
        }
        std::array::from_fn(|guess| old.wrapping_add(changes[guess]))
    }

    fn predict(&self, old: u32, from: i64) -> u32 {
        let scores = &self.scores[class(old, from)];
        let highest = scores.iter().max().copied().unwrap_or(0);
        let taken = scores.iter().position(|&score| score == highest);
        self.guesses(old)[taken.unwrap_or(0)]
    }

    fn learn(&mut self, old: u32, from: i64, new: u32) {
        let guesses = self.guesses(old);
        for (score, guess) in self.scores[class(old, from)].iter_mut().zip(guesses) {
            if guess == new {
                *score += (65535 - *score) >> 4;
            } else {
                *score -= *score >> 4;
            }
        }
        let change = new.wrapping_sub(old);
        self.changes.push(change);
        self.shifts.learn(i64::from(old), change as i32);
    }
}

fn class(old: u32, from: i64) -> usize {
    let top = match old >> 24 {
        0 => 0,
        0xff => 2,
        _ => 4,
    };
    top + (from >> 2 & 1) as usize
}

fn added(bytes: &[u8], values: &[u8]) -> Vec<u8> {
    let pairs = bytes.iter().zip(values);
    pairs
        .map(|(byte, value)| byte.wrapping_add(*value))
        .collect()
}
