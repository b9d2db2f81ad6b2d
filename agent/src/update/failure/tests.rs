//! Tests of what a failure leaves to try (threats D30, P57, S82, S83).

use std::io;
use std::path::Path;

use cli::durable::PathError;
use manifests::release::DeltaRef;

use super::*;
use crate::install::ArchiveError;
use crate::sample::{self, content};

fn error() -> CliError {
    CliError::new(Exit::No, "why")
}

fn of_kind(kind: ErrorKind) -> InstallError {
    InstallError::Delta(ApplyError::Output(kind.into()))
}

fn disk() -> PathError {
    PathError::new(Path::new("slot"), io::Error::other("medium error"))
}

#[test]
fn slot_that_refuses_leaves_no_way_s82_s83() {
    for kind in [SlotKind::Raw, SlotKind::Dir] {
        for error in [
            InstallError::Disk(disk()),
            of_kind(ErrorKind::Other),
            InstallError::Archive(ArchiveError::Disk(disk())),
            InstallError::SlotTooSmall {
                path: String::new(),
                actual: 1,
                needed: 2,
            },
            InstallError::ReadBack {
                path: String::new(),
                expected: String::new(),
                actual: String::new(),
            },
            InstallError::Stopped,
        ] {
            let failure = Failure::of_install(error, kind);
            assert!(!failure.leaves_other_ways(), "{kind:?}: {failure:?}");
        }
        let no_base = ApplyError::Base(io::Error::other("medium error"));
        for error in [no_base, ApplyError::Hash { index: 0 }] {
            let failure = Failure::of_install(error.into(), kind);
            assert!(failure.leaves_other_ways(), "{kind:?}: {failure:?}");
        }
    }
}

/// Only what lies in the data folder: deltas, and the archive of a directory.
#[test]
fn data_folder_that_refuses_leaves_other_ways_s82() {
    let disk = || Unfetched::Disk(error());
    assert!(Failure::of_blob(disk()).leaves_other_ways());
    assert!(Failure::of_image(disk(), SlotKind::Dir).leaves_other_ways());
    assert!(!Failure::of_image(disk(), SlotKind::Raw).leaves_other_ways());
    for full in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        assert!(Failure::of_install(of_kind(full), SlotKind::Dir).leaves_other_ways());
        assert!(!Failure::of_install(of_kind(full), SlotKind::Raw).leaves_other_ways());
    }
    for kind in [SlotKind::Raw, SlotKind::Dir] {
        let starved = Failure::of_image(Unfetched::Starved(error()), kind);
        assert!(starved.leaves_other_ways());
        let other = Failure::of_image(Unfetched::Other(error()), kind);
        assert!(!other.leaves_other_ways());
    }
}

fn delta_from(base: &str, size: u64) -> Way {
    Way::Delta(DeltaRef {
        base: content(base, size),
        blob: content(&format!("delta from {base}"), 10),
        format: delta::FORMAT.to_owned(),
    })
}

#[test]
fn what_failed_is_not_tried_again_in_a_run_p57() {
    let (delta, repack) = (delta_from("one", 900), delta_from("", 0));
    let image = content("image", 1000);
    let mut run = Run::default();
    let skips = |run: &Run| [&delta, &repack, &Way::Whole(image)].map(|way| run.skips(way));
    assert_eq!(skips(&run), [false; 3]);
    run.is_base_lost = true;
    assert_eq!(skips(&run), [true, false, false], "a repack has no base");
    run.note_useless(blob_of(&image));
    assert_eq!(skips(&run), [true, false, true]);
}

/// A blob that found no room gives back what it took; one that starved is gone on with in the next run.
#[test]
fn what_found_no_room_is_removed_s82() {
    let folder = tempfile::tempdir().unwrap();
    let device = sample::device(folder.path(), b"image", "[streaming]\npeers = false\n");
    let key = keys::SigningKey::from_secret(keys::Algorithm::P256, &[7; 32]).unwrap();
    let sources = Sources::start(&device.config, &key).unwrap();
    for (failure, stays) in [
        (Failure::Folder(error()), false),
        (Failure::Starved(error()), true),
        (Failure::Way(of_kind(ErrorKind::Other)), true),
    ] {
        let blob = blob_of(&content("repack", 10));
        for path in [device.blob_path(&blob), device.tree_path(&blob)] {
            std::fs::write(path, b"part").unwrap();
        }
        let mut run = Run::default();
        run.set_aside(&device, &sources, blob, &failure).unwrap();
        assert!(run.is_useless(&blob));
        for path in [device.blob_path(&blob), device.tree_path(&blob)] {
            assert_eq!(path.exists(), stays, "{failure:?}");
        }
    }
}
