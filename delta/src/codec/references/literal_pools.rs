//! Words between functions of A32 and T32 that are loaded, then added to the position.

#![cfg_attr(
    not(test),
    expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "places are remainders, registers have four bits"
    )
)]

/// Words remembered; a later one at the same place replaces an earlier one.
const WORDS: u64 = 1024;
/// Marks what isn't known.
const NOWHERE: u64 = u64::MAX;

/// Words of which it is known where they are added.
pub(super) struct LiteralPools {
    /// By register: position in the base of the word that it was loaded with.
    loaded: [u64; 16],
    /// Position of a word, and what the PC is where it is added, in the base and in the output.
    added: Vec<(u64, i64, i64)>,
}

impl LiteralPools {
    pub(super) fn new() -> Self {
        Self {
            loaded: [NOWHERE; 16],
            added: vec![(NOWHERE, 0, 0); WORDS as usize],
        }
    }

    /// An instruction of the base loads a register with the word at `word`.
    pub(super) const fn load(&mut self, register: usize, word: u64) {
        self.loaded[register] = word;
    }

    /// An instruction adds a register to the PC, which is `old` in the base and `new` in the output.
    pub(super) fn add(&mut self, register: usize, old: u64, new: u64) {
        let word = std::mem::replace(&mut self.loaded[register], NOWHERE);
        if word != NOWHERE && word >= old {
            let (old, new) = (old.cast_signed(), new.cast_signed());
            self.added[place(word)] = (word, old, new);
        }
    }

    /// What the PC is in the base and in the output where the word at `at` is added.
    #[inline]
    pub(super) fn pc(&self, at: u64) -> Option<(i64, i64)> {
        let (word, old, new) = self.added[place(at)];
        (word == at).then_some((old, new))
    }
}

const fn place(word: u64) -> usize {
    (word / 4 % WORDS) as usize
}
