//! Choices that follow from a seed: the same seed, the same case, on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose by.
#[derive(Clone, Debug)]
pub(super) struct Seeded(u64);

impl Seeded {
    /// The choices of case `index` of a run.
    pub(super) fn new(seed: u64, index: u64) -> Self {
        let mut choices = Self(seed ^ index.wrapping_mul(0xd6e8_feb8_6659_fd93));
        choices.next();
        choices
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Choices of their own, so that one more choice there changes nothing here.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `count`; 0 if there is none.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap().max(1);
        usize::try_from(self.next() % count).unwrap()
    }

    /// True in so many of 100 cases.
    pub(super) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of `items`, of which there is one at least.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}
