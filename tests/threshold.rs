//! Thresholds and what counts towards them (threats M3, M4).

use manifests::client::Reason;
use manifests::envelope::{ParseError, VerifyError};
use manifests::json::{Json, JsonError};
use support::repository::{
    Draft, Part, Repository, assert_accepted, assert_bytes_refused, assert_refused,
    assert_tampered_refused, edit_envelope, key_id, key_json, replace, slot,
};

fn too_few(valid: usize, threshold: usize) -> Reason {
    Reason::Untrusted(VerifyError::TooFewSignatures { valid, threshold })
}

/// Where a threshold stands, in a root and in a delegation.
const THRESHOLDS: [(Part, &[&str]); 2] = [
    (Part::Root, &["roles", "snapshot", "threshold"]),
    (Part::Targets, &["delegations", "roles", "0", "threshold"]),
];

/// M3, CVE-2026-23992: thresholds that are no count of keys.
#[test]
fn rejects_threshold_that_is_no_count_m3() {
    let values = [
        Json::Integer(0),
        Json::Integer(-1),
        Json::Integer(129),
        Json::Integer(1 << 32),
        Json::Integer((1 << 32) + 1),
        Json::from("1"),
        Json::Bool(true),
        Json::Null,
        Json::Array(vec![Json::Integer(1)]),
    ];
    for (part, path) in THRESHOLDS {
        for value in &values {
            assert_tampered_refused(
                part,
                |draft| draft.set(path, value.clone()),
                |found| {
                    matches!(found, Reason::Malformed(ParseError::Json(JsonError::Type { name, .. }))
                        if name == "threshold")
                },
            );
        }
        assert_tampered_refused(
            part,
            |draft| draft.remove(path),
            |found| *found == Reason::Malformed(JsonError::Missing("threshold").into()),
        );
    }
}

/// M3: thresholds that are no integer at all, or beyond 64 bits.
#[test]
fn rejects_threshold_that_is_no_integer_m3() {
    for part in [Part::Root, Part::Targets] {
        for text in [
            "1.5",
            "1.0",
            "1e0",
            "-0",
            "18446744073709551617",
            "01",
            "+1",
        ] {
            assert_bytes_refused(
                part,
                |bytes| replace(bytes, "\"threshold\": 2", &format!("\"threshold\": {text}")),
                |found| {
                    matches!(
                        found,
                        Reason::Malformed(ParseError::Json(JsonError::Syntax(_)))
                    )
                },
            );
        }
    }
}

/// M3: a threshold above the number of keys can never be met.
#[test]
fn rejects_threshold_above_the_number_of_keys_m3() {
    let id = key_id("snapshot");
    refuses_snapshot_under(
        |root| root.set_role("snapshot", &[(&id, "snapshot")], 2),
        |_| {},
        1,
    );
}

/// Offers a root changed by `rotate`, then a snapshot that should meet a threshold of 2 and is signed by
/// `sign`; the control is signed by two keys under the same threshold.
fn refuses_snapshot_under(
    rotate: impl FnOnce(&mut Draft),
    sign: impl FnOnce(&mut Draft),
    valid: usize,
) {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Snapshot);
    let mut control = repository.clone();
    let (first, second) = (key_id("snapshot"), key_id("second"));
    let keys = [(first.as_str(), "snapshot"), (second.as_str(), "second")];
    control.next_root(|root| root.set_role("snapshot", &keys, 2));
    control.edit(Part::Snapshot, |draft| {
        draft.sign_with(&["snapshot", "second"])
    });
    assert_accepted(&device, &control.files());

    repository.next_root(rotate);
    repository.edit(Part::Snapshot, sign);
    let after = repository.persisted(&device, &[Part::Root, Part::Timestamp]);
    assert_refused(
        (&device, &after),
        &repository.files(),
        "2.snapshot.json",
        |found| *found == too_few(valid, 2),
    );
}

/// M4, trap T3: one key under two ids, a valid signature under each, counts once.
#[test]
fn rejects_one_key_under_two_ids_m4() {
    let id = key_id("snapshot");
    let keys = [(id.as_str(), "snapshot"), ("abababab", "snapshot")];
    refuses_snapshot_under(
        |root| root.set_role("snapshot", &keys, 2),
        |draft| {
            draft
                .signers
                .push(("abababab".to_owned(), "snapshot".to_owned()));
        },
        1,
    );
}

