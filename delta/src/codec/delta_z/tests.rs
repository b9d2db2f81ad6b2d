//! Payloads of type 1, honest and hostile.

use std::io::Cursor;

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{decode, encode};
use crate::{
    CodecError,
    codec::operation::Operation,
    codec::{Segment, varint},
    images::{delta_z_payload, noise},
    kind::Machine,
    limits::{COLUMNS_BYTES_MAX, PRIMER_BYTES_MAX},
};

const SEGMENT: Segment = Segment {
    start: 0,
    size: 100,
    base_size: 1000,
};
/// 2^64 - 1 and, as zigzag, -2^63.
const HUGE: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
/// 2^63 - 1 as zigzag.
const FAR: &[u8] = &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];

fn decode_streams(streams: [&[u8]; 7]) -> Result<Vec<u8>, CodecError> {
    decode_payload(&delta_z_payload(streams))
}

fn decode_payload(payload: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decode(
        payload.to_vec(),
        (SEGMENT, Machine::None),
        &mut Cursor::new(noise(1, 1000)),
        &mut out,
    )
    .map(|()| out)
}

fn is_malformed(streams: [&[u8]; 7]) -> bool {
    matches!(decode_streams(streams), Err(CodecError::Malformed { .. }))
}

#[test]
fn accepts_copy_with_differences_and_literals() {
    // 90 bytes from 5, then 10 literals; byte 3 differs by 2.
    let out = decode_streams([&[90], &[10], &[10], &[3, 86], &[1, 0], &[2], &[7; 10]]).unwrap();
    let mut expected = noise(1, 1000)[5..95].to_vec();
    expected[3] = expected[3].wrapping_add(2);
    expected.extend([7; 10]);
    assert_eq!(out, expected);
}

/// D32: counts beyond the segment, and so large that sums wrap.
#[test]
fn rejects_huge_counts() {
    assert!(is_malformed([&[101], &[0], &[0], &[101], &[0], &[], &[]]));
    assert!(is_malformed([HUGE, &[0], &[0], HUGE, &[0], &[], &[]]));
    assert!(is_malformed([&[1], HUGE, &[0], &[1], &[0], &[], &[0; 99]]));
    assert!(is_malformed([HUGE, HUGE, &[0], HUGE, HUGE, &[], &[]]));
    assert!(is_malformed([&[100], &[0], &[0], HUGE, HUGE, &[], &[]]));
}

/// D32: seeks before the base, behind its end, and around 64 bits.
#[test]
fn rejects_seeks_outside_the_base() {
    let seek = |seek| is_malformed([&[100], &[0], seek, &[100], &[0], &[], &[]]);
    assert!(!seek(&[0x88, 0x0e]), "last 100 bytes");
    assert!(seek(&[0x8a, 0x0e]), "one byte behind the end");
    assert!(seek(&[1]), "before the start");
    assert!(seek(HUGE) && seek(FAR), "far");
    let twice = [FAR, FAR].concat();
    assert!(is_malformed([
        &[0, 0],
        &[1, 1],
        &twice,
        &[],
        &[],
        &[],
        &[0; 100]
    ]));
}

/// D32: copies that overlap each other or go back are allowed: the base never changes.
#[test]
fn accepts_overlapping_copies() {
    let out = decode_streams([&[50, 50], &[0, 0], &[0, 99], &[100], &[0], &[], &[]]).unwrap();
    let base = noise(1, 1000);
    assert_eq!(out, [&base[..50], &base[..50]].concat());
}

/// D33: streams that make less or more than the segment.
#[test]
fn rejects_other_size_than_declared() {
    assert!(
        is_malformed([&[99], &[0], &[0], &[99], &[0], &[], &[]]),
        "less"
    );
    assert!(
        is_malformed([&[100, 1], &[0, 0], &[0, 0], &[101], &[0], &[], &[]]),
        "more"
    );
    assert!(
        is_malformed([&[99], &[1], &[0], &[99], &[0], &[], &[]]),
        "literal missing"
    );
    assert!(
        is_malformed([&[99], &[1], &[0], &[99], &[0], &[], &[1, 2]]),
        "literal left"
    );
    assert!(
        is_malformed([&[100], &[0], &[0], &[101], &[0], &[], &[]]),
        "difference left"
    );
    assert!(
        is_malformed([&[100], &[0, 0], &[0], &[100], &[0], &[], &[]]),
        "count left"
    );
    assert!(
        is_malformed([&[100], &[0], &[0], &[0], &[101], &[1; 101], &[]]),
        "too many values"
    );
}

