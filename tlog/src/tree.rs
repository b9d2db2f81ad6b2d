//! Roots and proofs, computed from tiles.

use crate::hash::Hash;
use crate::limits::TILE_WIDTH;
use crate::proof::{self, Sibling, middle};
use crate::tile::{TILE_BITS, Tile};

/// Where the tiles of a log lie: a folder, the network, memory.
pub trait Tiles {
    /// Why a tile can't be had.
    type Error;

    /// The hashes of a tile, as many as it is wide.
    ///
    /// # Errors
    /// Whatever keeps it from being had.
    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a root or a proof can't be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// A tile can't be had.
    #[error(transparent)]
    Tiles(#[from] E),
    /// An entry beyond the tree, or an earlier tree that is larger.
    #[error("the index or the sizes fit no tree")]
    Range,
}

/// A tree of a log: its tiles, and how many entries it has.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a, T> {
    tiles: &'a T,
    size: u64,
}

impl<'a, T: Tiles> Tree<'a, T> {
    /// The tree of the first `size` entries.
    pub const fn new(tiles: &'a T, size: u64) -> Self {
        Self { tiles, size }
    }

    /// The root. What tiles say is believed: compare it with a root that was signed.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn root(&self) -> Result<Hash, TreeError<T::Error>> {
        if self.size == 0 {
            return Ok(Hash::of_nothing());
        }
        self.range(0, self.size)
    }

    /// The proof that entry `index` is in the tree, see [`crate::proof::verify_inclusion`].
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, TreeError<T::Error>> {
        self.subtree_proof(index, index.saturating_add(1))
    }

    /// The proof that the tree begins with that of `old_size` entries, see [`crate::proof::verify_consistency`].
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn consistency(&self, old_size: u64) -> Result<Vec<Hash>, TreeError<T::Error>> {
        if old_size > self.size {
            return Err(TreeError::Range);
        }
        let (mut first, mut end, mut proof) = (0, self.size, Vec::new());
        if old_size == 0 {
            return Ok(proof);
        }
        while let Some(middle) = middle(first, end).filter(|_| old_size < end) {
            if old_size <= middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(first, middle)?);
                first = middle;
            }
        }
        // What begins at the first entry is the old root, which the verifier has.
        if first > 0 {
            proof.push(self.range(first, end)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The proof that the tree contains the subtree over entries `first..end`, see [`crate::proof::verify_subtree`].
    ///
    /// # Errors
    /// [`TreeError::Range`] if there is no such node in the tree.
    pub fn subtree_proof(&self, first: u64, end: u64) -> Result<Vec<Hash>, TreeError<T::Error>> {
        let path = proof::path_to((first, end), self.size).ok_or(TreeError::Range)?;
        let siblings = path.iter().rev().map(|sibling| match *sibling {
            Sibling::Left(first, end) | Sibling::Right(first, end) => self.range(first, end),
        });
        siblings.collect()
    }

    /// The hash over entries `first..end`, of which `first` is where a subtree of the size of this range begins.
    fn range(&self, first: u64, end: u64) -> Result<Hash, TreeError<T::Error>> {
        match middle(first, end) {
            Some(middle) if !end.saturating_sub(first).is_power_of_two() => {
                let left = self.range(first, middle)?;
                Ok(Hash::of_node(&left, &self.range(middle, end)?))
            }
            _ => self.subtree(first, end),
        }
    }

    /// The hash of a complete subtree: from the tile with its highest hashes.
    fn subtree(&self, first: u64, end: u64) -> Result<Hash, TreeError<T::Error>> {
        let height = end.saturating_sub(first).trailing_zeros();
        let level = height / TILE_BITS;
        let places = first
            .checked_shr(level.saturating_mul(TILE_BITS))
            .unwrap_or(0);
        let count = 1_usize
            .checked_shl(height % TILE_BITS)
            .ok_or(TreeError::Range)?;
        let level = u8::try_from(level).map_err(|_| TreeError::Range)?;
        let width = u64::from(TILE_WIDTH);
        let index = places.checked_div(width).unwrap_or_default();
        let tile = Tile::of(level, index, self.size).ok_or(TreeError::Range)?;
        let hashes = self.tiles.tile(tile)?;
        let skip = usize::try_from(places.checked_rem(width).unwrap_or_default());
        let skip = skip.map_err(|_| TreeError::Range)?;
        let below: Vec<Hash> = hashes.into_iter().skip(skip).take(count).collect();
        let is_whole = below.len() == count;
        let hash = Hash::of_complete(below).filter(|_| is_whole);
        hash.ok_or(TreeError::Range)
    }
}

#[cfg(test)]
mod tests;
