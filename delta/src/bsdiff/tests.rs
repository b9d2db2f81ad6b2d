//! Deltas of bsdiff 4: made and applied, made by hand, and hostile.

use std::io::{Cursor, Read as _, Write as _};

use bzip2::{Compression, write::BzEncoder};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{BsdiffError, Header, MAGIC, apply, create, inspect};
use crate::{
    images::{Edit, Endless, noise},
    limits::{
        BSDIFF_BUFFER_BYTES, BSDIFF_CREATE_BYTES_MAX, BSDIFF_EMPTY_OPERATIONS_MAX,
        BSDIFF_TARGET_BYTES_MAX,
    },
};

fn applied(base: &[u8], delta: &[u8], size: Option<u64>) -> Result<Vec<u8>, BsdiffError> {
    let mut out = Vec::new();
    let [mut base, mut delta] = [base, delta].map(Cursor::new);
    apply(&mut base, &mut delta, size, &mut out).map(|_| out)
}

/// Numbers by sign and magnitude.
fn numbers(numbers: &[i64]) -> Vec<u8> {
    let sign = |number: i64| u64::from(number < 0) << 63;
    numbers
        .iter()
        .flat_map(|n| (n.unsigned_abs() | sign(*n)).to_le_bytes())
        .collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A delta of three parts as they are.
fn delta_of_parts(target_size: i64, parts: &[Vec<u8>; 3]) -> Vec<u8> {
    let [control, differences] = [0, 1].map(|part: usize| parts[part].len() as i64);
    let mut delta = MAGIC.to_vec();
    delta.extend(numbers(&[control, differences, target_size]));
    delta.extend(parts.concat());
    delta
}

/// A delta made by hand.
fn delta_of(target_size: i64, control: &[i64], differences: &[u8], literals: &[u8]) -> Vec<u8> {
    let control = numbers(control);
    delta_of_parts(target_size, &[&control, differences, literals].map(packed))
}

fn is_malformed(result: &Result<Vec<u8>, BsdiffError>) -> bool {
    matches!(result, Err(BsdiffError::Malformed { .. }))
}

#[track_caller]
fn refused(result: &Result<Vec<u8>, BsdiffError>, word: &str) {
    let error = result.as_ref().unwrap_err().to_string();
    assert!(error.contains(word), "{error}");
}

fn made_and_applied(base: &[u8], target: &[u8]) {
    let mut delta = Vec::new();
    let header = create(base, target, &mut delta).unwrap();
    assert_eq!(inspect(&mut Cursor::new(&delta)).unwrap(), header);
    assert_eq!(applied(base, &delta, None).unwrap(), target);
}

#[test]
fn deltas_made_apply_both_ways() {
    let base = noise(1, 3 * BSDIFF_BUFFER_BYTES);
    let mut target = base.clone();
    let edits = [
        Edit::Insert {
            at: 1000,
            count: 500,
            seed: 2,
        },
        Edit::Touch {
            at: 90_000,
            count: 30_000,
            step: 60,
        },
        Edit::Move {
            from: 5000,
            to: 120_000,
            count: 9000,
        },
    ];
    for edit in edits {
        edit.apply(&mut target);
    }
    made_and_applied(&base, &target);
    made_and_applied(&target, &base);
    made_and_applied(&[], &base);
    made_and_applied(&base, &[]);
    // A seek before the first byte: an operation without output.
    made_and_applied(&base, &base[50_000..]);
}

#[test]
fn delta_made_by_hand_applies() {
    let base = noise(1, 1000);
    let control = [10, 5, -10, 1000, 0, -1000];
    let differences = [vec![1; 10], vec![0; 1000]].concat();
    let delta = delta_of(1015, &control, &differences, &[9; 5]);
    let mut expected: Vec<u8> = base[..10].iter().map(|byte| byte.wrapping_add(1)).collect();
    expected.extend([9; 5]);
    expected.extend(&base);
    assert_eq!(applied(&base, &delta, Some(1015)).unwrap(), expected);
    let header = inspect(&mut Cursor::new(&delta)).unwrap();
    let sizes = [
        header.control_size,
        header.differences_size,
        header.literals_size,
    ];
    assert_eq!(sizes.iter().sum::<u64>() + 32, delta.len() as u64);
    assert_eq!(header.target_size, 1015);
}

/// D32: negative, huge and wrapping numbers; `bspatch` lets reads outside of the base be zeros.
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
        let delta = delta_of(1 << 40, &hostile, &[0; 200], &[0; 200]);
        assert!(
            is_malformed(&applied(&[7; 100], &delta, Some(1 << 40))),
            "{hostile:?}"
        );
    }
    let zero = (1_u64 << 63).to_le_bytes();
    for at in 0..3 {
        let mut control = numbers(&[10, 0, 0]);
        control[8 * at..8 * (at + 1)].copy_from_slice(&zero);
        let parts = [&control, &vec![0; 10], &vec![0; 10]].map(|part| packed(part));
        refused(
            &applied(&[7; 100], &delta_of_parts(10, &parts), None),
            "negative zero",
        );
    }
}

