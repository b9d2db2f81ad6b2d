//! A device with little memory installs a large image by delta, and is killed on the way (threat Q93). The
//! agent's peak is read from the kernel; `agent_capped` has a kernel that keeps it from taking more.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use delta::Coder;
use support::device::{Content, Device, Kind, Published, noise};
use support::firmware::{Code, program};
use support::mirror::Mirror;
use support::programs::PATIENCE;

use crate::agent_kill::{assert_survived, with_older_system};

/// What a small device leaves to the agent.
pub(crate) const MEMORY_BYTES: u64 = 32 << 20;
/// Bytes of the image, far more than that.
const IMAGE_BYTES: usize = 256 << 20;
/// Bytes of an image's block.
const BLOCK_BYTES: usize = 1 << 20;

/// What an agent took and how it ended.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    /// Peak of what is resident, files that it maps included.
    peak_bytes: u64,
}

/// Blocks over and over, edited here and there; for context mixing every 40th is a later version of a program.
pub(crate) fn images(coder: Coder, image_bytes: usize) -> [Vec<u8>; 2] {
    let code = program(Code::Arm64, 6000, 1);
    let old = [&code[..], &noise("blocks", 12 << 20)].concat();
    let later = program(Code::Arm64, 6000, 2);
    let mut new = Vec::with_capacity(image_bytes);
    for block in 0..image_bytes / BLOCK_BYTES {
        let from = block * 77_777 % (old.len() - BLOCK_BYTES);
        let piece = if coder == Coder::Mixing && block % 40 == 7 {
            &later[block % 9..]
        } else {
            &old[from..]
        };
        let start = new.len();
        new.extend_from_slice(&piece[..piece.len().min(BLOCK_BYTES)]);
        new.resize(start + BLOCK_BYTES, 0xff);
        if block % 64 == 3 {
            new[start + block * 900..][..4].copy_from_slice(b"edit");
        }
    }
    [old, new]
}

/// Bytes of the slot's file that are on disk.
fn written(device: &Device) -> u64 {
    fs::metadata(device.slot_path("b")).map_or(0, |it| it.blocks() * 512)
}

/// The peak so far; `None` once it has ended.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Runs the agent; kills it when so much of the slot is written.
fn run(device: &Device, mut command: Command, kill_at: Option<u64>) -> Ended {
    let before = written(device);
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut peak_bytes = 0;
    let mut has_begun = false;
    loop {
        peak_bytes = peak(&child).unwrap_or(0).max(peak_bytes);
        if let Some(status) = child.try_wait().unwrap() {
            return Ended { status, peak_bytes };
        }
        assert!(Instant::now() < deadline, "the agent doesn't end");
        let now = written(device);
        has_begun |= now != before;
        if has_begun && kill_at.is_some_and(|bytes| now >= bytes) {
            child.kill().unwrap();
        }
        std::thread::yield_now();
    }
}

/// Kills at several places of the image, each followed by a run that finishes.
fn killed_and_finished(factory: &Device, mirror: &Mirror, images: &[Content; 3]) {
    let mut killed = 0;
    for share in [0, 12, 47, 99] {
        let device = factory.twin(&mirror.url());
        let moment = format!("{share} % written");
        let kill_at = IMAGE_BYTES as u64 / 100 * share;
        let ended = run(&device, device.command(&["install"]), Some(kill_at));
        killed += u64::from(ended.status.code().is_none());
        assert_survived(&device, images, &moment);
        let ended = run(&device, device.command(&["install"]), None);
        assert!(ended.status.code() == Some(40), "{moment}: {ended:?}");
        assert!(ended.peak_bytes <= MEMORY_BYTES, "{moment}: {ended:?}");
        assert_installed(&device, images, &moment);
    }
    assert!(killed >= 2, "only {killed} kills");
}

/// The run that finished left what the next one would.
pub(crate) fn assert_installed(device: &Device, images: &[Content; 3], moment: &str) {
    assert!(device.slot("b") == images[1], "{moment}: not release 2");
    assert_survived(device, images, moment);
}

/// Installs, undisturbed and killed, by the smallest delta, which is that of `coder`.
fn install(coder: Coder) {
    let [old, new] = images(coder, IMAGE_BYTES);
    let published = Published::images([&old, &new]);
    drop((old, new));
    let product = String::from_utf8(published.metadata()["3.cam.json"].clone()).unwrap();
    let is_mixed = product.contains(delta::FORMAT_MIXING);
    assert_eq!(is_mixed, coder == Coder::Mixing);
    let mirror = Mirror::start(&published.repository());
    let factory = Device::new(&published, &mirror.url());
    let images = with_older_system(&factory, &published, Kind::Raw);
    let device = factory.twin(&mirror.url());
    let ended = run(&device, device.command(&["install"]), None);
    eprintln!("Q93: {coder:?}, a whole installation: {ended:?}");
    assert!(ended.status.code() == Some(40), "{ended:?}");
    let bounds = 1..=MEMORY_BYTES;
    assert!(bounds.contains(&ended.peak_bytes), "{ended:?}");
    let image = blake3::hash(&images[1][Path::new("")]).to_hex();
    let asked = mirror.take_asked();
    let whole = asked.iter().any(|path| path.contains(image.as_str()));
    assert!(!whole, "the whole image was fetched");
    assert_installed(&device, &images, "undisturbed");
    killed_and_finished(&factory, &mirror, &images);
}

#[test]
fn large_image_by_zstd_in_little_memory_and_after_kills_q93() {
    install(Coder::Zstd);
}

#[test]
fn large_image_by_mixing_in_little_memory_and_after_kills_q93() {
    install(Coder::Mixing);
}
