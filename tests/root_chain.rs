//! The chain of roots (threats M7 to M10).

use manifests::client::{Effect, Reason, Stored};
use manifests::envelope::{ParseError, VerifyError};
use manifests::instant::UtcTime;
use manifests::json::{Json, JsonError};
use manifests::limits::ROOT_ROTATIONS_MAX;
use support::repository::{
    Files, NOW, Part, Repository, assert_accepted, assert_bytes_refused, assert_refused, key,
    key_id, now, replace, run,
};

fn too_few(valid: usize) -> Reason {
    Reason::Untrusted(VerifyError::TooFewSignatures {
        valid,
        threshold: 2,
    })
}

/// M7: root 3, validly signed, served as `2.root.json`.
#[test]
fn rejects_skipped_root_m7() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.next_root(|_| {});
    repository.next_root(|_| {});
    let mut files = repository.files();
    let after = repository.persisted(&device, &[Part::Root]);
    assert_eq!(assert_accepted(&device, &files), after);
    let third = files["3.root.json"].clone();
    files.insert("2.root.json".to_owned(), third);
    let reason = Reason::Version {
        expected: 2,
        actual: 3,
    };
    assert_refused((&device, &device), &files, "2.root.json", |found| {
        *found == reason
    });
}

/// M7: a root of the trusted version, or an older one, served as the next.
#[test]
fn rejects_equal_and_older_root_m7() {
    let mut repository = Repository::new();
    repository.next_root(|_| {});
    let device = repository.updated_device();
    for actual in [1, 2] {
        let mut files = repository.files();
        let old = files[&format!("{actual}.root.json")].clone();
        files.insert("3.root.json".to_owned(), old);
        let reason = Reason::Version {
            expected: 3,
            actual,
        };
        assert_refused((&device, &device), &files, "3.root.json", |found| {
            *found == reason
        });
    }
}

/// M7: versions that are no integer of 1 to 2^53 - 1.
#[test]
fn rejects_root_version_out_of_range_m7() {
    for version in [
        "9007199254740992",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        let text = format!("\"version\": {version},");
        assert_bytes_refused(
            Part::Root,
            |bytes| replace(bytes, "\"version\": 2,", &text),
            |found| {
                matches!(
                    found,
                    Reason::Malformed(ParseError::Json(JsonError::Syntax(_)))
                )
            },
        );
    }
    for version in ["0", "-1", "\"2\"", "null"] {
        let text = format!("\"version\": {version},");
        assert_bytes_refused(
            Part::Root,
            |bytes| replace(bytes, "\"version\": 2,", &text),
            |found| matches!(found, Reason::Malformed(ParseError::Header(_))),
        );
    }
}

fn rotated(signers: &[&str]) -> Repository {
    let mut repository = Repository::new();
    let (c, d) = (key_id("root-c"), key_id("p256-root-d"));
    repository.next_root(|root| {
        root.set_role("root", &[(&c, "root-c"), (&d, "p256-root-d")], 2);
        root.sign_with(signers);
    });
    repository
}

/// M8: the root keys are rotated; the new root is signed by the old keys alone, by the new keys alone, or
/// by one too few of either.
#[test]
fn rejects_root_rotation_signed_by_one_side_m8() {
    let all = ["root-a", "p256-root-b", "root-c", "p256-root-d"];
    let device = Repository::new().updated_device();
    let control = rotated(&all);
    let after = control.persisted(&device, &[Part::Root]);
    assert_eq!(assert_accepted(&device, &control.files()), after);
    for (signers, valid) in [
        (&["root-a", "p256-root-b"][..], 0),
        (&["root-c", "p256-root-d"], 0),
        (&["root-a", "root-c", "p256-root-d"], 1),
        (&["root-a", "p256-root-b", "root-c"], 1),
        (&[], 0),
    ] {
        let files = rotated(signers).files();
        assert_refused((&device, &device), &files, "2.root.json", |found| {
            *found == too_few(valid)
        });
    }
}

