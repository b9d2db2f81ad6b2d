//! How much memory it takes to make a delta, as the kernel counts it: six images, and a constant.

use std::fs;
use std::process::Child;

use support::device::noise;
use support::programs::command;

const MIB: usize = 1 << 20;
/// Bytes of base and target, each.
const IMAGE_BYTES: usize = 32 * MIB;
/// Most bytes per byte of an image, with both images.
const SHARE_MAX: usize = 6;
/// Most bytes that don't depend on the images: the program, 25 MiB for one thread, and the delta twice.
const CONSTANT_BYTES_MAX: usize = 44 * MIB;

/// Most bytes that were in memory at a time, `VmHWM` of proc(5), while the child runs.
fn peak(child: &Child) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[test]
fn making_a_delta_takes_six_images_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let base = noise("base", IMAGE_BYTES);
    // Moved by a few bytes and changed here and there: no block is found whole, all is searched.
    let mut target = base.clone();
    target.rotate_left(77);
    for position in (0..target.len()).step_by(1999) {
        target[position] ^= 1;
    }
    fs::write(folder.path().join("base"), &base).unwrap();
    fs::write(folder.path().join("target"), &target).unwrap();
    for coder in ["zstd", "mixing"] {
        let args = [
            "delta",
            "make",
            "base",
            "target",
            "--threads",
            "1",
            "--coder",
            coder,
        ];
        let mut command = command("streembit-publisher", folder.path());
        let mut child = command
            .args(args)
            .args(["--output", coder])
            .spawn()
            .unwrap();
        let mut most = 0;
        let status = loop {
            most = peak(&child).map_or(most, |bytes| bytes.max(most));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::yield_now();
        };
        assert!(status.success(), "{coder}: {status}");
        eprintln!("{coder}: {most} bytes at most, images of {IMAGE_BYTES}");
        assert!(most > 5 * IMAGE_BYTES, "the search is counted: {most}");
        let limit = SHARE_MAX * IMAGE_BYTES + CONSTANT_BYTES_MAX;
        assert!(most <= limit, "{coder}: {most} bytes are more than {limit}");
    }
}
