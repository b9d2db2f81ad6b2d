//! Addresses that two instructions make, of which the first tells where the second is.

#![cfg_attr(
    not(test),
    expect(
        clippy::indexing_slicing,
        reason = "registers have five bits and as many places"
    )
)]

/// Halves of addresses that registers hold.
pub(super) struct Pairs {
    /// In the base: position of the second instruction, and what the first makes.
    old: [(u64, i64); 32],
    /// In the output: what the last first instruction made.
    new: [i64; 32],
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            old: [(u64::MAX, 0); 32],
            new: [0; 32],
        }
    }
}

impl Pairs {
    /// Remembers a first instruction of the base, whose second is at `second`.
    pub(super) const fn start(&mut self, register: usize, second: u64, made: i64) {
        self.old[register] = (second, made);
    }

    /// What the first instruction makes whose second is at `at` in the base.
    pub(super) fn end(&self, register: usize, at: u64) -> Option<i64> {
        let (second, made) = self.old[register];
        (second == at).then_some(made)
    }

    /// Remembers what a first instruction makes in the output.
    pub(super) const fn make(&mut self, register: usize, made: i64) {
        self.new[register] = made;
    }

    /// What the last first instruction made in the output, 0 if there was none.
    pub(super) const fn made(&self, register: usize) -> i64 {
        self.new[register]
    }
}
