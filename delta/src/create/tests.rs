//! Making deltas: whatever the images, applying gives the target.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};

use super::{Coder, CreateError, CreateOptions, Segments, create};
use crate::{
    Expected,
    images::{Edit, delta_by, hostile, noise, rebuild},
    limits::SEGMENT_BYTES,
};

const SEGMENT: usize = SEGMENT_BYTES as usize;

/// Bytes of a delta.
fn round_trip_by(coder: Coder, base: &[u8], target: &[u8]) -> usize {
    let delta = delta_by(coder, base, target);
    assert!(rebuild(base, &delta, &Expected::of(base, target)).unwrap() == target);
    delta.len()
}

/// Bytes of a delta by each coder.
fn round_trip(base: &[u8], target: &[u8]) -> [usize; 2] {
    [Coder::Zstd, Coder::Mixing].map(|coder| round_trip_by(coder, base, target))
}

/// Something like an image: code-like noise over few values, runs, repeated blocks.
fn image(size: usize) -> Vec<u8> {
    let mut image = Vec::new();
    for seed in 0.. {
        match seed % 4 {
            0 => image.extend(noise(seed, 30_000)),
            1 => image.extend(noise(seed, 30_000).iter().map(|byte| byte & 7)),
            2 => image.extend([0xff; 20_000]),
            _ => image.extend(noise(3, 12_288)),
        }
        if image.len() >= size {
            break;
        }
    }
    image.truncate(size);
    image
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let (at, count, seed) = (0_usize..5_000_000, 0_usize..40_000, 100_u64..200);
    let edit = prop_oneof![
        (at.clone(), count.clone()).prop_map(|(at, count)| Edit::Delete { at, count }),
        (at.clone(), count.clone(), seed.clone()).prop_map(|(at, count, seed)| Edit::Insert {
            at,
            count,
            seed
        }),
        (at.clone(), at.clone(), count.clone()).prop_map(|(from, to, count)| Edit::Move {
            from,
            to,
            count
        }),
        (at.clone(), count.clone(), seed).prop_map(|(at, count, seed)| Edit::Overwrite {
            at,
            count,
            seed
        }),
        (at, Just(40_000), 1_usize..200).prop_map(|(at, count, step)| Edit::Touch {
            at,
            count,
            step
        }),
    ];
    proptest::collection::vec(edit, 0..8)
}

#[test]
fn images_around_the_segment_size_round_trip() {
    let image = image(2 * SEGMENT + 1);
    for size in [
        0,
        1,
        7,
        SEGMENT - 1,
        SEGMENT,
        SEGMENT + 1,
        2 * SEGMENT,
        2 * SEGMENT + 1,
    ] {
        round_trip(&image, &image[..size]);
        round_trip(&image[..size], &[]);
        // By zstd alone: megabytes of literals take context mixing seconds.
        round_trip_by(Coder::Zstd, &[], &image[..size]);
        round_trip_by(Coder::Zstd, &image[..size], &image);
    }
}

#[test]
fn incompressible_image_is_stored() {
    let target = noise(1, SEGMENT + 5);
    for size in round_trip(&noise(2, SEGMENT), &target) {
        assert!(size < target.len() + 1000);
    }
}

/// Whoever takes single segments of such a delta needs no base and one decoder.
#[test]
fn from_nothing_every_segment_is_stored() {
    let target = image(2 * SEGMENT + 7);
    for coder in [Coder::Zstd, Coder::Mixing] {
        let options = CreateOptions {
            coder,
            level: 3,
            ..CreateOptions::default()
        };
        let mut delta = Vec::new();
        let made = create(&[], &target, &options, &|_| {}, &mut delta).unwrap();
        let all_stored = Segments {
            raw: 3,
            ..Segments::default()
        };
        assert_eq!(made.segments, all_stored);
        assert!(rebuild(&[], &delta, &Expected::of(&[], &target)).unwrap() == target);
    }
}

