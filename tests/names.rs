//! Names that leave their folder or clash, and delegations without end (threats M20 to M22).

use manifests::catalog::{Catalog, CatalogError};
use manifests::client::{Client, Effect, Reason};
use manifests::envelope::ParseError;
use manifests::json::{self, Json, JsonError};
use manifests::limits;
use manifests::name::Name;
use manifests::product::ProductError;
use support::repository::{
    Part, Repository, assert_accepted, assert_refused, assert_tampered_refused, members, now, run,
    slot,
};

/// Names that are a path, a device, or not one thing to every file system.
fn bad_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        ".",
        "..",
        "../x",
        "/x",
        "x/y",
        "./x",
        "x\\y",
        "C:x",
        "a%2fb",
        "%2e%2e",
        "a\0b",
        "a\nb",
        " x",
        "x ",
        "-x",
        ".x",
        "_x",
        "\u{e9}",
        "e\u{301}",
        "\u{212a}",
        "x\u{202e}y",
        "x\u{200b}",
        "x*",
        "x?",
        "~x",
        "$x",
        "x|y",
        "x;y",
        "x:y",
    ]
    .map(str::to_owned)
    .to_vec();
    names.extend(["a".repeat(129), "a".repeat(5000), "../".repeat(40)]);
    names
}

fn is_name(found: &Reason) -> bool {
    matches!(
        found,
        Reason::Product(ProductError::Malformed(ParseError::Name(_)))
    )
}

/// M22: role names in a delegation are the publisher's choice; a device asks for and stores that of its
/// product alone. An empty or endless one is refused with the whole role.
#[test]
fn ignores_role_name_that_leaves_the_folder_m22() {
    for name in bad_names() {
        let delegate = |draft: &mut support::repository::Draft| {
            let roles = slot(&mut draft.signed, &["delegations", "roles"]);
            let mut other = slot(roles, &["0"]).clone();
            *slot(&mut other, &["name"]) = Json::from(name.as_str());
            push(roles, other);
        };
        if name.is_empty() || name.len() > 256 {
            assert_tampered_refused(Part::Targets, delegate, |found| {
                matches!(found, Reason::Malformed(ParseError::Json(_)))
            });
            continue;
        }
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.release(Part::Targets);
        repository.edit(Part::Targets, delegate);
        let mut stored = device.clone();
        let run = run(&mut stored, &repository.files(), now());
        run.result.unwrap();
        for effect in run.effects {
            let Effect::Store(file, _) = effect else {
                panic!("nothing was rotated");
            };
            let known = ["timestamp.json", "snapshot.json", "targets.json"];
            assert!(known.contains(&file.as_str()), "{file}");
        }
    }
}

fn push(list: &mut Json, item: Json) {
    let Json::Array(items) = list else {
        panic!("not an array");
    };
    items.push(item);
}

/// M22: target names; the whole product role is refused.
#[test]
fn rejects_target_name_that_leaves_the_folder_m22() {
    for name in bad_names() {
        assert_tampered_refused(
            Part::Product,
            |draft| {
                let targets = slot(&mut draft.signed, &["targets"]);
                let target = slot(targets, &["cam-1.1.bin"]).clone();
                members(targets).insert(name.clone(), target);
            },
            |found| is_name(found) || name.len() > 1024 && matches!(found, Reason::Malformed(_)),
        );
    }
}

/// M22: a delegated role with the name of a top-level role, in any case: its file would be theirs.
#[test]
fn rejects_delegation_to_the_name_of_a_top_level_role_m22() {
    for name in [
        "root",
        "timestamp",
        "snapshot",
        "targets",
        "Root",
        "TARGETS",
    ] {
        assert_tampered_refused(
            Part::Targets,
            |draft| {
                let roles = slot(&mut draft.signed, &["delegations", "roles"]);
                let mut other = slot(roles, &["0"]).clone();
                *slot(&mut other, &["name"]) = Json::from(name);
                push(roles, other);
            },
            |found| matches!(found, Reason::Malformed(ParseError::Json(JsonError::Type { name, .. })) if name == "name"),
        );
    }
}

