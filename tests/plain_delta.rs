//! A second decoder of deltas, written from `docs/formats.md` alone: it makes of every delta what ours
//! does. Slow, whole images in memory, nothing shared with the crate `delta`.

mod calls;
mod code;
mod container;
mod copies;
mod delta_cm;
mod delta_z;
#[path = "../delta/src/images/hostile.rs"]
mod hostile;
mod input;
mod instructions;
mod literals;
mod references;
mod tables;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::ops::ControlFlow;

use delta::{Coder, CreateOptions, Delta, Expected, Segments};
use support::firmware::{Code, program};

/// The first row's `machine`.
const MACHINE_AT: usize = 105;
/// In the order of `machine`, from 1 on.
const CODES: [Code; 5] = [Code::Arm64, Code::X86, Code::A32, Code::T32, Code::RiscV];
const CODERS: [Coder; 2] = [Coder::Zstd, Coder::Mixing];

/// Makes a delta, and has both decoders apply it.
fn both(base: &[u8], target: &[u8], coder: Coder) -> (Vec<u8>, Segments) {
    let options = CreateOptions {
        coder,
        ..CreateOptions::default()
    };
    let mut bytes = Vec::new();
    let summary = delta::create(base, target, &options, &|_| {}, &mut bytes).unwrap();
    let expected = Expected::of(base, target);
    let size = bytes.len() as u64;
    let mut opened = Delta::open(Cursor::new(&bytes), size, &expected).unwrap();
    let mut ours = Vec::new();
    let go_on = |_| ControlFlow::Continue(());
    delta::apply(&mut opened, &mut Cursor::new(base), &mut ours, go_on).unwrap();
    assert!(ours == target);
    assert!(container::decode(base, &bytes).unwrap() == target);
    (bytes, summary.segments)
}

/// Text, runs and bytes without order, so that literals are coded and stand apart.
fn data(seed: u8) -> Vec<u8> {
    let mut data = Vec::new();
    for line in 0..4000_u32 {
        data.extend(
            format!(
                "{line:04} version {seed}: {}\n",
                line.wrapping_mul(7919) % 613
            )
            .bytes(),
        );
    }
    data.resize(data.len() + 70_000, 0xff);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[seed]);
    let noise = data.len();
    data.resize(noise + 50_000, 0);
    hasher.finalize_xof().fill(&mut data[noise..]);
    data
}

#[test]
fn programs_are_rebuilt_alike() {
    for (code, machine) in CODES.into_iter().zip(1..) {
        let (base, target) = (program(code, 9000, 1), program(code, 9000, 2));
        assert!(target.len() > 1 << 20, "more than one segment");
        for coder in CODERS {
            let (bytes, segments) = both(&base, &target, coder);
            assert!(segments.copy + segments.raw == 0, "{segments:?}");
            assert_eq!(bytes[MACHINE_AT], machine, "{code:?}");
            assert!(bytes.len() < target.len() / 20, "{code:?} {}", bytes.len());
        }
    }
}

#[test]
fn data_is_rebuilt_alike() {
    let (base, target) = (data(1), data(2));
    for coder in CODERS {
        both(&base, &target, coder);
        both(&[], &target, coder);
        both(&base, &base, coder);
        both(&base, &[], coder);
    }
    let mixed = [program(Code::Arm64, 800, 2), target].concat();
    both(
        &[base, program(Code::Arm64, 800, 1)].concat(),
        &mixed,
        Coder::Mixing,
    );
}

/// Words of one language in another order, and calls of functions that stayed: too short for copies.
fn sentences(code: Code, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = |below: u32| {
        state = state.wrapping_mul(0x41c6_4e6d).wrapping_add(0x3039);
        (state >> 12) % below
    };
    let mut bytes = Vec::new();
    for _ in 0..20_000 {
        match next(8) {
            0 => {
                let mut call = [0xe8, 0, 0, 0, 0];
                let distance = (0x100 * next(9)).wrapping_sub(bytes.len() as u32);
                call[1..].copy_from_slice(&distance.to_le_bytes());
                match code {
                    Code::X86 => bytes.extend(call),
                    _ => {
                        bytes.resize(bytes.len().next_multiple_of(4), b'.');
                        bytes.extend((0x9400_0000 | (distance >> 2) & 0x3ff_ffff).to_le_bytes());
                    }
                }
            }
            _ => bytes.extend(format!("{:x} ", (1 + next(3000)).wrapping_mul(0x9e37_79b1)).bytes()),
        }
    }
    bytes
}

#[test]
fn literals_go_on_from_the_base_alike() {
    for code in [Code::Arm64, Code::X86] {
        let program = program(code, 2000, 1);
        let base = [program.clone(), sentences(code, 1)].concat();
        let target = [program.clone(), sentences(code, 2)].concat();
        let (bytes, segments) = both(&base, &target, Coder::Zstd);
        assert_eq!(segments.raw, 0, "{segments:?}");
        let (unprimed, _) = both(&program, &target, Coder::Zstd);
        assert!(
            bytes.len() < unprimed.len() * 9 / 10,
            "{} {}",
            bytes.len(),
            unprimed.len()
        );
    }
}