/// M4, traps T3, T4: one P-256 key written in three ways (PEM with and without its last newline, and the
/// old key type) has three ids and counts once.
#[test]
fn rejects_one_key_in_several_spellings_m4() {
    let mut bare = key_json("p256-twin");
    let public = slot(&mut bare, &["keyval", "public"]);
    let pem = public.as_str().unwrap().trim_end().to_owned();
    *public = Json::from(pem.as_str());
    let mut legacy = key_json("p256-twin");
    *slot(&mut legacy, &["keytype"]) = Json::from("ecdsa-sha2-nistp256");

    let mut repository = Repository::new();
    repository.next_root(|root| {
        root.set_role(
            "timestamp",
            &[
                ("with", "p256-twin"),
                ("bare", "p256-twin"),
                ("old", "p256-twin"),
            ],
            2,
        );
        root.set(&["keys", "bare"], bare);
        root.set(&["keys", "old"], legacy);
    });
    let device = repository.fresh_device();
    let after = repository.persisted(&device, &[Part::Root]);
    repository.timestamp.signers = ["with", "bare", "old"]
        .map(|id| (id.to_owned(), "p256-twin".to_owned()))
        .to_vec();
    assert_refused(
        (&device, &after),
        &repository.files(),
        "timestamp.json",
        |found| *found == too_few(1, 2),
    );
    // Control: under a threshold of 1 each spelling is a key and its signature valid.
    for id in ["with", "bare", "old"] {
        let mut control = repository.clone();
        control.edit(Part::Root, |root| {
            root.set(&["roles", "timestamp", "threshold"], 1)
        });
        control.timestamp.signers = vec![(id.to_owned(), "p256-twin".to_owned())];
        assert_accepted(&device, &control.files());
    }
}

/// M4: a key id that a role lists twice counts once.
#[test]
fn rejects_key_id_listed_twice_m4() {
    let id = key_id("snapshot");
    refuses_snapshot_under(
        |root| root.set_role("snapshot", &[(&id, "snapshot"), (&id, "snapshot")], 2),
        |_| {},
        1,
    );
}

/// M4: the same signature twice. The standard wants unique key ids in `signatures`: refused whole, even
/// though enough keys signed.
#[test]
fn rejects_signature_given_twice_m4() {
    for part in Part::ALL {
        assert_tampered_refused(
            part,
            |draft| draft.signers.push(draft.signers[0].clone()),
            |found| matches!(found, Reason::Malformed(ParseError::DuplicateSignature(_))),
        );
    }
}

/// M4: one key signs twice under ids of two keys of the role: only its own is valid.
#[test]
fn rejects_one_key_signing_for_two_m4() {
    for part in [Part::Root, Part::Product] {
        assert_tampered_refused(
            part,
            |draft| draft.signers[1].1 = draft.signers[0].1.clone(),
            |found| *found == too_few(1, 2),
        );
    }
}

/// M4: one signature under the ids of both keys, and under ids that the role does not know.
#[test]
fn rejects_signatures_of_unknown_ids_m4() {
    for part in Part::ALL {
        let threshold = Repository::new().draft(part).signers.len();
        assert_tampered_refused(
            part,
            |draft| {
                let mallory: Vec<_> = (0..8)
                    .map(|index| (format!("{index:064}"), draft.signers[0].1.clone()))
                    .collect();
                draft.signers = mallory;
            },
            |found| *found == too_few(0, threshold),
        );
    }
}

/// M4: keys of one role sign nothing of another: the root, snapshot, timestamp and targets keys together
/// don't make a product role.
#[test]
fn rejects_keys_of_other_roles_m4() {
    let all = [
        "root-a",
        "p256-root-b",
        "timestamp",
        "snapshot",
        "p256-targets",
        "p256-product-a",
        "product-b",
    ];
    for part in Part::ALL {
        let own: Vec<String> = Repository::new()
            .draft(part)
            .signers
            .iter()
            .map(|(_, label)| label.clone())
            .collect();
        let others: Vec<&str> = all
            .into_iter()
            .filter(|label| !own.iter().any(|own| own == label))
            .collect();
        assert_tampered_refused(
            part,
            |draft| draft.sign_with(&others),
            |found| *found == too_few(0, own.len()),
        );
    }
}

/// M4: a key that the document lists but the role doesn't name does not count.
#[test]
fn rejects_key_that_the_role_does_not_name_m4() {
    let mut repository = Repository::new();
    repository.next_root(|root| root.set(&["keys", &key_id("extra")], key_json("extra")));
    let device = repository.updated_device();
    repository.release(Part::Timestamp);
    assert_accepted(&device, &repository.files());
    repository.timestamp.sign_with(&["extra"]);
    assert_refused(
        (&device, &device),
        &repository.files(),
        "timestamp.json",
        |found| *found == too_few(0, 1),
    );
    let mut bytes = repository.timestamp.encode();
    edit_envelope(&mut bytes, |document| {
        *slot(document, &["signatures", "0", "keyid"]) = Json::from(key_id("timestamp").as_str());
    });
    let mut files = repository.files();
    files.insert("timestamp.json".to_owned(), bytes);
    assert_refused((&device, &device), &files, "timestamp.json", |found| {
        *found == too_few(0, 1)
    });
}
