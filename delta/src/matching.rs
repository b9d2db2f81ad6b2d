//! Which parts of the target are in the base: exact blocks first, then a suffix array over what is
//! left of the base, then approximate extension in the manner of bsdiff.
//!
//! Nothing here is quadratic: every comparison is capped or pays for bytes that aren't looked at
//! again, so all-0xFF and periodic images cost what others do.

mod blocks;
mod cover;
mod economy;
mod suffixes;

use std::ops::Range;

use blocks::Anchor;
use suffixes::Suffixes;

pub(crate) use crate::codec::operation::Operation;

#[cfg(test)]
mod tests;

/// The base, prepared for finding parts of one target in it.
#[derive(Debug)]
pub(crate) struct Matcher<'a> {
    base: &'a [u8],
    target: &'a [u8],
    /// Exact matches, in order of the target, without overlap.
    anchors: Vec<Anchor>,
    suffixes: Suffixes<'a>,
}

impl<'a> Matcher<'a> {
    /// Prepares `base` for `target`.
    pub(crate) fn new(base: &'a [u8], target: &'a [u8]) -> Self {
        let anchors = blocks::find(base, target);
        let suffixes = Suffixes::new(base, &anchors);
        Self {
            base,
            target,
            anchors,
            suffixes,
        }
    }

    pub(crate) const fn base(&self) -> &'a [u8] {
        self.base
    }

    /// Where the whole of a range of the target is in the base, if it is there exactly.
    pub(crate) fn copy(&self, range: &Range<usize>) -> Option<u64> {
        let anchor = self
            .anchors
            .get(blocks::first_ending_after(&self.anchors, range.start))?;
        let inside = anchor.start <= range.start && range.end <= anchor.end();
        inside.then(|| anchor.base_at(range.start) as u64)
    }

    /// Operations that rebuild a range of the target.
    pub(crate) fn cover(&self, range: Range<usize>) -> Vec<Operation> {
        cover::Scan::new(self, range).run()
    }

    /// The same without the copies that cost more than they save.
    ///
    /// * `operations`: rebuild the target from `start` on.
    /// * `price`: of a byte of literals, in units of 1/16 bit.
    pub(crate) fn economise(
        &self,
        operations: &[Operation],
        start: usize,
        price: u64,
    ) -> Vec<Operation> {
        economy::economise(operations, (self.base, self.target), start, price)
    }
}

/// Length of the common prefix.
fn common(left: &[u8], right: &[u8]) -> usize {
    const LANE: usize = 16;
    let lanes = left.chunks_exact(LANE).zip(right.chunks_exact(LANE));
    let same = lanes.take_while(|(left, right)| left == right).count() * LANE;
    let rest = left[same..].iter().zip(&right[same..]);
    same + rest.take_while(|(left, right)| left == right).count()
}
