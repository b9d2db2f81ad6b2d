//! Trees of more than one level of tiles.

use super::*;
use crate::example::Log;
use crate::proof::{verify_consistency, verify_inclusion};

#[test]
fn proofs_from_several_levels_of_tiles_hold() {
    for size in [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000] {
        let log = Log::of(size);
        let (tree, root) = (log.tree(), log.edge.root());
        assert_eq!(tree.root().unwrap(), root, "{size}");
        for index in [0, 1, 254, 255, size / 2, size - 2, size - 1] {
            let index = index.min(size - 1);
            let leaf = Hash::of_leaf(index.to_string().as_bytes());
            let proof = tree.inclusion(index).unwrap();
            assert_eq!(verify_inclusion(leaf, (index, size), &proof, &root), Ok(()));
        }
        for old in [1, 2, 255, 256, 257, 512, 65_536, size - 1] {
            let old = old.min(size);
            let old_root = Tree::new(&log, old).root().unwrap();
            let proof = tree.consistency(old).unwrap();
            let (old, new) = ((old, &old_root), (size, &root));
            assert_eq!(
                verify_consistency(old, new, &proof),
                Ok(()),
                "{old:?} of {size}"
            );
        }
    }
}

/// Tiles that lie lead to another root, never to a panic.
#[test]
fn short_tiles_are_an_error() {
    struct Short;
    impl Tiles for Short {
        type Error = std::convert::Infallible;
        fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
            Ok(vec![Hash::of_nothing(); usize::from(tile.width()) / 2])
        }
    }
    let tree = Tree::new(&Short, 1000);
    assert!(tree.root().is_err() && tree.inclusion(3).is_err() && tree.consistency(7).is_err());
}
