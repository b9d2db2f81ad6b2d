//! D40: a target beyond 4 GiB, without the memory or the disk for it.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use super::{
    ApplyError, Container, Delta, Expected, Kind, Machine, Row, SEGMENT, Source, apply,
    delta_z_payload, inspect, noise, segment_hash,
};
use crate::codec::{raw_zstd, varint};

const BYTES: u64 = SEGMENT as u64;
/// Segments of the base, and whole segments of the target.
const SEGMENTS: u64 = 5 << 10;
/// Bytes of the target's last segment, which is stored.
const STORED_BYTES: usize = 4321;
/// The segment that is rebuilt from base and payload: the one before.
const REBUILT: u64 = SEGMENTS - 1;
/// Bytes at the end of the rebuilt segment that are literals.
const LITERAL: &[u8] = b"of the target alone";

/// The base: zeros, but each segment starts and ends with its number. One byte may be flipped.
struct Marked {
    position: u64,
    flipped: Option<u64>,
}

impl Marked {
    const SIZE: u64 = SEGMENTS * BYTES;

    const fn new(flipped: Option<u64>) -> Self {
        let position = 0;
        Self { position, flipped }
    }

    fn segment(number: u64) -> Vec<u8> {
        let mut bytes = vec![0; SEGMENT];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[SEGMENT - 8..].copy_from_slice(&number.to_be_bytes());
        bytes
    }
}

impl Read for Marked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let inside = (self.position % BYTES) as usize;
        let left = Self::SIZE.saturating_sub(self.position) as usize;
        let count = buffer.len().min(SEGMENT - inside).min(left);
        let segment = Self::segment(self.position / BYTES);
        buffer[..count].copy_from_slice(&segment[inside..inside + count]);
        let flipped = self.flipped.and_then(|at| at.checked_sub(self.position));
        if let Some(at) = flipped.filter(|&at| at < count as u64) {
            buffer[at as usize] ^= 0x10;
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Marked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        self.position = at;
        Ok(at)
    }
}

/// Where in the base a segment of the target comes from: the last from the first.
const fn origin(segment: u64) -> u64 {
    (SEGMENTS - 1 - segment) * BYTES
}

/// What a segment of the target has.
fn output(segment: u64) -> Vec<u8> {
    if segment == SEGMENTS {
        return noise(1, STORED_BYTES);
    }
    let mut bytes = Marked::segment(SEGMENTS - 1 - segment);
    if segment == REBUILT {
        bytes[SEGMENT - LITERAL.len()..].copy_from_slice(LITERAL);
    }
    bytes
}

/// BLAKE3 of the whole target, in one go.
fn root() -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for segment in 0..=SEGMENTS {
        hasher.update(&output(segment));
    }
    *hasher.finalize().as_bytes()
}

fn container() -> (Vec<u8>, Expected) {
    let target_size = SEGMENTS * BYTES + STORED_BYTES as u64;
    let mut rows = Vec::new();
    let mut hashes = Vec::new();
    let target = std::thread::scope(|scope| {
        let root = scope.spawn(root);
        for segment in 0..=SEGMENTS {
            hashes.push(segment_hash(segment * BYTES, &output(segment), target_size));
        }
        root.join().unwrap()
    });
    let copied = SEGMENT - LITERAL.len();
    let mut column = Vec::new();
    varint::put_count(&mut column, copied);
    // Back to the start of the base, as zigzag.
    let mut seeks = Vec::new();
    varint::put(&mut seeks, 2 * (REBUILT * BYTES - origin(REBUILT)) - 1);
    let literals = [LITERAL.len() as u8];
    let rebuilt = delta_z_payload([&column, &literals, &seeks, &column, &[0], &[], LITERAL]);
    let stored = raw_zstd::encode(&output(SEGMENTS), 1).unwrap();
    let mut offset = Container::head_bytes(target_size).unwrap();
    for (segment, hash) in (0..).zip(hashes) {
        let (kind, payload) = match segment {
            REBUILT => (Kind::DeltaZ(Machine::None), &rebuilt),
            SEGMENTS => (Kind::RawZstd, &stored),
            _ => {
                let base = origin(segment);
                let source = Source::Copy { base };
                rows.push(Row { source, hash });
                continue;
            }
        };
        let length = payload.len() as u32;
        let source = Source::Payload {
            kind,
            offset,
            length,
        };
        offset += u64::from(length);
        rows.push(Row { source, hash });
    }
    let container = Container {
        base: [1; 32],
        base_size: Marked::SIZE,
        target,
        target_size,
        rows,
    };
    let bytes = [container.encode(), rebuilt, stored].concat();
    let claims = inspect(bytes.as_slice(), bytes.len() as u64)
        .unwrap()
        .claims;
    assert_eq!(claims.target, target);
    (bytes, claims)
}

/// Takes the target and nothing else.
struct Target {
    segment: u64,
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(bytes == output(self.segment), "segment {}", self.segment);
        self.segment += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole output is right, and any byte that is not is refused, wherever it is.
#[test]
fn every_byte_beyond_4_gib_is_hashed_d40() {
    let (delta, expected) = container();
    let open = || Delta::open(Cursor::new(&delta), delta.len() as u64, &expected).unwrap();
    let mut target = Target { segment: 0 };
    let go_on = |_| ControlFlow::Continue(());
    apply(&mut open(), &mut Marked::new(None), &mut target, go_on).unwrap();
    assert_eq!(target.segment, SEGMENTS + 1);
    let limit = 4 << 30;
    let places = [
        0,
        1 << 20,
        (2 << 30) - 1,
        2 << 30,
        limit - 1,
        limit,
        limit + 1,
        limit + 777_777,
        Marked::SIZE - BYTES - 1,
        Marked::SIZE - 1,
    ];
    let mut out = Vec::new();
    for place in places {
        let segment = (SEGMENTS - 1 - place / BYTES) as u32;
        let mut opened = open();
        let mut base = Marked::new(Some(place));
        let result = opened.segment(segment, &mut base, &mut out);
        assert!(
            matches!(result, Err(ApplyError::Hash { index }) if index == segment),
            "{place}"
        );
        let right = opened.segment(segment, &mut Marked::new(None), &mut out);
        assert!(right.is_ok() && out == output(segment.into()), "{place}");
    }
    // The stored bytes, at the very end, and a hash in the table.
    for at in [delta.len() - 5, 104 + 48 * 4500 + 20] {
        let mut damaged = delta.clone();
        damaged[at] ^= 1;
        let opened = Delta::open(Cursor::new(&damaged), delta.len() as u64, &expected);
        let result = opened.and_then(|mut opened| {
            let last = SEGMENTS as u32;
            opened.segment(last, &mut Marked::new(None), &mut out)
        });
        assert!(result.is_err(), "{at}");
    }
}