/// M8: after the rotation the old keys sign nothing any more.
#[test]
fn rejects_root_signed_by_retired_keys_m8() {
    let all = ["root-a", "p256-root-b", "root-c", "p256-root-d"];
    let mut repository = rotated(&all);
    let device = repository.updated_device();
    let mut control = repository.clone();
    control.next_root(|root| root.sign_with(&["root-c", "p256-root-d"]));
    assert_accepted(&device, &control.files());
    repository.next_root(|root| root.sign_with(&["root-a", "p256-root-b"]));
    assert_refused(
        (&device, &device),
        &repository.files(),
        "3.root.json",
        |found| *found == too_few(0),
    );
}

/// M8: a root that fails keeps those before it: the device has moved on to root 2.
#[test]
fn rejects_broken_root_keeping_the_chain_so_far_m8() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.next_root(|_| {});
    let after = repository.persisted(&device, &[Part::Root]);
    assert_eq!(assert_accepted(&device, &repository.files()), after);
    repository.next_root(|root| root.sign_with(&["root-a"]));
    assert_refused(
        (&device, &after),
        &repository.files(),
        "3.root.json",
        |found| *found == too_few(1),
    );
}

/// M8: a raised threshold has to be met by the very root that raises it, a lowered one by the old.
#[test]
fn rejects_root_below_either_threshold_m8() {
    let keys = [
        (key_id("root-a"), "root-a"),
        (key_id("p256-root-b"), "p256-root-b"),
        (key_id("root-c"), "root-c"),
    ];
    let keys: Vec<(&str, &str)> = keys
        .iter()
        .map(|(id, label)| (id.as_str(), *label))
        .collect();
    let device = Repository::new().updated_device();
    for (threshold, signers, valid) in [
        (3, &["root-a", "p256-root-b"][..], Some((2, 3))),
        (3, &["root-a", "p256-root-b", "root-c"], None),
        (1, &["root-a"], Some((1, 2))),
        (1, &["root-a", "p256-root-b"], None),
    ] {
        let mut repository = Repository::new();
        repository.next_root(|root| {
            root.set_role("root", &keys, threshold);
            root.sign_with(signers);
        });
        let Some((valid, threshold)) = valid else {
            assert_accepted(&device, &repository.files());
            continue;
        };
        let reason = Reason::Untrusted(VerifyError::TooFewSignatures { valid, threshold });
        assert_refused(
            (&device, &device),
            &repository.files(),
            "2.root.json",
            |found| *found == reason,
        );
    }
}

/// M9: 10 000 roots. Each run follows a bounded number, stores its progress and says so; the next run
/// goes on where it ended, and the last one is through.
#[test]
fn rejects_endless_root_chain_m9() {
    const ROOTS: u64 = 10_000;
    let mut repository = Repository::new();
    let mut cheap = repository.roots[0].clone();
    cheap.set_role("root", &[(&key_id("root-a"), "root-a")], 1);
    cheap.sign_with(&["root-a"]);
    repository.roots = vec![cheap.clone()];
    let mut files = repository.files();
    let signer = key("root-a");
    for version in 2..=ROOTS {
        cheap.set(&["version"], version);
        let bytes = manifests::author::sign(cheap.signed.clone(), &[&signer]);
        files.insert(format!("{version}.root.json"), bytes);
    }
    let limit = usize::try_from(ROOT_ROTATIONS_MAX).unwrap();
    let mut stored = repository.fresh_device();
    for ended in 1..=39 {
        let run = run(&mut stored, &files, now());
        let version = 1 + limit * ended;
        let error = run.result.unwrap_err();
        assert_eq!(error.reason, Reason::TooManyRoots(ROOT_ROTATIONS_MAX));
        assert_eq!(error.file, format!("{}.root.json", version + 1));
        assert_eq!(run.requests.len(), limit + 1);
        let expected = Stored {
            root: files[&format!("{version}.root.json")].clone(),
            ..Stored::default()
        };
        assert!(stored == expected, "progress was not kept");
    }
    let stored = assert_accepted(&stored, &files);
    assert_eq!(stored.root, files["10000.root.json"]);
}

/// M9: a chain of exactly the limit needs one run.
#[test]
fn follows_as_many_roots_as_the_limit_m9() {
    let mut repository = Repository::new();
    for _ in 0..ROOT_ROTATIONS_MAX {
        repository.next_root(|_| {});
    }
    let device = repository.updated_device();
    assert_eq!(device.root, repository.draft(Part::Root).encode());
}

