//! Metadata files with changed, malformed, too many or unknown bytes (threats M1, M19, M23 to M26).

use manifests::client::{Reason, Stored};
use manifests::envelope::{ParseError, VerifyError};
use manifests::file_meta::FileMetaError;
use manifests::header::HeaderError;
use manifests::json::{self, Json, JsonError};
use manifests::limits;
use manifests::product::{Product, ProductError};
use support::repository::{
    Part, Repository, assert_accepted, assert_bytes_refused, assert_refused,
    assert_tampered_refused, edit_envelope, members, now, replace, run, slot,
};

/// What the signatures of a file cover.
fn signed_bytes(file: &[u8]) -> Vec<u8> {
    json::canonical(json::parse(file).unwrap().require("signed").unwrap())
}

/// M1: every byte of a file, changed in two ways: refused, unless the meaning is the same (the case of a
/// hex digit in a signature).
fn refuses_every_flipped_byte(part: Part) {
    let mut repository = Repository::unhashed();
    let device = repository.updated_device();
    repository.release(part);
    let mut files = repository.files();
    assert_accepted(&device, &files);
    let refused = repository.persisted(&device, part.stored_before());
    let accepted = repository.persisted(&device, &Part::ALL);
    let name = repository.file_name(part);
    let good = files[&name].clone();
    let meaning = signed_bytes(&good);
    let mut survivors = 0;
    for position in 0..good.len() {
        for mask in [1 << (position % 8), 0x20] {
            let bytes = files.get_mut(&name).unwrap();
            bytes[position] ^= mask;
            let bytes = bytes.clone();
            let mut stored = device.clone();
            let run = run(&mut stored, &files, now());
            if run.result.is_ok() {
                survivors += 1;
                assert_eq!(signed_bytes(&bytes), meaning, "byte {position} of {name}");
                stored.apply(&manifests::client::Effect::Store(
                    format!("{}.json", part.role()),
                    good.clone(),
                ));
                assert!(stored == accepted, "byte {position} of {name}");
            } else {
                assert!(stored == refused, "byte {position} of {name}");
            }
            *files.get_mut(&name).unwrap() = good.clone();
        }
    }
    // A handful: letters of hex digits in the signatures.
    assert!(
        survivors < 200,
        "{survivors} changed files of {name} were accepted"
    );
}

/// M1 for the root.
#[test]
fn rejects_flipped_byte_in_root_m1() {
    refuses_every_flipped_byte(Part::Root);
}

/// M1 for the timestamp.
#[test]
fn rejects_flipped_byte_in_timestamp_m1() {
    refuses_every_flipped_byte(Part::Timestamp);
}

/// M1 for the snapshot.
#[test]
fn rejects_flipped_byte_in_snapshot_m1() {
    refuses_every_flipped_byte(Part::Snapshot);
}

/// M1 for the top-level targets.
#[test]
fn rejects_flipped_byte_in_targets_m1() {
    refuses_every_flipped_byte(Part::Targets);
}

/// M1 for the product's role.
#[test]
fn rejects_flipped_byte_in_product_m1() {
    refuses_every_flipped_byte(Part::Product);
}

/// M1: with hashes, as our publishers write them, not even the case of a hex digit may differ.
#[test]
fn rejects_any_other_bytes_of_a_hashed_file_m1() {
    for part in [Part::Snapshot, Part::Targets, Part::Product] {
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.release(part);
        let mut files = repository.files();
        assert_accepted(&device, &files);
        let name = repository.file_name(part);
        edit_envelope(files.get_mut(&name).unwrap(), |document| {
            let sig = slot(document, &["signatures", "0", "sig"]);
            *sig = Json::from(sig.as_str().unwrap().to_uppercase().as_str());
        });
        let after = repository.persisted(&device, part.stored_before());
        assert_refused((&device, &after), &files, &name, |found| {
            matches!(found, Reason::Content(FileMetaError::Hash { .. }))
        });
    }
}