/// Segments are copied at their own place, and at another.
#[test]
fn identical_and_shifted_images_are_copied() {
    let base = image(3 * SEGMENT);
    let mut out = Vec::new();
    let options = CreateOptions::default();
    let summary = create(&base, &base, &options, &|_| {}, &mut out).unwrap();
    assert_eq!(
        summary.segments,
        Segments {
            copy: 3,
            delta: 0,
            mixed: 0,
            raw: 0
        }
    );
    assert_eq!(summary.delta_size, 104 + 3 * 48);
    assert_eq!(out.len() as u64, summary.delta_size);
    let shifted = &base[12_345..];
    let summary = create(&base, shifted, &options, &|_| {}, &mut Vec::new()).unwrap();
    assert_eq!(
        summary.segments,
        Segments {
            copy: 3,
            delta: 0,
            mixed: 0,
            raw: 0
        }
    );
}

#[test]
fn small_changes_make_small_deltas() {
    let base = image(2 * SEGMENT);
    let mut target = base.clone();
    Edit::Insert {
        at: 500_000,
        count: 300,
        seed: 1,
    }
    .apply(&mut target);
    Edit::Touch {
        at: 900_000,
        count: 20_000,
        step: 50,
    }
    .apply(&mut target);
    let [by_zstd, by_mixing] = round_trip(&base, &target);
    assert!(by_zstd < 1800, "{by_zstd}");
    assert!(by_mixing < 1000, "{by_mixing}");
}

/// The bytes don't depend on the number of threads, and all progress is told.
#[test]
fn threads_do_not_change_the_delta() {
    let base = image(4 * SEGMENT + 99);
    let mut target = base.clone();
    for (at, seed) in [(5, 1), (SEGMENT, 2), (3 * SEGMENT, 3)] {
        Edit::Insert {
            at,
            count: 1000,
            seed,
        }
        .apply(&mut target);
    }
    let make = |threads| {
        let (mut out, most) = (Vec::new(), AtomicU64::new(0));
        let progress = |done| {
            most.fetch_max(done, Ordering::Relaxed);
        };
        let options = CreateOptions {
            threads,
            level: 5,
            coder: Coder::Zstd,
        };
        create(&base, &target, &options, &progress, &mut out).unwrap();
        assert_eq!(most.into_inner(), target.len() as u64);
        out
    };
    let one = make(1);
    assert!(one == make(3) && one == make(0) && one == make(usize::MAX));
}

/// D39: padded flash with one byte changed, the whole way.
#[test]
fn padded_image_makes_a_small_delta() {
    let mut base = image(SEGMENT / 2);
    base.resize(8 * SEGMENT, 0xff);
    let mut target = base.clone();
    target[5 * SEGMENT + 77] = 0;
    for size in round_trip(&base, &target) {
        assert!(size < 104 + 8 * 48 + 200);
    }
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
    let result = create(b"a", b"b", &CreateOptions::default(), &|_| {}, &mut Full);
    assert!(matches!(result, Err(CreateError::Write(_))));
}

/// Repeats, padding, shifts, swapped blocks, what looks like machine code, sizes at limits.
#[test]
fn hostile_images_round_trip() {
    for seed in 0..250 {
        let (base, target) = hostile::pair(seed);
        for (coder, size) in [Coder::Zstd, Coder::Mixing]
            .into_iter()
            .zip(round_trip(&base, &target))
        {
            let stored = target.len() + 104 + 48 * target.len().div_ceil(SEGMENT) + 64;
            assert!(size <= stored, "pair {seed} by {coder:?}: {size} bytes");
        }
    }
}

/// Pieces of each kind that end just before, at and just after the end of a segment.
#[test]
fn hostile_images_around_a_segment_round_trip() {
    for seed in 1000..1012 {
        let mut dice = hostile::Dice::new(seed);
        let mut base = hostile::piece(&mut dice, SEGMENT + 1);
        base.truncate(SEGMENT + seed as usize % 3 - 1);
        let mut target = base.clone();
        hostile::change(&mut dice, &mut target);
        round_trip_by(Coder::Zstd, &base, &target);
        round_trip_by(Coder::Mixing, &base, &target);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn edited_images_round_trip(edits in edits(), size in 0_usize..1_500_000) {
        let base = image(size);
        let mut target = base.clone();
        for edit in &edits {
            edit.apply(&mut target);
        }
        round_trip(&base, &target);
    }

    #[test]
    fn any_bytes_round_trip(base: Vec<u8>, target: Vec<u8>) {
        round_trip(&base, &target);
    }
}