/// M10: a root that is expired in the middle of the chain does not matter; the last one does. It is
/// stored (TUF 5.3.8 comes before 5.3.10), nothing after it is asked for.
#[test]
fn rejects_expired_last_root_m10() {
    let mut repository = Repository::new();
    repository.edit(Part::Root, |root| {
        root.set(&["expires"], "2026-01-01T00:00:00Z")
    });
    let device = repository.fresh_device();
    let expired = repository.roots[0].clone();
    repository.next_root(|_| {});
    repository.next_root(|root| root.set(&["expires"], "2028-01-01T00:00:00Z"));
    assert_accepted(&device, &repository.files());

    repository.roots.pop();
    let files = repository.files();
    let mut stored = device.clone();
    let run = run(&mut stored, &files, now());
    let error = run.result.unwrap_err();
    let expires = UtcTime::parse("2026-01-01T00:00:00Z").unwrap();
    let reason = Reason::Expired {
        expires,
        now: UtcTime::from_unix(NOW),
    };
    assert_eq!((error.file.as_str(), error.reason), ("root.json", reason));
    assert!(stored == repository.persisted(&device, &[Part::Root]));
    assert_ne!(stored.root, expired.encode());
    let names: Vec<&str> = run
        .requests
        .iter()
        .map(|wanted| wanted.name.as_str())
        .collect();
    assert_eq!(names, ["2.root.json", "3.root.json"]);
    assert_eq!(run.effects.len(), 1);
}

/// TUF 6.2: without consistent snapshots the names carry no versions; all else is checked as before.
#[test]
fn follows_a_root_without_consistent_snapshots() {
    for value in [Some(Json::Bool(false)), None] {
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.next_root(|root| match value.clone() {
            Some(value) => root.set(&["consistent_snapshot"], value),
            None => root.remove(&["consistent_snapshot"]),
        });
        repository.release(Part::Product);
        let files = repository.files().into_iter().map(|(name, bytes)| {
            let plain = name.split_once('.').filter(|(version, rest)| {
                version.parse::<u64>().is_ok() && !rest.starts_with("root")
            });
            (
                plain.map_or_else(|| name.clone(), |(_, rest)| rest.to_owned()),
                bytes,
            )
        });
        let after = repository.persisted(&device, &Part::ALL);
        assert!(assert_accepted(&device, &files.collect()) == after);
    }
}

/// A stored root that no longer verifies by itself starts no run: nothing is asked for, nothing stored.
#[test]
fn rejects_stored_root_that_was_tampered_with_m28() {
    let repository = Repository::new();
    let device = repository.updated_device();
    let mut broken = device.clone();
    replace(&mut broken.root, "\"threshold\": 2", "\"threshold\": 1");
    let before = broken.clone();
    let run = run(&mut broken, &Files::new(), now());
    let error = run.result.unwrap_err();
    assert_eq!(error.file, "root.json");
    assert!(matches!(error.reason, Reason::Untrusted(_)), "{error}");
    assert!(run.requests.is_empty() && run.effects.is_empty());
    assert!(broken == before);
    assert_accepted(&device, &repository.files());
}

/// A rotation deletes before it stores, so that a cut between the two repeats it (TUF 5.3.11).
#[test]
fn repeats_a_rotation_that_was_cut() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    let fresh = key_id("fresh");
    repository.next_root(|root| root.set_role("snapshot", &[(&fresh, "fresh")], 1));
    repository.edit(Part::Snapshot, |draft| draft.sign_with(&["fresh"]));
    repository.edit(Part::Timestamp, |_| {});
    let files = repository.files();
    let mut whole = device.clone();
    let complete = run(&mut whole, &files, now());
    assert!(complete.result.is_ok());
    for cut in 0..=complete.effects.len() {
        let mut stored = device.clone();
        for effect in &complete.effects[..cut] {
            stored.apply(effect);
        }
        assert!(
            assert_accepted(&stored, &files) == whole,
            "cut after {cut} effects"
        );
    }
    assert!(matches!(complete.effects.last(), Some(Effect::Store(..))));
}
