//! Tiles of a log in memory: made of all its leaves, for a proof that nobody shows.

use std::collections::BTreeMap;

use tlog::edge::Filled;
use tlog::hash::Hash;
use tlog::tile::Tile;
use tlog::tree::Tiles;

/// Hashes by level and index of their tile.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<(u8, u64), Vec<Hash>>);

/// A tile that wasn't kept.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a tile of the log is missing")]
pub(super) struct Missing;

impl Held {
    pub(super) fn keep(&mut self, filled: Vec<Filled>) {
        for (tile, hashes) in filled {
            self.0.insert((tile.level(), tile.index()), hashes);
        }
    }
}

impl Tiles for Held {
    type Error = Missing;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Missing> {
        let hashes = self.0.get(&(tile.level(), tile.index()));
        let hashes = hashes.and_then(|hashes| hashes.get(..usize::from(tile.width())));
        hashes.map(<[Hash]>::to_vec).ok_or(Missing)
    }
}
