//! Deltas of bsdiff 4: Debian's `bspatch` applies ours, we apply those of Debian's `bsdiff`, byte for byte; what
//! is damaged or made to harm is refused and leaves nothing. Format: docs/formats.md, "bsdiff (interchange)".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cli::Exit;
use delta::bsdiff::{self, MAGIC};
use support::firmware::{Code, program};
use support::programs::{self, text};
use support::publisher;
use tempfile::TempDir;

/// Whether a tool is here; if not, that is said aloud.
fn has(tool: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("command -v {tool}")]);
    let found = command
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|it| it.success());
    if !found {
        eprintln!("SKIPPED: {tool} is not installed; deltas of bsdiff 4 were not compared with it");
    }
    found
}

/// Two images in a folder.
struct Pair {
    folder: TempDir,
    target: Vec<u8>,
}

impl Pair {
    fn new(base: &[u8], target: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old.img"), base).unwrap();
        fs::write(folder.path().join("new.img"), target).unwrap();
        Self {
            folder,
            target: target.to_vec(),
        }
    }

    fn programs() -> Self {
        let [base, target] = [1, 2].map(|version| program(Code::Arm64, 200, version));
        Self::new(&base, &target)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, tool: &str, args: [&str; 3]) -> Output {
        let mut command = Command::new(tool);
        command.args(args).current_dir(self.folder.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Makes a delta by our command.
    fn make(&self, name: &str) -> PathBuf {
        let (base, target, delta) = (self.path("old.img"), self.path("new.img"), self.path(name));
        let args = ["delta", "make", word(&base), word(&target)];
        let rest = ["--format", "bsdiff", "-o", word(&delta)];
        publisher::done(self.folder.path(), &[&args[..], &rest].concat());
        delta
    }

    /// Applies a delta by our command; whether it did. Nothing stays behind.
    fn applies(&self, name: &str) -> bool {
        let [delta, base, out] = [name, "old.img", "out.img"].map(|name| self.path(name));
        let args = [
            "delta",
            "apply",
            word(&base),
            word(&delta),
            "-o",
            word(&out),
        ];
        let applied = publisher::publisher(self.folder.path(), &args).is_ok();
        assert_eq!(applied, out.exists());
        assert!(!self.path("out.img.part").exists());
        if applied {
            assert!(fs::read(&out).unwrap() == self.target);
            fs::remove_file(&out).unwrap();
        }
        applied
    }
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Repeatable bytes that don't compress.
fn noise(start: u32, size: usize) -> Vec<u8> {
    let mut state = start;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    bytes.take(size).collect()
}

/// A periodic image and the same rotated: bsdiff makes hundreds of operations without output.
fn periodic() -> [Vec<u8>; 2] {
    let period = noise(3, 64).into_iter().map(|byte| byte & 1);
    let base: Vec<u8> = period.cycle().take(40_000).collect();
    let mut target = base.clone();
    target.rotate_left(1000);
    [base, target]
}

/// Base and target by what they are to each other.
fn pairs() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let [old, new] = [1, 2].map(|version| program(Code::Arm64, 800, version));
    let [old_x86, new_x86] = [1, 2].map(|version| program(Code::X86, 800, version));
    let (image, other) = (noise(1, 70_000), noise(2, 50_000));
    let [period, rotated] = periodic();
    let middle = [&image[..30_000], &other[..5000], &image[30_000..]].concat();
    vec![
        ("empty", Vec::new(), Vec::new()),
        ("from empty", Vec::new(), image.clone()),
        ("to empty", image.clone(), Vec::new()),
        ("one byte", vec![7], vec![7]),
        ("one other byte", vec![7], vec![8]),
        ("to one byte", image.clone(), vec![image[100]]),
        ("from one byte", vec![7], image.clone()),
        ("equal", image.clone(), image.clone()),
        ("shrunk", image.clone(), image[20_000..].to_vec()),
        ("cut", image.clone(), image[..20_000].to_vec()),
        ("grown", image.clone(), middle.clone()),
        ("grown back", middle, image.clone()),
        ("unrelated", image, other),
        ("zeros", vec![0; 20_000], vec![0; 30_000]),
        ("periodic", period, rotated),
        ("A64 program", old, new),
        ("x86-64 program", old_x86, new_x86),
    ]
}

#[test]
fn bspatch_applies_our_deltas() {
    if !has("bspatch") {
        return;
    }
    for (name, base, target) in pairs() {
        let pair = Pair::new(&base, &target);
        pair.make("ours");
        let output = pair.tool("bspatch", ["old.img", "theirs.img", "ours"]);
        assert!(output.status.success(), "{name}: {}", text(&output));
        assert!(
            fs::read(pair.path("theirs.img")).unwrap() == target,
            "{name}"
        );
        assert!(pair.applies("ours"), "{name}");
    }
}

#[test]
fn deltas_of_bsdiff_apply() {
    if !has("bsdiff") {
        return;
    }
    let mut made = 0;
    for (name, base, target) in pairs() {
        let pair = Pair::new(&base, &target);
        let output = pair.tool("bsdiff", ["old.img", "new.img", "theirs"]);
        if base.is_empty() || target.is_empty() {
            // Debian's maps the files into memory, which it can't with empty ones; other builds may.
            eprintln!("bsdiff, {name}: {}", text(&output).trim());
            if !output.status.success() {
                continue;
            }
        }
        assert!(output.status.success(), "{name}: {}", text(&output));
        assert!(pair.applies("theirs"), "{name}");
        made += 1;
    }
    assert!(made >= 14, "{made}");
}

#[test]
fn delta_shows_its_parts() {
    let pair = Pair::programs();
    let delta = pair.make("ours");
    let args = ["delta", "info", word(&delta)];
    let shown = programs::json("streembit-publisher", &args, pair.folder.path());
    assert_eq!(shown["format"], "bsdiff");
    assert_eq!(shown["target_size"], pair.target.len());
    assert_eq!(shown["delta_size"], fs::metadata(&delta).unwrap().len());
    let parts = ["control", "differences", "literals"].map(|part| &shown["parts"][part]);
    let parts: u64 = parts.iter().map(|size| size.as_u64().unwrap()).sum();
    assert_eq!(parts + 32, fs::metadata(&delta).unwrap().len());
    let out = pair.path("out.img");
    let base = pair.path("old.img");
    let args = [
        "delta",
        "apply",
        word(&base),
        word(&delta),
        "-o",
        word(&out),
    ];
    let shown = programs::json("streembit-publisher", &args, pair.folder.path());
    assert_eq!(shown["target_size"], pair.target.len());
    let hash = blake3::hash(&pair.target).to_string();
    assert_eq!(shown["target_blake3"], hash);
}

#[test]
fn bsdiff_takes_no_coder_no_threads_and_no_large_image() {
    let pair = Pair::programs();
    let (base, target) = (pair.path("old.img"), pair.path("new.img"));
    let args = [
        "delta",
        "make",
        word(&base),
        word(&target),
        "--format",
        "bsdiff",
    ];
    for option in [["--coder", "zstd"], ["--threads", "2"]] {
        let with_it = [&args[..], &option].concat();
        let error = publisher::publisher(pair.folder.path(), &with_it).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message().contains(option[0]) && error.fix().unwrap().contains(option[0]));
    }
    let large = fs::File::create(&target).unwrap();
    large
        .set_len(delta::limits::BSDIFF_CREATE_BYTES_MAX + 1)
        .unwrap();
    let error = publisher::publisher(pair.folder.path(), &args).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.message().contains("new.img") && error.fix().is_some());
    assert!(!pair.path("new.img.bsdiff").exists());
}

