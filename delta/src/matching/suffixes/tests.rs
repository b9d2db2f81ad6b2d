//! The suffix array over a whole base and over parts of it.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{MARGIN_BYTES, MATCH_BYTES_MIN, Suffixes, is_kept, residue};
use crate::{images::noise, matching::blocks::Anchor};

/// Longest prefix of the pattern at any place of the base whose suffix is kept.
fn longest_by_trying(base: &[u8], pattern: &[u8]) -> usize {
    let common = |at: usize| {
        base[at..]
            .iter()
            .zip(pattern)
            .take_while(|(a, b)| a == b)
            .count()
    };
    (0..base.len())
        .filter(|place| is_kept(*place))
        .map(common)
        .max()
        .unwrap_or(0)
}

#[test]
fn residue_is_what_no_match_uses() {
    let anchors = [
        (0, 50_000, 10_000),
        (20_000, 90_000, 10_000),
        (40_000, 55_000, 10_000),
    ]
    .map(|(start, base, length)| Anchor {
        start,
        base,
        length,
    });
    let expected = [
        0..50_000 + MARGIN_BYTES,
        65_000 - MARGIN_BYTES..90_000 + MARGIN_BYTES,
    ];
    assert_eq!(residue(100_000, &anchors), expected);
    assert_eq!(residue(0, &[]), []);
}

/// Matches are told in places of the base, and end where a part does.
#[test]
fn parts_are_searched_in_places_of_the_base() {
    let base = noise(1, 10_000);
    let suffixes = Suffixes::over(&base, &[1000..2000, 5000..6000]);
    assert_eq!(suffixes.longest(&base[1500..1600]), Some((1500, 100)));
    assert_eq!(suffixes.longest(&base[5950..6050]), Some((5950, 50)));
    assert_eq!(suffixes.longest(&base[1990..2050]), Some((1990, 10)));
    assert!(
        suffixes
            .longest(&base[3000..3100])
            .is_none_or(|(_, length)| length < 5)
    );
}

/// One suffix of sixteen is left out: what starts there is found from the next byte on.
#[test]
fn a_suffix_left_out_is_found_a_byte_later() {
    let base = noise(2, 1000);
    let suffixes = Suffixes::new(&base, &[]);
    assert_eq!(suffixes.sorted.len(), 1000 - 62);
    assert_eq!(suffixes.longest(&base[495..600]), None);
    assert_eq!(suffixes.longest(&base[496..600]), Some((496, 104)));
}

#[test]
fn empty_base_has_no_matches() {
    let suffixes = Suffixes::new(&[], &[]);
    assert_eq!(suffixes.longest(b"abc"), None);
}

proptest! {
    /// Over two letters there are many equal prefixes, also at the end of the base.
    #[test]
    fn longest_is_longest(
        base in proptest::collection::vec(0_u8..2, 0..60),
        pattern in proptest::collection::vec(0_u8..2, 2..20),
    ) {
        let suffixes = Suffixes::new(&base, &[]);
        let expected = longest_by_trying(&base, &pattern);
        match suffixes.longest(&pattern) {
            Some((place, length)) => {
                prop_assert_eq!(&base[place..][..length], &pattern[..length]);
                prop_assert_eq!(length, expected);
            }
            None => prop_assert!(expected < MATCH_BYTES_MIN),
        }
    }
}
