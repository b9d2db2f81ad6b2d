//! Expiry and freezing (threats M17, M18).

use manifests::client::{Reason, Stored};
use manifests::envelope::ParseError;
use manifests::header::HeaderError;
use manifests::instant::{TimeError, UtcTime};
use manifests::json::{Json, JsonError};
use support::repository::{
    EXPIRES, Files, NOW, Part, Repository, assert_accepted, assert_refused,
    assert_tampered_refused, now, run,
};

/// The name in the error of an expired document; a root by whatever version.
fn file(part: Part) -> String {
    format!("{}.json", part.role())
}

/// What is stored when `part` is found expired, in a release that is new in all parts: what was verified
/// before it. A root is stored before its expiry is looked at (TUF 5.3.8, 5.3.10).
const fn stored_before_expiry(part: Part) -> &'static [Part] {
    match part {
        Part::Root => &[Part::Root],
        Part::Timestamp | Part::Snapshot | Part::Targets | Part::Product => part.stored_before(),
    }
}

/// M17: spellings that are not `YYYY-MM-DDTHH:MM:SSZ` of a real moment.
#[test]
fn rejects_malformed_expiry_m17() {
    for part in Part::ALL {
        for expires in [
            "2028-01-01T00:00:00",
            "2028-01-01T00:00:00z",
            "2028-01-01T00:00:00+14:00",
            "2028-01-01T00:00:00-00:00",
            "2028-01-01T00:00:00.5Z",
            "2028-01-01 00:00:00Z",
            "2028-02-30T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2028-13-01T00:00:00Z",
            "2028-00-01T00:00:00Z",
            "2028-01-01T24:00:00Z",
            "2028-06-30T23:59:60Z",
            "10000-01-01T00:00:00Z",
            "+2028-01-01T00:00:0Z",
            "-028-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2028-1-01T00:00:000Z",
            "\u{ff12}028-01-01T00:00:0",
            "never",
            "",
        ] {
            assert_tampered_refused(
                part,
                |draft| draft.set(&["expires"], expires),
                |found| {
                    assert_eq!(
                        *found,
                        Reason::Malformed(HeaderError::Expires(TimeError).into()),
                        "{expires}"
                    );
                    true
                },
            );
        }
        for expires in [Json::Integer(1_900_000_000), Json::Null, Json::object([])] {
            assert_tampered_refused(part, |draft| draft.set(&["expires"], expires), is_no_text);
        }
        assert_tampered_refused(part, |draft| draft.remove(&["expires"]), is_no_text);
    }
}

fn is_no_text(found: &Reason) -> bool {
    matches!(
        found,
        Reason::Malformed(ParseError::Header(HeaderError::Json(
            JsonError::Type { .. } | JsonError::Missing("expires")
        )))
    )
}

/// M17: the last moment that can be written is far away, not an error.
#[test]
fn accepts_expiry_at_the_end_of_9999_m17() {
    for part in Part::ALL {
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.release(part);
        repository.edit(part, |draft| {
            draft.set(&["expires"], "9999-12-31T23:59:59Z")
        });
        assert_accepted(&device, &repository.files());
    }
}

/// M17: expired on arrival, by years, by a second, and at the very second; one second later is in time.
#[test]
fn rejects_document_expired_on_arrival_m17() {
    for part in Part::ALL {
        for seconds in [0, 1, NOW - 1, NOW, NOW + 1] {
            let mut repository = Repository::new();
            let device = repository.updated_device();
            repository.release(part);
            let expires = UtcTime::from_unix(seconds);
            let text = expires.to_string();
            repository.edit(part, |draft| draft.set(&["expires"], text.as_str()));
            let files = repository.files();
            if seconds > NOW {
                assert_accepted(&device, &files);
                continue;
            }
            let after = repository.persisted(&device, stored_before_expiry(part));
            let reason = Reason::Expired {
                expires,
                now: now(),
            };
            let name = match part {
                Part::Root | Part::Snapshot | Part::Targets => file(part),
                Part::Timestamp | Part::Product => repository.file_name(part),
            };
            assert_refused((&device, &after), &files, &name, |found| *found == reason);
        }
    }
}

