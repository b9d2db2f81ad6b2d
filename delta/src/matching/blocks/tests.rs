//! Exact matches.

use super::{Anchor, BLOCK_BYTES, Index, MATCH_BYTES_MIN, MULTIPLIER, block_hash, find};
use crate::images::noise;

fn check(base: &[u8], target: &[u8]) -> Vec<Anchor> {
    let anchors = find(base, target);
    let mut free_from = 0;
    for anchor in &anchors {
        assert!(anchor.start >= free_from && anchor.length >= MATCH_BYTES_MIN);
        assert_eq!(
            target[anchor.start..anchor.end()],
            base[anchor.base..][..anchor.length]
        );
        free_from = anchor.end();
    }
    anchors
}

#[test]
fn moved_block_is_found_whole() {
    let base = noise(1, 100_000);
    let target = [&noise(2, 777), &base[10_001..90_001], &noise(3, 50)].concat();
    assert_eq!(
        check(&base, &target),
        [Anchor {
            start: 777,
            base: 10_001,
            length: 80_000
        }]
    );
}

#[test]
fn short_and_absent_matches_are_not() {
    let base = noise(1, 50_000);
    let target = [
        &noise(2, 5000),
        &base[..MATCH_BYTES_MIN - 1],
        &noise(3, 5000),
    ]
    .concat();
    assert_eq!(check(&base, &target), []);
    assert_eq!(check(&[], &base), []);
    assert_eq!(check(&base, &base[..1000]), []);
}

/// An image that repeats blocks stays one match, at its own place.
#[test]
fn repeated_blocks_do_not_fragment() {
    let block = noise(1, 4096);
    let base = [
        &block[..],
        &block,
        &noise(2, 4096),
        &[0; 20_000],
        &block,
        &[0; 9000],
    ]
    .concat();
    assert_eq!(
        check(&base, &base),
        [Anchor {
            start: 0,
            base: 0,
            length: base.len()
        }]
    );
    let mut target = base.clone();
    target[13_000] = 1;
    let anchors = check(&base, &target);
    assert!(anchors.iter().all(|anchor| anchor.start == anchor.base));
    assert_eq!(anchors.len(), 2);
}

/// D39: blocks made to fall on a thousandth of the index, so that half of all others have to pass them.
#[test]
fn crafted_blocks_cost_no_more_than_others_d39() {
    const BLOCKS: usize = 2048;
    let mut block = noise(1, BLOCK_BYTES);
    let mut base = Vec::new();
    for tail in 0_u64.. {
        block[BLOCK_BYTES - 8..].copy_from_slice(&tail.to_le_bytes());
        let slot = block_hash(&block).wrapping_mul(MULTIPLIER) >> 32;
        if slot % (2 * BLOCKS as u64) < 4 {
            base.extend_from_slice(&block);
        }
        if base.len() == BLOCKS * BLOCK_BYTES {
            break;
        }
    }
    let index = Index::new(&base);
    let filled = index.slots.iter().filter(|slot| **slot != super::FREE);
    assert!(filled.count() < 2 * super::PROBES_MAX);
    let hashes = base.chunks(BLOCK_BYTES).map(block_hash);
    let not_found = hashes.filter(|hash| index.slot(*hash).is_none()).count();
    assert!(not_found > BLOCKS * 9 / 10, "{not_found}");
    // What is not found alone is found as what follows another.
    assert_eq!(check(&base, &base).len(), 1);
}
