//! Rollback, equivocation and fast-forward (threats M11 to M14), each role by itself.

use manifests::client::{Effect, Reason};
use manifests::json::Json;
use support::repository::{
    Part, Repository, assert_accepted, assert_refused, edit_envelope, key_id, now, run, slot,
};

/// 2^53 - 1, the largest version that can be written.
const VERSION_MAX: u64 = (1 << 53) - 1;

/// A repository at its second release, and a device that has it.
fn at_second_release(part: Part) -> (Repository, manifests::client::Stored) {
    let mut repository = Repository::new();
    repository.release(part);
    let device = repository.updated_device();
    (repository, device)
}

/// M11: a timestamp older than the trusted one is refused; nothing changes on the device.
#[test]
fn rejects_older_timestamp_m11() {
    let (newer, device) = at_second_release(Part::Timestamp);
    let older = Repository::new();
    assert_eq!(assert_accepted(&device, &newer.files()), device);
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_refused(
        (&device, &device),
        &older.files(),
        "timestamp.json",
        |found| *found == reason,
    );
}

/// M11, CVE-2025-2888: a newer timestamp that names an older snapshot is refused before it is stored.
#[test]
fn rejects_older_snapshot_m11() {
    let (newer, device) = at_second_release(Part::Snapshot);
    let mut attack = Repository::new();
    attack.edit(Part::Timestamp, |draft| draft.set(&["version"], 3));
    let mut control = newer.clone();
    control.edit(Part::Timestamp, |draft| draft.set(&["version"], 3));
    assert_accepted(&device, &control.files());
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_refused(
        (&device, &device),
        &attack.files(),
        "snapshot.json",
        |found| *found == reason,
    );
}

/// M11: the trusted snapshot guards its own version when the trusted timestamp was lost.
#[test]
fn rejects_older_snapshot_without_a_trusted_timestamp_m11() {
    let (newer, mut device) = at_second_release(Part::Snapshot);
    device.timestamp = None;
    assert_accepted(&device, &newer.files());
    let attack = Repository::new();
    let after = attack.persisted(&device, &[Part::Timestamp]);
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_refused(
        (&device, &after),
        &attack.files(),
        "1.snapshot.json",
        |found| *found == reason,
    );
}

/// M11, CVE-2022-29173: a newer snapshot that names older targets is refused. The timestamp is stored by
/// then (TUF 5.4.5), the snapshot isn't.
#[test]
fn rejects_older_targets_m11() {
    rejects_older_role(Part::Targets);
}

/// M11, CVE-2025-2887: the same for the delegated role of the product.
#[test]
fn rejects_older_product_m11() {
    rejects_older_role(Part::Product);
}

fn rejects_older_role(part: Part) {
    let (newer, device) = at_second_release(part);
    let mut control = newer.clone();
    control.release(Part::Snapshot);
    assert_accepted(&device, &control.files());
    for hashes in [true, false] {
        let mut attack = Repository::new();
        attack.hashes = hashes;
        for above in [Part::Snapshot, Part::Timestamp] {
            attack.draft_mut(above).set(&["version"], 3);
        }
        attack.link();
        let after = attack.persisted(&device, &[Part::Timestamp]);
        let reason = Reason::Rollback {
            trusted: 2,
            offered: 1,
        };
        let role = format!("{}.json", part.role());
        assert_refused((&device, &after), &attack.files(), &role, |found| {
            *found == reason
        });
    }
}

