//! Tests of the frames' codec.

use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Result<Frame, WireError> {
    let (prefix, body) = bytes.split_first_chunk::<PREFIX_BYTES>().unwrap();
    let (kind, length) = parse_prefix(*prefix)?;
    assert_eq!(length, body.len());
    Frame::parse(kind, body)
}

#[test]
fn every_frame_survives() {
    let blob = Blob {
        root: [7; 32],
        size: 300_000,
    };
    for frame in [
        Frame::Open(blob),
        Frame::Have(vec![1, 2]),
        Frame::GetTree {
            first: 3,
            count: 8192,
        },
        Frame::Tree {
            first: 9,
            nodes: vec![5; 64],
        },
        Frame::Request { first: 1, count: 2 },
        Frame::Data {
            chunk: 1,
            bytes: vec![9; 1000],
        },
        Frame::Cancel { chunk: 77 },
        Frame::Reject {
            chunk: 5,
            code: Refusal::Busy,
        },
        Frame::Reject {
            chunk: 5,
            code: Refusal::NotHave,
        },
    ] {
        assert_eq!(decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn rejects_lengths_before_allocating_p53() {
    for kind in 1..=8 {
        for length in [u32::MAX, 1 << 31, FRAME_BYTES_MAX + 1] {
            let [a, b, c, d] = length.to_be_bytes();
            let result = parse_prefix([kind, a, b, c, d]);
            assert_eq!(result, Err(WireError::Length { kind, length }));
        }
    }
    assert_eq!(parse_prefix([0, 0, 0, 0, 0]), Err(WireError::Kind(0)));
    assert_eq!(parse_prefix([9, 0, 0, 0, 0]), Err(WireError::Kind(9)));
}

#[test]
fn rejects_bodies_out_of_bounds() {
    let mut open = Frame::Open(Blob {
        root: [0; 32],
        size: 1,
    })
    .encode()
    .split_off(PREFIX_BYTES);
    assert!(Frame::parse(OPEN, &open).is_ok());
    open[40] = 0;
    assert!(Frame::parse(OPEN, &open).is_err());
    open[33] = 1;
    assert!(Frame::parse(OPEN, &open).is_err());
    for (kind, body) in [
        (GET_TREE, &[0, 0, 0, 0, 0, 0, 0, 0][..]),
        (GET_TREE, &[0, 0, 0, 0, 0, 0, 0x20, 1]),
        (TREE, &[0, 0, 0, 0]),
        (TREE, &[0; 37]),
        (REQUEST, &[0, 0, 0, 0, 0, 0]),
        (REQUEST, &[0, 0, 0, 0, 0, 1, 1]),
        (REJECT, &[0, 0, 0, 0, 3]),
        (CANCEL, &[0, 0, 0]),
    ] {
        assert_eq!(
            Frame::parse(kind, body),
            Err(WireError::Body(kind)),
            "{kind}"
        );
    }
}

#[test]
fn the_bounds_of_each_kind_are_exact_p53() {
    for (kind, max) in [
        (OPEN, 41),
        (HAVE, 8192),
        (GET_TREE, 8),
        (TREE, FRAME_BYTES_MAX),
        (REQUEST, 6),
        (DATA, FRAME_BYTES_MAX),
        (CANCEL, 4),
        (REJECT, 5),
    ] {
        let prefix = |length: u32| {
            let [a, b, c, d] = length.to_be_bytes();
            parse_prefix([kind, a, b, c, d])
        };
        assert_eq!(prefix(max), Ok((kind, usize::try_from(max).unwrap())));
        let length = max + 1;
        assert_eq!(prefix(length), Err(WireError::Length { kind, length }));
    }
}

#[test]
fn the_largest_of_each_kind_fits_its_bound() {
    let chunk = usize::try_from(CHUNK_BYTES).unwrap();
    let nodes = usize::try_from(TREE_NODES_MAX).unwrap() * 32;
    for frame in [
        Frame::Open(Blob {
            root: [1; 32],
            size: BLOB_BYTES_MAX,
        }),
        Frame::Have(vec![0xff; 8192]),
        Frame::Tree {
            first: u32::MAX,
            nodes: vec![1; nodes],
        },
        Frame::Data {
            chunk: u32::MAX,
            bytes: vec![1; chunk],
        },
        Frame::Request {
            first: u32::MAX,
            count: u16::MAX,
        },
    ] {
        assert_eq!(decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn a_body_cut_anywhere_is_no_frame_of_fixed_length_p53() {
    for frame in [
        Frame::Open(Blob {
            root: [1; 32],
            size: 7,
        }),
        Frame::GetTree { first: 1, count: 2 },
        Frame::Request { first: 1, count: 2 },
        Frame::Cancel { chunk: 7 },
        Frame::Reject {
            chunk: 7,
            code: Refusal::Busy,
        },
    ] {
        let encoded = frame.encode();
        let (kind, body) = (encoded[0], &encoded[PREFIX_BYTES..]);
        for cut in 0..body.len() {
            assert_eq!(Frame::parse(kind, &body[..cut]), Err(WireError::Body(kind)));
        }
        let longer = [body, &[0]].concat();
        assert_eq!(Frame::parse(kind, &longer), Err(WireError::Body(kind)));
    }
    for kind in [TREE, DATA] {
        assert_eq!(Frame::parse(kind, &[0; 3]), Err(WireError::Body(kind)));
    }
}

proptest! {
    #[test]
    fn parse_never_panics(kind in 0u8..12, body in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(frame) = Frame::parse(kind, &body) {
            prop_assert_eq!(&frame.encode()[PREFIX_BYTES..], &body[..]);
        }
    }
}
