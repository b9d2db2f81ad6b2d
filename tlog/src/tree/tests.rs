//! Trees of more than one level of tiles.

use super::*;
use crate::example::Log;
use crate::proof::{verify_consistency, verify_inclusion, verify_subtree};

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

#[test]
fn bundles_are_proved_to_be_in_the_tree() {
    for size in [1, 2, 255, 256, 257, 1000, 65_536, 70_001] {
        let log = Log::of(size);
        let root = log.edge.root();
        for bundle in [0, 1, 3, 255, 256, size / 256] {
            let (first, end) = (bundle * 256, (bundle * 256 + 256).min(size));
            if first >= end {
                continue;
            }
            let mut alone = crate::edge::Edge::default();
            for number in first..end {
                let leaf = Hash::of_leaf(number.to_string().as_bytes());
                drop(alone.append(leaf).unwrap());
            }
            let proof = log.tree().subtree_proof(first, end).unwrap();
            let check =
                |hash, proof: &[Hash]| verify_subtree(hash, (first, end, size), proof, &root);
            assert_eq!(
                check(alone.root(), &proof),
                Ok(()),
                "{first}..{end} of {size}"
            );
            assert!(check(Hash::of_nothing(), &proof).is_err());
            let longer = [&proof[..], &[root]].concat();
            assert!(check(alone.root(), &longer).is_err());
        }
    }
    let log = Log::of(700);
    for (first, end) in [(3, 3), (4, 3), (0, 701), (1, 3), (0, 300), (256, 600)] {
        assert!(
            log.tree().subtree_proof(first, end).is_err(),
            "{first}..{end}"
        );
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
