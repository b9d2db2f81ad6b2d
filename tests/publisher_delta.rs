//! `streembit-publisher delta`: made, shown and applied by hand; what doesn't fit is refused and leaves
//! nothing (threats D30, D31, D35).

use std::fs;
use std::path::{Path, PathBuf};

use support::firmware::{Code, program};
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

    /// Whether an image is written; nothing stays beside it.
    fn applies(&self, delta: &Path, base: &Path) -> bool {
        let out = self.path("out.img");
        let apply = ["delta", "apply", text(delta), text(base), "-o", text(&out)];
        let applied = publisher::publisher(self.folder.path(), &apply).is_ok();
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