/// D34, D35: a million empty operations, and more counts than allowed, before any decompression.
#[test]
fn rejects_floods() {
    let zeros = vec![0; 1_000_000];
    let third = &zeros[..COLUMNS_BYTES_MAX / 3];
    assert!(
        is_malformed([third, third, third, &[100], &[0], &[], &[]]),
        "empty operations"
    );
    assert!(
        is_malformed([&[100], &[0], &[0], &zeros[..10], &zeros[..10], &[], &[]]),
        "empty runs"
    );
    assert!(
        is_malformed([&zeros, &zeros, &zeros, &[100], &[0], &[], &[]]),
        "too many"
    );
}

/// D32, D34: primers beyond the base, of 2^64 bytes, around 64 bits, larger than allowed, of no use.
#[test]
fn rejects_primers_outside_the_base() {
    let literals = noise(3, 100);
    let streams: [&[u8]; 7] = [&[0], &[100], &[0], &[], &[], &[], &literals];
    let primed = |primer: &[u8]| {
        let payload = delta_z_payload(streams);
        let payload = [primer, &payload[1..]].concat();
        decode_payload(&payload)
    };
    let put = |size, from| {
        let mut primer = Vec::new();
        varint::put(&mut primer, size);
        varint::put(&mut primer, from);
        primer
    };
    assert_eq!(
        primed(&put(1000, 0)).unwrap(),
        literals,
        "a frame that doesn't use it"
    );
    assert_eq!(primed(&put(1, 999)).unwrap(), literals, "its last byte");
    for (size, from) in [
        (1001, 0),
        (1, 1000),
        (1000, 1),
        (1000, u64::MAX),
        (u64::MAX, 0),
        (u64::MAX, u64::MAX),
    ] {
        let refused = matches!(primed(&put(size, from)), Err(CodecError::Malformed { .. }));
        assert!(refused, "{size} from {from}");
    }
    let large = Segment {
        base_size: 1 << 40,
        ..SEGMENT
    };
    let payload = [
        put(PRIMER_BYTES_MAX + 1, 0),
        delta_z_payload(streams)[1..].to_vec(),
    ]
    .concat();
    let mut base = Cursor::new(noise(1, 1000));
    let refused = decode(payload, (large, Machine::None), &mut base, &mut Vec::new());
    assert!(
        matches!(refused, Err(CodecError::Malformed { .. })),
        "{refused:?}"
    );

    let unused = delta_z_payload([&[100], &[0], &[0], &[100], &[0], &[], &[]]);
    let unused = [put(1000, 0), unused[1..].to_vec()].concat();
    assert!(decode_payload(&unused).is_err(), "no literals");
}

/// D35: cut at every byte, trailing data, nothing.
#[test]
fn rejects_truncation_and_trailing_data() {
    let mut payload = delta_z_payload([&[90], &[10], &[10], &[3, 86], &[1, 0], &[2], &[7; 10]]);
    for size in 0..payload.len() {
        assert!(decode_payload(&payload[..size]).is_err(), "{size}");
    }
    payload.push(0);
    assert!(decode_payload(&payload).is_err());
}

#[test]
fn refuses_to_encode_what_does_not_fit() {
    let (base, output) = (noise(1, 1000), noise(2, 100));
    let one = |base, copy, literal| {
        [Operation {
            base,
            copy,
            literal,
        }]
    };
    for operations in [
        one(901, 100, 0),
        one(0, 101, 0),
        one(0, 50, 49),
        one(u64::MAX, 1, 99),
    ] {
        assert!(
            encode(&operations, (SEGMENT, Machine::None), &output, &base, 3)
                .unwrap()
                .is_none()
        );
    }
}

proptest! {
    #[test]
    fn segments_round_trip(
        parts in proptest::collection::vec((0_u64..900, 0_usize..100, 0_usize..9), 1..9),
        start in 0_u64..5000,
    ) {
        let base = noise(1, 1000);
        let operations: Vec<Operation> = parts
            .into_iter()
            .map(|(base, copy, literal)| Operation { base, copy, literal: literal.max(1) })
            .collect();
        let size = operations.iter().map(|operation| operation.copy + operation.literal).sum();
        let output = noise(2, size);
        let segment = Segment { start, size, base_size: 1000 };
        for machine in Machine::ALL {
            let code = (segment, machine);
            let payload = encode(&operations, code, &output, &base, 3).unwrap().unwrap();
            let mut out = Vec::new();
            decode(payload, code, &mut Cursor::new(&base), &mut out).unwrap();
            prop_assert_eq!(&out, &output);
        }
    }

    #[test]
    fn decode_never_panics(
        streams in proptest::array::uniform7(proptest::collection::vec(any::<u8>(), 0..40)),
        raw: Vec<u8>,
    ) {
        let [a, b, c, d, e, f, g] = &streams;
        if let Ok(out) = decode_streams([a, b, c, d, e, f, g]) {
            prop_assert_eq!(out.len(), SEGMENT.size);
        }
        drop(decode_payload(&raw));
    }
}