/// M1: a file that ends early, at every thirteenth byte and without any.
#[test]
fn rejects_truncated_file_m1() {
    for part in Part::ALL {
        let mut repository = Repository::unhashed();
        let device = repository.updated_device();
        repository.release(part);
        let good = repository.files();
        assert_accepted(&device, &good);
        let name = repository.file_name(part);
        let after = repository.persisted(&device, part.stored_before());
        for length in (0..good[&name].len() - 1).rev().step_by(13) {
            let mut files = good.clone();
            files.get_mut(&name).unwrap().truncate(length);
            assert_refused((&device, &after), &files, &name, |found| {
                matches!(
                    found,
                    Reason::Malformed(ParseError::Json(JsonError::Syntax(_)))
                )
            });
        }
    }
}

/// M19: one byte more than the limit that the request gave. A file of exactly the limit is read.
#[test]
fn rejects_endless_file_m19() {
    for (part, limit) in [
        (Part::Root, limits::ROOT_BYTES_MAX),
        (Part::Timestamp, limits::TIMESTAMP_BYTES_MAX),
        (Part::Snapshot, limits::SNAPSHOT_BYTES_MAX),
        (Part::Targets, limits::TARGETS_BYTES_MAX),
        (Part::Product, limits::TARGETS_BYTES_MAX),
    ] {
        let size = usize::try_from(limit).unwrap();
        assert_bytes_refused(
            part,
            |bytes| bytes.resize(size + 1, b' '),
            |found| *found == Reason::TooLong { limit },
        );
        let mut repository = Repository::unhashed();
        let mut device = repository.updated_device();
        repository.release(part);
        let mut files = repository.files();
        let name = repository.file_name(part);
        files.get_mut(&name).unwrap().resize(size, b' ');
        let run = run(&mut device, &files, now());
        assert!(run.result.is_ok(), "{name}");
        let request = run.requests.iter().find(|wanted| wanted.name == name);
        assert_eq!(request.unwrap().length_max, limit);
    }
}

/// M19: where the signed reference states a length, that is the limit; a shorter file is refused too.
#[test]
fn rejects_other_length_than_signed_m19() {
    for part in [Part::Snapshot, Part::Targets, Part::Product] {
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.release(part);
        let files = repository.files();
        let name = repository.file_name(part);
        let expected = u64::try_from(files[&name].len()).unwrap();
        let mut stored = device.clone();
        let run = run(&mut stored, &files, now());
        assert!(run.result.is_ok());
        let request = run.requests.iter().find(|wanted| wanted.name == name);
        assert_eq!(request.unwrap().length_max, expected);

        let after = repository.persisted(&device, part.stored_before());
        let mut longer = files.clone();
        longer.get_mut(&name).unwrap().push(b' ');
        assert_refused((&device, &after), &longer, &name, |found| {
            *found == Reason::TooLong { limit: expected }
        });
        let mut shorter = files.clone();
        shorter.get_mut(&name).unwrap().pop();
        let reason = Reason::Content(FileMetaError::Length {
            expected,
            actual: expected - 1,
        });
        assert_refused((&device, &after), &shorter, &name, |found| *found == reason);
    }
}

/// M19: a signed length of 8 PiB does not raise the limit.
#[test]
fn rejects_huge_signed_length_m19() {
    let mut repository = Repository::unhashed();
    let device = repository.updated_device();
    repository.release(Part::Snapshot);
    assert_accepted(&device, &repository.files());
    repository.edit(Part::Timestamp, |draft| {
        draft.set(&["meta", "snapshot.json", "length"], limits::INTEGER_MAX);
    });
    let mut stored = device.clone();
    let run = run(&mut stored, &repository.files(), now());
    assert_eq!(run.requests[2].length_max, limits::SNAPSHOT_BYTES_MAX);
    let error = run.result.unwrap_err();
    assert!(
        matches!(error.reason, Reason::Content(FileMetaError::Length { .. })),
        "{error}"
    );
    assert!(stored == repository.persisted(&device, &[Part::Timestamp]));
}

