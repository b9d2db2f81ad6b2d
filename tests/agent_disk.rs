//! Disks that refuse on the way: a data folder without room, a slot that can't be read or does not take what is
//! written (threats S82, S83). What another way can do is done; what none can ends the run at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use cli::Exit;
use support::mirror::Mirror;
use support::trace::{can_trace, failing};

use crate::agent_refusals::SmallDisk;
use crate::agent_repair::{SEGMENT, World};

/// The paths of blobs that were asked for, each once.
fn blobs_asked(mirror: &Mirror) -> Vec<String> {
    let mut asked = mirror.take_asked();
    asked.retain(|path| path.starts_with("/blobs/"));
    asked.sort();
    asked.dedup();
    asked
}

impl World {
    /// Where the data folder keeps a blob of the repository.
    fn kept(&self, path: &str) -> std::path::PathBuf {
        let name = path.trim_start_matches("/blobs/");
        let size = fs::metadata(self.published.repository().join("blobs").join(name));
        let size = size.unwrap().len();
        self.device.data("blobs").join(format!("{name}-{size}"))
    }

    /// Has every write to a blob of the data folder find the disk full.
    fn fill(&self, path: &str) -> std::path::PathBuf {
        let kept = self.kept(path);
        symlink("/dev/full", &kept).unwrap();
        kept
    }
}

/// The whole image needs no room in the data folder.
#[test]
fn data_folder_without_room_for_a_repack_costs_the_repack_alone_s82() {
    let world = World::new();
    world.modify_all();
    let repack = world.fill(&world.published.repack_path());
    assert_eq!(world.install().0, "whole");
    assert_eq!(world.count("delta-failed"), 1);
    let why = world.device.journal();
    let why = why.iter().find(|entry| entry.event == "delta-failed");
    let why = why.unwrap().data["why"].to_string();
    assert!(why.contains("No space left"), "{why}");
    assert!(!repack.is_symlink(), "what took the room is removed");
}

#[test]
fn data_folder_without_room_for_repairs_has_the_image_repair_s82() {
    let world = World::new();
    world.modify_segment(2);
    let repack = world.fill(&world.published.repack_path());
    let (way, bytes) = world.install();
    assert_eq!(way, "delta");
    assert_eq!(world.count("repair-failed"), 1);
    assert!(!repack.is_symlink());
    assert!(bytes < world.images[1].len() as u64);
}

#[test]
fn data_folder_without_room_for_a_delta_takes_the_next_way_s82() {
    let world = World::new();
    for path in world.published.delta_paths() {
        world.fill(&path);
    }
    assert_eq!(world.install().0, "repack");
    assert_eq!(world.count("delta-failed"), 2);
}

/// A disk of 1 MiB: what has no room on it is not even asked for, and journal and state keep theirs.
#[test]
fn delta_larger_than_the_data_folder_is_not_fetched_s82() {
    let world = World::new();
    world.modify_all();
    let Some(disk) = SmallDisk::mount(&world.device.data("blobs")) else {
        eprintln!("SKIPPED: no small disk can be mounted (needs root)");
        return;
    };
    assert_eq!(world.install().0, "whole");
    let repack = world.published.repack_path();
    assert!(!blobs_asked(&world.mirror).contains(&repack));
    drop(disk);
}

/// What runs can't be read: then no delta starts from it, known or not.
#[test]
fn unreadable_running_slot_stops_no_update_s82() {
    for is_known in [true, false] {
        let world = World::new();
        if !is_known {
            let mut state = world.device.state();
            state.slots.clear();
            world.device.set_state(&state);
        }
        let slot = world.device.slot_path("a");
        fs::remove_file(&slot).unwrap();
        // Opens like a file; every read is refused.
        fs::create_dir(&slot).unwrap();
        assert_eq!(world.install().0, "repack", "{is_known}");
    }
}

/// Chunks of the other slot that can't be read are missing, not the end of the update.
#[test]
fn unreadable_slot_is_written_anew_s82() {
    if !can_trace() {
        return;
    }
    let world = World::new();
    world.modify_all();
    let repack = world.published.repack_path();
    world.mirror.tamper(move |asked, answer| {
        let rest = asked.range.is_some_and(|range| range.0 > 0);
        if asked.path == repack || asked.path.starts_with("/blobs/") && rest {
            answer.fail(404);
        }
    });
    // Leaves the chunk level and a chunk.
    let error = world.device.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, Exit::Retry);
    let repack = world.published.repack_path();
    world.mirror.tamper(move |asked, answer| {
        if asked.path == repack {
            answer.fail(404);
        }
    });
    let command = world.device.command(&["install"]);
    let slot = world.device.slot_path("b");
    let status = failing(&command, (&slot, "pread64"), "EIO", 1);
    assert_eq!(status.code(), Some(Exit::Reboot as i32));
    assert!(fs::read(slot).unwrap() == world.images[1]);
}

/// A slot that does not take what is written takes it by no way: the rest is not fetched. The next run, on a disk
/// that works, finishes.
#[test]
fn slot_that_refuses_ends_the_run_s82() {
    if !can_trace() {
        return;
    }
    for (call, from) in [("write", 2), ("fsync", 1)] {
        let world = World::new();
        world.mirror.take_asked();
        let command = world.device.command(&["install"]);
        let slot = world.device.slot_path("b");
        let status = failing(&command, (&slot, call), "EIO", from);
        assert_eq!(status.code(), Some(Exit::No as i32), "{call}");
        let asked = blobs_asked(&world.mirror);
        assert_eq!(asked.len(), 1, "{call}: {asked:?}");
        assert_eq!(world.count("delta-failed"), 0, "{call}");
        assert_eq!(world.device.boot().start(), "A");
        assert_eq!(world.install().0, "delta", "{call}");
    }
}

/// A disk loses what it got, here just before the last chunks are asked for: found when it is read back, and no
/// reason to fetch more.
#[test]
fn slot_that_loses_what_it_got_ends_the_run_s83() {
    let world = World::new();
    world.modify_segment(2);
    let (repack, slot) = (world.published.repack_path(), world.device.slot_path("b"));
    let image = blake3::hash(&world.images[1]).to_hex();
    let image = format!("/blobs/{image}");
    let wanted = image.clone();
    world.mirror.take_asked();
    world.mirror.tamper(move |asked, answer| {
        if asked.path == repack {
            answer.fail(404);
        }
        if asked.path == wanted {
            lose(&slot, SEGMENT / 2);
        }
    });
    let error = world.device.run(&["install"]).unwrap_err();
    assert!(error.to_string().contains("read back"), "{error}");
    assert_eq!(
        (world.count("repairing"), world.count("delta-failed")),
        (1, 0)
    );
    let asked = blobs_asked(&world.mirror);
    // One delta, the repack, the image.
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(world.device.boot().start(), "A");
    world.mirror.be_honest();
    assert_eq!(world.install().0, "delta");
}

fn lose(slot: &Path, at: usize) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::options().write(true).open(slot).unwrap();
    file.write_all_at(b"lost", at as u64).unwrap();
}