/// M11, trap T4: a root gives the timestamp key another id (the same key bytes, as by a PEM with another
/// newline). Ids are labels: the device still knows the version it trusted. An old timestamp whose
/// unsigned key id was rewritten is refused.
#[test]
fn rejects_older_timestamp_under_a_relabelled_key_m11() {
    let mut repository = Repository::new();
    repository.release(Part::Timestamp);
    let device = repository.updated_device();
    repository.next_root(|root| root.set_role("timestamp", &[("relabelled", "timestamp")], 1));

    let mut honest = repository.clone();
    honest.release(Part::Timestamp);
    honest.timestamp.signers[0].0 = "relabelled".to_owned();
    let updated = assert_accepted(&device, &honest.files());
    assert_eq!(updated.timestamp, Some(honest.timestamp.encode()));

    let mut files = repository.files();
    let mut old = Repository::new().timestamp.encode();
    edit_envelope(&mut old, |document| {
        *slot(document, &["signatures", "0", "keyid"]) = Json::from("relabelled");
    });
    files.insert("timestamp.json".to_owned(), old);
    let after = repository.persisted(&device, &[Part::Root]);
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_refused((&device, &after), &files, "timestamp.json", |found| {
        *found == reason
    });
}

/// M11: the same through a threshold that was raised: the trusted timestamp has one signature, now two
/// are asked for. It still tells the version that was trusted.
#[test]
fn rejects_older_timestamp_after_a_raised_threshold_m11() {
    let keys = [
        (key_id("timestamp"), "timestamp"),
        (key_id("second"), "second"),
    ];
    let keys = [
        (keys[0].0.as_str(), keys[0].1),
        (keys[1].0.as_str(), keys[1].1),
    ];
    let mut repository = Repository::new();
    repository.edit(Part::Root, |root| root.set_role("timestamp", &keys, 1));
    repository.release(Part::Timestamp);
    let device = repository.updated_device();
    repository.next_root(|root| root.set_role("timestamp", &keys, 2));
    repository.timestamp.sign_with(&["timestamp", "second"]);

    let mut honest = repository.clone();
    honest.release(Part::Timestamp);
    assert_accepted(&device, &honest.files());

    repository.timestamp.set(&["version"], 1);
    let after = repository.persisted(&device, &[Part::Root]);
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_refused(
        (&device, &after),
        &repository.files(),
        "timestamp.json",
        |found| *found == reason,
    );
}

/// M12: another timestamp of the trusted version is equivocation; the trusted one is kept. The same
/// content in other bytes is no alarm and changes nothing.
#[test]
fn rejects_other_timestamp_of_the_same_version_m12() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    let mut files = repository.files();
    files.get_mut("timestamp.json").unwrap().extend(b"\n \n");
    assert_eq!(assert_accepted(&device, &files), device);
    repository.edit(Part::Timestamp, |draft| {
        draft.set(&["expires"], "2027-02-01T00:00:00Z");
    });
    assert_refused(
        (&device, &device),
        &repository.files(),
        "timestamp.json",
        |found| *found == Reason::Equivocation(1),
    );
}

/// M12: another snapshot of the trusted version, named by a newer timestamp.
#[test]
fn rejects_other_snapshot_of_the_same_version_m12() {
    rejects_equivocation(Part::Snapshot, &[Part::Timestamp]);
}

/// M12: other targets of the trusted version, named by a newer snapshot.
#[test]
fn rejects_other_targets_of_the_same_version_m12() {
    rejects_equivocation(Part::Targets, &[Part::Timestamp, Part::Snapshot]);
}

/// M12: another product role of the trusted version, named by a newer snapshot.
#[test]
fn rejects_other_product_of_the_same_version_m12() {
    rejects_equivocation(Part::Product, &[Part::Timestamp, Part::Snapshot]);
}

fn rejects_equivocation(part: Part, above: &[Part]) {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    for above in above {
        repository.draft_mut(*above).set(&["version"], 2);
    }
    repository.link();
    assert_accepted(&device, &repository.files());
    repository.edit(part, |draft| {
        draft.set(&["expires"], "2027-02-01T00:00:00Z");
    });
    let after = repository.persisted(&device, above);
    let file = repository.file_name(part);
    assert_refused((&device, &after), &repository.files(), &file, |found| {
        *found == Reason::Equivocation(1)
    });
    // The device is fresh: nobody can tell it apart from an honest first version.
    assert_accepted(&repository.fresh_device(), &repository.files());
}

