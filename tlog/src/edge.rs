//! The right edge of a growing tree: all that it takes to append, a tile a level at most.

use crate::hash::Hash;
use crate::limits::{TILE_WIDTH, TREE_SIZE_MAX};
use crate::tile::{LEVELS, TILE_BITS, Tile};

/// The edge. Its size in memory is bounded by 64 KiB, whatever the size of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// The hashes of the partial tile of each level, from the leaves up.
    levels: [Vec<Hash>; LEVELS],
}

/// Why an edge can't be had or grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// Tiles of another tree.
    #[error("these are not the partial tiles of a tree of {0} entries")]
    Tiles(u64),
    /// The tree has [`TREE_SIZE_MAX`] entries.
    #[error("the log is full")]
    Full,
}

/// A tile, and its hashes.
pub type Filled = (Tile, Vec<Hash>);

impl Edge {
    /// The edge of a tree, from its partial tiles: those of [`Tile::partial_of`], in that order.
    ///
    /// # Errors
    /// [`EdgeError::Tiles`].
    pub fn new(size: u64, tiles: Vec<Filled>) -> Result<Self, EdgeError> {
        let mut edge = Self {
            size,
            ..Self::default()
        };
        let is_whole = |(tile, hashes): &Filled| usize::from(tile.width()) == hashes.len();
        if !tiles.iter().all(is_whole)
            || !Tile::partial_of(size).eq(tiles.iter().map(|(tile, _)| *tile))
        {
            return Err(EdgeError::Tiles(size));
        }
        for (tile, hashes) in tiles {
            if let Some(level) = edge.levels.get_mut(usize::from(tile.level())) {
                *level = hashes;
            }
        }
        Ok(edge)
    }

    /// How many entries the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; returns the tiles that are full now.
    ///
    /// # Errors
    /// [`EdgeError::Full`].
    pub fn append(&mut self, leaf: Hash) -> Result<Vec<Filled>, EdgeError> {
        if self.size >= TREE_SIZE_MAX {
            return Err(EdgeError::Full);
        }
        self.size = self.size.saturating_add(1);
        let (mut full, mut hash) = (Vec::new(), leaf);
        for (level, hashes) in (0_u8..).zip(&mut self.levels) {
            hashes.push(hash);
            if hashes.len() < usize::from(TILE_WIDTH) {
                break;
            }
            let hashes = std::mem::take(hashes);
            let bits = TILE_BITS.saturating_mul(u32::from(level).saturating_add(1));
            let count = self.size.checked_shr(bits).unwrap_or_default();
            let tile = Tile::of(level, count.saturating_sub(1), self.size);
            let (Some(tile), Some(above)) = (tile, Hash::of_complete(hashes.clone())) else {
                break;
            };
            full.push((tile, hashes));
            hash = above;
        }
        Ok(full)
    }

    /// The partial tiles, from the leaves up.
    pub fn partial(&self) -> Vec<Filled> {
        let tiles = Tile::partial_of(self.size);
        tiles
            .filter_map(|tile| {
                let hashes = self.levels.get(usize::from(tile.level()))?;
                Some((tile, hashes.clone()))
            })
            .collect()
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        // From the right: the smallest complete subtree first.
        for hashes in &self.levels {
            let mut rest = hashes.as_slice();
            while let Some(low) = rest
                .len()
                .checked_ilog2()
                .map(|_| rest.len().trailing_zeros())
            {
                let count = 1_usize.checked_shl(low).unwrap_or(rest.len());
                let (left, complete) = rest.split_at(rest.len().saturating_sub(count));
                if let Some(hash) = Hash::of_complete(complete.to_vec()) {
                    root = Some(root.map_or(hash, |right| Hash::of_node(&hash, &right)));
                }
                rest = left;
            }
        }
        root.unwrap_or_else(Hash::of_nothing)
    }
}

#[cfg(test)]
mod tests;
