//! The plain bsdiff stream: against the crate in both directions, and hostile.

use std::io::Cursor;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{BsdiffError, apply, create};
use crate::{
    images::{Edit, Endless, noise},
    limits::{BSDIFF_BUFFER_BYTES, BSDIFF_CREATE_BYTES_MAX},
};

fn applied(base: &[u8], patch: &[u8], size: u64) -> Result<Vec<u8>, BsdiffError> {
    let mut out = Vec::new();
    apply(&mut Cursor::new(base), &mut &*patch, size, &mut out).map(|()| out)
}

/// An operation's numbers, sign and magnitude.
fn numbers(numbers: [i64; 3]) -> Vec<u8> {
    let sign = |number: i64| u64::from(number < 0) << 63;
    numbers
        .iter()
        .flat_map(|n| (n.unsigned_abs() | sign(*n)).to_le_bytes())
        .collect()
}

fn is_malformed(result: &Result<Vec<u8>, BsdiffError>) -> bool {
    matches!(result, Err(BsdiffError::Malformed { .. }))
}

fn cross_check(base: &[u8], target: &[u8]) {
    let mut patch = Vec::new();
    create(base, target, &mut patch).unwrap();
    assert_eq!(applied(base, &patch, target.len() as u64).unwrap(), target);
    let mut by_crate = Vec::new();
    ::bsdiff::patch(base, &mut patch.as_slice(), &mut by_crate).unwrap();
    assert_eq!(by_crate, target);
}

#[test]
fn streams_of_the_crate_apply_both_ways() {
    let base = noise(1, 3 * BSDIFF_BUFFER_BYTES);
    let mut target = base.clone();
    Edit::Insert {
        at: 1000,
        count: 500,
        seed: 2,
    }
    .apply(&mut target);
    Edit::Touch {
        at: 90_000,
        count: 30_000,
        step: 60,
    }
    .apply(&mut target);
    Edit::Move {
        from: 5000,
        to: 120_000,
        count: 9000,
    }
    .apply(&mut target);
    cross_check(&base, &target);
    cross_check(&target, &base);
    cross_check(&[], &base);
    cross_check(&base, &[]);
    // A seek before the first byte: an operation without output.
    cross_check(&base, &base[50_000..]);
}

/// A stream made by hand, read by the crate and by us.
#[test]
fn stream_made_by_hand_applies_both_ways() {
    let base = noise(1, 1000);
    let mut patch = numbers([10, 5, -10]);
    patch.extend([1; 10]);
    patch.extend([9; 5]);
    patch.extend(numbers([1000, 0, -1000]));
    patch.extend([0; 1000]);
    let mut expected: Vec<u8> = base[..10].iter().map(|byte| byte.wrapping_add(1)).collect();
    expected.extend([9; 5]);
    expected.extend(&base);
    assert_eq!(applied(&base, &patch, 1015).unwrap(), expected);
    let mut by_crate = Vec::new();
    ::bsdiff::patch(&base, &mut patch.as_slice(), &mut by_crate).unwrap();
    assert_eq!(by_crate, expected);
}

/// D32: negative, huge and wrapping numbers.
#[test]
fn rejects_hostile_numbers() {
    for hostile in [
        [-1, 101, 0],
        [101, -1, 0],
        [i64::MAX, i64::MAX, 0],
        [i64::MAX, 0, 0],
        [0, i64::MAX, 0],
        [101, 0, 0],
        [0, 10, -1],
        [0, 10, 101],
        [0, 10, i64::MAX],
        [10, 0, -11],
        [10, 0, i64::MIN + 1],
        [10, 0, 91],
    ] {
        let mut patch = numbers(hostile);
        patch.extend([0; 200]);
        assert!(
            is_malformed(&applied(&[7; 100], &patch, 1 << 40)),
            "{hostile:?}"
        );
    }
    let mut patch = vec![0xff; 24];
    patch.extend([0; 200]);
    assert!(
        is_malformed(&applied(&[7; 100], &patch, 100)),
        "largest negative"
    );
}

/// D33: never a byte more than the target; less is an early end.
#[test]
fn rejects_other_size_than_declared() {
    let mut patch = numbers([0, 100, 0]);
    patch.extend([1; 100]);
    let mut out = Vec::new();
    let result = apply(&mut Cursor::new(&[]), &mut patch.as_slice(), 99, &mut out);
    assert!(matches!(result, Err(BsdiffError::Malformed { .. })) && out.is_empty());
    assert!(matches!(
        applied(&[], &patch, 101),
        Err(BsdiffError::Patch(_))
    ));
    assert!(applied(&[], &patch, 100).is_ok());
}

/// D35: cut at every byte, trailing data, empty.
#[test]
fn rejects_truncation_and_trailing_data() {
    let (base, target) = (noise(1, 500), noise(1, 480));
    let mut patch = Vec::new();
    create(&base, &target, &mut patch).unwrap();
    for size in 0..patch.len() {
        assert!(matches!(
            applied(&base, &patch[..size], 480),
            Err(BsdiffError::Patch(_))
        ));
    }
    patch.push(0);
    assert!(is_malformed(&applied(&base, &patch, 480)));
    assert!(is_malformed(&applied(&base, &patch, 0)));
    assert!(applied(&base, &[], 0).unwrap().is_empty());
}

/// D35: a million operations without output.
#[test]
fn rejects_flood_of_empty_operations() {
    let patch = vec![0; 24 * 1_000_000];
    let mut rest = patch.as_slice();
    let result = apply(&mut Cursor::new(&[1; 10]), &mut rest, 10, &mut Vec::new());
    assert!(matches!(result, Err(BsdiffError::Malformed { .. })));
    assert!(rest.len() > 24 * 999_900, "refused after few");
}

/// D40: a base beyond 4 GiB.
#[test]
fn accepts_base_beyond_4_gib() {
    let far = (5_i64 << 30) + 3;
    let mut patch = numbers([0, 1, far]);
    patch.push(b'x');
    patch.extend(numbers([100, 0, 0]));
    patch.extend([0; 100]);
    let mut out = Vec::new();
    let mut base = Endless::new(6 << 30);
    apply(&mut base, &mut patch.as_slice(), 101, &mut out).unwrap();
    assert_eq!(out[1..], Endless::range(far as u64, 100));
    assert_eq!(base.bytes_read, 100);
}

/// D39: the crate is quadratic, so large images are refused.
#[test]
fn rejects_large_images() {
    let large = vec![0; BSDIFF_CREATE_BYTES_MAX as usize + 1];
    for (base, target) in [(&large[..], &[][..]), (&[], &large)] {
        let result = create(base, target, &mut Vec::new());
        assert!(matches!(result, Err(BsdiffError::TooLarge { .. })));
    }
}

proptest! {
    /// Few letters make periodic images, where makers emit empty operations.
    #[test]
    fn streams_of_the_crate_always_apply(
        base in proptest::collection::vec(0_u8..2, 0..300),
        target in proptest::collection::vec(0_u8..2, 0..300),
    ) {
        cross_check(&base, &target);
    }

    #[test]
    fn apply_never_panics(patch: Vec<u8>, size in 0_u64..1000, head in any::<[i8; 3]>()) {
        let mut longer = numbers(head.map(i64::from));
        longer.extend(&patch);
        for patch in [&patch, &longer] {
            let mut out = Vec::new();
            let result = apply(&mut Cursor::new(&[3; 50]), &mut &**patch, size, &mut out);
            prop_assert!(out.len() as u64 <= size);
            if result.is_ok() {
                prop_assert_eq!(out.len() as u64, size);
            }
        }
    }
}
