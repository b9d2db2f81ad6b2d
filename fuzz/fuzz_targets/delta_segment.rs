//! One segment of a delta: a payload from the input in a container that fits it, so that every byte
//! reaches the coder.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use delta::{ApplyError, Delta, Expected};
use fuzz::choices::Choices;
use fuzz::{edit, image};
use libfuzzer_sys::fuzz_target;

const BASE_BYTES: usize = 64 * 1024;
const DELTA_Z: u8 = 1;
const RAW_ZSTD: u8 = 2;
const DELTA_CM: u8 = 3;
/// Header and one row.
const HEAD_BYTES: u64 = 104 + 48;

static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| image::noise(5, BASE_BYTES));

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let target_size = choices.short();
    let machine = choices.byte() % 7;
    let (kind, payload) = match choices.byte() % 8 {
        0 => ([RAW_ZSTD, 0], raw(&mut choices)),
        1 => ([DELTA_Z, machine], choices.rest().to_vec()),
        2..=4 => ([DELTA_Z, machine], columns(&mut choices)),
        _ => ([DELTA_CM, machine], mixed(&mut choices)),
    };
    let root = *blake3::hash(&payload).as_bytes();
    let expected = Expected {
        base: [9; 32],
        base_size: BASE_BYTES as u64,
        target: root,
        target_size: u64::from(target_size),
    };
    let bytes = container(&expected, kind, &payload);
    let size = bytes.len() as u64;
    let Ok(mut opened) = Delta::open(Cursor::new(bytes), size, &expected) else {
        // Only these two are refused before the payload is looked at.
        assert!(target_size == 0 || payload.is_empty());
        return;
    };
    let mut out = vec![1; 3];
    let result = opened.segment(0, &mut Cursor::new(&*BASE), &mut out);
    // The root above is no hash of any output: what decodes ends with the check of the hash.
    assert!(result.is_err() && out.is_empty());
    assert!(
        opened
            .segment(1, &mut Cursor::new(&*BASE), &mut out)
            .is_err()
    );
    if let Err(ApplyError::Container(error)) = result {
        panic!("the container was accepted before: {error}");
    }
});

/// The segment in one zstd frame, which may be damaged.
fn raw(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut content = choices.array::<16>().to_vec();
    content.resize(usize::from(choices.short()), 0);
    let mut frame = zstd::bulk::compress(&content, 1).unwrap_or_default();
    edit::damage(&mut frame, choices);
    frame
}

/// Literals apart or none, then any bytes as the code: whatever they are, they are some code.
fn mixed(choices: &mut Choices<'_>) -> Vec<u8> {
    let count = if choices.byte().is_multiple_of(4) {
        choices.below(64)
    } else {
        0
    };
    let literals = choices.take(count);
    let mut frame = match literals {
        [] => Vec::new(),
        _ => zstd::bulk::compress(literals, 1).unwrap_or_default(),
    };
    if choices.byte().is_multiple_of(8) {
        edit::damage(&mut frame, choices);
    }
    let mut payload = (literals.len() as u32).to_le_bytes().to_vec();
    payload.extend((frame.len() as u32).to_le_bytes());
    payload.extend(frame);
    payload.extend(choices.rest());
    payload
}

/// Seven streams with good sizes and frames; then sizes and frames may be damaged.
fn columns(choices: &mut Choices<'_>) -> Vec<u8> {
    let is_damaged = choices.byte().is_multiple_of(8);
    let (mut sizes, mut frames) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let count = choices.below(48);
        let stream = choices.take(count);
        let mut frame = match stream {
            [] => Vec::new(),
            _ => zstd::bulk::compress(stream, 1).unwrap_or_default(),
        };
        if is_damaged {
            edit::damage(&mut frame, choices);
        }
        sizes.extend((stream.len() as u32).to_le_bytes());
        sizes.extend((frame.len() as u32).to_le_bytes());
        frames.extend(frame);
    }
    let mut payload = [sizes, frames].concat();
    if is_damaged {
        edit::damage(&mut payload, choices);
    }
    payload
}

/// Header and row as in `docs/formats.md`; the one row's hash is the target's root.
fn container(expected: &Expected, [kind, machine]: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let segments = u32::from(expected.target_size > 0);
    let mut bytes = b"sb-delta".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(delta::limits::SEGMENT_BYTES.to_le_bytes());
    bytes.extend(expected.base_size.to_le_bytes());
    bytes.extend(expected.base);
    bytes.extend(expected.target_size.to_le_bytes());
    bytes.extend(expected.target);
    bytes.extend(segments.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend([kind, machine, 0, 0]);
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(HEAD_BYTES.to_le_bytes());
    bytes.extend(expected.target);
    bytes.extend(payload);
    bytes
}
