//! `streembit-publisher delta`: made, shown and applied by hand; what doesn't fit is refused and leaves
//! nothing (threats D30, D31, D35).

use std::fs;
use std::path::{Path, PathBuf};

use cli::{CliError, Exit};
use support::firmware::{Code, program};
use support::programs::{json, run};
use support::publisher;
use tempfile::TempDir;

/// Two versions of a program in a folder.
struct Images {
    folder: TempDir,
    base: Vec<u8>,
    target: Vec<u8>,
}

impl Images {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [base, target] = [1, 2].map(|version| program(Code::Arm64, 800, version));
        fs::write(folder.path().join("old.img"), &base).unwrap();
        fs::write(folder.path().join("new.img"), &target).unwrap();
        Self {
            folder,
            base,
            target,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a delta by a coder; its path and size.
    fn make(&self, coder: &str) -> (PathBuf, u64) {
        let delta = self.path(coder);
        let (base, target) = (self.path("old.img"), self.path("new.img"));
        let make = [
            text(&base),
            text(&target),
            "--coder",
            coder,
            "-o",
            text(&delta),
        ];
        publisher::done(
            self.folder.path(),
            &[&["delta", "make"][..], &make].concat(),
        );
        let size = fs::metadata(&delta).unwrap().len();
        (delta, size)
    }

    fn apply(&self, delta: &Path, base: &Path) -> Result<Exit, CliError> {
        let out = self.path("out.img");
        let apply = ["delta", "apply", text(base), text(delta), "-o", text(&out)];
        publisher::publisher(self.folder.path(), &apply)
    }

    /// Makes a delta of bsdiff.
    fn make_bsdiff(&self) -> PathBuf {
        let delta = self.path("bsdiff");
        let (base, target) = (self.path("old.img"), self.path("new.img"));
        let make = ["delta", "make", text(&base), text(&target)];
        let rest = ["--format", "bsdiff", "-o", text(&delta)];
        publisher::done(self.folder.path(), &[&make[..], &rest].concat());
        delta
    }

    /// Whether an image is written; nothing stays beside it.
    fn applies(&self, delta: &Path, base: &Path) -> bool {
        let out = self.path("out.img");
        let applied = self.apply(delta, base).is_ok();
        assert_eq!(applied, out.exists());
        assert!(!self.path("out.img.part").exists());
        if applied {
            assert!(fs::read(&out).unwrap() == self.target);
            fs::remove_file(&out).unwrap();
        }
        applied
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn deltas_by_both_coders_rebuild_the_image() {
    let images = Images::new();
    let [by_zstd, by_mixing] = ["zstd", "mixing"].map(|coder| {
        let (delta, size) = images.make(coder);
        assert!(images.applies(&delta, &images.path("old.img")));
        publisher::done(
            images.folder.path(),
            &["delta", "info", text(&delta), "--json"],
        );
        size
    });
    assert!(by_mixing < by_zstd && by_zstd < images.target.len() as u64 / 10);
}

#[test]
fn delta_for_another_base_writes_nothing_d30() {
    let images = Images::new();
    let (delta, _) = images.make("mixing");
    let mut other = images.base.clone();
    other[1000] ^= 1;
    fs::write(images.path("other.img"), other).unwrap();
    assert!(!images.applies(&delta, &images.path("other.img")));
    assert!(!images.applies(&delta, &images.path("new.img")));
}

#[test]
fn damaged_delta_writes_nothing_d31_d35() {
    let images = Images::new();
    let (delta, size) = images.make("mixing");
    let bytes = fs::read(&delta).unwrap();
    let size = usize::try_from(size).unwrap();
    for at in [0, 30, 110, 160, size / 2, size - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        fs::write(&delta, &damaged).unwrap();
        assert!(!images.applies(&delta, &images.path("old.img")), "{at}");
        fs::write(&delta, &bytes[..at]).unwrap();
        assert!(!images.applies(&delta, &images.path("old.img")), "{at}");
    }
}

/// The fix says what to give: by its hash, or nothing at all.
#[test]
fn delta_for_another_base_says_which_one_it_wants() {
    let images = Images::new();
    let (delta, _) = images.make("zstd");
    let error = images.apply(&delta, &images.path("new.img")).unwrap_err();
    assert_eq!(error.exit, Exit::No);
    let hash = blake3::hash(&images.base).to_hex();
    assert!(error.message().contains(hash.as_str()), "{error}");
    assert!(error.fix().unwrap().contains(hash.as_str()));
    let (nothing, from_nothing) = (images.path("nothing"), images.path("from-nothing"));
    fs::write(&nothing, b"").unwrap();
    let (target, to) = (images.path("new.img"), text(&from_nothing));
    publisher::done(
        images.folder.path(),
        &["delta", "make", text(&nothing), text(&target), "-o", to],
    );
    let error = images.apply(&from_nothing, &target).unwrap_err();
    assert!(error.fix().unwrap().contains("/dev/null"), "{error}");
    assert!(images.applies(&from_nothing, Path::new("/dev/null")));
}

/// Base and delta in the other order are no delta, and the right order is said.
#[test]
fn wrong_order_of_base_and_delta_is_said() {
    let images = Images::new();
    for delta in [images.make("zstd").0, images.make_bsdiff()] {
        let error = images.apply(&images.path("old.img"), &delta).unwrap_err();
        assert_eq!(error.exit, Exit::No);
        assert!(error.message().contains("old.img"), "{error}");
        assert!(error.fix().unwrap().contains("apply BASE DELTA"), "{error}");
    }
}

/// What can't be written or read is the file named, not the delta, and no half image stays.
#[test]
fn full_disk_is_told_of_the_image_and_an_unreadable_base_of_the_base() {
    let images = Images::new();
    for delta in [images.make("zstd").0, images.make_bsdiff()] {
        let part = images.path("out.img.part");
        std::os::unix::fs::symlink("/dev/full", &part).unwrap();
        let error = images.apply(&delta, &images.path("old.img")).unwrap_err();
        assert_eq!(error.exit, Exit::No);
        assert!(error.to_string().contains("out.img.part"), "{error}");
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(error.fix().unwrap().contains("make room"));
        assert!(!images.path("out.img").exists() && !part.is_symlink());
        // A file that opens, and can't be read at its start.
        let base = Path::new("/proc/self/mem");
        let error = images.apply(&delta, base).unwrap_err();
        assert_eq!(error.exit, Exit::No);
        assert!(error.to_string().contains(text(base)), "{error}");
        assert!(error.fix().is_some(), "{error}");
        assert!(!images.path("out.img").exists() && !part.exists());
    }
}

#[test]
fn results_name_delta_base_and_target_apart() {
    let images = Images::new();
    let folder = images.folder.path();
    let shown = |args: &[&str]| json("streembit-publisher", args, folder);
    let made = shown(&["delta", "make", "old.img", "new.img", "-o", "update"]);
    let info = shown(&["delta", "info", "update"]);
    let applied = shown(&["delta", "apply", "old.img", "update", "-o", "out.img"]);
    let delta_size = fs::metadata(images.path("update")).unwrap().len();
    for shown in [&made, &info] {
        assert_eq!(shown["delta_size"], delta_size);
        assert_eq!(shown["format"], "streembit-delta-cm/1");
        assert_eq!(shown["base_size"], images.base.len());
    }
    let hash = |image: &[u8]| blake3::hash(image).to_hex().to_string();
    for shown in [&info, &applied] {
        assert_eq!(shown["target_blake3"], hash(&images.target));
    }
    assert_eq!(info["base_blake3"], hash(&images.base));
    for shown in [&made, &info, &applied] {
        assert_eq!(shown["target_size"], images.target.len());
        assert!(shown.get("size").is_none() && shown.get("blake3").is_none());
    }
    let said = run_text(folder, &["delta", "info", "update"]);
    assert!(said.contains("streembit-delta-cm/1"), "{said}");
}

fn run_text(folder: &Path, args: &[&str]) -> String {
    let output = run("streembit-publisher", args, folder);
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn delta_is_the_same_with_any_number_of_threads() {
    let images = Images::new();
    let target = images.target.repeat(20);
    fs::write(images.path("new.img"), &target).unwrap();
    let deltas = ["1", "3", "1000"].map(|threads| {
        let make = ["delta", "make", "old.img", "new.img", "--threads", threads];
        let made = [&make[..], &["--coder", "zstd", "-o", "update"]].concat();
        json("streembit-publisher", &made, images.folder.path());
        fs::read(images.path("update")).unwrap()
    });
    assert!(target.len() > 2 << 20 && deltas[0] == deltas[1] && deltas[1] == deltas[2]);
    let none = ["delta", "make", "old.img", "new.img", "--threads", "0"];
    let output = run("streembit-publisher", &none, images.folder.path());
    assert_eq!(output.status.code(), Some(2));
}