/// D32: lengths of parts that are negative, beyond the delta, or wrap.
#[test]
fn rejects_hostile_lengths_of_parts() {
    let (base, good) = ([7; 100], delta_of(10, &[10, 0, 0], &[0; 10], &[]));
    assert!(applied(&base, &good, None).is_ok());
    for at in [8, 16, 24] {
        let hostile = [-1, i64::MIN + 1, i64::MAX, i64::MAX - 31, 1 << 20];
        for length in hostile {
            let mut delta = good.clone();
            delta[at..at + 8].copy_from_slice(&numbers(&[length]));
            assert!(applied(&base, &delta, Some(10)).is_err(), "{at} {length}");
        }
        // Another cut between the parts: they overlap or leave a gap.
        for change in [-1, 1] {
            let mut delta = good.clone();
            let length = i64::from_le_bytes(delta[at..at + 8].try_into().unwrap());
            delta[at..at + 8].copy_from_slice(&numbers(&[length + change]));
            assert!(applied(&base, &delta, None).is_err(), "{at} {change}");
        }
    }
}

/// D33: never a byte more than the target; less is an early end.
#[test]
fn rejects_other_size_than_declared() {
    let delta = |size| delta_of(size, &[0, 100, 0], &[], &[1; 100]);
    let mut out = Vec::new();
    let [mut base, mut more] = [Vec::new(), delta(99)].map(Cursor::new);
    let result = apply(&mut base, &mut more, Some(99), &mut out);
    assert!(matches!(result, Err(BsdiffError::Malformed { .. })) && out.is_empty());
    assert!(is_malformed(&applied(&[], &delta(101), Some(101))));
    for trusted in [0, 99, 101] {
        let result = applied(&[], &delta(100), Some(trusted));
        assert!(matches!(result, Err(BsdiffError::TargetSize { .. })));
    }
    assert!(applied(&[], &delta(100), Some(100)).is_ok());
    assert!(applied(&[], &delta(100), None).is_ok());
}

/// D34: few bytes that stand for many, with and without a trusted size.
#[test]
fn rejects_bomb_in_any_stream() {
    let much = vec![0; 64 << 20];
    let bomb = packed(&much);
    assert!(bomb.len() < 100, "{}", bomb.len());
    let parts = [packed(&numbers(&[10, 0, 0])), bomb.clone(), packed(&[])];
    let delta = delta_of_parts(10, &parts);
    for size in [None, Some(10)] {
        let mut out = Vec::new();
        let [mut base, mut delta] = [vec![7; 10], delta.clone()].map(Cursor::new);
        let result = apply(&mut base, &mut delta, size, &mut out);
        assert!(matches!(result, Err(BsdiffError::Malformed { .. })));
        assert_eq!(out.len(), 10);
    }
    let delta = delta_of_parts(1 << 40, &[bomb, packed(&[]), packed(&[])]);
    assert!(matches!(
        applied(&[], &delta, None),
        Err(BsdiffError::TooLarge { actual, max }) if (actual, max) == (1 << 40, BSDIFF_TARGET_BYTES_MAX)
    ));
}

/// D35: cut at every byte, trailing data, empty.
#[test]
fn rejects_truncation_and_trailing_data() {
    let (base, target) = (noise(1, 500), noise(1, 480));
    let mut delta = Vec::new();
    create(&base, &target, &mut delta).unwrap();
    for size in 0..delta.len() {
        assert!(
            is_malformed(&applied(&base, &delta[..size], None)),
            "{size}"
        );
    }
    delta.push(0);
    refused(&applied(&base, &delta, None), "data after");
    delta.pop();
    for (at, flip) in (0..delta.len()).flat_map(|at| [1, 0x80].map(|flip| (at, flip))) {
        delta[at] ^= flip;
        // bzip2 doesn't look at the bits that fill a stream's last byte up.
        let result = applied(&base, &delta, Some(480));
        assert!(result.is_err() || result.unwrap() == target, "{at}");
        delta[at] ^= flip;
    }
}

