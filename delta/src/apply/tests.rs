//! Applying deltas, honest and hostile.

use std::{
    io::{self, Cursor, Write},
    ops::ControlFlow,
};

use super::{ApplyError, Delta, Expected, apply, inspect};
use crate::{
    CodecError, ContainerError, Segments,
    container::{Container, Row, Source, segment_hash},
    images::{Endless, delta_of, delta_z_payload, noise, rebuild},
    kind::{Kind, Machine},
    limits::SEGMENT_BYTES,
};

mod large;

const SEGMENT: usize = SEGMENT_BYTES as usize;

/// Base, target and delta: a copied, a changed and a stored segment.
fn images() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let base = noise(1, 2 * SEGMENT);
    let mut target = base.clone();
    for byte in target[SEGMENT..].iter_mut().step_by(97) {
        *byte ^= 0x40;
    }
    target.extend(noise(2, 1000));
    let delta = delta_of(&base, &target);
    (base, target, delta)
}

fn open<'a>(delta: &'a [u8], expected: &Expected) -> Result<Delta<Cursor<&'a [u8]>>, ApplyError> {
    Delta::open(Cursor::new(delta), delta.len() as u64, expected)
}

#[test]
fn accepts_segments_in_any_order() {
    let (base, target, delta) = images();
    let mut opened = open(&delta, &Expected::of(&base, &target)).unwrap();
    assert_eq!(opened.segment_count(), 3);
    let mut out = vec![1; 5];
    for index in [2, 0, 1, 1] {
        opened
            .segment(index, &mut Cursor::new(&base), &mut out)
            .unwrap();
        let range = opened.segment_range(index).unwrap();
        assert_eq!(out, target[range.start as usize..range.end as usize]);
        assert!(out.capacity() <= SEGMENT);
    }
    let missing = opened.segment(3, &mut Cursor::new(&base), &mut out);
    assert!(matches!(missing, Err(ApplyError::Segment { index: 3 })));
    assert_eq!(
        (opened.segment_range(3), opened.payload_range(3)),
        (None, None)
    );
}

/// Payload ranges tell which bytes a segment needs: with all others destroyed it still applies.
#[test]
fn segments_need_their_payload_range_only() {
    let (base, target, delta) = images();
    let expected = Expected::of(&base, &target);
    let head = Container::head_bytes(expected.target_size).unwrap() as usize;
    let ranges = open(&delta, &expected).unwrap();
    assert_eq!(ranges.payload_range(0), Some(0..0));
    for index in 0..3 {
        let range = ranges.payload_range(index).unwrap();
        let mut holed = vec![0xee; delta.len()];
        holed[..head].copy_from_slice(&delta[..head]);
        let range = range.start as usize..range.end as usize;
        holed[range.clone()].copy_from_slice(&delta[range]);
        let mut out = Vec::new();
        let mut opened = open(&holed, &expected).unwrap();
        opened
            .segment(index, &mut Cursor::new(&base), &mut out)
            .unwrap();
    }
}

#[test]
fn inspect_counts_segments() {
    let (base, target, delta) = images();
    let info = inspect(delta.as_slice(), delta.len() as u64).unwrap();
    assert_eq!(info.claims, Expected::of(&base, &target));
    assert_eq!(
        info.segments,
        Segments {
            copy: 1,
            delta: 1,
            mixed: 0,
            raw: 1
        }
    );
    assert_eq!(info.delta_size, delta.len() as u64);
}