#[test]
fn damaged_bsdiff_delta_writes_nothing_d35() {
    let pair = Pair::programs();
    let delta = pair.make("ours");
    let good = fs::read(&delta).unwrap();
    // The bits that fill the last byte up are not looked at, neither by bzip2.
    for at in [0, 7, 9, 17, 25, 40, good.len() / 2, good.len() - 2] {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(&delta, bad).unwrap();
        assert!(!pair.applies("ours"), "{at}");
        fs::write(&delta, &good[..at]).unwrap();
        assert!(!pair.applies("ours"), "{at}");
    }
    fs::write(&delta, [&good[..], &[0]].concat()).unwrap();
    assert!(!pair.applies("ours"));
}

#[test]
fn hostile_bsdiff_delta_writes_nothing_d32_d34() {
    let pair = Pair::programs();
    let delta = pair.make("ours");
    let good = fs::read(&delta).unwrap();
    let [most, few] = [1 << 40, 1].map(i64::to_le_bytes);
    let negative = (1_u64 << 63 | 5).to_le_bytes();
    for (at, number) in [8, 16, 24]
        .into_iter()
        .flat_map(|at| [(at, most), (at, few), (at, negative)])
    {
        let mut bad = good.clone();
        bad[at..at + 8].copy_from_slice(&number);
        fs::write(&delta, bad).unwrap();
        assert!(!pair.applies("ours"), "{at}");
    }
    // A base of which the copies reach beyond the end.
    fs::write(&delta, &good).unwrap();
    fs::write(pair.path("old.img"), [1; 100]).unwrap();
    assert!(!pair.applies("ours"));
}

#[test]
fn format_is_found_by_the_first_bytes() {
    let pair = Pair::programs();
    let mut delta = Vec::new();
    let header = bsdiff::create(&[1; 9], &[1; 9], &mut delta).unwrap();
    assert!(delta.starts_with(&MAGIC) && header.target_size == 9);
    let other = [&b"BSDIFF41"[..], &[0; 200]].concat();
    for (bytes, words) in [
        (&other[..], "magic"),
        (b"BSDIFF40", "header"),
        (b"", "ends"),
    ] {
        let path = pair.path("odd");
        fs::write(&path, bytes).unwrap();
        let args = ["delta", "info", word(&path)];
        let error = publisher::publisher(pair.folder.path(), &args).unwrap_err();
        assert_eq!(error.exit, Exit::No);
        assert!(error.to_string().contains(words), "{error}");
    }
}
