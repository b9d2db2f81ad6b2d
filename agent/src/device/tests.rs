//! Tests of opening a device and of what it keeps (threats S84, S85, S87, S88, S89, M28).

use std::os::unix::fs::symlink;

use super::*;
use crate::sample;

fn reopen(folder: &Path) -> Result<Device, CliError> {
    Device::open(sample::config(folder, "raw", ""))
}

#[test]
fn second_agent_is_told_to_wait_and_a_dead_one_leaves_no_lock_s88() {
    let folder = tempfile::tempdir().unwrap();
    let device = sample::device(folder.path(), b"image", "");
    let error = reopen(folder.path()).unwrap_err();
    assert_eq!(error.exit, Exit::Retry);
    assert!(error.to_string().contains("in use by another agent"));
    assert!(error.fix().is_some());
    drop(device);
    assert!(folder.path().join("data/.lock").exists(), "a stale file");
    reopen(folder.path()).unwrap();
}

#[test]
fn refuses_slots_that_are_one_device_by_two_names_s87() {
    let folder = tempfile::tempdir().unwrap();
    drop(sample::device(folder.path(), b"image", ""));
    let other = folder.path().join("b");
    let refused = || {
        let error = reopen(folder.path()).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.to_string().contains("same device"), "{error}");
        assert!(error.to_string().contains("/b"), "{error}");
    };
    symlink(folder.path().join("a"), &other).unwrap();
    refused();
    fs::remove_file(&other).unwrap();
    fs::hard_link(folder.path().join("a"), &other).unwrap();
    refused();
    fs::remove_file(&other).unwrap();
    fs::write(&other, b"image").unwrap();
    reopen(folder.path()).unwrap();
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"image");
}

#[test]
fn refuses_to_open_with_damaged_files_and_changes_none_s84_s85() {
    for name in ["boot.json", "state.json", "trusted/device.pin"] {
        let folder = tempfile::tempdir().unwrap();
        drop(sample::device(folder.path(), b"image", ""));
        let path = folder.path().join("data").join(name);
        let good = fs::read(&path).ok();
        fs::write(&path, b"{").unwrap();
        let before = sample::tree(&folder.path().join("data"));
        let error = reopen(folder.path()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.fix().is_some(), "{error}");
        assert_eq!(sample::tree(&folder.path().join("data")), before);
        match good {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        reopen(folder.path()).unwrap();
    }
}

#[test]
fn other_slot_is_never_the_running_one_s87() {
    let folder = tempfile::tempdir().unwrap();
    let device = sample::device(folder.path(), b"image", "");
    for (primary, booted, other) in [("A", "A", "B"), ("B", "A", "B"), ("A", "B", "A")] {
        let mut boot = device.boot().unwrap();
        boot.primary = primary.to_owned();
        boot.booted = booted.to_owned();
        device.save_boot(&boot).unwrap();
        assert_eq!(device.running_slot().unwrap().bootname, booted);
        assert_eq!(device.other_slot().unwrap().bootname, other);
    }
}

#[test]
fn leftovers_of_aborted_runs_are_removed_s89() {
    let folder = tempfile::tempdir().unwrap();
    let device = sample::device(folder.path(), b"image", "");
    let kept = crate::update::blob_of(&sample::content("kept", 10));
    for path in [device.blob_path(&kept), device.tree_path(&kept)] {
        fs::write(path, b"kept").unwrap();
    }
    for number in 0..100 {
        let other = crate::update::blob_of(&sample::content(&number.to_string(), 10));
        fs::write(device.blob_path(&other), b"old").unwrap();
        fs::write(device.tree_path(&other), b"old").unwrap();
        let torn = device.tree_path(&other).with_extension("tree.tmp");
        fs::write(torn, b"torn").unwrap();
    }
    device.keep_only(&[kept]).unwrap();
    for name in ["blobs", "trees"] {
        let folder = folder.path().join("data").join(name);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }
    assert!(device.blob_path(&kept).exists() && device.tree_path(&kept).exists());
    device.keep_only(&[]).unwrap();
    assert!(!device.blob_path(&kept).exists());
}

#[test]
fn names_of_kept_blobs_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let device = sample::device(folder.path(), b"image", "");
    assert_eq!(device.blobs().unwrap(), []);
    let blobs = [10, 1 << 40].map(|size| crate::update::blob_of(&sample::content("kept", size)));
    for blob in &blobs {
        fs::write(device.blob_path(blob), b"part").unwrap();
    }
    let name = blobs[0].name();
    for other in [
        name.clone(),
        format!("{name}-"),
        format!("{name}-010"),
        format!("{name}-+10"),
        format!("{name}-10-10"),
        format!("{}-10", name.to_uppercase()),
        format!("{}-10", &name[2..]),
        "notes.txt".to_owned(),
    ] {
        fs::write(folder.path().join("data/blobs").join(other), b"").unwrap();
    }
    let mut found = device.blobs().unwrap();
    found.sort_by_key(|blob| blob.size);
    assert_eq!(found, blobs);
}

#[test]
fn blobs_leave_room_for_journal_and_state_s82() {
    let folder = tempfile::tempdir().unwrap();
    let device = sample::device(folder.path(), b"image", "");
    assert!(device.has_room(0));
    for bytes in [1 << 60, u64::MAX] {
        assert!(!device.has_room(bytes), "{bytes}");
    }
    fs::remove_dir_all(folder.path().join("data/blobs")).unwrap();
    assert!(device.has_room(u64::MAX), "nothing tells");
}