/// M12: a client that was refused an equivocating file is at its end. Offering the file again, as by a
/// second mirror, can't get it accepted.
#[test]
fn rejects_equivocation_offered_twice_m12() {
    for part in [Part::Targets, Part::Product] {
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.release(Part::Snapshot);
        repository.edit(part, |draft| {
            draft.set(&["expires"], "2027-02-01T00:00:00Z");
        });
        let files = repository.files();
        let product = support::repository::product();
        let mut client = manifests::client::Client::for_product(device, product, now()).unwrap();
        let refused = loop {
            let name = client.request().unwrap().name;
            if let Err(error) = client.respond(files.get(&name).map(Vec::as_slice)) {
                break error;
            }
        };
        assert_eq!(refused.reason, Reason::Equivocation(1));
        assert_eq!(client.request(), None);
        let bytes = files[&repository.file_name(part)].as_slice();
        let again = client.respond(Some(bytes)).unwrap_err();
        assert_eq!(again.reason, Reason::Order);
        assert_eq!(client.finish().unwrap_err(), refused);
    }
}

/// M13: the timestamp is stored as soon as it is accepted (TUF 5.4.5), though its snapshot fails; the
/// trusted snapshot stays, and an older timestamp can't come back.
#[test]
fn rejects_broken_snapshot_keeping_the_new_timestamp_m13() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Snapshot);
    assert_accepted(&device, &repository.files());
    let after = repository.persisted(&device, &[Part::Timestamp]);
    let mut files = repository.files();
    files.remove("2.snapshot.json");
    assert_refused((&device, &after), &files, "2.snapshot.json", |found| {
        *found == Reason::Absent
    });
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    let old = Repository::new().files();
    assert_refused((&after, &after), &old, "timestamp.json", |found| {
        *found == reason
    });
    assert_accepted(&after, &repository.files());
}

/// M13: a new timestamp is stored although the snapshot that the device has, and that the timestamp
/// still names, expired. Otherwise the older timestamp could come back.
#[test]
fn rejects_expired_stored_snapshot_keeping_the_new_timestamp_m13() {
    keeps_what_was_verified_above_an_expired(Part::Snapshot, Part::Timestamp);
}

/// M13: the same for a new snapshot above stored targets that expired (TUF 5.5.7).
#[test]
fn rejects_expired_stored_targets_keeping_the_new_snapshot_m13() {
    keeps_what_was_verified_above_an_expired(Part::Targets, Part::Snapshot);
}

/// M13: the same for new targets above a stored product role that expired (TUF 5.6.6).
#[test]
fn rejects_expired_stored_product_keeping_the_new_targets_m13() {
    keeps_what_was_verified_above_an_expired(Part::Product, Part::Targets);
}

/// The device holds `expired`, which expires at 08:00:01; `part` is released anew above it and offered at
/// that second.
fn keeps_what_was_verified_above_an_expired(expired: Part, part: Part) {
    let mut repository = Repository::new();
    repository.edit(expired, |draft| {
        draft.set(&["expires"], "2027-01-15T08:00:01Z");
    });
    let device = repository.updated_device();
    repository.release(part);
    let files = repository.files();
    let all = &[
        Part::Timestamp,
        Part::Snapshot,
        Part::Targets,
        Part::Product,
    ];
    let new = repository.persisted(&device, all);
    assert_eq!(assert_accepted(&device, &files), new);

    let mut stored = device;
    let later = manifests::instant::UtcTime::from_unix(support::repository::NOW + 1);
    let run = run(&mut stored, &files, later);
    let error = run.result.unwrap_err();
    assert!(matches!(error.reason, Reason::Expired { .. }), "{error}");
    assert_eq!(error.file, format!("{}.json", expired.role()));
    assert!(stored == new, "verified files were not stored");
}

