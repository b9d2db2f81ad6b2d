//! SIGKILL of the real `streembit-publisher` at every call that writes (threats K73): the repository is
//! the old or the new one, and the next run finishes. Needs `strace`, and says so without.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser as _;
use cli::program::Program as _;
use cli::{CliError, Exit};
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::programs;
use support::trace::{CALLS, CALLS_MAX, can_trace, killed_at};

/// Runs the publisher in this process.
fn publisher(repository: &Path, args: &[&str]) -> Result<Exit, CliError> {
    let start = ["publisher", "-q", "-C", repository.to_str().unwrap()];
    publisher::args::Args::try_parse_from([&start[..], args].concat())
        .unwrap()
        .run()
}

/// Kills a command at every call on a copy of `factory`; after each kill the copy verifies as old or new,
/// and a second run of the command ends as `again` says.
fn at_every_call(published: &Published, args: &[&str], again: impl Fn(Result<Exit, CliError>)) {
    if !can_trace() {
        return;
    }
    let factory = published.repository();
    let mut kills = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            let place = tempfile::tempdir().unwrap();
            let copy = place.path().join("repository");
            let copied = Command::new("cp")
                .arg("-a")
                .arg(&factory)
                .arg(&copy)
                .status();
            assert!(copied.unwrap().success());
            let mut command = programs::command("streembit-publisher", place.path());
            command
                .args(["-q", "-C", copy.to_str().unwrap()])
                .args(args);
            if !killed_at(&command, call, number) {
                break;
            }
            kills += 1;
            let history = format!("{args:?} killed at {call} {number}");
            assert_eq!(
                publisher(&copy, &["verify"]).unwrap(),
                Exit::Done,
                "{history}"
            );
            again(publisher(&copy, args));
            assert_eq!(
                publisher(&copy, &["verify"]).unwrap(),
                Exit::Done,
                "{history}"
            );
            let mirror = Mirror::start(&copy);
            let device = Device::new(published, &mirror.url());
            assert_eq!(device.run(&["check"]).unwrap(), Exit::Done, "{history}");
            let torn = ["committing", "committing.tmp"];
            assert!(
                !torn.iter().any(|name| copy.join(name).exists()),
                "{history}"
            );
            let metadata = fs::read_dir(copy.join("metadata")).unwrap();
            for entry in metadata {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(name.ends_with(".json"), "{history}: {name} is left");
            }
        }
    }
    assert!(kills > 30, "only {kills} calls");
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
