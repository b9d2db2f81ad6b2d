//! Images for tests: repeatable noise, edits of it, and deltas made from them.

use std::{
    io::{self, Cursor, Read, Seek, SeekFrom},
    ops::ControlFlow,
};

use crate::codec::varint;
use crate::{ApplyError, Coder, CreateOptions, Delta, Expected, apply, create};

pub(crate) mod hostile;

/// Repeatable bytes that don't compress (splitmix64).
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    });
    words.flatten().take(size).collect()
}

/// A change of an image; positions are taken modulo its size.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Delete {
        at: usize,
        count: usize,
    },
    Insert {
        at: usize,
        count: usize,
        seed: u64,
    },
    Move {
        from: usize,
        to: usize,
        count: usize,
    },
    Overwrite {
        at: usize,
        count: usize,
        seed: u64,
    },
    Touch {
        at: usize,
        count: usize,
        step: usize,
    },
}

impl Edit {
    pub(crate) fn apply(&self, image: &mut Vec<u8>) {
        let within = |at: usize, image: &[u8]| at % (image.len() + 1);
        match *self {
            Self::Delete { at, count } => {
                let at = within(at, image);
                image.drain(at..(at + count).min(image.len()));
            }
            Self::Insert { at, count, seed } => {
                let at = within(at, image);
                image.splice(at..at, noise(seed, count));
            }
            Self::Move { from, to, count } => {
                let from = within(from, image);
                let moved: Vec<u8> = image.drain(from..(from + count).min(image.len())).collect();
                let to = within(to, image);
                image.splice(to..to, moved);
            }
            Self::Overwrite { at, count, seed } => {
                let at = within(at, image);
                let end = (at + count).min(image.len());
                image.splice(at..end, noise(seed, end - at));
            }
            Self::Touch { at, count, step } => {
                let at = within(at, image);
                let end = (at + count).min(image.len());
                for byte in image[at..end].iter_mut().step_by(step.max(1)) {
                    *byte = byte.wrapping_add(4);
                }
            }
        }
    }
}

/// Makes a delta at a fast level.
pub(crate) fn delta_of(base: &[u8], target: &[u8]) -> Vec<u8> {
    delta_by(Coder::Zstd, base, target)
}

/// Makes a delta at a fast level by one coder.
pub(crate) fn delta_by(coder: Coder, base: &[u8], target: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = CreateOptions {
        threads: 1,
        level: 3,
        coder,
    };
    create(base, target, &options, &|_| {}, &mut bytes).unwrap();
    bytes
}

/// Opens and applies a whole delta.
pub(crate) fn rebuild(
    base: &[u8],
    delta: &[u8],
    expected: &Expected,
) -> Result<Vec<u8>, ApplyError> {
    let mut opened = Delta::open(Cursor::new(delta), delta.len() as u64, expected)?;
    let mut out = Vec::new();
    apply(&mut opened, &mut Cursor::new(base), &mut out, |_| {
        ControlFlow::Continue(())
    })?;
    Ok(out)
}

/// A payload of type 1 with these streams, whatever they say.
pub(crate) fn delta_z_payload(streams: [&[u8]; 7]) -> Vec<u8> {
    let frame = |stream: &&[u8]| match stream {
        [] => Vec::new(),
        _ => zstd::bulk::compress(stream, 3).unwrap(),
    };
    let frames: Vec<Vec<u8>> = streams.iter().map(frame).collect();
    let mut payload = vec![0];
    for (stream, frame) in streams.iter().zip(&frames) {
        varint::put_count(&mut payload, stream.len());
        varint::put_count(&mut payload, frame.len());
    }
    payload.extend(frames.concat());
    payload
}

/// An image of any size without memory: each byte follows from its position. Counts what is read.
#[derive(Debug)]
pub(crate) struct Endless {
    pub(crate) size: u64,
    pub(crate) position: u64,
    pub(crate) bytes_read: u64,
}

impl Endless {
    pub(crate) const fn new(size: u64) -> Self {
        Self {
            size,
            position: 0,
            bytes_read: 0,
        }
    }

    pub(crate) const fn byte(position: u64) -> u8 {
        (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }

    pub(crate) fn range(start: u64, size: u64) -> Vec<u8> {
        (start..start + size).map(Self::byte).collect()
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.position);
        let count = buffer.len().min(usize::try_from(left).unwrap());
        for (byte, position) in buffer[..count].iter_mut().zip(self.position..) {
            *byte = Self::byte(position);
        }
        self.position += count as u64;
        self.bytes_read += count as u64;
        Ok(count)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(offset) => self.size.checked_add_signed(offset).unwrap(),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset).unwrap(),
        };
        Ok(self.position)
    }
}
