//! Header and table: a good one damaged, or made of any rows. What is accepted says what the bytes say.
#![no_main]

use std::io::Cursor;

use blake3::hazmat::{Mode, merge_subtrees_non_root, merge_subtrees_root};
use delta::limits::SEGMENT_BYTES;
use delta::{Delta, Expected};
use fuzz::choices::Choices;
use fuzz::edit;
use fuzz::segment::{header, row};
use libfuzzer_sys::fuzz_target;

const HEADER_BYTES: usize = 104;
const ROW_BYTES: usize = 48;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let (mut bytes, payloads) = made(&mut choices);
    edit::damage(&mut bytes, &mut choices);
    let size = match choices.byte() {
        0..32 => choices.number(),
        _ => bytes.len() as u64 + payloads,
    };
    let Ok(info) = delta::inspect(&bytes[..], size) else {
        return;
    };
    assert_eq!(info.delta_size, size);
    let claims = info.claims;
    let count = claims.target_size.div_ceil(SEGMENT_BYTES.into()) as u32;
    assert!(bytes.starts_with(&header(&claims, count)));
    let opened = Delta::open(Cursor::new(&bytes), size, &claims).unwrap();
    assert_eq!(opened.segment_count(), count);
    let (mut next, mut made) = ((HEADER_BYTES + ROW_BYTES * count as usize) as u64, 0);
    let rows = bytes[HEADER_BYTES..].chunks(ROW_BYTES);
    for (index, row) in (0..count).zip(rows) {
        let range = opened.segment_range(index).unwrap();
        assert!(range.start == made && range.end > made);
        made = range.end;
        let payload = opened.payload_range(index).unwrap();
        if row[0] == 0 {
            assert_eq!(payload, 0..0);
        } else {
            assert!(payload.start == next && payload.end > next);
            next = payload.end;
        }
    }
    assert!(made == claims.target_size && next == size);
    assert_eq!(opened.payload_range(count), None);
    let wrong = Expected {
        base_size: claims.base_size ^ 1,
        ..claims
    };
    assert!(Delta::open(Cursor::new(&bytes), size, &wrong).is_err());
});

/// A consistent container of up to nine rows, without its payloads, and their bytes.
fn made(choices: &mut Choices<'_>) -> (Vec<u8>, u64) {
    let segment = u64::from(SEGMENT_BYTES);
    let rows = choices.below(10) as u64;
    let last = 1 + u64::from(choices.short()) * 16;
    let mut expected = Expected {
        base: choices.array(),
        base_size: segment + choices.number() % (1 << 40),
        target: *blake3::hash(&[]).as_bytes(),
        target_size: rows.saturating_sub(1) * segment + last.min(segment) * rows.min(1),
    };
    let mut offset = (HEADER_BYTES as u64) + ROW_BYTES as u64 * rows;
    let (mut table, mut hashes, mut payloads) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rows {
        let hash = [choices.byte(); 32];
        hashes.push(hash);
        let kind = choices.byte() % 4;
        let machine = if kind % 2 == 1 { choices.byte() % 7 } else { 0 };
        if kind == 0 {
            let from = choices.number() % (expected.base_size - segment + 1);
            table.extend(row([0, 0], 0, from, hash));
            continue;
        }
        let length = 1 + u32::from(choices.short()) * 16;
        table.extend(row([kind, machine], length, offset, hash));
        offset += u64::from(length);
        payloads += u64::from(length);
    }
    if let Some(root) = root(&hashes) {
        expected.target = root;
    }
    let mut bytes = header(&expected, rows as u32);
    bytes.extend(table);
    (bytes, payloads)
}

/// The root over the rows' hashes, built from the left by a stack as BLAKE3's own hasher does.
fn root(hashes: &[[u8; 32]]) -> Option<[u8; 32]> {
    let mut stack: Vec<[u8; 32]> = Vec::new();
    for (index, hash) in hashes.iter().enumerate() {
        let mut node = *hash;
        if index + 1 < hashes.len() {
            for _ in 0..(index + 1).trailing_zeros() {
                node = merge_subtrees_non_root(&stack.pop()?, &node, Mode::Hash);
            }
        }
        stack.push(node);
    }
    let mut right = stack.pop()?;
    while let Some(left) = stack.pop() {
        if stack.is_empty() {
            return Some(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes());
        }
        right = merge_subtrees_non_root(&left, &right, Mode::Hash);
    }
    Some(right)
}