/// Runs at another time and asserts that the run stops for expiry of `part` and stores nothing.
fn assert_frozen(device: &Stored, files: &Files, part: Part, seconds: u64, expires: u64) {
    let mut stored = device.clone();
    let later = UtcTime::from_unix(seconds);
    let run = run(&mut stored, files, later);
    let error = run.result.unwrap_err();
    let reason = Reason::Expired {
        expires: UtcTime::from_unix(expires),
        now: later,
    };
    assert_eq!((error.file, error.reason), (file(part), reason));
    assert!(stored == *device, "a frozen repository changed the device");
    assert!(run.effects.is_empty());
}

/// M18: the same valid files for ever. The device takes them until one of them expires, whichever it is,
/// and then says which and since when; what it trusts stays.
#[test]
fn rejects_frozen_repository_m18() {
    for part in Part::ALL {
        let first = NOW + 7 * 86_400;
        let mut repository = Repository::new();
        let text = UtcTime::from_unix(first).to_string();
        repository.edit(part, |draft| draft.set(&["expires"], text.as_str()));
        let files = repository.files();
        let device = repository.updated_device();
        for seconds in [NOW, first - 1] {
            let mut stored = device.clone();
            let run = run(&mut stored, &files, UtcTime::from_unix(seconds));
            assert!(run.result.is_ok());
            assert!(run.effects.is_empty() && stored == device);
        }
        for seconds in [first, EXPIRES, EXPIRES + 10 * 365 * 86_400] {
            // Past its own expiry others may be found first: roles are looked at in their order.
            let (found, expires) = if seconds < EXPIRES {
                (part, first)
            } else {
                first_expired(part, first)
            };
            assert_frozen(&device, &files, found, seconds, expires);
        }
    }
}

/// The first role in order of the workflow that is expired when all are.
fn first_expired(part: Part, expires: u64) -> (Part, u64) {
    if part == Part::Root {
        (Part::Root, expires)
    } else {
        (Part::Root, EXPIRES)
    }
}

/// M18: a fresh device is not fed frozen files either.
#[test]
fn rejects_frozen_repository_on_a_fresh_device_m18() {
    let repository = Repository::new();
    let files = repository.files();
    let device = repository.fresh_device();
    assert_accepted(&device, &files);
    assert_frozen(&device, &files, Part::Root, EXPIRES, EXPIRES);
}

/// M18, C91: a clock that was set years ahead refuses everything; nothing is stored, so after its
/// correction the device goes on as before.
#[test]
fn rejects_frozen_by_a_wrong_clock_then_recovers_m18() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Product);
    let files = repository.files();
    assert_frozen(&device, &files, Part::Root, EXPIRES + 86_400, EXPIRES);
    assert!(assert_accepted(&device, &files) == repository.persisted(&device, &Part::ALL));
}

/// M18: what a device has stored and is expired by now is no obstacle to newer files, and still guards
/// against older ones.
#[test]
fn rejects_rollback_by_expired_stored_files_m18() {
    let mut repository = Repository::new();
    repository.release(Part::Timestamp);
    repository.edit(Part::Timestamp, |draft| {
        draft.set(&["expires"], "2027-01-15T08:00:01Z");
    });
    let device = repository.updated_device();
    let later = UtcTime::from_unix(NOW + 86_400);

    let mut stored = device.clone();
    let old = run(&mut stored, &Repository::new().files(), later);
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_eq!(old.result.unwrap_err().reason, reason);
    assert!(stored == device);

    repository.release(Part::Product);
    repository.edit(Part::Timestamp, |draft| {
        draft.set(&["expires"], "2027-02-15T08:00:01Z");
    });
    let new = run(&mut stored, &repository.files(), later);
    assert!(new.result.is_ok(), "{:?}", new.result.err());
    assert!(stored == repository.persisted(&device, &Part::ALL));
}
