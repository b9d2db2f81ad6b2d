//! Which chunks of a blob someone has: one bit each, chunk 0 the lowest bit of the first byte.

/// A map of `count` chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkMap {
    bits: Vec<u8>,
    count: u32,
    held: u32,
}

impl ChunkMap {
    /// A map with no chunk.
    pub fn empty(count: u32) -> Self {
        Self {
            bits: vec![0; bytes_for(count)],
            count,
            held: 0,
        }
    }

    /// A map with every chunk.
    pub fn full(count: u32) -> Self {
        let mut map = Self::empty(count);
        for chunk in 0..count {
            map.insert(chunk);
        }
        map
    }

    /// Reads a map of `count` chunks; `None` unless it has exactly the bytes for them and no bit
    /// beyond.
    pub fn parse(count: u32, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != bytes_for(count) {
            return None;
        }
        let held = bytes.iter().map(|byte| byte.count_ones()).sum();
        let map = Self {
            bits: bytes.to_vec(),
            count,
            held,
        };
        let beyond = u32::try_from(map.bits.len()).ok()?.checked_mul(8)?;
        if (count..beyond).any(|chunk| map.bit(chunk)) {
            return None;
        }
        Some(map)
    }

    /// The map's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// How many chunks the blob has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many of them are held.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Whether all are held.
    pub fn is_complete(&self) -> bool {
        self.held == self.count
    }

    /// Whether `chunk` is held.
    pub fn contains(&self, chunk: u32) -> bool {
        chunk < self.count && self.bit(chunk)
    }

    /// Adds `chunk`; numbers beyond the blob are ignored.
    pub fn insert(&mut self, chunk: u32) {
        if chunk >= self.count || self.bit(chunk) {
            return;
        }
        if let Some(byte) = self.bits.get_mut(byte_of(chunk)) {
            *byte |= mask_of(chunk);
            self.held = self.held.saturating_add(1);
        }
    }

    /// The chunks that are not held, in order.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.count).filter(|chunk| !self.bit(*chunk))
    }

    /// The first chunk from `start` on that is held here and not in `other`. Skips eight at a time.
    pub fn first_not_in(&self, other: &Self, start: u32) -> Option<u32> {
        let mut chunk = start;
        while chunk < self.count {
            let ours = self.bits.get(byte_of(chunk))?;
            let theirs = other.bits.get(byte_of(chunk)).unwrap_or(&0);
            let rest = (ours & !theirs).checked_shr(chunk % 8).unwrap_or(0);
            if rest != 0 {
                return chunk.checked_add(rest.trailing_zeros());
            }
            chunk = (chunk / 8).saturating_add(1).saturating_mul(8);
        }
        None
    }

    fn bit(&self, chunk: u32) -> bool {
        self.bits
            .get(byte_of(chunk))
            .is_some_and(|byte| byte & mask_of(chunk) != 0)
    }
}

fn bytes_for(count: u32) -> usize {
    usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX)
}

fn byte_of(chunk: u32) -> usize {
    usize::try_from(chunk / 8).unwrap_or(usize::MAX)
}

fn mask_of(chunk: u32) -> u8 {
    1u8.checked_shl(chunk % 8).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_refuses_other_lengths_and_bits_beyond() {
        assert!(ChunkMap::parse(9, &[0xff, 0x01]).unwrap().is_complete());
        assert_eq!(ChunkMap::parse(9, &[0xff, 0x02]), None);
        assert_eq!(ChunkMap::parse(9, &[0xff]), None);
        assert_eq!(ChunkMap::parse(9, &[0xff, 0x01, 0]), None);
    }

    #[test]
    fn insert_counts_once_and_stays_inside() {
        let mut map = ChunkMap::empty(10);
        for chunk in [3, 3, 9, 10, u32::MAX] {
            map.insert(chunk);
        }
        assert_eq!(map.held(), 2);
        assert_eq!(map.missing().collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6, 7, 8]);
        assert_eq!(ChunkMap::parse(10, map.as_bytes()), Some(map));
        assert!(ChunkMap::full(17).is_complete());
    }

    #[test]
    fn first_not_in_finds_what_a_plain_search_finds() {
        for seed in 0u32..200 {
            let bit = |chunk: u32, salt: u32| {
                let mixed = (chunk + salt)
                    .wrapping_mul(0x9e37_79b9)
                    .rotate_left(seed % 31);
                mixed % 5 < salt % 5
            };
            let count = seed % 37 + 1;
            let (mut ours, mut theirs) = (ChunkMap::empty(count), ChunkMap::empty(count));
            for chunk in 0..count {
                if bit(chunk, seed + 1) {
                    ours.insert(chunk);
                }
                if bit(chunk, seed + 3) {
                    theirs.insert(chunk);
                }
            }
            for start in (0..count + 9).chain([u32::MAX]) {
                let wanted = |chunk: &u32| ours.contains(*chunk) && !theirs.contains(*chunk);
                let expected = (start..count).find(wanted);
                assert_eq!(
                    ours.first_not_in(&theirs, start),
                    expected,
                    "{seed} {start}"
                );
            }
        }
    }

    #[test]
    fn parse_reads_back_every_map_of_one_chunk() {
        for count in 1..40 {
            for chunk in 0..count {
                let mut map = ChunkMap::empty(count);
                map.insert(chunk);
                let read = ChunkMap::parse(count, map.as_bytes()).unwrap();
                assert!(read.contains(chunk));
                assert_eq!(read.held(), 1);
                assert_eq!(read.missing().count(), map.missing().count());
            }
        }
    }
}
