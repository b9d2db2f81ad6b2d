//! Devices whose clock is wrong: behind, ahead, in 1970 (threats C90). Needs `faketime`, and says so
//! without.

use std::fs;
use std::process::Command;

use cli::Exit;
use node::clock::unix_now;
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::programs::{seed, text};
use support::trace::{can, through};

const DAY: u64 = 86_400;
/// The clock of a device that has none, as it starts to run.
pub(crate) const NO_CLOCK: &str = "@1970-01-01 00:05:00";
const FAR: &str = "@2100-01-01 00:00:00";

pub(crate) fn can_fake() -> bool {
    can(&["faketime", "-f", FAR, "true"], "wrong clocks were")
}

/// The agent with another wall clock; timers run as ever.
pub(crate) fn at_time(time: &str, device: &Device, args: &[&str]) -> Command {
    let mut command = through(&["faketime", "-f", time], &device.command(args));
    command.env("DONT_FAKE_MONOTONIC", "1");
    command
}

fn set_floor(device: &Device, floor: u64) {
    let mut state = device.state();
    state.time_floor = floor;
    let bytes = serde_json::to_vec(&state).unwrap();
    fs::write(device.data("state.json"), bytes).unwrap();
}

/// The time of a check counts as passed for ever after: what had expired by then stays refused.
#[test]
fn what_expired_before_the_last_check_is_refused_c90() {
    let published = Published::new(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    let before = unix_now();
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    let floor = device.state().time_floor;
    assert!((before..=unix_now()).contains(&floor), "{floor}");
    // The timestamp lives seven days; the clock now says that they are not over.
    set_floor(&device, unix_now() + 8 * DAY);
    let error = device.run(&["check"]).unwrap_err();
    assert_eq!(error.exit, Exit::Stale, "{error}");
    set_floor(&device, unix_now() + 6 * DAY);
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
}

/// A clock that runs ahead finds everything expired, and leaves no trace of its time.
#[test]
fn clock_ahead_raises_no_floor_c90() {
    if !can_fake() {
        return;
    }
    let published = Published::new(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    let floor = device.state().time_floor;
    let output = at_time(FAR, &device, &["check"]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(Exit::Stale as i32),
        "{}",
        text(&output)
    );
    assert_eq!(device.state().time_floor, floor);
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
}

/// A device without a battery updates from a mirror before anybody has set its clock, and learns the time
/// from the release head that the mirror has.
#[test]
fn device_without_a_clock_updates_from_a_mirror_c90() {
    if !can_fake() {
        return;
    }
    let published = Published::new(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    let before = unix_now() - DAY;
    let output = at_time(NO_CLOCK, &device, &["install"]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(Exit::Reboot as i32),
        "{}",
        text(&output)
    );
    assert_eq!(device.state().pending.unwrap().image.version, "1.2.0");
    // The head beside the metadata says when it was signed.
    let floor = device.state().time_floor;
    assert!((before..=unix_now()).contains(&floor), "{floor}");
}

/// It learns the time from the signed release head that peers give.
#[test]
fn device_without_a_clock_learns_the_time_from_peers_c90() {
    if !can_fake() {
        return;
    }
    let published = Published::new(Kind::Raw);
    let (_seeder, address) = seed(&published.repository());
    let mut device = Device::new(&published, "http://127.0.0.1:9");
    device.bootstrap = Some(address);
    let before = unix_now() - DAY;
    let output = at_time(NO_CLOCK, &device, &["install"]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(Exit::Reboot as i32),
        "{}",
        text(&output)
    );
    assert!((before..=unix_now()).contains(&device.state().time_floor));
}
