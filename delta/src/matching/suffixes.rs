//! A suffix array over the base, or over what exact matches left of a large base.

use std::{borrow::Cow, iter, ops::Range};

use super::{blocks::Anchor, common};

#[cfg(test)]
mod tests;

/// Bases up to this size are sorted whole (memory: 4 bytes per byte).
const WHOLE_BYTES_MAX: usize = 72 << 20;
/// Bytes kept around the parts that exact matches leave, so that approximate matches find context.
const MARGIN_BYTES: usize = 4096;
/// Bytes sorted at most (divsufsort counts in 31 bits); what is beyond is only found exactly.
const TEXT_BYTES_MAX: usize = (1 << 31) - 2;
/// Bytes that a match must have to be told; they are looked up in the filter before searching.
const MATCH_BYTES_MIN: usize = 8;
/// Of so many suffixes one is not kept, which makes room for the filter. A match that starts there
/// is found a byte later, and extended back.
const SUFFIXES: usize = 16;
/// Buckets: all values of the first two bytes.
const BUCKETS: usize = 1 << 16;

/// Searchable text: the base or parts of it, its suffixes, sorted, and a filter of its windows.
///
/// Four bytes of memory for each of the text while it is sorted and afterwards, one more where it is not the base
/// itself: what is copied is at most four fifths of the base, so that it never takes more than four for each of the
/// base.
#[derive(Debug)]
pub(super) struct Suffixes<'a> {
    text: Cow<'a, [u8]>,
    /// Start in the text, start in the base.
    parts: Vec<(usize, usize)>,
    sorted: Vec<i32>,
    /// Start of each bucket in `sorted`, and the end.
    buckets: Vec<u32>,
    filter: Filter,
}

impl<'a> Suffixes<'a> {
    /// Sorts `base`, or if it is large what no match uses.
    pub(super) fn new(base: &'a [u8], anchors: &[Anchor]) -> Self {
        let ranges = residue(base.len(), anchors);
        let left: usize = ranges.iter().map(Range::len).sum();
        if base.len() <= WHOLE_BYTES_MAX || left > base.len() / 5 * 4 {
            return Self::over(base, &residue(base.len(), &[]));
        }
        Self::over(base, &ranges)
    }

    /// Sorts these ranges of `base`.
    fn over(base: &'a [u8], ranges: &[Range<usize>]) -> Self {
        let (text, parts) = gather(base, ranges);
        let mut sorted = divsufsort::sort(&text).into_parts().1;
        sorted.retain(|place| is_kept(*place as usize));
        sorted.shrink_to_fit();
        let buckets = buckets(&text);
        let filter = Filter::new(&text);
        Self {
            text,
            parts,
            sorted,
            buckets,
            filter,
        }
    }

    /// Place in the base and length of the longest match of a prefix of `pattern`, at least
    /// [`MATCH_BYTES_MIN`].
    pub(super) fn longest(&self, pattern: &[u8]) -> Option<(usize, usize)> {
        if !self.filter.contains(*pattern.first_chunk()?) {
            return None;
        }
        let &[first, second] = pattern.first_chunk()?;
        let bucket = bucket(first, second);
        let (mut low, mut high) = (
            self.buckets[bucket] as usize,
            self.buckets[bucket + 1] as usize,
        );
        // Suffixes at both ends share this much with the pattern, so all between do.
        let (mut low_common, mut high_common) = (0, 0);
        let mut best = (0, 0);
        while low < high {
            let middle = low.midpoint(high);
            let place = self.sorted[middle] as usize;
            let skip = low_common.min(high_common);
            let suffix = &self.text[place..];
            let length = skip + common(&suffix[skip..], &pattern[skip..]);
            if length > best.1 {
                best = (place, length);
            }
            if length == pattern.len() {
                break;
            }
            if suffix
                .get(length)
                .is_none_or(|byte| *byte < pattern[length])
            {
                low = middle + 1;
                low_common = length;
            } else {
                high = middle;
                high_common = length;
            }
        }
        (best.1 >= MATCH_BYTES_MIN).then(|| self.in_base(best))
    }

    /// From a place of the text to a place of the base, cut where the part ends.
    fn in_base(&self, (place, length): (usize, usize)) -> (usize, usize) {
        let next = self.parts.partition_point(|part| part.0 <= place);
        let (text_start, base_start) = self.parts[next - 1];
        let end = self.parts.get(next).map_or(self.text.len(), |part| part.0);
        (base_start + (place - text_start), length.min(end - place))
    }
}

/// Ranges of the base that no match uses, with a margin, in order, without overlap.
fn residue(base_size: usize, anchors: &[Anchor]) -> Vec<Range<usize>> {
    let mut used: Vec<_> = anchors
        .iter()
        .map(|anchor| anchor.base..anchor.base + anchor.length)
        .collect();
    used.sort_unstable_by_key(|range| range.start);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut free_from = 0;
    for range in used.into_iter().chain(iter::once(base_size..base_size)) {
        if range.start > free_from {
            let start = free_from.saturating_sub(MARGIN_BYTES);
            let end = (range.start + MARGIN_BYTES).min(base_size);
            match ranges.last_mut() {
                Some(last) if last.end >= start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        free_from = free_from.max(range.end);
    }
    ranges
}

/// The text of some ranges, and where each starts.
fn gather<'a>(base: &'a [u8], ranges: &[Range<usize>]) -> (Cow<'a, [u8]>, Vec<(usize, usize)>) {
    if let [only] = ranges {
        let end = only.end.min(only.start.saturating_add(TEXT_BYTES_MAX));
        return (Cow::Borrowed(&base[only.start..end]), vec![(0, only.start)]);
    }
    let mut text = Vec::with_capacity(ranges.iter().map(Range::len).sum());
    let mut parts = Vec::new();
    for range in ranges {
        parts.push((text.len(), range.start));
        let room = TEXT_BYTES_MAX - text.len();
        text.extend_from_slice(&base[range.start..range.end.min(range.start.saturating_add(room))]);
    }
    (Cow::Owned(text), parts)
}

const fn is_kept(place: usize) -> bool {
    place % SUFFIXES != SUFFIXES - 1
}

fn bucket(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

/// Where suffixes with each two first bytes start in the sorted order.
fn buckets(text: &[u8]) -> Vec<u32> {
    let mut starts = vec![0; BUCKETS + 1];
    // The last suffix has one byte: it sorts first among those with that byte.
    let seconds = text.iter().skip(1).chain([&0]);
    for (place, (first, second)) in text.iter().zip(seconds).enumerate() {
        starts[bucket(*first, *second) + 1] += u32::from(is_kept(place));
    }
    for at in 0..BUCKETS {
        starts[at + 1] += starts[at];
    }
    starts
}

/// A set of windows that may contain more than was put in.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn new(text: &[u8]) -> Self {
        // Two bits per window: two in five lookups of a missing window say yes.
        let mut filter = Self {
            words: vec![0; text.len() / 32 + 1],
        };
        for window in text.array_windows::<MATCH_BYTES_MIN>() {
            let (word, bit) = filter.slot(*window);
            filter.words[word] |= bit;
        }
        filter
    }

    /// Word and bit of a window.
    const fn slot(&self, window: [u8; MATCH_BYTES_MIN]) -> (usize, u64) {
        let hash = u64::from_le_bytes(window).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let word = (hash as u128 * self.words.len() as u128) >> 64;
        (word as usize, 1 << ((hash >> 24) & 63))
    }

    fn contains(&self, window: [u8; MATCH_BYTES_MIN]) -> bool {
        let (word, bit) = self.slot(window);
        self.words[word] & bit != 0
    }
}
