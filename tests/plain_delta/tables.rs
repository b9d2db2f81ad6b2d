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
        Tables {
            shifts: Shifts::new(),
            changes: Vec::new(),
            scores: [[32768; 9]; 6],
        }
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

    pub(super) fn predict(&self, old: u32, from: i64) -> u32 {
        let scores = &self.scores[class(old, from)];
        let highest = scores.iter().max().copied().unwrap_or(0);
        let taken = scores.iter().position(|&score| score == highest);
        self.guesses(old)[taken.unwrap_or(0)]
    }

    pub(super) fn learn(&mut self, old: u32, from: i64, new: u32) {
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