/// D35: a stream with more than is used, data after a stream, a second stream.
#[test]
fn rejects_more_in_any_part() {
    let streams = [numbers(&[10, 5, 0]), vec![0; 10], vec![1; 5]];
    let good = streams.each_ref().map(|stream| packed(stream));
    let base = [7; 100];
    assert!(applied(&base, &delta_of_parts(15, &good), None).is_ok());
    for part in 0..3 {
        let mut longer = good.clone();
        longer[part] = packed(&[&streams[part][..], &[0]].concat());
        refused(
            &applied(&base, &delta_of_parts(15, &longer), None),
            "more than",
        );
        for tail in [vec![0], packed(&[]), packed(&streams[part])] {
            let mut followed = good.clone();
            followed[part].extend(tail);
            refused(
                &applied(&base, &delta_of_parts(15, &followed), None),
                "data after",
            );
        }
        let mut none = good.clone();
        none[part].clear();
        refused(
            &applied(&base, &delta_of_parts(15, &none), None),
            "ends early",
        );
        let mut other = good.clone();
        other[part] = b"BZh0 is no stream".to_vec();
        let result = applied(&base, &delta_of_parts(15, &other), None);
        assert!(matches!(result, Err(BsdiffError::Compressed { .. })));
    }
}

/// D35: operations without output, of which 500 bytes hold 20 million. Each byte made allows one more.
#[test]
fn rejects_flood_of_empty_operations() {
    let most = BSDIFF_EMPTY_OPERATIONS_MAX as usize;
    let flood = |made: i64, empty: usize| {
        let control = [&[made, 0, 0][..], &vec![0; 3 * empty], &[10 - made, 0, 0]].concat();
        let delta = delta_of(10, &control, &[0; 10], &[]);
        applied(&[1; 20], &delta, Some(10))
    };
    for made in [1, 4] {
        let allowed = most + made as usize;
        assert!(flood(made, allowed).is_ok(), "{made}");
        refused(&flood(made, allowed + 1), "make nothing");
    }
    // Bytes that are still to come allow none.
    let delta = delta_of(1 << 32, &vec![0; 3 * (most + 1)], &[], &[]);
    refused(&applied(&[], &delta, None), "make nothing");
}

/// A periodic image, rotated: hundreds of operations in a row make nothing, and Debian's `bsdiff` writes them
/// as well.
#[test]
fn accepts_the_operations_of_periodic_images() {
    let period = noise(1, 64).into_iter().map(|byte| byte & 1);
    let base: Vec<u8> = period.cycle().take(40_000).collect();
    let mut target = base.clone();
    target.rotate_left(1000);
    made_and_applied(&base, &target);
    let mut delta = Vec::new();
    let header = create(&base, &target, &mut delta).unwrap();
    let mut control = Vec::new();
    bzip2::read::BzDecoder::new(&delta[32..32 + header.control_size as usize])
        .read_to_end(&mut control)
        .unwrap();
    let mut longest = 0;
    let mut run = 0;
    for operation in control.chunks(24) {
        let makes = operation[..16].iter().any(|byte| *byte != 0);
        run = if makes { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    assert!(longest > 100, "{longest}");
}

/// D40: a base beyond 4 GiB.
#[test]
fn accepts_base_beyond_4_gib() {
    let far = (5_i64 << 30) + 3;
    let delta = delta_of(101, &[0, 1, far, 100, 0, 0], &[0; 100], b"x");
    let mut out = Vec::new();
    let mut base = Endless::new(6 << 30);
    apply(&mut base, &mut Cursor::new(delta), Some(101), &mut out).unwrap();
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
    fn deltas_made_always_apply(
        base in proptest::collection::vec(0_u8..2, 0..300),
        target in proptest::collection::vec(0_u8..2, 0..300),
    ) {
        made_and_applied(&base, &target);
    }

    #[test]
    fn header_is_read_as_written(sizes: [u32; 4]) {
        let [control_size, differences_size, literals_size, target_size] = sizes.map(u64::from);
        let header = Header { control_size, differences_size, literals_size, target_size };
        let bytes: [u8; 32] = header.encode().unwrap().try_into().unwrap();
        let delta_size = 32 + control_size + differences_size + literals_size;
        prop_assert_eq!(Header::parse(&bytes, delta_size).unwrap(), header);
        prop_assert!(Header::parse(&bytes, 31 + control_size + differences_size).is_err());
    }

    #[test]
    fn apply_never_panics(
        bytes: Vec<u8>,
        size in 0_i64..1000,
        control: Vec<[i8; 3]>,
        trusted in any::<bool>(),
    ) {
        let control: Vec<i64> = control.into_iter().flatten().map(i64::from).collect();
        let parts = [&bytes, &bytes, &bytes].map(|part| part.clone());
        for delta in [
            bytes.clone(),
            delta_of_parts(size, &parts),
            delta_of(size, &control, &bytes, &bytes),
        ] {
            let mut out = Vec::new();
            let trusted = trusted.then_some(size as u64);
            let [mut base, mut delta] = [vec![3; 50], delta].map(Cursor::new);
            let result = apply(&mut base, &mut delta, trusted, &mut out);
            prop_assert!(out.len() as i64 <= size);
            if result.is_ok() {
                prop_assert_eq!(out.len() as i64, size);
            }
        }
    }
}
