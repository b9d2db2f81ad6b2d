//! Covers one segment with operations: keeps the current alignment of target and base while it does
//! well, and changes it where another one matches clearly more bytes (the rule of bsdiff).
//!
//! Unlike bsdiff, it looks for other alignments only where the current one fails, and looks no further
//! than [`LOOK_BYTES`]: that is what keeps it linear.

use std::ops::Range;

use super::{Matcher, Operation, blocks, common};

/// Bytes a candidate is compared over; 64 costs 0.1 % of delta size, 2048 gains nothing.
const LOOK_BYTES: usize = 512;
/// Bytes by which a candidate must match more than the current alignment.
///
/// 12 makes deltas of kernels 0.4 % smaller and of module trees 18 % larger.
const GAIN_BYTES: usize = 8;
/// Equal bytes a copy must have; fewer are cheaper as literals (measured: 8 to 16 alike).
const COPY_EQUAL_BYTES_MIN: usize = 12;

/// A place where another alignment is better.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// Position in the target.
    at: usize,
    /// Position in the base.
    place: usize,
    /// Bytes that match from there on.
    length: usize,
}

/// State of covering one range of the target.
pub(super) struct Scan<'a> {
    matcher: &'a Matcher<'a>,
    /// End of the range.
    end: usize,
    /// Where the operation in work starts, in the target.
    start: usize,
    /// Where it starts in the base; maybe behind the end of the base.
    place: usize,
    /// First exact match that ends after the position looked at.
    anchor: usize,
    operations: Vec<Operation>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(matcher: &'a Matcher<'a>, range: Range<usize>) -> Self {
        let anchor = blocks::first_ending_after(&matcher.anchors, range.start);
        Self {
            matcher,
            end: range.end,
            start: range.start,
            place: range.start,
            anchor,
            operations: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Vec<Operation> {
        let mut from = self.start;
        while let Some(change) = self.next_change(from) {
            self.finish(change);
            from = change.at + change.length;
        }
        let copy = self.extend_forward(self.end);
        self.push(copy, self.end - self.start - copy);
        self.operations
    }

    /// Base from where it is in step with `position`.
    fn in_step(&self, position: usize) -> &'a [u8] {
        self.matcher
            .base
            .get(self.place + (position - self.start)..)
            .unwrap_or_default()
    }

    /// The next place, from `from` on, where to change the alignment.
    fn next_change(&mut self, from: usize) -> Option<Change> {
        let mut at = from;
        loop {
            at += common(self.in_step(at), &self.matcher.target[at..self.end]);
            if at >= self.end {
                return None;
            }
            if let Some(change) = self.better(at) {
                return Some(change);
            }
            at += 1;
        }
    }

    /// A clearly better alignment at `at`.
    fn better(&mut self, at: usize) -> Option<Change> {
        let look = &self.matcher.target[at..self.end.min(at + LOOK_BYTES)];
        let (place, length) = self
            .exact(at, look.len())
            .or_else(|| self.matcher.suffixes.longest(look))?;
        let current = look[..length].iter().zip(self.in_step(at));
        let equal = current.filter(|(new, old)| new == old).count();
        (length > equal + GAIN_BYTES).then_some(Change { at, place, length })
    }

    /// What an exact match says about `at`, unless the alignment is already that.
    fn exact(&mut self, at: usize, look: usize) -> Option<(usize, usize)> {
        let anchors = &self.matcher.anchors;
        while anchors
            .get(self.anchor)
            .is_some_and(|anchor| anchor.end() <= at)
        {
            self.anchor += 1;
        }
        let anchor = anchors
            .get(self.anchor)
            .filter(|anchor| anchor.start <= at)?;
        Some((anchor.base_at(at), look.min(anchor.end() - at)))
    }

    /// Ends the operation in work and starts the next one at a change of alignment.
    fn finish(&mut self, change: Change) {
        let mut forward = self.extend_forward(change.at);
        let mut backward = self.extend_backward(change);
        let overlap = (forward + backward).saturating_sub(change.at - self.start);
        if overlap > 0 {
            let keep = self.split_overlap(change, forward, backward, overlap);
            forward = forward - overlap + keep;
            backward -= keep;
        }
        let start = change.at - backward;
        self.push(forward, start - self.start - forward);
        self.start = start;
        self.place = change.place - backward;
    }

    /// Bytes from the start, up to `to`, for which copying does best.
    fn extend_forward(&self, to: usize) -> usize {
        let new = &self.matcher.target[self.start..to];
        best_prefix(new.iter().zip(self.in_step(self.start)))
    }

    /// Bytes before a change for which the alignment after it does best.
    fn extend_backward(&self, change: Change) -> usize {
        let new = self.matcher.target[self.start..change.at].iter().rev();
        best_prefix(new.zip(self.matcher.base[..change.place].iter().rev()))
    }

    /// How many bytes of an overlap go to the operation in work.
    fn split_overlap(
        &self,
        change: Change,
        forward: usize,
        backward: usize,
        overlap: usize,
    ) -> usize {
        let first = self.start + forward - overlap;
        let new = &self.matcher.target[first..][..overlap];
        let before = &self.in_step(first)[..overlap];
        let after = &self.matcher.base[change.place - backward..][..overlap];
        let (mut score, mut best, mut keep) = (0_isize, 0, 0);
        for (index, byte) in new.iter().enumerate() {
            score += isize::from(*byte == before[index]) - isize::from(*byte == after[index]);
            if score > best {
                (best, keep) = (score, index + 1);
            }
        }
        keep
    }

    /// Appends the operation in work, or gives it to the one before as literals.
    fn push(&mut self, copy: usize, literal: usize) {
        let new = &self.matcher.target[self.start..][..copy];
        let equal = new
            .iter()
            .zip(self.in_step(self.start))
            .filter(|(new, old)| new == old);
        let worth = equal.take(COPY_EQUAL_BYTES_MIN).count() == COPY_EQUAL_BYTES_MIN;
        let (copy, literal) = if worth {
            (copy, literal)
        } else {
            (0, copy + literal)
        };
        match self.operations.last_mut() {
            Some(last) if copy == 0 => last.literal += literal,
            _ if copy + literal == 0 => {}
            _ => self.operations.push(Operation {
                base: self.place as u64,
                copy,
                literal,
            }),
        }
    }
}

/// Length of the prefix with the most equal less unequal bytes.
fn best_prefix<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> usize {
    let (mut score, mut best, mut length) = (0_isize, 0, 0);
    for (index, (new, old)) in pairs.enumerate() {
        score += if new == old { 1 } else { -1 };
        if score > best {
            (best, length) = (score, index + 1);
        }
    }
    length
}