/// M22: a device whose product is called like a top-level role never has its root replaced by it.
#[test]
fn rejects_product_named_like_a_top_level_role_m22() {
    for name in ["root", "timestamp", "snapshot", "targets"] {
        let mut repository = Repository::new();
        repository.edit(Part::Targets, |draft| {
            draft.set(&["delegations", "roles", "0", "name"], name);
        });
        let (version, length) = (repository.product.version(), repository.product.encode());
        repository.edit(Part::Snapshot, |draft| {
            if name != "targets" {
                let entry = manifests::file_meta::FileMeta::of(version, &length).to_json();
                draft.set(&["meta", &format!("{name}.json")], entry);
            }
        });
        let mut files = repository.files();
        files.entry(format!("1.{name}.json")).or_insert(length);
        let product = Name::parse(name).unwrap();
        let mut client = Client::for_product(repository.fresh_device(), product, now()).unwrap();
        let mut stored = Vec::new();
        let error = loop {
            let request = client.request().unwrap();
            let bytes = if request.optional {
                None
            } else {
                files.get(&request.name)
            };
            match client.respond(bytes.map(Vec::as_slice)) {
                Ok(effects) => stored.extend(effects),
                Err(error) => break error,
            }
        };
        assert_eq!(error.file, "1.targets.json");
        assert!(matches!(error.reason, Reason::Malformed(_)), "{error}");
        let expected = [
            Effect::Store("timestamp.json".to_owned(), files["timestamp.json"].clone()),
            Effect::Store("snapshot.json".to_owned(), files["1.snapshot.json"].clone()),
        ];
        assert_eq!(stored, expected);
    }
    // Control: names of our alphabet, also those that are devices elsewhere.
    for name in ["CON", "nul", "rooted", "1.root", "a".repeat(128).as_str()] {
        assert_eq!(Name::parse(name).unwrap().as_str(), name);
    }
}

/// M22: a snapshot may list files of roles that we would never name; they are never asked for and never
/// stored.
#[test]
fn ignores_foreign_names_in_snapshot_m22() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Product);
    let foreign = [
        "../../etc/passwd.json",
        "/etc/shadow.json",
        "a%2fb.json",
        "CAM.json",
        ".json",
    ];
    repository.edit(Part::Snapshot, |draft| {
        for name in foreign {
            draft.set(&["meta", name, "version"], 7);
        }
    });
    let mut stored = device.clone();
    let run = run(&mut stored, &repository.files(), now());
    assert!(run.result.is_ok(), "{:?}", run.result.err());
    let names: Vec<&str> = run
        .requests
        .iter()
        .map(|wanted| wanted.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "2.root.json",
            "timestamp.json",
            "2.snapshot.json",
            "2.cam.json"
        ]
    );
    assert!(stored == repository.persisted(&device, &Part::ALL));
    for name in ["x.jsn", "x", "json", ""] {
        assert_tampered_refused(
            Part::Snapshot,
            |draft| draft.set(&["meta", name, "version"], 1),
            |found| {
                matches!(
                    found,
                    Reason::Malformed(ParseError::Json(JsonError::Type { .. }))
                )
            },
        );
    }
}

/// M22: file names in a catalog.
#[test]
fn rejects_catalog_with_a_name_that_leaves_the_folder_m22() {
    let catalog = |name: &str| {
        let files = Json::Object([(name.to_owned(), Json::from("x"))].into());
        json::encode(&Json::object([
            ("schema", Json::from("streembit-catalog/1")),
            ("files", files),
        ]))
    };
    let good = Catalog::parse(&catalog("1.root.json")).unwrap();
    assert_eq!(good.file("1.root.json"), Some(&b"x"[..]));
    assert_eq!(good.file("../1.root.json"), None);
    for name in bad_names() {
        let refused = Catalog::parse(&catalog(&name));
        assert!(matches!(refused, Err(CatalogError::Name(_))), "{name}");
    }
    let twice = br#"{"schema":"streembit-catalog/1","files":{"a":"1","a":"2"}}"#;
    assert!(matches!(
        Catalog::parse(twice),
        Err(CatalogError::Json(JsonError::Syntax(_)))
    ));
}

/// M22: two delegations of one name, the second with other keys: which is meant must not depend on the
/// reader.
#[test]
fn rejects_two_delegations_of_one_name_m22() {
    assert_tampered_refused(
        Part::Targets,
        |draft| {
            let roles = slot(&mut draft.signed, &["delegations", "roles"]);
            let again = slot(roles, &["0"]).clone();
            push(roles, again);
        },
        |found| matches!(found, Reason::Malformed(ParseError::Json(JsonError::Type { name, .. })) if name == "roles"),
    );
}

/// The targets role with this many delegations beside the product's.
fn with_delegations(repository: &mut Repository, count: usize) {
    repository.edit(Part::Targets, |draft| {
        let roles = slot(&mut draft.signed, &["delegations", "roles"]);
        let mut other = slot(roles, &["0"]).clone();
        for index in 0..count {
            *slot(&mut other, &["name"]) = Json::from(format!("role-{index}").as_str());
            push(roles, other.clone());
        }
    });
}

