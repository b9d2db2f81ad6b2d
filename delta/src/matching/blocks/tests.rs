//! Exact matches.

use super::{Anchor, MATCH_BYTES_MIN, find};
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