#[test]
fn progress_tells_bytes_and_cancels() {
    let (base, target, delta) = images();
    let mut opened = open(&delta, &Expected::of(&base, &target)).unwrap();
    let (mut told, mut out) = (Vec::new(), Vec::new());
    let result = apply(&mut opened, &mut Cursor::new(&base), &mut out, |written| {
        told.push(written);
        if told.len() == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(result, Err(ApplyError::Cancelled)));
    assert_eq!(told, [SEGMENT as u64, 2 * SEGMENT as u64]);
    assert_eq!(out, target[..2 * SEGMENT]);
}

/// D30: one byte off in a used place, a base that is too short, another base.
#[test]
fn rejects_wrong_base() {
    let (base, target, delta) = images();
    let expected = Expected::of(&base, &target);
    for (at, segment) in [(0, 0), (SEGMENT - 1, 0), (SEGMENT, 1), (2 * SEGMENT - 1, 1)] {
        let mut wrong = base.clone();
        wrong[at] ^= 1;
        let result = rebuild(&wrong, &delta, &expected);
        assert!(matches!(result, Err(ApplyError::Hash { index }) if index == segment));
    }
    assert!(matches!(
        rebuild(&base[..SEGMENT - 1], &delta, &expected),
        Err(ApplyError::Base(_))
    ));
    let result = rebuild(&base[..SEGMENT + 1], &delta, &expected);
    let codec = |source: &CodecError| matches!(source, CodecError::Base(_));
    assert!(matches!(result, Err(ApplyError::Codec { index: 1, source }) if codec(&source)));
}

/// D30: the header must agree with the signed metadata in every field.
#[test]
fn rejects_disagreement_with_metadata() {
    let (base, target, delta) = images();
    let good = Expected::of(&base, &target);
    for (wrong, name) in [
        (
            Expected {
                base: [0; 32],
                ..good
            },
            "base",
        ),
        (
            Expected {
                base_size: 1,
                ..good
            },
            "base_size",
        ),
        (
            Expected {
                target: [0; 32],
                ..good
            },
            "target",
        ),
        (
            Expected {
                target_size: 1,
                ..good
            },
            "target_size",
        ),
    ] {
        let result = open(&delta, &wrong);
        assert!(matches!(result, Err(ApplyError::Disagrees { field }) if field == name));
    }
}

/// D31: the delta is consistent, but its payload makes other bytes than the signed target's.
#[test]
fn rejects_wrong_output_hash() {
    let (base, target, delta) = images();
    let expected = Expected::of(&base, &target);
    let mut other = target.clone();
    other[SEGMENT] ^= 1;
    let mut forged = delta_of(&base, &other);
    let head = Container::head_bytes(expected.target_size).unwrap() as usize;
    let row = head - 2 * 48;
    // Header with target hash, and the hash of row 1, from the honest delta.
    forged[..104].copy_from_slice(&delta[..104]);
    forged[row + 16..][..32].copy_from_slice(&delta[row + 16..][..32]);
    assert!(matches!(
        rebuild(&base, &forged, &expected),
        Err(ApplyError::Hash { index: 1 })
    ));
    forged[row + 16] ^= 1;
    let result = rebuild(&base, &forged, &expected);
    assert!(matches!(
        result,
        Err(ApplyError::Container(ContainerError::Tree))
    ));
}

/// D31, D35: any byte of a delta flipped, or the delta cut anywhere: refused, or the right output.
#[test]
fn rejects_damage_anywhere() {
    let base = noise(5, 3000);
    let mut target = base.clone();
    target[1000] ^= 1;
    target.extend(b"something more");
    let (delta, expected) = (delta_of(&base, &target), Expected::of(&base, &target));
    for at in 0..delta.len() {
        assert!(
            rebuild(&base, &delta[..at], &expected).is_err(),
            "cut at {at}"
        );
        for flip in [1, 0x80, 0xff] {
            let mut damaged = delta.clone();
            damaged[at] ^= flip;
            if let Ok(out) = rebuild(&base, &damaged, &expected) {
                assert_eq!(out, target, "flipped at {at}");
            }
        }
    }
    let mut longer = delta.clone();
    longer.push(0);
    assert!(rebuild(&base, &longer, &expected).is_err());
    assert!(rebuild(&base, &[], &expected).is_err());
}

/// D33: nothing is written of a segment that fails, and no byte beyond the target.
#[test]
fn output_stops_before_a_bad_segment() {
    let (mut base, target, delta) = images();
    let expected = Expected::of(&base, &target);
    base[SEGMENT + 5] ^= 1;
    let mut out = Vec::new();
    let mut opened = open(&delta, &expected).unwrap();
    let result = apply(&mut opened, &mut Cursor::new(&base), &mut out, |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(ApplyError::Hash { index: 1 })));
    assert_eq!(out, target[..SEGMENT]);
    opened
        .segment(1, &mut Cursor::new(&base), &mut out)
        .unwrap_err();
    assert!(out.is_empty());
}

/// D40: positions beyond 4 GiB, in a copied and in a rebuilt segment; only what is used is read.
#[test]
fn accepts_base_beyond_4_gib() {
    let far = (6 << 30) + 12345;
    let mut target = Endless::range(far, SEGMENT as u64);
    target.extend(Endless::range(far + 777, 99));
    target.push(b'!');
    let size = target.len() as u64;
    // Seek from 1 MiB to far + 777 as zigzag varint.
    let mut seek = Vec::new();
    let mut rest = (far + 777 - SEGMENT as u64) << 1;
    while rest >= 0x80 {
        seek.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    seek.push(rest as u8);
    let payload = delta_z_payload([&[99], &[1], &seek, &[99], &[0], &[], b"!"]);
    let hash = |start: usize, end: usize| segment_hash(start as u64, &target[start..end], size);
    let offset = Container::head_bytes(size).unwrap();
    let source = Source::Payload {
        kind: Kind::DeltaZ(Machine::None),
        offset,
        length: payload.len() as u32,
    };
    let container = Container {
        base: [1; 32],
        base_size: 7 << 30,
        target: *blake3::hash(&target).as_bytes(),
        target_size: size,
        rows: vec![
            Row {
                source: Source::Copy { base: far },
                hash: hash(0, SEGMENT),
            },
            Row {
                source,
                hash: hash(SEGMENT, SEGMENT + 100),
            },
        ],
    };
    let delta = [container.encode(), payload].concat();
    let claims = inspect(delta.as_slice(), delta.len() as u64)
        .unwrap()
        .claims;
    let mut base = Endless::new(7 << 30);
    let mut out = Vec::new();
    let mut opened = open(&delta, &claims).unwrap();
    apply(&mut opened, &mut base, &mut out, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(out, target);
    assert_eq!(base.bytes_read, size - 1);
}

#[test]
fn write_error_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (base, target, delta) = images();
    let mut opened = open(&delta, &Expected::of(&base, &target)).unwrap();
    let result = apply(&mut opened, &mut Cursor::new(&base), &mut Full, |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(ApplyError::Output(_))));
}