/// M23: JSON that two readers may read in two ways, or that only lenient ones read.
#[test]
fn rejects_json_with_two_meanings_m23() {
    for part in Part::ALL {
        for (from, to) in [
            ("\"version\": 2", "\"version\": 2, \"version\": 2"),
            ("\"version\": 2", "\"version\": 1, \"\\u0076ersion\": 2"),
            ("\"signed\": {", "\"signed\": {}, \"signed\": {"),
            ("\"version\": 2", "\"version\": 2.0"),
            ("\"version\": 2", "\"version\": 2e0"),
            ("\"version\": 2", "\"version\": 1e400"),
            ("\"version\": 2", "\"version\": -0"),
            ("\"version\": 2", "\"version\": 02"),
            ("\"version\": 2", "\"version\": NaN"),
            ("\"version\": 2", "\"version\": Infinity"),
            ("\"version\": 2", "\"version\": 2, \"x\": \"\\ud800\""),
            ("\"version\": 2", "\"version\": 2, \"\\udc00\": 1"),
            ("\"version\": 2", "\"version\": 2, /* */ \"x\": 1"),
            ("\"version\": 2", "'version': 2"),
            ("\"signed\": {", "\"signed\": {,"),
        ] {
            assert_bytes_refused(part, |bytes| replace(bytes, from, to), is_syntax);
        }
        let changes: [fn(&mut Vec<u8>); 5] = [
            |bytes| drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
            |bytes| bytes.extend(b"x"),
            |bytes| bytes.extend(b"{}"),
            |bytes| bytes.extend(b"\0"),
            |bytes| {
                *bytes
                    .iter_mut()
                    .rfind(|byte| byte.is_ascii_alphabetic())
                    .unwrap() = 0xff
            },
        ];
        for change in changes {
            assert_bytes_refused(part, change, is_syntax);
        }
    }
}

fn is_syntax(found: &Reason) -> bool {
    matches!(
        found,
        Reason::Malformed(ParseError::Json(JsonError::Syntax(_)))
    )
}

/// M23: nesting as deep as the file may be long; no stack overflow.
#[test]
fn rejects_deep_nesting_m23() {
    for part in Part::ALL {
        let deep = match part {
            Part::Timestamp => 7000,
            Part::Root => 30_000,
            Part::Snapshot | Part::Targets | Part::Product => 100_000,
        };
        for depth in [17, deep] {
            let nested = format!(
                "\"x\": {}{}, \"version\": 2",
                "[".repeat(depth),
                "]".repeat(depth)
            );
            assert_bytes_refused(
                part,
                |bytes| replace(bytes, "\"version\": 2", &nested),
                is_syntax,
            );
        }
    }
}

/// M23: what stands where the envelope should be.
#[test]
fn rejects_other_shapes_of_envelope_m23() {
    for part in Part::ALL {
        for shape in [
            "null",
            "[]",
            "{}",
            "1",
            "\"x\"",
            "{\"signed\":{}}",
            "{\"signatures\":[]}",
        ] {
            assert_bytes_refused(
                part,
                |bytes| *bytes = shape.as_bytes().to_vec(),
                |found| {
                    matches!(
                        found,
                        Reason::Malformed(
                            ParseError::Json(JsonError::Missing(_))
                                | ParseError::Header(HeaderError::Json(JsonError::Missing(_)))
                        )
                    )
                },
            );
        }
        for (from, to) in [
            ("\"sig\"", "\"gis\""),
            ("\"keyid\"", "\"id\""),
            ("\"signatures\"", "\"s\""),
        ] {
            assert_bytes_refused(
                part,
                |bytes| replace(bytes, from, to),
                |found| {
                    matches!(
                        found,
                        Reason::Malformed(ParseError::Json(JsonError::Missing(_)))
                    )
                },
            );
        }
    }
}

