//! How much memory it takes to make a delta, as the kernel counts it: six images, and a constant.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test of its own, for its process is measured"
)]
#![cfg(target_os = "linux")]

use delta::{Coder, CreateOptions, Matched};

const MIB: usize = 1 << 20;
/// Bytes of base and target, each.
const IMAGE_BYTES: usize = 24 * MIB;
/// Most bytes per byte of an image, with both images.
const SHARE_MAX: usize = 6;
/// Most bytes that don't depend on the images: the program, 25 MiB for one thread, and the delta twice.
const CONSTANT_BYTES_MAX: usize = 36 * MIB;

fn noise(label: &str, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    let mut hasher = blake3::Hasher::new();
    hasher.update(label.as_bytes());
    hasher.finalize_xof().fill(&mut noise);
    noise
}

/// Most bytes that were in memory at a time, `VmHWM` of proc(5).
fn most_resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let mut words = line.unwrap().split_whitespace();
    words.nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// One test, for others in this process would be counted too.
#[test]
fn making_takes_six_images_of_memory() {
    let base = noise("base", IMAGE_BYTES);
    // Moved by a few bytes and changed here and there: no block is found whole, all is searched.
    let mut target = base.clone();
    target.rotate_left(77);
    for position in (0..target.len()).step_by(1999) {
        target[position] ^= 1;
    }
    let matched = Matched::new(&base, &target).unwrap();
    for coder in [Coder::Zstd, Coder::Mixing] {
        let options = CreateOptions {
            coder,
            ..CreateOptions::default()
        };
        let summary = matched
            .create(&options, &|_| {}, &mut std::io::sink())
            .unwrap();
        assert!(summary.delta_size < MIB as u64, "{}", summary.delta_size);
    }
    let most = most_resident_bytes();
    eprintln!("{most} bytes at most, images of {IMAGE_BYTES}");
    assert!(most > 3 * IMAGE_BYTES, "the search is counted: {most}");
    let limit = SHARE_MAX * IMAGE_BYTES + CONSTANT_BYTES_MAX;
    assert!(most <= limit, "{most} bytes are more than {limit}");
}
