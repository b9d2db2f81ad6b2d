//! Covers: right for any images, and linear for the worst (D39).

use std::ops::Range;

use proptest::prelude::{prop_assert_eq, proptest};

use super::{Matcher, Operation, common};
use crate::images::noise;

/// A byte of literals, in 1/16 bit.
const PRICE: u64 = 96;

/// Checks that operations fit and returns the bytes they don't get from the base.
fn check(base: &[u8], target: &[u8], range: Range<usize>) -> (usize, Vec<Operation>) {
    let matcher = Matcher::new(base, target);
    let cover = matcher.cover(range.clone());
    let operations = matcher.economise(&cover, range.start, PRICE);
    let mut at = range.start;
    let mut told = 0;
    for operation in &operations {
        let copied = &target[at..at + operation.copy];
        if operation.copy > 0 {
            let from = &base[operation.base as usize..][..operation.copy];
            told += copied
                .iter()
                .zip(from)
                .filter(|(new, old)| new != old)
                .count();
        }
        told += operation.literal;
        at += operation.copy + operation.literal;
    }
    assert_eq!(at, range.end);
    (told, operations)
}

fn check_whole(base: &[u8], target: &[u8]) -> (usize, Vec<Operation>) {
    check(base, target, 0..target.len())
}

#[test]
fn common_is_the_common_prefix() {
    for size in 0..50 {
        let left = noise(1, 60);
        let mut right = left[..50].to_vec();
        right[size] ^= 1;
        assert_eq!(common(&left, &right), size);
        assert_eq!(common(&left, &left[..size]), size);
    }
}

/// Scattered changes stay differences of one copy.
#[test]
fn scattered_changes_are_one_copy() {
    let base = noise(1, 100_000);
    let mut target = base.clone();
    for byte in target.iter_mut().step_by(40) {
        *byte ^= 1;
    }
    let (told, operations) = check_whole(&base, &target);
    assert_eq!((told, operations.len()), (2500, 1));
}

#[test]
fn insertion_and_deletion_are_found() {
    let base = noise(1, 100_000);
    let target = [
        &base[..30_000],
        &noise(2, 100),
        &base[30_000..60_000],
        &base[60_100..],
    ]
    .concat();
    let (told, operations) = check_whole(&base, &target);
    assert!(
        told <= 110 && operations.len() == 3,
        "{told} {operations:?}"
    );
}

/// D39: flash padded with one byte, one byte changed; the bsdiff crate takes minutes at 2 MiB.
#[test]
fn runs_of_one_byte_are_linear() {
    for fill in [0x00, 0xff] {
        let base = vec![fill; 16 << 20];
        let mut target = base.clone();
        target[7 << 20] = 0x5a;
        let (told, operations) = check_whole(&base, &target);
        assert!(told <= 1 && operations.len() <= 2, "{told} {operations:?}");
        let (told, _) = check_whole(&base[..1 << 20], &target);
        assert!(told <= 1, "{told}");
    }
}

/// D39: periods shorter and longer than blocks and looks, and words without repetition.
#[test]
fn periodic_images_are_linear() {
    let size = 4 << 20;
    let fibonacci = |at: usize| {
        let step = |at: usize| (at as f64 * 0.618_033_988_749_894_8) as usize;
        (step(at + 1) - step(at)) as u8
    };
    let thue_morse = |at: usize| (at.count_ones() % 2) as u8;
    let images: [Vec<u8>; 6] = [
        (0..size).map(|at| (at % 3) as u8).collect(),
        (0..size).map(|at| (at % 251) as u8).collect(),
        noise(1, 1000).into_iter().cycle().take(size).collect(),
        noise(1, 5000).into_iter().cycle().take(size).collect(),
        (0..size).map(fibonacci).collect(),
        (0..size).map(thue_morse).collect(),
    ];
    for base in images {
        let mut target = base.clone();
        for byte in target.iter_mut().step_by(100_003) {
            *byte ^= 0x80;
        }
        target.drain(1_000_000..1_000_007);
        let (told, _) = check_whole(&base, &target);
        assert!(told < 2000, "{told}");
    }
}

/// D39: changes so dense that every position is looked at, in periodic images.
#[test]
fn dense_changes_of_periodic_images_are_linear() {
    let size = 1 << 20;
    let base: Vec<u8> = noise(1, 600).into_iter().cycle().take(size).collect();
    let mut target = base.clone();
    for byte in target.iter_mut().step_by(300) {
        *byte ^= 0x80;
    }
    let (told, _) = check_whole(&base, &target);
    assert!(told < 2 * size / 300, "{told}");
}

proptest! {
    #[test]
    fn any_images_are_covered(
        base in proptest::collection::vec(0_u8..3, 0..400),
        target in proptest::collection::vec(0_u8..3, 0..400),
        start in 0_usize..400,
    ) {
        let start = start.min(target.len());
        check(&base, &target, start..target.len());
        let (told, _) = check_whole(&target, &target);
        // Fewer equal bytes than a copy must have are literals.
        prop_assert_eq!(told, if target.len() < 12 { target.len() } else { 0 });
    }
}