/// M24: members that we don't know are part of what is signed: accepted, and refused if changed.
#[test]
fn rejects_changed_unknown_member_m24() {
    for part in Part::ALL {
        let mut repository = Repository::unhashed();
        let device = repository.updated_device();
        repository.release(part);
        repository.edit(part, |draft| {
            draft.set(
                &["x-unknown", "list"],
                Json::strings(["a\nb", "\u{e9}\"\\"]),
            );
            draft.set(&["x-unknown", "number"], Json::Integer(-7));
        });
        let mut files = repository.files();
        assert_accepted(&device, &files);
        let name = repository.file_name(part);
        replace(files.get_mut(&name).unwrap(), "-7", "-8");
        let after = repository.persisted(&device, part.stored_before());
        let threshold = repository.draft(part).signers.len();
        let reason = Reason::Untrusted(VerifyError::TooFewSignatures {
            valid: 0,
            threshold,
        });
        assert_refused((&device, &after), &files, &name, |found| *found == reason);
    }
}

/// M24: another major version of the specification, or none.
#[test]
fn rejects_unknown_spec_version_m24() {
    for part in Part::ALL {
        for version in [
            "2.0.0",
            "2",
            "0.9",
            "10.0",
            "",
            "1.",
            "1.x",
            "v1.0",
            " 1.0",
            "1.0.34-rc",
        ] {
            assert_tampered_refused(
                part,
                |draft| draft.set(&["spec_version"], version),
                |found| *found == Reason::Malformed(HeaderError::Spec(version.to_owned()).into()),
            );
        }
        for version in ["1.0.0", "1.1", "1.99.3"] {
            let mut repository = Repository::new();
            let device = repository.updated_device();
            repository.release(part);
            repository.edit(part, |draft| draft.set(&["spec_version"], version));
            assert_accepted(&device, &repository.files());
        }
    }
}

/// Values that are no `hashes` we can check.
fn bad_hashes() -> Vec<Json> {
    let right = Json::from("08".repeat(32).as_str());
    let sha256 = |text: &str| Json::object([("sha256", Json::from(text))]);
    vec![
        Json::object([]),
        Json::object([("md5", right.clone())]),
        Json::object([("sha512", Json::from("08".repeat(64).as_str()))]),
        Json::object([
            ("sha256", right.clone()),
            ("sha512", Json::from("00".repeat(64).as_str())),
        ]),
        Json::object([("sha256", right), ("x", Json::from("00"))]),
        sha256(""),
        sha256(&"08".repeat(31)),
        sha256(&"08".repeat(33)),
        sha256(&"0g".repeat(32)),
        sha256(&"AB".repeat(32)),
        Json::object([("sha256", Json::Null)]),
        Json::Null,
        Json::from("08"),
    ]
}

fn is_json(found: &Reason) -> bool {
    matches!(
        found,
        Reason::Malformed(ParseError::Json(
            JsonError::Type { .. } | JsonError::Missing(_)
        )) | Reason::Product(ProductError::Malformed(ParseError::Json(
            JsonError::Type { .. }
        )))
    )
}

/// M25: a target without a hash we know, or with one more that we can't check.
#[test]
fn rejects_target_without_checkable_hash_m25() {
    const HASHES: [&str; 3] = ["targets", "cam-1.1.bin", "hashes"];
    for hashes in bad_hashes() {
        assert_tampered_refused(Part::Product, |draft| draft.set(&HASHES, hashes), is_json);
    }
    assert_tampered_refused(Part::Product, |draft| draft.remove(&HASHES), is_json);
}

/// M25: a reference whose hash can't be checked, or is not the file's: what it refers to is not taken.
#[test]
fn rejects_reference_without_checkable_hash_m25() {
    for (part, referred) in [
        (Part::Timestamp, Part::Snapshot),
        (Part::Snapshot, Part::Product),
        (Part::Snapshot, Part::Targets),
    ] {
        for hashes in bad_hashes() {
            let mut repository = Repository::new();
            let device = repository.updated_device();
            repository.release(Part::Targets);
            repository.release(Part::Product);
            let member = format!("{}.json", referred.role());
            repository.edit(part, |draft| {
                draft.set(&["meta", &member, "hashes"], hashes)
            });
            let mut stored = device.clone();
            let error = run(&mut stored, &repository.files(), now())
                .result
                .unwrap_err();
            let hash = matches!(error.reason, Reason::Content(FileMetaError::Hash(_)));
            assert!(hash || is_json(&error.reason), "{error}");
            let new = repository.draft(referred).encode();
            let held = [&stored.snapshot, &stored.targets];
            assert!(!held.contains(&&Some(new.clone())), "{error}");
            assert!(stored.roles["cam"] != new, "{error}");
        }
    }
}

