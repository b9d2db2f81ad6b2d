//! Headers and tables, honest and hostile.

use std::io::Cursor;

use proptest::prelude::{prop_assert_eq, proptest};

use super::{
    Container, ContainerError, HEADER_BYTES, ROW_BYTES, Row, Source, root, segment_hash,
    segment_range,
};
use crate::{
    images::noise,
    kind::{Kind, Machine},
    limits::{PAYLOAD_BYTES_MAX, SEGMENT_BYTES},
};

const SEGMENT: u64 = SEGMENT_BYTES as u64;

/// A table for `target`: copies, but every second row a payload of 10 bytes.
fn container(target: &[u8]) -> Container {
    let size = target.len() as u64;
    let mut rows = Vec::new();
    let mut offset = Container::head_bytes(size).unwrap();
    for index in 0..super::segment_count(size).unwrap() {
        let range = segment_range(index, size).unwrap();
        let output = &target[range.start as usize..range.end as usize];
        let source = if index % 2 == 0 {
            Source::Copy { base: range.start }
        } else {
            offset += 10;
            Source::Payload {
                kind: Kind::DeltaZ(Machine::None),
                offset: offset - 10,
                length: 10,
            }
        };
        rows.push(Row {
            source,
            hash: segment_hash(range.start, output, size),
        });
    }
    let target = *blake3::hash(target).as_bytes();
    Container {
        base: [7; 32],
        base_size: size,
        target,
        target_size: size,
        rows,
    }
}

/// Bytes of a container of four segments, payloads included.
fn bytes() -> Vec<u8> {
    let mut bytes = container(&noise(1, 3 * SEGMENT_BYTES as usize + 5)).encode();
    bytes.extend([0; 20]);
    bytes
}

fn parse(bytes: &[u8]) -> Result<Container, ContainerError> {
    Container::parse(&mut Cursor::new(bytes), bytes.len() as u64)
}

/// Replaces bytes and parses.
fn parse_with(at: u64, new: &[u8]) -> Result<Container, ContainerError> {
    let mut bytes = bytes();
    bytes[at as usize..][..new.len()].copy_from_slice(new);
    parse(&bytes)
}

const fn row(index: u64) -> u64 {
    HEADER_BYTES + index * ROW_BYTES
}

fn is_row(result: &Result<Container, ContainerError>, expected: u32) -> bool {
    matches!(result, Err(ContainerError::Row { index, .. }) if *index == expected)
}

#[test]
fn container_round_trips() {
    for size in [0, 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT] {
        let container = container(&noise(size, size as usize));
        let mut bytes = container.encode();
        bytes.resize(bytes.len() + 10 * (container.rows.len() / 2), 0);
        assert_eq!(parse(&bytes).unwrap(), container);
    }
}

#[test]
fn root_of_segments_is_blake3_of_the_target() {
    let target = noise(3, 9 * SEGMENT_BYTES as usize + 1234);
    for size in (0..=9).flat_map(|count| [count * SEGMENT, count * SEGMENT + 1234]) {
        let target = &target[..size as usize];
        assert_eq!(
            root(&container(target).rows),
            *blake3::hash(target).as_bytes(),
            "{size}"
        );
    }
}

#[test]
fn rejects_wrong_header_fields() {
    assert!(matches!(parse_with(0, b"SB"), Err(ContainerError::Magic)));
    assert!(matches!(
        parse_with(8, &[2]),
        Err(ContainerError::Version { actual: 2 })
    ));
    for (at, field) in [
        (12, "segment_size"),
        (96, "segment_count"),
        (100, "reserved"),
    ] {
        let result = parse_with(at, &[9]);
        let named = matches!(result, Err(ContainerError::Field { field: name }) if name == field);
        assert!(named, "{field}");
    }
    for at in [16, 56] {
        assert!(matches!(
            parse_with(at, &[255; 8]),
            Err(ContainerError::AboveLimit { .. })
        ));
    }
    assert!(matches!(
        parse_with(64, &[1; 32]),
        Err(ContainerError::Tree)
    ));
}

