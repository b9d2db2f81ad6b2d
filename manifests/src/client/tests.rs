//! The workflow when all goes well: what is asked for, in which order, and what is stored.

use std::collections::BTreeMap;

use keys::{Algorithm, SigningKey};

use super::*;
use crate::author;
use crate::delegations::{Delegation, Delegations, Scope};
use crate::digest::Sha256;
use crate::envelope::{Authority, Metadata as _};
use crate::file_meta::FileMeta;
use crate::header::Header;
use crate::json::Json;
use crate::product::ProductTarget;
use crate::root::Role;

mod products;

const NOW: u64 = 1_800_000_000;

fn key(label: &str) -> SigningKey {
    SigningKey::from_secret(Algorithm::Ed25519, Sha256::of(label.as_bytes()).as_bytes()).unwrap()
}

fn authority(label: &str) -> Authority {
    let public = key(label).public();
    Authority::new([(author::key_id(&public), public.into())].into(), 1).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn header(version: u64) -> Header {
    let expires = UtcTime::from_unix(NOW + 1);
    Header { version, expires }
}

/// Versions of the roles of a small repository; each role has one key, called like the role.
#[derive(Clone, Copy)]
struct Versions {
    root: u64,
    timestamp: u64,
    snapshot: u64,
    targets: u64,
    product: u64,
}

const FIRST: Versions = Versions {
    root: 1,
    timestamp: 1,
    snapshot: 1,
    targets: 1,
    product: 1,
};

type Files = BTreeMap<String, Vec<u8>>;

/// Signs every role at its version, and all roots up to the newest.
fn files(versions: Versions) -> Files {
    let mut files = Files::new();
    for version in 1..=versions.root {
        let roles = Role::ALL.map(|role| (role, authority(role.name())));
        let root = Root::new(header(version), roles.into(), None).unwrap();
        let bytes = author::sign(root.to_signed(), &[&key("root")]);
        files.insert(format!("{version}.root.json"), bytes);
    }
    let target = ProductTarget {
        length: 5,
        sha256: Sha256::of(b"image"),
        release: None,
    };
    let targets = [(format!("cam-{}", versions.product), target.to_target())];
    let product = Targets::new(
        header(versions.product),
        targets.into(),
        Delegations::default(),
    );
    let product = author::sign(product.to_signed(), &[&key("cam")]);
    let delegation = Delegation {
        name: "cam".to_owned(),
        authority: authority("cam"),
        scope: Scope::Paths(vec!["cam-*".to_owned()]),
        terminating: true,
    };
    let targets = Targets::new(
        header(versions.targets),
        BTreeMap::new(),
        Delegations::Roles(vec![delegation]),
    );
    let targets = author::sign(targets.to_signed(), &[&key("targets")]);
    let meta = [
        (
            "cam.json".to_owned(),
            FileMeta::of(versions.product, &product),
        ),
        (
            "targets.json".to_owned(),
            FileMeta::of(versions.targets, &targets),
        ),
    ];
    let snapshot = Snapshot::new(header(versions.snapshot), meta.into());
    let snapshot = author::sign(snapshot.to_signed(), &[&key("snapshot")]);
    let meta = FileMeta::of(versions.snapshot, &snapshot);
    let timestamp = Timestamp::new(header(versions.timestamp), meta);
    let timestamp = author::sign(timestamp.to_signed(), &[&key("timestamp")]);
    files.insert("timestamp.json".to_owned(), timestamp);
    files.insert(format!("{}.snapshot.json", versions.snapshot), snapshot);
    files.insert(format!("{}.targets.json", versions.targets), targets);
    files.insert(format!("{}.cam.json", versions.product), product);
    files
}

fn fresh(files: &Files) -> Stored {
    Stored {
        root: files["1.root.json"].clone(),
        ..Stored::default()
    }
}

/// What the device holds when it has followed `files`.
fn updated(files: &Files, versions: Versions) -> Stored {
    let file = |name: String| Some(files[&name].clone());
    Stored {
        root: files[&format!("{}.root.json", versions.root)].clone(),
        timestamp: file("timestamp.json".to_owned()),
        snapshot: file(format!("{}.snapshot.json", versions.snapshot)),
        targets: file(format!("{}.targets.json", versions.targets)),
        roles: [(
            "cam".to_owned(),
            files[&format!("{}.cam.json", versions.product)].clone(),
        )]
        .into(),
    }
}

/// Follows `files` to the end: what was asked for, and the names of what was stored, `-` before what was
/// deleted. Every effect is applied to `stored`.
fn follow(stored: &mut Stored, files: &Files) -> (Vec<String>, Vec<String>, Repository) {
    let mut client =
        Client::for_product(stored.clone(), name("cam"), UtcTime::from_unix(NOW)).unwrap();
    let (mut requests, mut effects) = (Vec::new(), Vec::new());
    while let Some(request) = client.request() {
        assert_eq!(request.optional, request.name.ends_with(".root.json"));
        let bytes = files.get(&request.name).map(Vec::as_slice);
        requests.push(request.name);
        for effect in client.respond(bytes).unwrap() {
            stored.apply(&effect);
            effects.push(match effect {
                Effect::Store(file, _) => file,
                Effect::Delete(file) => format!("-{file}"),
            });
        }
    }
    (requests, effects, client.finish().unwrap())
}

#[test]
fn fresh_device_asks_for_everything_in_the_order_of_the_standard() {
    let files = files(FIRST);
    let mut stored = fresh(&files);
    let (requests, effects, repository) = follow(&mut stored, &files);
    assert_eq!(
        requests,
        [
            "2.root.json",
            "timestamp.json",
            "1.snapshot.json",
            "1.targets.json",
            "1.cam.json"
        ]
    );
    assert_eq!(
        effects,
        [
            "timestamp.json",
            "snapshot.json",
            "targets.json",
            "cam.json"
        ]
    );
    assert_eq!(stored, updated(&files, FIRST));
    assert_eq!(
        repository.products["cam"]
            .targets()
            .keys()
            .collect::<Vec<_>>(),
        [&name("cam-1")]
    );
    let signers: Vec<_> = repository.products["cam"]
        .signers()
        .iter()
        .cloned()
        .collect();
    assert_eq!(signers, [keys::RoleKey::from(key("cam").public())]);
}

#[test]
fn second_run_asks_for_root_and_timestamp_alone_and_stores_nothing() {
    let files = files(FIRST);
    let mut stored = updated(&files, FIRST);
    let (requests, effects, repository) = follow(&mut stored, &files);
    assert_eq!(requests, ["2.root.json", "timestamp.json"]);
    assert!(effects.is_empty());
    assert_eq!(stored, updated(&files, FIRST));
    assert_eq!(repository.products["cam"].header().version, 1);
}

#[test]
fn new_timestamp_alone_is_stored_alone() {
    let mut stored = updated(&files(FIRST), FIRST);
    let versions = Versions {
        timestamp: 2,
        ..FIRST
    };
    let files = files(versions);
    let (requests, effects, _) = follow(&mut stored, &files);
    assert_eq!(requests, ["2.root.json", "timestamp.json"]);
    assert_eq!(effects, ["timestamp.json"]);
    assert_eq!(stored, updated(&files, versions));
}

#[test]
fn new_release_asks_only_for_what_is_new() {
    let mut stored = updated(&files(FIRST), FIRST);
    let versions = Versions {
        timestamp: 2,
        snapshot: 2,
        product: 2,
        ..FIRST
    };
    let files = files(versions);
    let (requests, effects, repository) = follow(&mut stored, &files);
    assert_eq!(
        requests,
        [
            "2.root.json",
            "timestamp.json",
            "2.snapshot.json",
            "2.cam.json"
        ]
    );
    assert_eq!(effects, ["timestamp.json", "snapshot.json", "cam.json"]);
    assert_eq!(stored, updated(&files, versions));
    assert!(
        repository.products["cam"]
            .targets()
            .contains_key(&name("cam-2"))
    );
}

#[test]
fn new_targets_keep_the_stored_product() {
    let mut stored = updated(&files(FIRST), FIRST);
    let versions = Versions {
        timestamp: 9,
        snapshot: 5,
        targets: 2,
        ..FIRST
    };
    let files = files(versions);
    let (requests, effects, _) = follow(&mut stored, &files);
    assert_eq!(
        requests,
        [
            "2.root.json",
            "timestamp.json",
            "5.snapshot.json",
            "2.targets.json"
        ]
    );
    assert_eq!(effects, ["timestamp.json", "snapshot.json", "targets.json"]);
    assert_eq!(stored, updated(&files, versions));
}

#[test]
fn root_chain_is_followed_one_by_one_and_each_is_stored() {
    let mut stored = updated(&files(FIRST), FIRST);
    let versions = Versions { root: 4, ..FIRST };
    let files = files(versions);
    let (requests, effects, repository) = follow(&mut stored, &files);
    assert_eq!(
        requests,
        [
            "2.root.json",
            "3.root.json",
            "4.root.json",
            "5.root.json",
            "timestamp.json"
        ]
    );
    assert_eq!(effects, ["root.json"; 3]);
    assert_eq!(stored, updated(&files, versions));
    assert_eq!(repository.root.header().version, 4);
}

#[test]
fn lost_or_damaged_files_are_fetched_again() {
    let files = files(FIRST);
    for lost in 0..4 {
        for damaged in [
            None,
            Some(Vec::new()),
            Some(b"{}".to_vec()),
            Some(files["1.root.json"].clone()),
        ] {
            let mut stored = updated(&files, FIRST);
            let file = ["timestamp", "snapshot", "targets", "cam"][lost];
            let file = format!("{file}.json");
            stored.apply(&match damaged {
                Some(bytes) => Effect::Store(file, bytes),
                None => Effect::Delete(file),
            });
            let (_, effects, _) = follow(&mut stored, &files);
            assert_eq!(effects.len(), 1);
            assert_eq!(stored, updated(&files, FIRST));
        }
    }
}

#[test]
fn every_prefix_of_the_effects_is_a_start_from_which_the_next_run_finishes() {
    let versions = Versions {
        root: 3,
        timestamp: 2,
        snapshot: 2,
        targets: 2,
        product: 2,
    };
    let files = files(versions);
    let device = updated(&self::files(FIRST), FIRST);
    let mut client =
        Client::for_product(device.clone(), name("cam"), UtcTime::from_unix(NOW)).unwrap();
    let mut stored = device;
    while let Some(request) = client.request() {
        for effect in client
            .respond(files.get(&request.name).map(Vec::as_slice))
            .unwrap()
        {
            stored.apply(&effect);
            let mut resumed = stored.clone();
            follow(&mut resumed, &files);
            assert_eq!(resumed, updated(&files, versions));
        }
    }
    assert_eq!(stored, updated(&files, versions));
}

#[test]
fn rejects_answers_without_a_question_and_an_early_finish() {
    let files = files(FIRST);
    let early = Client::for_product(fresh(&files), name("cam"), UtcTime::from_unix(NOW)).unwrap();
    assert_eq!(early.finish().unwrap_err().reason, Reason::Order);

    let mut client =
        Client::for_product(updated(&files, FIRST), name("cam"), UtcTime::from_unix(NOW)).unwrap();
    assert_eq!(client.respond(None), Ok(Vec::new()));
    assert_eq!(
        client.respond(Some(&files["timestamp.json"])),
        Ok(Vec::new())
    );
    assert_eq!(client.request(), None);
    assert_eq!(client.respond(None).unwrap_err().reason, Reason::Order);
}

#[test]
fn absent_file_ends_the_run_unless_it_is_the_next_root() {
    let all = files(FIRST);
    for missing in [
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
        "1.cam.json",
    ] {
        let mut client =
            Client::for_product(fresh(&all), name("cam"), UtcTime::from_unix(NOW)).unwrap();
        let error = loop {
            let request = client.request().unwrap();
            let bytes = all.get(&request.name).filter(|_| request.name != missing);
            if let Err(error) = client.respond(bytes.map(Vec::as_slice)) {
                break error;
            }
        };
        assert_eq!(
            (error.file.as_str(), &error.reason),
            (missing, &Reason::Absent)
        );
        assert_eq!(client.request(), None);
        assert_eq!(client.finish().unwrap_err(), error);
    }
}

fn answer_all(client: &mut Client, files: &Files) {
    while let Some(request) = client.request() {
        let bytes = files.get(&request.name).map(Vec::as_slice);
        client.respond(bytes).unwrap();
    }
}

#[test]
fn search_after_a_run_for_a_product_finds_its_targets() {
    let files = files(FIRST);
    let now = UtcTime::from_unix(NOW);
    let mut client = Client::for_product(fresh(&files), name("cam"), now).unwrap();
    answer_all(&mut client, &files);
    for (path, role) in [("cam-1", Some("cam")), ("cam-2", None), ("x", None)] {
        client.search(path).unwrap();
        assert_eq!(client.request(), None, "all of it is there");
        let found = client.found().map(|found| found.role.as_str());
        assert_eq!(found, role, "{path}");
    }
}

#[test]
fn client_lists_what_its_snapshot_does() {
    let files = files(FIRST);
    let mut client = Client::start(fresh(&files), UtcTime::from_unix(NOW)).unwrap();
    assert!(!client.lists("cam"), "there is no snapshot");
    answer_all(&mut client, &files);
    for (role, listed) in [
        ("cam", true),
        ("targets", true),
        ("cam.json", false),
        ("", false),
    ] {
        assert_eq!(client.lists(role), listed, "{role}");
    }
}

#[test]
fn names_carry_versions_where_the_root_says_so() {
    let roles = Role::ALL.map(|role| (role, authority(role.name())));
    let root = Root::new(header(1), roles.into(), None)
        .unwrap()
        .to_signed();
    let Json::Object(members) = root else {
        panic!("not an object");
    };
    for (flag, consistent) in [(None, false), (Some(false), false), (Some(true), true)] {
        let mut members = members.clone();
        members.remove("consistent_snapshot");
        let flag = flag.map(Json::Bool);
        members.extend(flag.map(|flag| ("consistent_snapshot".to_owned(), flag)));
        let root = author::sign(Json::Object(members), &[&key("root")]);
        let stored = Stored {
            root,
            ..Stored::default()
        };
        let client = Client::start(stored, UtcTime::from_unix(NOW)).unwrap();
        assert_eq!(client.consistent_snapshot(), consistent, "{consistent}");
    }
}