/// M25: the numbers of references to metadata, in timestamp and snapshot.
#[test]
fn rejects_reference_with_odd_numbers_m25() {
    for (part, file) in [
        (Part::Timestamp, "snapshot.json"),
        (Part::Snapshot, "cam.json"),
        (Part::Snapshot, "targets.json"),
    ] {
        for length in [
            Json::Integer(0),
            Json::Integer(-1),
            Json::from("9"),
            Json::Null,
        ] {
            assert_tampered_refused(
                part,
                |draft| draft.set(&["meta", file, "length"], length),
                is_json,
            );
        }
        for version in [
            Json::Integer(0),
            Json::Integer(-1),
            Json::from("1"),
            Json::Null,
        ] {
            assert_tampered_refused(
                part,
                |draft| draft.set(&["meta", file, "version"], version),
                is_json,
            );
        }
        assert_tampered_refused(
            part,
            |draft| draft.remove(&["meta", file, "version"]),
            is_json,
        );
    }
}

/// M25: target lengths of nothing, below nothing, beyond any image, or other than the release's size.
#[test]
fn rejects_target_length_out_of_range_m25() {
    for length in [0, -1, (1 << 34) + 1, (1 << 53) - 1, 1002] {
        assert_tampered_refused(
            Part::Product,
            |draft| draft.set(&["targets", "cam-1.1.bin", "length"], Json::Integer(length)),
            is_json,
        );
    }
    for length in ["18446744073709551616", "1001.0", "1e3"] {
        assert_bytes_refused(
            Part::Product,
            |bytes| replace(bytes, "\"length\": 1001", &format!("\"length\": {length}")),
            is_syntax,
        );
    }
}

/// M26, MEN-1412: nothing outside `signed` decides anything. Every member that could, put beside it and
/// into the signatures, changes neither what is asked for nor what is trusted.
#[test]
fn ignores_members_outside_signed_m26() {
    let intruders = [
        ("_type", Json::from("root")),
        ("version", Json::Integer(99)),
        ("expires", Json::from("1970-01-01T00:00:00Z")),
        ("threshold", Json::Integer(0)),
        ("keys", Json::object([])),
        ("roles", Json::object([])),
        ("meta", Json::object([])),
        ("targets", Json::object([])),
        (
            "custom",
            Json::object([("hardware", Json::strings(["other"]))]),
        ),
        ("url", Json::from("http://attacker.example/")),
        ("delegations", Json::Null),
    ];
    for part in Part::ALL {
        let mut repository = Repository::unhashed();
        let device = repository.updated_device();
        repository.release(part);
        let plain = outcome(&device, &repository.files());
        let mut files = repository.files();
        edit_envelope(
            files.get_mut(&repository.file_name(part)).unwrap(),
            |document| {
                for (name, value) in intruders.clone() {
                    members(document).insert(name.to_owned(), value.clone());
                    *slot(document, &["signatures", "0", name]) = value;
                }
            },
        );
        assert_ne!(files, repository.files());
        assert_eq!(outcome(&device, &files), plain);
    }
}

/// What was asked for and what is trusted in the end.
fn outcome(
    device: &Stored,
    files: &support::repository::Files,
) -> (Vec<String>, [Vec<u8>; 4], Product) {
    let mut stored = device.clone();
    let run = run(&mut stored, files, now());
    let trusted = run.result.unwrap();
    let requests = run.requests.into_iter().map(|wanted| format!("{wanted:?}"));
    let documents = [
        trusted.root.canonical(),
        trusted.timestamp.canonical(),
        trusted.snapshot.canonical(),
        trusted.targets.canonical(),
    ];
    (
        requests.collect(),
        documents.map(<[u8]>::to_vec),
        trusted.products[support::repository::product().as_str()].clone(),
    )
}