#[test]
fn rejects_wrong_rows() {
    assert!(is_row(&parse_with(row(0), &[3]), 0), "unknown type");
    assert!(is_row(&parse_with(row(2), &[0, 1]), 2), "reserved");
    assert!(
        is_row(&parse_with(row(0) + 4, &[1]), 0),
        "copy with payload"
    );
    assert!(
        is_row(&parse_with(row(2) + 8, &u64::MAX.to_le_bytes()), 2),
        "copy wraps"
    );
    assert!(
        is_row(&parse_with(row(2) + 8, &(3 * SEGMENT).to_le_bytes()), 2),
        "copy beyond base"
    );
    assert!(is_row(&parse_with(row(1) + 4, &[0]), 1), "empty payload");
    let too_long = (PAYLOAD_BYTES_MAX + 1).to_le_bytes();
    assert!(
        is_row(&parse_with(row(1) + 4, &too_long), 1),
        "long payload"
    );
}

/// Payloads that overlap or leave gaps.
#[test]
fn rejects_overlap_and_gap_of_payloads() {
    assert!(is_row(&parse_with(row(1) + 4, &[9]), 3), "gap");
    assert!(is_row(&parse_with(row(1) + 4, &[11]), 3), "overlap");
    let first = Container::head_bytes(3 * SEGMENT + 5).unwrap();
    assert!(
        is_row(&parse_with(row(3) + 8, &first.to_le_bytes()), 3),
        "shared"
    );
    assert!(
        is_row(&parse_with(row(1) + 8, &u64::MAX.to_le_bytes()), 1),
        "far"
    );
    assert!(
        matches!(
            parse_with(row(3) + 4, &[9]),
            Err(ContainerError::Length { .. })
        ),
        "short"
    );
}

/// D36: rows swapped or duplicated, each right in itself.
#[test]
fn rejects_swapped_and_duplicated_rows() {
    let good = bytes();
    let at = |index| row(index) as usize..row(index + 1) as usize;
    let mut swapped = good.clone();
    swapped[at(0)].copy_from_slice(&good[at(2)]);
    swapped[at(2)].copy_from_slice(&good[at(0)]);
    assert!(matches!(parse(&swapped), Err(ContainerError::Tree)));
    let mut duplicated = good.clone();
    duplicated[at(2)].copy_from_slice(&good[at(0)]);
    assert!(matches!(parse(&duplicated), Err(ContainerError::Tree)));
    let mut payloads = good.clone();
    payloads[at(1)].copy_from_slice(&good[at(3)]);
    payloads[at(3)].copy_from_slice(&good[at(1)]);
    assert!(is_row(&parse(&payloads), 1));
}

/// D35: cut at every byte, with the size told so or not; trailing data; empty.
#[test]
fn rejects_truncation_and_trailing_data() {
    let mut good = bytes();
    for size in 0..good.len() {
        assert!(parse(&good[..size]).is_err(), "{size}");
    }
    let head = good.len() - 20;
    for size in 0..head {
        let result = Container::parse(&mut &good[..size], good.len() as u64);
        assert!(matches!(result, Err(ContainerError::Read(_))), "{size}");
    }
    good.push(0);
    assert!(matches!(parse(&good), Err(ContainerError::Length { .. })));
}

/// D33: a huge target is refused by the delta's size before the table is allocated or read.
#[test]
fn rejects_table_larger_than_the_delta() {
    let mut header = bytes();
    header.truncate(HEADER_BYTES as usize);
    header[56..64].copy_from_slice(&crate::limits::TARGET_BYTES_MAX.to_le_bytes());
    header[96..100].copy_from_slice(&16384_u32.to_le_bytes());
    assert!(matches!(
        parse(&header),
        Err(ContainerError::Length {
            actual: HEADER_BYTES,
            ..
        })
    ));
}

proptest! {
    #[test]
    fn parse_never_panics(tail: Vec<u8>, count in 0_u32..4, size: u64) {
        let mut bytes = bytes()[..56].to_vec();
        bytes.extend((u64::from(count) * SEGMENT).to_le_bytes());
        bytes.extend([0; 32]);
        bytes.extend(count.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&tail);
        drop(parse(&bytes));
        drop(parse(&tail));
        drop(Container::parse(&mut tail.as_slice(), size));
    }

    /// There is one encoding: what parses, encodes to the same bytes.
    #[test]
    fn flipped_bits_are_refused_or_kept(at in 0..row(4) as usize, bit in 0..8_u32) {
        let mut bytes = bytes();
        bytes[at] ^= 1 << bit;
        if let Ok(container) = parse(&bytes) {
            bytes.truncate(bytes.len() - 20);
            prop_assert_eq!(container.encode(), bytes);
        }
    }
}