/// M20: more delegations than the limit, and far more than the file may be long.
#[test]
fn rejects_too_many_delegations_m20() {
    let device = Repository::unhashed().updated_device();
    let offer = |count: usize| {
        let mut repository = Repository::unhashed();
        repository.release(Part::Targets);
        with_delegations(&mut repository, count);
        repository
    };
    assert_accepted(&device, &offer(limits::DELEGATIONS_MAX - 1).files());
    let above = &[Part::Timestamp, Part::Snapshot];
    let many = offer(limits::DELEGATIONS_MAX);
    assert_refused(
        (&device, &many.persisted(&device, above)),
        &many.files(),
        "2.targets.json",
        |found| matches!(found, Reason::Malformed(ParseError::Json(JsonError::Type { name, .. })) if name == "roles"),
    );
    let huge = offer(10_000);
    let reason = Reason::TooLong {
        limit: limits::TARGETS_BYTES_MAX,
    };
    assert_refused(
        (&device, &huge.persisted(&device, above)),
        &huge.files(),
        "2.targets.json",
        |found| *found == reason,
    );
}

/// M20: a pattern of stars without end would be matched against every target; one as long as a name may
/// be is.
#[test]
fn rejects_endless_pattern_m20() {
    let path = ["delegations", "roles", "0", "paths", "0"];
    assert_tampered_refused(
        Part::Targets,
        |draft| draft.set(&path, "*".repeat(1025).as_str()),
        |found| matches!(found, Reason::Malformed(ParseError::Json(JsonError::Type { name, .. })) if name == "paths"),
    );
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Targets);
    repository.edit(Part::Targets, |draft| {
        draft.set(&path, "*".repeat(1024).as_str())
    });
    assert_accepted(&device, &repository.files());
}

/// M20: a product role that delegates to itself and back to the top is followed nowhere.
#[test]
fn ignores_delegation_cycle_m20() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Product);
    let delegations = slot(&mut repository.targets.signed, &["delegations"]).clone();
    repository.edit(Part::Product, |draft| {
        draft.set(&["delegations"], delegations)
    });
    let mut stored = device.clone();
    let run = run(&mut stored, &repository.files(), now());
    assert!(run.result.is_ok(), "{:?}", run.result.err());
    assert_eq!(run.requests.len(), 4);
    assert!(stored == repository.persisted(&device, &Part::ALL));
}

/// M21, CVE-2025-2886: a target that the product's role offers outside of what was delegated to it.
#[test]
fn rejects_target_outside_of_the_delegation_m21() {
    for name in ["router-1.1.bin", "cam", "CAM-1.1.bin", "xcam-1.1.bin"] {
        let mut repository = Repository::new();
        let device = repository.updated_device();
        repository.release(Part::Product);
        assert_accepted(&device, &repository.files());
        repository.edit(Part::Product, |draft| {
            let targets = slot(&mut draft.signed, &["targets"]);
            let target = slot(targets, &["cam-1.1.bin"]).clone();
            members(targets).insert(name.to_owned(), target);
        });
        let after = repository.persisted(&device, &[Part::Timestamp, Part::Snapshot]);
        let reason = Reason::Product(ProductError::NotAllowed(Name::parse(name).unwrap()));
        assert_refused(
            (&device, &after),
            &repository.files(),
            "2.cam.json",
            |found| *found == reason,
        );
    }
}

/// M21: patterns that were narrowed apply to the product role that the device has stored already.
#[test]
fn rejects_stored_product_outside_of_a_narrowed_delegation_m21() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Targets);
    assert_accepted(&device, &repository.files());
    repository.edit(Part::Targets, |draft| {
        draft.set(
            &["delegations", "roles", "0", "paths"],
            Json::strings(["cam-2*"]),
        );
    });
    let after = repository.persisted(&device, &[Part::Timestamp, Part::Snapshot, Part::Targets]);
    let reason = Reason::Product(ProductError::NotAllowed(
        Name::parse("cam-1.1.bin").unwrap(),
    ));
    assert_refused(
        (&device, &after),
        &repository.files(),
        "cam.json",
        |found| *found == reason,
    );
}

/// K71: product keys that were revoked by new targets sign nothing, not even what the device has stored.
#[test]
fn rejects_stored_product_of_revoked_keys_k71() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Targets);
    assert_accepted(&device, &repository.files());
    repository.edit(Part::Targets, |draft| {
        let id = support::repository::key_id("fresh");
        draft.set(
            &["delegations", "keys", &id],
            support::repository::key_json("fresh"),
        );
        draft.set(
            &["delegations", "roles", "0", "keyids"],
            Json::strings([id]),
        );
        draft.set(&["delegations", "roles", "0", "threshold"], 1);
    });
    let after = repository.persisted(&device, &[Part::Timestamp, Part::Snapshot, Part::Targets]);
    assert_refused(
        (&device, &after),
        &repository.files(),
        "1.cam.json",
        |found| matches!(found, Reason::Untrusted(_)),
    );
    let mut repaired = repository.clone();
    repaired.release(Part::Product);
    repaired.edit(Part::Product, |draft| draft.sign_with(&["fresh"]));
    assert_accepted(&after, &repaired.files());
}
