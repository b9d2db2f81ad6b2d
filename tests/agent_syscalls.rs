//! SIGKILL of the real `streembit-agent` at every call that writes (threats S79, S81): after each kill
//! what would start is a whole image, and the next run finishes. Needs `strace`, and says so without.

use std::sync::Arc;

use cli::Exit;
use support::device::{Content, Device, Kind, Published};
use support::mirror::Mirror;
use support::trace::{CALLS, CALLS_MAX, can_trace, killed_at};

use crate::agent_kill::{assert_finishes, assert_survived, with_older_system};

/// Kills `args` at every call on a twin of `factory`; `finish` looks at each device afterwards.
fn at_every_call(
    (factory, mirror): (&Device, &Mirror),
    args: &[&str],
    finish: impl Fn(&Device, &str),
) -> usize {
    let mut kills = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            let device = factory.twin(&mirror.url());
            if !killed_at(&device.command(args), call, number) {
                break;
            }
            assert!(number < CALLS_MAX, "{call}: no end");
            kills += 1;
            finish(&device, &format!("{args:?} killed at {call} {number}"));
        }
    }
    kills
}

/// A repository, its mirror, and a device whose other slot holds an older system that is good.
fn place(kind: Kind) -> (Arc<Published>, Mirror, Device, [Content; 3]) {
    let published = Published::shared(kind);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    let images = with_older_system(&device, &published, kind);
    (published, mirror, device, images)
}

fn install(kind: Kind, kills_min: usize) {
    if !can_trace() {
        return;
    }
    let (_published, mirror, factory, images) = place(kind);
    let kills = at_every_call((&factory, &mirror), &["install"], |device, history| {
        assert_survived(device, &images, history);
        assert_finishes(device, &images, history);
    });
    assert!(kills >= kills_min, "only {kills} calls");
}

#[test]
fn install_into_a_raw_slot_killed_at_every_call_s79() {
    install(Kind::Raw, 60);
}

#[test]
fn install_of_a_directory_killed_at_every_call_s79() {
    install(Kind::Dir, 60);
}

/// The start of the new image and its commit, each killed everywhere; then both run through.
#[test]
fn boot_and_mark_good_killed_at_every_call_s79_s81() {
    if !can_trace() {
        return;
    }
    let (_published, mirror, installed, images) = place(Kind::Raw);
    assert_eq!(installed.run(&["install"]).unwrap(), Exit::Reboot);
    let kills = at_every_call((&installed, &mirror), &["boot"], |device, history| {
        assert_survived(device, &images, history);
        assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done, "{history}");
        assert_eq!(device.boot().booted, "B", "{history}");
        let tries = device.boot().slot("B").unwrap().tries;
        assert!((1..=2).contains(&tries), "{history}: {tries} tries left");
    });
    assert!(kills >= 4, "only {kills} calls");
    assert_eq!(installed.run(&["boot"]).unwrap(), Exit::Done);
    let kills = at_every_call((&installed, &mirror), &["mark-good"], |device, history| {
        let chosen = device.boot().start();
        assert_eq!(chosen, "B", "{history}");
        assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done, "{history}");
        assert!(device.boot().slot("B").unwrap().good, "{history}");
        assert_eq!(device.state().release_floor, 2, "{history}");
        assert_eq!(device.state().pending, None, "{history}");
        device.journal();
    });
    assert!(kills >= 8, "only {kills} calls");
}
