//! One segment of a delta: a container is put around a payload so that every byte of it is decoded, and what
//! comes out is compared with what the second decoder makes of it.

use std::io::Cursor;
use std::sync::LazyLock;

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_root};
use delta::limits::SEGMENT_BYTES;
use delta::{ApplyError, Delta, Expected};

use crate::choices::Choices;
use crate::hostile::{Dice, piece};
use crate::plain;

/// Bytes of a header, and of a row of the table.
const HEADER_BYTES: u64 = 104;
const ROW_BYTES: u64 = 48;
/// Bytes of a segment: with small ones a run is short.
const SIZE_MAX: u16 = 4096;
/// Bytes of a base.
const BASE_BYTES: usize = 4096;

/// Pieces of each kind: noise, runs, repeats, what looks like machine code; a few bytes, and none.
static BASES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut bases = vec![Vec::new(), b"seven b".to_vec()];
    for seed in 0..30 {
        bases.push(piece(&mut Dice::new(seed), BASE_BYTES));
    }
    bases
});

/// Type of a segment.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// 3.
    DeltaCm,
    /// 1.
    DeltaZ,
    /// 2.
    RawZstd,
}

/// All that a coder sees besides the payload.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The base image.
    pub base: &'a [u8],
    /// Type.
    pub kind: Kind,
    /// 0 to 6.
    pub machine: u8,
    /// Whether a whole segment comes before it.
    pub is_second: bool,
    /// Bytes of output.
    pub size: u16,
}

impl Segment<'static> {
    /// Chooses all but the type.
    pub fn choose(kind: Kind, choices: &mut Choices<'_>) -> Self {
        let base = choices.one_of(&BASES).map_or(&[][..], Vec::as_slice);
        let flags = choices.byte();
        let machine = match kind {
            Kind::RawZstd => 0,
            // Copies without references are the most that happens, and much faster.
            _ if flags & 0x30 != 0 => 0,
            Kind::DeltaCm => flags % 6,
            Kind::DeltaZ => flags % 7,
        };
        Self {
            base,
            kind,
            machine,
            is_second: flags >= 0xc0,
            size: 1 + choices.short() % SIZE_MAX,
        }
    }
}

impl Segment<'_> {
    /// Position in the target.
    pub fn position(&self) -> u64 {
        u64::from(self.is_second) * u64::from(SEGMENT_BYTES)
    }

    /// Has both decoders take the payload; says whether they accept it.
    ///
    /// # Panics
    /// If they differ.
    pub fn compare(&self, payload: &[u8]) -> bool {
        let plain = plain::decode(self, payload);
        let refused = || vec![0; usize::from(self.size)];
        let made = plain.clone().unwrap_or_else(|_| refused());
        let (bytes, expected) = self.container(payload, &made);
        let size = bytes.len() as u64;
        let opened = Delta::open(Cursor::new(bytes), size, &expected);
        let Ok(mut opened) = opened else {
            // Only these are refused before the payload is looked at.
            assert!(payload.is_empty() || payload.len() as u64 > u64::from(SEGMENT_BYTES));
            return false;
        };
        let mut out = vec![1; 3];
        let index = u32::from(self.is_second);
        let ours = opened.segment(index, &mut Cursor::new(self.base), &mut out);
        match (&ours, &plain) {
            (Ok(()), Ok(made)) => assert!(out == *made),
            (Err(ApplyError::Codec { .. }), Err(_)) => assert!(out.is_empty()),
            _ => panic!("{self:?}: {ours:?}, but the second decoder {plain:?}"),
        }
        ours.is_ok()
    }

    /// Header, rows and payload as in `docs/formats.md`; the row's hash is that of `output`.
    fn container(&self, payload: &[u8], output: &[u8]) -> (Vec<u8>, Expected) {
        let before = [7; 32];
        let (hash, target) = if self.is_second {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(self.position()).update(output);
            let hash = hasher.finalize_non_root();
            (hash, merge_subtrees_root(&before, &hash, Mode::Hash))
        } else {
            let root = blake3::hash(output);
            (*root.as_bytes(), root)
        };
        let expected = Expected {
            base: [9; 32],
            base_size: self.base.len() as u64,
            target: *target.as_bytes(),
            target_size: self.position() + u64::from(self.size),
        };
        let rows = 1 + u32::from(self.is_second);
        let mut bytes = header(&expected, rows);
        let mut offset = HEADER_BYTES + u64::from(rows) * ROW_BYTES;
        let kind = match self.kind {
            Kind::DeltaZ => 1,
            Kind::RawZstd => 2,
            Kind::DeltaCm => 3,
        };
        if self.is_second {
            // Never decoded.
            bytes.extend(row([2, 0], 1, offset, before));
            offset += 1;
        }
        bytes.extend(row(
            [kind, self.machine],
            payload.len() as u32,
            offset,
            hash,
        ));
        bytes.resize(bytes.len() + usize::from(self.is_second), 0);
        bytes.extend(payload);
        (bytes, expected)
    }
}

/// A header that says what is expected.
pub fn header(expected: &Expected, rows: u32) -> Vec<u8> {
    let mut bytes = b"sb-delta".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(SEGMENT_BYTES.to_le_bytes());
    bytes.extend(expected.base_size.to_le_bytes());
    bytes.extend(expected.base);
    bytes.extend(expected.target_size.to_le_bytes());
    bytes.extend(expected.target);
    bytes.extend(rows.to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// A row of the table.
pub fn row([kind, machine]: [u8; 2], length: u32, offset: u64, hash: [u8; 32]) -> Vec<u8> {
    let mut bytes = vec![kind, machine, 0, 0];
    bytes.extend(length.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(hash);
    bytes
}

/// A stream as one zstd frame: a single segment, one block, not compressed or a run.
pub fn frame(stream: &[u8]) -> Vec<u8> {
    let size = stream.len() as u32;
    let [first, ..] = stream else {
        return Vec::new();
    };
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(size.to_le_bytes());
    let is_run = stream.iter().all(|byte| byte == first);
    let block = size << 3 | u32::from(is_run) << 1 | 1;
    frame.extend(&block.to_le_bytes()[..3]);
    frame.extend(if is_run { &stream[..1] } else { stream });
    frame
}
