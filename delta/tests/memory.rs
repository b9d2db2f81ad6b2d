//! How much is allocated while a delta is applied: the most that a container may ask for, by both coders.
//!
//! zstd's own state, 160 KiB, is not counted: C allocates it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test of its own, for its allocator"
)]

use std::io::{self, Cursor};
use std::ops::ControlFlow;

use delta::limits::{PAYLOAD_BYTES_MAX, SEGMENT_BYTES};
use delta::{Coder, CreateOptions, Delta, Expected};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
/// Most bytes while zstd streams are decoded, and while models are mixed.
const ZSTD_BYTES_MAX: usize = 3 * MIB + MIB / 8;
const MIXING_BYTES_MAX: usize = 11 * MIB;
/// Bytes of a block of a zstd frame here.
const BLOCK_BYTES: usize = 4 << 10;

fn noise(label: &str, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    let mut hasher = blake3::Hasher::new();
    hasher.update(label.as_bytes());
    hasher.finalize_xof().fill(&mut noise);
    noise
}

/// Bytes allocated at most while the delta is applied, beside what it and the base are.
fn peak(base: &[u8], target: &[u8], delta: &[u8]) -> usize {
    let expected = Expected::of(base, target);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let mut opened = Delta::open(Cursor::new(delta), delta.len() as u64, &expected).unwrap();
    delta::apply(&mut opened, &mut Cursor::new(base), &mut io::sink(), |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    ALLOCATED.peak_usage() - before
}

/// A zstd frame of blocks that are stored, or that repeat a byte.
fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend((content.len() as u32).to_le_bytes());
    let blocks = content.chunks(BLOCK_BYTES);
    let count = blocks.len();
    for (index, block) in blocks.enumerate() {
        let is_run = block.iter().all(|byte| *byte == block[0]);
        let last = u32::from(index + 1 == count);
        let head = (block.len() as u32) << 3 | u32::from(is_run) << 1 | last;
        frame.extend(&head.to_le_bytes()[..3]);
        frame.extend(if is_run { &block[..1] } else { block });
    }
    frame
}

fn varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn number(value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, value);
    bytes
}

/// One segment of zstd streams that are as large as they may be together, and what it makes of `base`.
fn greedy(base: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // A run of one equal and one changed byte takes two bytes of counts: as many as there may be.
    let copied = MIB / 2 - 64;
    let values = vec![1; copied / 2];
    let mut literals = noise("literals", MIB - copied);
    literals[..BLOCK_BYTES].fill(7);
    let counts = vec![1; copied / 2];
    let streams = [
        number(copied),
        number(literals.len()),
        vec![0],
        counts.clone(),
        counts,
        values,
        literals.clone(),
    ];
    let mut payload = number(MIB);
    varint(&mut payload, MIB);
    let frames = streams.each_ref().map(|stream| frame(stream));
    for (stream, frame) in streams.iter().zip(&frames) {
        varint(&mut payload, stream.len());
        varint(&mut payload, frame.len());
    }
    payload.extend(frames.concat());
    let mut made = base[..copied].to_vec();
    for pair in made.chunks_mut(2) {
        pair[1] = pair[1].wrapping_add(1);
    }
    made.extend(literals);
    (payload, made)
}

/// A container of one segment of type 1, as in `docs/formats.md`.
fn container(base: &[u8], target: &[u8], payload: &[u8]) -> Vec<u8> {
    let expected = Expected::of(base, target);
    let mut bytes = b"sb-delta".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(SEGMENT_BYTES.to_le_bytes());
    bytes.extend(expected.base_size.to_le_bytes());
    bytes.extend(expected.base);
    bytes.extend(expected.target_size.to_le_bytes());
    bytes.extend(expected.target);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend([1, 0, 0, 0]);
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(152_u64.to_le_bytes());
    bytes.extend(expected.target);
    bytes.extend(payload);
    bytes
}

fn made(base: &[u8], target: &[u8], coder: Coder) -> Vec<u8> {
    let options = CreateOptions {
        coder,
        level: 3,
        ..CreateOptions::default()
    };
    let mut delta = Vec::new();
    delta::create(base, target, &options, &|_| {}, &mut delta).unwrap();
    delta
}

/// One test, for others in this process would be counted too.
#[test]
fn applying_allocates_little_whatever_is_asked_for_q93() {
    let base = noise("base", 2 * MIB);
    let (payload, target) = greedy(&base);
    assert!(payload.len() > MIB / 2 - 8192 && payload.len() <= PAYLOAD_BYTES_MAX as usize);
    let most = peak(&base, &target, &container(&base, &target, &payload));
    eprintln!("greedy: {most} bytes");
    assert!((5 * MIB / 2..=ZSTD_BYTES_MAX).contains(&most), "{most}");

    // Several segments each: nothing of one is left when the next begins.
    let mut edited = noise("base", 2 * MIB);
    for position in (0..edited.len()).step_by(999) {
        edited[position] ^= 1;
    }
    let stored = noise("stored", 3 * MIB);
    for (target, coder, limit) in [
        (&edited, Coder::Zstd, ZSTD_BYTES_MAX),
        (&stored, Coder::Zstd, ZSTD_BYTES_MAX),
        (&edited, Coder::Mixing, MIXING_BYTES_MAX),
        (&stored, Coder::Mixing, MIXING_BYTES_MAX),
    ] {
        let most = peak(&base, target, &made(&base, target, coder));
        eprintln!("{coder:?}, {} bytes: {most} bytes", target.len());
        assert!((MIB..=limit).contains(&most), "{coder:?}: {most}");
    }
}
