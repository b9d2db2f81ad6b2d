//! Segments at their places: cut runs, modified bases, bad sectors.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use super::apply_in_place;
use crate::{
    ApplyError, Delta, Expected,
    images::{delta_of, noise},
    limits::SEGMENT_BYTES,
};

const SEGMENT: usize = SEGMENT_BYTES as usize;
const COUNT: u32 = 5;

/// A slot that counts what is written.
struct Slot {
    bytes: Cursor<Vec<u8>>,
    written: usize,
    /// A sector that can't be read until it is written.
    bad: Option<u64>,
}

impl Slot {
    fn holding(bytes: &[u8]) -> Self {
        Self {
            bytes: Cursor::new(bytes.to_vec()),
            written: 0,
            bad: None,
        }
    }

    fn touches_bad(&self, buffer: &[u8]) -> bool {
        let start = self.bytes.position();
        self.bad
            .is_some_and(|bad| (start..start + buffer.len() as u64).contains(&bad))
    }
}

impl Read for Slot {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.touches_bad(buffer) {
            return Err(io::Error::other("medium error"));
        }
        self.bytes.read(buffer)
    }
}

impl Seek for Slot {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.touches_bad(bytes) {
            self.bad = None;
        }
        self.written += bytes.len();
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A base with a sector that can't be read.
struct BadSector {
    bytes: Cursor<Vec<u8>>,
    at: u64,
}

impl Read for BadSector {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let range = self.bytes.position()..self.bytes.position() + buffer.len() as u64;
        if range.contains(&self.at) {
            return Err(io::Error::other("medium error"));
        }
        self.bytes.read(buffer)
    }
}

impl Seek for BadSector {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// Base, target and delta: changes in every segment, the last is short.
fn images() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let base = noise(1, 4 * SEGMENT + 1000);
    let mut target = base.clone();
    for byte in target.iter_mut().step_by(997) {
        *byte ^= 0x40;
    }
    let delta = delta_of(&base, &target);
    (base, target, delta)
}

fn apply(
    delta: &[u8],
    images: (&[u8], &[u8]),
    base: &mut (impl Read + Seek),
    slot: &mut Slot,
    segments: impl IntoIterator<Item = u32>,
) -> Result<Vec<u32>, ApplyError> {
    let expected = Expected::of(images.0, images.1);
    let mut opened = Delta::open(Cursor::new(delta), delta.len() as u64, &expected).unwrap();
    apply_in_place(&mut opened, base, slot, segments, |_| {
        ControlFlow::Continue(())
    })
    .map(|made| made.left_out)
}

/// S79: what a run that was cut has written is not written again, and what it has not, is.
#[test]
fn goes_on_where_a_run_was_cut() {
    let (base, target, delta) = images();
    let mut slot = Slot::holding(&[]);
    let half = apply(
        &delta,
        (&base, &target),
        &mut Cursor::new(&base),
        &mut slot,
        [3, 0, 1],
    );
    assert_eq!(half.unwrap(), []);
    assert_eq!(slot.written, 3 * SEGMENT);
    // A torn write: the end of segment 1 is old.
    slot.bytes.get_mut()[2 * SEGMENT - 1] ^= 1;
    slot.written = 0;
    let rest = apply(
        &delta,
        (&base, &target),
        &mut Cursor::new(&base),
        &mut slot,
        0..COUNT,
    );
    assert_eq!(rest.unwrap(), []);
    assert_eq!(slot.written, 2 * SEGMENT + 1000, "segments 1, 2 and 4");
    assert!(*slot.bytes.get_ref() == target);
}

#[test]
fn what_an_older_image_has_in_common_is_not_written() {
    let (base, mut target, _) = images();
    target[..2 * SEGMENT].copy_from_slice(&base[..2 * SEGMENT]);
    let delta = delta_of(&base, &target);
    let mut slot = Slot::holding(&base);
    let all = apply(
        &delta,
        (&base, &target),
        &mut Cursor::new(&base),
        &mut slot,
        0..COUNT,
    );
    assert_eq!(all.unwrap(), []);
    assert_eq!(slot.written, 2 * SEGMENT + 1000);
    assert!(*slot.bytes.get_ref() == target);
}

