//! SIGKILL of the real `streembit-publisher` at every call that writes, and full disks (threats K73): the
//! repository is the old or the new one, and the next run finishes. Needs `strace`, and says so without.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use cli::{CliError, Exit};
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::programs;
use support::publisher::publisher;
use support::trace::{CALLS, CALLS_MAX, can_trace, full_from, killed_at};
use tempfile::TempDir;

/// A copy of the repository, and the real program that runs `args` on it.
fn copy_of(factory: &Path, args: &[&str]) -> (TempDir, PathBuf, Command) {
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("repository");
    support::publisher::copy(factory, &copy);
    let mut command = programs::command("streembit-publisher", place.path());
    command
        .args(["-q", "-C", copy.to_str().unwrap()])
        .args(args);
    (place, copy, command)
}

/// The repository is old or new, a second run ends as `again` says, and devices follow.
fn assert_recovers(
    (published, copy): (&Published, &Path),
    (args, history): (&[&str], &str),
    again: impl Fn(Result<Exit, CliError>),
) {
    let verified = || {
        assert_eq!(
            publisher(copy, &["verify"]).unwrap(),
            Exit::Done,
            "{history}"
        )
    };
    verified();
    again(publisher(copy, args));
    verified();
    let mirror = Mirror::start(copy);
    let device = Device::new(published, &mirror.url());
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done, "{history}");
    let torn = ["committing", "committing.tmp"];
    assert!(
        !torn.iter().any(|name| copy.join(name).exists()),
        "{history}"
    );
    for entry in fs::read_dir(copy.join("metadata")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.ends_with(".json"), "{history}: {name} is left");
    }
}

/// Kills a command at every call on a copy of the repository.
fn at_every_call(published: &Published, args: &[&str], again: impl Fn(Result<Exit, CliError>)) {
    if !can_trace() {
        return;
    }
    let factory = published.repository();
    let mut kills = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            let (_place, copy, command) = copy_of(&factory, args);
            if !killed_at(&command, call, number) {
                break;
            }
            kills += 1;
            let history = format!("{args:?} killed at {call} {number}");
            assert_recovers((published, &copy), (args, &history), &again);
        }
    }
    assert!(kills > 30, "only {kills} calls");
}

/// The disk is full from every call on, then there is room again.
fn on_a_full_disk(published: &Published, args: &[&str], again: impl Fn(Result<Exit, CliError>)) {
    if !can_trace() {
        return;
    }
    let factory = published.repository();
    let mut failures = 0;
    for call in ["write", "fsync", "rename", "mkdir", "link"] {
        for number in 1..=CALLS_MAX {
            let (_place, copy, command) = copy_of(&factory, args);
            let done = full_from(&command, call, number);
            let history = format!("{args:?}, no space from {call} {number} on");
            assert_recovers((published, &copy), (args, &history), &again);
            if done {
                break;
            }
            failures += 1;
        }
    }
    assert!(failures > 15, "only {failures} calls");
}

#[test]
fn refresh_killed_at_every_call_leaves_old_or_new_k73() {
    let published = Published::new(Kind::Raw);
    at_every_call(&published, &["refresh"], |again| {
        assert_eq!(again.unwrap(), Exit::Done);
    });
}

/// Root, snapshot and timestamp change at once: a new timestamp key comes with a new root.
#[test]
fn rotation_killed_at_every_call_leaves_old_or_new_k73() {
    let published = Published::new(Kind::Raw);
    let repository = published.repository();
    for args in [
        &["keys", "rotate", "timestamp", "--no-passcode"][..],
        &["sign"],
    ] {
        assert_eq!(publisher(&repository, args).unwrap(), Exit::Done);
    }
    at_every_call(&published, &["publish"], |again| match again {
        Ok(exit) => assert_eq!(exit, Exit::Done),
        // The first run had committed.
        Err(error) => assert!(error.to_string().contains("nothing is staged"), "{error}"),
    });
}

#[test]
fn refresh_on_a_full_disk_leaves_old_or_new_k73() {
    let published = Published::new(Kind::Raw);
    on_a_full_disk(&published, &["refresh"], |again| {
        assert_eq!(again.unwrap(), Exit::Done);
    });
}

#[test]
fn release_on_a_full_disk_leaves_old_or_new_k73() {
    let published = Published::new(Kind::Raw);
    let image = published.repository().join("small.img");
    fs::write(&image, b"small").unwrap();
    let image = image.to_str().unwrap();
    let args = ["release", image, "--version", "2.0.0", "--deltas", "0"];
    on_a_full_disk(&published, &args, |again| match again {
        Ok(exit) => assert_eq!(exit, Exit::Done),
        // The first run had committed.
        Err(error) => assert!(
            error.to_string().contains("is published already"),
            "{error}"
        ),
    });
}

/// An image that somebody writes to while it is read (K76): what is signed is what is stored.
#[test]
fn image_changed_while_it_is_hashed_is_signed_as_stored_k76() {
    let published = Published::new(Kind::Raw);
    let image = published.repository().join("changing.img");
    fs::write(&image, vec![0; 8 << 20]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::File::options().write(true).open(&image).unwrap();
            for byte in (1..=u8::MAX).cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                file.write_all_at(&vec![byte; 1 << 20], u64::from(byte % 8) << 20)
                    .unwrap();
            }
        });
        let path = image.to_str().unwrap();
        let args = ["release", path, "--version", "2.0.0"];
        let released = publisher(&published.repository(), &args);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(released.unwrap(), Exit::Done);
    });
    // Every byte is read again and compared with what is signed.
    assert_eq!(
        publisher(&published.repository(), &["verify"]).unwrap(),
        Exit::Done
    );
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
}