/// M14: the largest version is accepted, by signature alone; one more can't be written.
#[test]
fn rejects_version_beyond_the_largest_integer_m14() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    for part in [
        Part::Product,
        Part::Targets,
        Part::Snapshot,
        Part::Timestamp,
    ] {
        repository.edit(part, |draft| draft.set(&["version"], VERSION_MAX));
    }
    let updated = assert_accepted(&device, &repository.files());
    assert_eq!(updated.timestamp, Some(repository.timestamp.encode()));
    for beyond in [
        "9007199254740992",
        "9223372036854775807",
        "18446744073709551615",
    ] {
        support::repository::assert_bytes_refused(
            Part::Timestamp,
            |bytes| {
                support::repository::replace(
                    bytes,
                    "\"version\": 2\n",
                    &format!("\"version\": {beyond}\n"),
                )
            },
            |found| matches!(found, Reason::Malformed(_)),
        );
    }
}

/// M14: after a fast-forward with stolen online keys, honest files look old, until a root rotates the
/// keys: then the device forgets the versions (TUF 5.3.11) and recovers.
#[test]
fn rejects_until_rotation_after_fast_forward_m14() {
    for rotated in [Part::Timestamp, Part::Snapshot] {
        let honest = Repository::new();
        let mut attack = honest.clone();
        attack
            .snapshot
            .set(&["meta", "cam.json", "version"], VERSION_MAX);
        for part in [Part::Snapshot, Part::Timestamp] {
            attack.edit(part, |draft| draft.set(&["version"], VERSION_MAX));
        }
        let mut device = honest.updated_device();
        let run = run(&mut device, &attack.files(), now());
        assert_eq!(run.result.unwrap_err().reason, Reason::Absent);
        assert_eq!(device.timestamp, Some(attack.timestamp.encode()));
        assert_eq!(device.snapshot, Some(attack.snapshot.encode()));

        let mut next = honest.clone();
        next.release(Part::Product);
        let reason = Reason::Rollback {
            trusted: VERSION_MAX,
            offered: 2,
        };
        assert_refused(
            (&device, &device),
            &next.files(),
            "timestamp.json",
            |found| *found == reason,
        );
        recovers(next, rotated, &device);
    }
}

fn recovers(mut next: Repository, rotated: Part, device: &manifests::client::Stored) {
    let role = rotated.role();
    next.next_root(|root| root.set_role(role, &[(&key_id("fresh"), "fresh")], 1));
    next.edit(rotated, |draft| draft.sign_with(&["fresh"]));
    let mut stored = device.clone();
    let run = run(&mut stored, &next.files(), now());
    assert!(run.result.is_ok(), "{:?}", run.result.err());
    assert_eq!(stored, next.persisted(device, &Part::ALL));
    // Deleted before the root is stored: a cut in between repeats the rotation, it can't miss it.
    assert_eq!(
        run.effects[..3],
        [
            Effect::Delete("timestamp.json".to_owned()),
            Effect::Delete("snapshot.json".to_owned()),
            Effect::Store("root.json".to_owned(), next.roots[1].encode()),
        ]
    );
}

/// M14: a rotation of the targets keys deletes nothing: the versions still guard.
#[test]
fn rejects_older_timestamp_after_targets_rotation_m14() {
    let mut repository = Repository::new();
    repository.release(Part::Timestamp);
    let device = repository.updated_device();
    repository.next_root(|root| root.set_role("targets", &[(&key_id("fresh"), "fresh")], 1));
    repository.edit(Part::Targets, |draft| draft.sign_with(&["fresh"]));
    let mut control = repository.clone();
    control.release(Part::Snapshot);
    assert_accepted(&device, &control.files());
    repository.timestamp.set(&["version"], 1);
    let after = repository.persisted(&device, &[Part::Root]);
    let reason = Reason::Rollback {
        trusted: 2,
        offered: 1,
    };
    assert_refused(
        (&device, &after),
        &repository.files(),
        "timestamp.json",
        |found| *found == reason,
    );
}