/// S82: the slot held the target, but a sector of it went bad; writing it anew is all it needs.
#[test]
fn what_the_slot_does_not_give_back_is_written_anew_s82() {
    let (base, target, delta) = images();
    let mut slot = Slot::holding(&target);
    slot.bad = Some(2 * SEGMENT as u64 + 7);
    let all = apply(
        &delta,
        (&base, &target),
        &mut Cursor::new(&base),
        &mut slot,
        0..COUNT,
    );
    assert_eq!(all.unwrap(), []);
    assert_eq!((slot.written, slot.bad), (SEGMENT, None));
    assert!(*slot.bytes.get_ref() == target);
}

/// D30, D38: of a modified base, the segments that don't need what was modified are made; the others are
/// named, and nothing is written in their places.
#[test]
fn names_what_a_modified_base_does_not_rebuild_d30() {
    let (base, target, delta) = images();
    let mut modified = base.clone();
    modified[SEGMENT + 5] ^= 1;
    modified[4 * SEGMENT + 5] ^= 1;
    let before = noise(3, target.len());
    let mut slot = Slot::holding(&before);
    let all = apply(
        &delta,
        (&base, &target),
        &mut Cursor::new(&modified),
        &mut slot,
        0..COUNT,
    );
    assert_eq!(all.unwrap(), [1, 4]);
    let bytes = slot.bytes.get_ref();
    for index in 0..COUNT as usize {
        let range = index * SEGMENT..(index * SEGMENT + SEGMENT).min(target.len());
        let image = if [1, 4].contains(&index) {
            &before
        } else {
            &target
        };
        assert!(bytes[range.clone()] == image[range], "{index}");
    }
    // A delta from nothing has them all.
    let repack = delta_of(&[], &target);
    let repaired = apply(&repack, (&[], &target), &mut io::empty(), &mut slot, [1, 4]);
    assert_eq!(repaired.unwrap(), []);
    assert!(*slot.bytes.get_ref() == target);
}

#[test]
fn names_what_a_bad_sector_or_the_end_of_the_base_costs() {
    let (base, target, delta) = images();
    let mut bad = BadSector {
        bytes: Cursor::new(base.clone()),
        at: 2 * SEGMENT as u64 + 9,
    };
    let mut slot = Slot::holding(&[]);
    let all = apply(&delta, (&base, &target), &mut bad, &mut slot, 0..COUNT);
    assert_eq!(all.unwrap(), [2]);
    let mut short = Cursor::new(&base[..3 * SEGMENT - 1]);
    let all = apply(&delta, (&base, &target), &mut short, &mut slot, 2..COUNT);
    assert_eq!(all.unwrap(), [2], "3 and 4 are there");
    let mut slot = Slot::holding(&[]);
    let all = apply(&delta, (&base, &target), &mut short, &mut slot, 0..COUNT);
    assert_eq!(all.unwrap(), [2, 3, 4]);
}

#[test]
fn a_damaged_delta_is_an_error_where_it_ends_and_a_segment_less_where_it_lies() {
    let (base, target, delta) = images();
    let images = (base.as_slice(), target.as_slice());
    let mut slot = Slot::holding(&[]);
    let mut damaged = delta.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 0xff;
    let all = apply(
        &damaged,
        images,
        &mut Cursor::new(&base),
        &mut slot,
        0..COUNT,
    );
    assert_eq!(all.unwrap(), [4]);
    let expected = Expected::of(&base, &target);
    let cut = Cursor::new(&delta[..last]);
    let mut opened = Delta::open(cut, delta.len() as u64, &expected).unwrap();
    let go_on = |_| ControlFlow::Continue(());
    let all = apply_in_place(
        &mut opened,
        &mut Cursor::new(&base),
        &mut slot,
        0..COUNT,
        go_on,
    );
    assert!(matches!(all, Err(ApplyError::Delta(_))));
    let none = apply(&delta, images, &mut Cursor::new(&base), &mut slot, [COUNT]);
    assert!(matches!(none, Err(ApplyError::Segment { index: COUNT })));
}

#[test]
fn stops_when_told() {
    let (base, target, delta) = images();
    let expected = Expected::of(&base, &target);
    let mut opened = Delta::open(Cursor::new(&delta), delta.len() as u64, &expected).unwrap();
    let mut slot = Slot::holding(&[]);
    let stop = |done| match done {
        0..=0x10_0000 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let all = apply_in_place(
        &mut opened,
        &mut Cursor::new(&base),
        &mut slot,
        0..COUNT,
        stop,
    );
    assert!(matches!(all, Err(ApplyError::Cancelled)));
    assert_eq!(slot.written, 2 * SEGMENT);
}
