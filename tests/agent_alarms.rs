//! What a device tells and keeps when a source contradicts itself or falls silent (threats M11, M12, M17, M18).

use std::fs;

use agent::state::State;
use cli::Exit;
use manifests::json::Json;
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::programs;
use support::publisher::{copy, done};
use support::repository::slot;

use crate::agent_refusals::{Trust, World};

fn place() -> (std::sync::Arc<Published>, Mirror, Device) {
    let published = Published::shared(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    (published, mirror, device)
}

/// Two timestamps of one version, both signed: the first stays, both are kept, the journal says it.
#[test]
fn second_timestamp_of_one_version_is_kept_as_evidence_m12() {
    let (published, mirror, device) = place();
    let trusted = fs::read(device.data("trusted/timestamp.json")).unwrap();
    let other = published.timestamp(|signed| {
        *slot(signed, &["expires"]) = Json::from("2031-01-01T00:00:00Z");
    });
    let served = other.clone();
    mirror.tamper(move |asked, answer| {
        if asked.path.ends_with("/timestamp.json") {
            answer.set_body(served.clone());
        }
    });
    for _ in 0..2 {
        let error = device.run(&["check"]).unwrap_err();
        assert_eq!(error.exit, Exit::Equivocation, "{error}");
        assert!(error.to_string().contains("timestamp.json"), "{error}");
        assert!(error.fix().unwrap().contains("evidence"), "{error}");
    }
    let kept = |name: &str| fs::read(device.data("trusted/evidence").join(name)).unwrap();
    assert!(kept("timestamp.json.offered") == other);
    assert!(kept("timestamp.json.trusted") == trusted);
    let after = fs::read(device.data("trusted/timestamp.json")).unwrap();
    assert!(after == trusted, "the first one stays");
    let journal = device.journal();
    let alarm = journal.iter().find(|entry| entry.event == "source-refused");
    let alarm = &alarm.expect("an auditor sees it").data;
    assert_eq!(alarm["exit"], Exit::Equivocation as u8);
    mirror.be_honest();
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
}

/// The old system is good and whole: it starts again, unless it was changed or is below the floor.
#[test]
fn rollback_by_hand_starts_only_a_whole_system_above_the_floor_s83() {
    let (_published, _mirror, device) = place();
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done);
    let refused = |exit: Exit, word: &str| {
        let before = fs::read(device.data("boot.json")).unwrap();
        let error = device.run(&["rollback"]).unwrap_err();
        assert_eq!(error.exit, exit, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(error.fix().is_some(), "{error}");
        assert!(fs::read(device.data("boot.json")).unwrap() == before);
    };
    let slot = device.slot_path("a");
    let whole = fs::read(&slot).unwrap();
    let mut changed = whole.clone();
    changed[1_000_000] ^= 1;
    fs::write(&slot, changed).unwrap();
    refused(Exit::No, "read back");
    fs::write(&slot, whole).unwrap();
    let write = |state: &State| {
        let bytes = serde_json::to_vec(state).unwrap();
        fs::write(device.data("state.json"), bytes).unwrap();
    };
    let state = device.state();
    let mut raised = state.clone();
    raised.security_floor = 1;
    write(&raised);
    refused(Exit::Rollback, "security version 0");
    write(&state);
    assert_eq!(device.run(&["rollback"]).unwrap(), Exit::Reboot);
    assert_eq!(device.boot().start(), "A");
}

/// A source that repeats the same valid files is told by the age of the newest one.
#[test]
fn status_tells_how_long_nothing_new_came_m18() {
    let (_published, _mirror, device) = place();
    let status = || {
        let output = device.command(&["--json", "status"]).output().unwrap();
        assert!(output.status.success(), "{}", programs::text(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let fresh = status();
    assert_eq!(fresh["stale"], false);
    assert!(fresh["silence_s"].as_u64().unwrap() < 3600);
    // The same timestamp was first seen 40 days ago: another check of the same file is no news.
    let mut state = device.state();
    let (version, at) = state.newest_seen.unwrap();
    state.newest_seen = Some((version, at - 40 * 86_400));
    let bytes = serde_json::to_vec(&state).unwrap();
    fs::write(device.data("state.json"), bytes).unwrap();
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    let stale = status();
    assert_eq!(stale["stale"], true, "{stale}");
    assert!(stale["silence_s"].as_u64().unwrap() >= 40 * 86_400);
}

#[test]
fn refuses_expired_timestamp_m17() {
    let mut world = World::new(Kind::Raw);
    let expired = world.published.timestamp(|signed| {
        *slot(signed, &["version"]) = Json::from(9_u64);
        *slot(signed, &["expires"]) = Json::from("2020-01-01T00:00:00Z");
    });
    world.serve("/timestamp.json", expired);
    let words = ["timestamp.json", "expired at 2020-01-01"];
    world.refuses_untouched(Trust::Same, Exit::Stale, &words);
    let error = world.refuses(&["check"], Trust::Same, Exit::Stale, &words);
    let last = world.device.journal().pop().unwrap();
    assert_eq!(last.event, "source-refused");
    assert_eq!(last.data["why"], error.to_string());
    assert_eq!(world.finishes(), "delta");
}

#[test]
fn refuses_older_timestamp_m11() {
    let mut world = World::new(Kind::Raw);
    assert_eq!(world.device.run(&["check"]).unwrap(), Exit::Done);
    let first = world.published.first.clone();
    world.mirror.tamper(move |asked, answer| {
        let name = asked.path.strip_prefix("/metadata/").unwrap_or_default();
        match first.get(name) {
            Some(bytes) => answer.set_body(bytes.clone()),
            None => answer.fail(404),
        }
    });
    let words = ["timestamp.json", "version 2 is older", "rollback"];
    world.refuses_untouched(Trust::Same, Exit::Rollback, &words);
    assert_eq!(world.finishes(), "delta");
}

/// A mirror that stands still, and says so truly, keeps nothing new from a device that has another (M18).
#[test]
fn frozen_mirror_silences_nobody_m18() {
    let published = Published::new(Kind::Raw);
    let repository = published.repository();
    let frozen = tempfile::tempdir().unwrap();
    copy(&repository, &frozen.path().join("repository"));
    let (still, live) = (
        Mirror::start(&frozen.path().join("repository")),
        Mirror::start(&repository),
    );
    let device = Device::new(&published, &format!("{}', '{}", still.url(), live.url()));
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    let before = device.state().newest_seen.unwrap().0;
    done(&repository, &["refresh"]);
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    assert_eq!(device.state().newest_seen.unwrap().0, before + 1);
}
