//! Exact matches of whole blocks, extended as far as they go.
//!
//! An index of all aligned blocks of the base is looked up at every position of the target by a
//! rolling hash. Where one is found, the alignment of the match before and the same place in the base
//! are preferred to the place found: images repeat blocks, and one long match beats many.

use super::common;

#[cfg(test)]
mod tests;

/// Bytes of a block.
const BLOCK_BYTES: usize = 1024;
/// Bytes an exact match must have; the suffix array finds shorter ones better.
const MATCH_BYTES_MIN: usize = 4096;
/// Multiplier of the rolling hash (odd, from splitmix64).
const MULTIPLIER: u64 = 0xbf58_476d_1ce4_e5b9;
/// Slots of the index that are looked at for a block. With half of them free chance needs a few; blocks that
/// were made to fall together are not found.
const PROBES_MAX: usize = 64;
/// Marks a free slot of the index.
const FREE: u32 = u32::MAX;

/// `target[start..][..length] == base[base..][..length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) start: usize,
    pub(super) base: usize,
    pub(super) length: usize,
}

impl Anchor {
    /// End in the target.
    pub(super) const fn end(&self) -> usize {
        self.start + self.length
    }

    /// Position of the base for a position of the target inside the match.
    pub(super) const fn base_at(&self, position: usize) -> usize {
        self.base + (position - self.start)
    }
}

/// Index of the first match that ends after `position`.
pub(super) fn first_ending_after(anchors: &[Anchor], position: usize) -> usize {
    anchors.partition_point(|anchor| anchor.end() <= position)
}

/// Finds exact matches, in order of the target, without overlap.
pub(super) fn find(base: &[u8], target: &[u8]) -> Vec<Anchor> {
    let mut anchors: Vec<Anchor> = Vec::new();
    let Some(window) = target.get(..BLOCK_BYTES) else {
        return anchors;
    };
    let index = Index::new(base);
    let leaving = leaving_factor();
    let mut hash = block_hash(window);
    let (mut position, mut free_from) = (0, 0);
    loop {
        let found = index.find(base, hash, &target[position..][..BLOCK_BYTES]);
        if let Some(found) = found {
            let last = anchors.last();
            let anchor = extend(
                base,
                target,
                free_from,
                best(base, target, position, found, last),
            );
            if anchor.length >= MATCH_BYTES_MIN {
                free_from = anchor.end();
                anchors.push(anchor);
            }
            // Forward extension went up to here, so no byte is compared again.
            position = anchor.end();
            let Some(window) = target.get(position..position + BLOCK_BYTES) else {
                return anchors;
            };
            hash = block_hash(window);
            continue;
        }
        let Some(&entering) = target.get(position + BLOCK_BYTES) else {
            return anchors;
        };
        hash = hash
            .wrapping_sub(u64::from(target[position]).wrapping_mul(leaving))
            .wrapping_mul(MULTIPLIER)
            .wrapping_add(u64::from(entering));
        position += 1;
    }
}

/// The longest of: in step with the match before, the same place, the place found.
fn best(
    base: &[u8],
    target: &[u8],
    position: usize,
    found: usize,
    last: Option<&Anchor>,
) -> (usize, usize, usize) {
    let in_step = last.map(|last| last.base_at(position));
    let mut best = (position, found, 0);
    for place in [in_step, Some(position), Some(found)].into_iter().flatten() {
        let length = base
            .get(place..)
            .map_or(0, |base| common(base, &target[position..]));
        if length > best.2 {
            best = (position, place, length);
        }
    }
    best
}

/// Extends a match backwards, to `free_from` at most.
fn extend(
    base: &[u8],
    target: &[u8],
    free_from: usize,
    (start, place, length): (usize, usize, usize),
) -> Anchor {
    let before = target[free_from..start]
        .iter()
        .rev()
        .zip(base[..place].iter().rev());
    let more = before.take_while(|(new, old)| new == old).count();
    Anchor {
        start: start - more,
        base: place - more,
        length: length + more,
    }
}

fn block_hash(block: &[u8]) -> u64 {
    block.iter().fold(0, |hash: u64, &byte| {
        hash.wrapping_mul(MULTIPLIER).wrapping_add(u64::from(byte))
    })
}

/// Factor of the byte that leaves the window.
const fn leaving_factor() -> u64 {
    MULTIPLIER.wrapping_pow(BLOCK_BYTES as u32 - 1)
}

/// Aligned blocks of the base by hash; of equal blocks the first.
struct Index {
    /// Block numbers, open addressing.
    slots: Vec<u32>,
    /// Hash of each block.
    hashes: Vec<u64>,
}

impl Index {
    fn new(base: &[u8]) -> Self {
        let blocks = base.chunks_exact(BLOCK_BYTES).take(FREE as usize);
        let hashes: Vec<u64> = blocks.map(block_hash).collect();
        let mut index = Self {
            slots: vec![FREE; (hashes.len() * 2).next_power_of_two()],
            hashes,
        };
        for number in 0..index.hashes.len() {
            let hash = index.hashes[number];
            if let Some(slot) = index.slot(hash)
                && index.slots[slot] == FREE
            {
                index.slots[slot] = number as u32;
            }
        }
        index
    }

    /// The slot that holds `hash`, or the free one where it would be; `None` if it is too far away.
    fn slot(&self, hash: u64) -> Option<usize> {
        let mask = self.slots.len() - 1;
        // The polynomial's low bits depend on few bytes; the high half of a product on all.
        let first = (hash.wrapping_mul(MULTIPLIER) >> 32) as usize;
        (first..first + PROBES_MAX)
            .map(|slot| slot & mask)
            .find(|slot| {
                let number = self.slots[*slot];
                number == FREE || self.hashes[number as usize] == hash
            })
    }

    /// Place of a block in the base.
    fn find(&self, base: &[u8], hash: u64, block: &[u8]) -> Option<usize> {
        let number = self.slots[self.slot(hash)?];
        let place = (number != FREE).then_some(number as usize * BLOCK_BYTES)?;
        (base[place..][..BLOCK_BYTES] == *block).then_some(place)
    }
}
