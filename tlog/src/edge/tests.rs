//! The edge is what the files say, and stays small.

use super::*;
use crate::example::Log;

#[test]
fn is_the_same_when_it_is_read_from_its_tiles() {
    for size in [0, 1, 255, 256, 257, 600, 65_536, 66_000] {
        let edge = Log::of(size).edge;
        let mut read = Edge::new(size, edge.partial()).unwrap();
        assert_eq!(read, edge, "{size}");
        assert_eq!(read.root(), edge.root());
        let mut more = edge.clone();
        for number in 0..300_u64 {
            let leaf = Hash::of_leaf(&number.to_be_bytes());
            assert_eq!(read.append(leaf), more.append(leaf));
        }
        assert_eq!(read.root(), more.root());
    }
}

#[test]
fn tiles_of_another_tree_are_refused() {
    let tiles = Log::of(600).edge.partial();
    assert_eq!(Edge::new(601, tiles.clone()), Err(EdgeError::Tiles(601)));
    assert_eq!(
        Edge::new(600, tiles[1..].to_vec()),
        Err(EdgeError::Tiles(600))
    );
    let mut short = tiles;
    short[0].1.pop();
    assert_eq!(Edge::new(600, short), Err(EdgeError::Tiles(600)));
}

#[test]
fn holds_a_tile_a_level_at_most() {
    let edge = Log::of(70_000).edge;
    let held: usize = edge.levels.iter().map(Vec::len).sum();
    assert_eq!(held, 112 + 17 + 1);
}

#[test]
fn a_full_log_takes_nothing() {
    let tiles = Tile::partial_of(TREE_SIZE_MAX);
    let tiles = tiles.map(|tile| (tile, vec![Hash::of_nothing(); tile.width().into()]));
    let mut edge = Edge::new(TREE_SIZE_MAX, tiles.collect()).unwrap();
    assert_eq!(edge.append(Hash::of_nothing()), Err(EdgeError::Full));
}