/// Records of three words, as of relocations: a place, what is named, how far from it.
fn records(insertion: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in 0..20_000_u32 {
        let moved = if record > 5000 { insertion } else { 0 };
        let place = 0x1000 + record * 24 + moved;
        let name = (record.wrapping_mul(0x9e37_79b1) >> 18) + u32::from(insertion > 0) * 3;
        let far = record.wrapping_mul(0x85eb_ca6b) >> 9;
        let far = if far > 1 << 21 { far + insertion } else { far };
        bytes.extend([place, name, far].map(u32::to_le_bytes).concat());
    }
    bytes
}

#[test]
fn tables_are_rebuilt_alike() {
    let (base, target) = (records(0), records(0x1234));
    let (bytes, _) = both(&base, &target, Coder::Zstd);
    assert_eq!(bytes[104..106], [1, 6], "type and machine of the first row");
    assert!(bytes.len() < target.len() / 40, "{}", bytes.len());
}

/// An operation without a copy may stand anywhere, also beyond the base.
#[test]
fn tables_beyond_the_base_are_rebuilt_alike() {
    let base = records(0);
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"before the tables");
    let mut target = vec![0; (1 << 20) + 100];
    hasher.finalize_xof().fill(&mut target);
    target.extend(records(0x1234));
    let (bytes, segments) = both(&base, &target, Coder::Zstd);
    assert_eq!((segments.raw, segments.delta), (1, 1));
    assert_eq!(
        bytes[152..154],
        [1, 6],
        "type and machine of the second row"
    );
}

/// A delta that an earlier version has made, for each type and instruction set: it stays readable for ever.
#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    /// Base, delta, and the target's BLAKE3, in hex.
    base: String,
    delta: String,
    target: String,
}

#[test]
fn deltas_of_earlier_versions_are_rebuilt_alike() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors/deltas.json")).unwrap();
    let mut kinds = BTreeSet::new();
    for vector in vectors {
        let bytes = |text| hex::decode(text).unwrap();
        let (base, delta) = (bytes(&vector.base), bytes(&vector.delta));
        let target = container::decode(&base, &delta).unwrap();
        assert_eq!(
            blake3::hash(&target).to_string(),
            vector.target,
            "{}",
            vector.name
        );
        let expected = Expected::of(&base, &target);
        let opened = Delta::open(Cursor::new(&delta), delta.len() as u64, &expected);
        let mut ours = Vec::new();
        let go_on = |_| ControlFlow::Continue(());
        delta::apply(
            &mut opened.unwrap(),
            &mut Cursor::new(&base),
            &mut ours,
            go_on,
        )
        .unwrap();
        assert!(ours == target, "{}", vector.name);
        kinds.insert([delta[104], delta[105]]);
    }
    let mut expected = BTreeSet::from([[0, 0], [2, 0], [1, 6]]);
    expected.extend((0..6).flat_map(|machine| [[1, machine], [3, machine]]));
    assert_eq!(kinds, expected);
}

/// Repeats, padding, shifted and swapped blocks, what looks like machine code.
#[test]
fn hostile_images_are_rebuilt_alike() {
    for seed in 5000..5060 {
        let (base, target) = hostile::pair(seed);
        for coder in CODERS {
            both(&base, &target, coder);
        }
    }
}

/// What one refuses, the other refuses. A few bits mean nothing, such as those that fill up zstd's last byte.
#[test]
fn damaged_deltas_are_refused_alike() {
    let (base, target) = (program(Code::Arm64, 300, 1), program(Code::Arm64, 300, 2));
    for coder in CODERS {
        let (bytes, _) = both(&base, &target, coder);
        let expected = Expected::of(&base, &target);
        let mut refused = 0;
        let places = (0..bytes.len()).step_by(bytes.len() / 97 + 1);
        for at in places.clone() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let opened = Delta::open(Cursor::new(&damaged), bytes.len() as u64, &expected);
            let ours = opened.and_then(|mut opened| {
                let go_on = |_| ControlFlow::Continue(());
                let mut out = Vec::new();
                delta::apply(&mut opened, &mut Cursor::new(&base), &mut out, go_on)?;
                Ok(out)
            });
            let theirs = container::decode(&base, &damaged);
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => assert!(ours == target && theirs == target, "{at}"),
                (Err(_), Err(_)) => refused += 1,
                (ours, theirs) => panic!("{at}: {:?} {:?}", ours.err(), theirs.err()),
            }
        }
        assert!(refused + 3 > places.count(), "{refused}");
    }
}
