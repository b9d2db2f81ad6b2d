//! Delegated roles that are not what their delegator and the snapshot say (TUF 1.0.34 sections 5.5 and
//! 5.6): refused by themselves, nothing of them stored.

use manifests::client::{Client, ClientError, Reason, Stored};
use manifests::file_meta::FileMeta;
use manifests::hashes::Hasher;
use manifests::json::Json;
use sha2::Digest as _;
use support::graph::{Graph, Searched, TOP, edge, paths, search};
use support::repository::{Files, authority, edit_envelope, now, slot};

/// `targets → a → b`, whose `b` publishes `file`; `a` has a second child that publishes `kept`.
pub(crate) fn chain(mut graph: Graph) -> Graph {
    graph.delegate(TOP, edge("a"));
    for (role, path) in [("b", "file"), ("c", "kept")] {
        let mut child = edge(role);
        child.scope = paths(&[path]);
        graph.delegate("a", child);
        graph.publish(role, path, b"content");
    }
    graph
}

/// A device that has found `file` in `b`.
pub(crate) fn after(graph: &Graph) -> Stored {
    let mut stored = graph.fresh_device();
    let run = search(&mut stored, &graph.files(), &["file"], now());
    assert_eq!(run.found_in(), Some("b"));
    stored
}

/// Asserts that a search for `file` ends at `file_name` for a reason that `expected` accepts; `b` is then
/// as it was on the device, all before it is new.
pub(crate) fn assert_b_refused(
    (graph, files): (&Graph, &Files),
    mut stored: Stored,
    file_name: &str,
    expected: impl Fn(&Reason) -> bool,
) {
    let before = stored.clone();
    let run = search(&mut stored, files, &["file"], now());
    let (file, reason) = run.error();
    assert_eq!(file, file_name, "{reason}");
    assert!(expected(reason), "{reason:?}");
    assert_eq!(stored.roles.get("b"), before.roles.get("b"), "{reason}");
    for (stored, role) in [
        (&stored.targets, TOP),
        (&stored.roles.get("a").cloned(), "a"),
    ] {
        assert!(
            *stored == Some(files[&graph.file_name(role)].clone()),
            "{role}: {reason}"
        );
    }
}

/// What is wrong with `b`, what makes it so, and how the refusal reads.
type Broken = (&'static str, fn(&mut Graph), fn(&Reason) -> bool);

const BROKEN: &[Broken] = &[
    (
        "version above the listed one",
        |graph| list(graph, |meta| meta.version -= 1),
        |it| matches!(it, Reason::Version { .. }),
    ),
    (
        "version below the listed one",
        |graph| list(graph, |meta| meta.version += 1),
        |it| matches!(it, Reason::Version { .. }),
    ),
    (
        "one byte longer than listed",
        |graph| list(graph, |meta| meta.length = meta.length.map(|it| it - 1)),
        |it| matches!(it, Reason::TooLong { .. }),
    ),
    (
        "one byte shorter than listed",
        |graph| list(graph, |meta| meta.length = meta.length.map(|it| it + 1)),
        |it| matches!(it, Reason::Content(_)),
    ),
    (
        "another file of the same length",
        |graph| list(graph, |meta| meta.hashes = FileMeta::of(1, b"").hashes),
        |it| matches!(it, Reason::Content(_)),
    ),
    (
        "expires at this very second",
        |graph| {
            graph
                .role("b")
                .set(&["expires"], Json::from("2027-01-15T08:00:00Z"))
        },
        |it| matches!(it, Reason::Expired { .. }),
    ),
    (
        "signed by its sibling",
        |graph| graph.role("b").sign_with(&["c"]),
        |it| matches!(it, Reason::Untrusted(_)),
    ),
    (
        "signed by its delegator and by the top",
        |graph| graph.role("b").sign_with(&["a", "p256-targets"]),
        |it| matches!(it, Reason::Untrusted(_)),
    ),
    (
        "not signed",
        |graph| graph.role("b").sign_with(&[]),
        |it| matches!(it, Reason::Untrusted(_)),
    ),
    (
        "another kind of document",
        |graph| graph.role("b").set(&["_type"], Json::from("snapshot")),
        |it| matches!(it, Reason::Malformed(_)),
    ),
    (
        "no list of targets",
        |graph| graph.role("b").remove(&["targets"]),
        |it| matches!(it, Reason::Malformed(_)),
    ),
];

fn list(graph: &mut Graph, change: impl FnOnce(&mut FileMeta)) {
    let draft = &graph.roles["b"];
    let mut meta = FileMeta::of(draft.version(), &draft.encode());
    change(&mut meta);
    graph.listed.insert("b".to_owned(), meta);
}

/// Each on a new device and on one that holds the version before; and the next, honest run finishes.
#[test]
fn rejects_broken_delegated_role_m1_m15_m17_m19() {
    let old = chain(Graph::new());
    let mut new = old.clone();
    new.release(&[TOP, "a", "b"]);
    for (what, tamper, expected) in BROKEN {
        let mut graph = new.clone();
        tamper(&mut graph);
        let name = match graph.listed.get("b") {
            Some(meta) => format!("{}.b.json", meta.version),
            None => graph.file_name("b"),
        };
        let mut files = graph.files();
        let bytes = files.remove(&graph.file_name("b")).unwrap();
        files.insert(name.clone(), bytes);
        for device in [graph.fresh_device(), after(&old)] {
            assert_b_refused((&graph, &files), device, &name, expected);
        }
        let mut device = after(&old);
        search(&mut device, &files, &["file"], now());
        let mut repaired = new.clone();
        repaired.release(&[]);
        let run = search(&mut device, &repaired.files(), &["file"], now());
        // A version that the snapshot went back from is a rollback for good.
        if *what == "version below the listed one" {
            assert!(matches!(run.error().1, Reason::Rollback { .. }));
        } else {
            assert_eq!(run.found_in(), Some("b"), "{what}");
        }
    }
}

#[test]
fn rejects_absent_and_endless_delegated_role_m19() {
    let graph = chain(Graph::unhashed());
    let mut files = graph.files();
    files
        .get_mut("1.b.json")
        .unwrap()
        .extend(vec![b' '; 1 << 20]);
    assert_b_refused(
        (&graph, &files),
        graph.fresh_device(),
        "1.b.json",
        |it| matches!(it, Reason::TooLong { limit } if *limit == 1 << 20),
    );
    files.remove("1.b.json");
    assert_b_refused((&graph, &files), graph.fresh_device(), "1.b.json", |it| {
        *it == Reason::Absent
    });
    // The length that is listed is what is asked for, not what a role may have at most.
    let graph = chain(Graph::new());
    let run = search(&mut graph.fresh_device(), &graph.files(), &["file"], now());
    let request = run.requests.last().unwrap();
    assert_eq!(request.length_max, graph.files()["1.b.json"].len() as u64);
    assert!(!request.optional);
}

/// Two roles of the same keys: each is asked for, and checked, by its own entry.
#[test]
fn rejects_the_file_of_another_role_m15() {
    let mut graph = chain(Graph::new());
    let mut same = edge("c");
    same.authority = authority(&["b"], 1);
    same.scope = paths(&["kept"]);
    graph.redelegate("a", same);
    graph.role("c").sign_with(&["b"]);
    let mut files = graph.files();
    files.insert("1.b.json".to_owned(), files["1.c.json"].clone());
    assert_b_refused((&graph, &files), graph.fresh_device(), "1.b.json", |it| {
        matches!(it, Reason::Content(_))
    });
}

/// A bin of another's content, and one signed by other keys.
#[test]
fn rejects_wrong_bin_m15() {
    let mut graph = Graph::new();
    let all: Vec<String> = (0..16).map(|bin| format!("bin-{bin:x}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    graph.delegate_bins(TOP, 4, "bin", &all);
    for name in &all {
        graph.publish(name, &format!("of {name}"), b"content");
    }
    let asked = search(&mut graph.fresh_device(), &graph.files(), &["file"], now());
    let own = asked.roles_asked()[0].to_owned();
    let other = all.iter().map(|name| format!("1.{name}.json"));
    let other = other.into_iter().find(|name| *name != own).unwrap();
    let mut files = graph.files();
    files.insert(own.clone(), files[&other].clone());
    let run = search(&mut graph.fresh_device(), &files, &["file"], now());
    assert_eq!(run.error().0, own);
    assert_eq!(
        run.stored(),
        ["timestamp.json", "snapshot.json", "targets.json"]
    );
    let bin = own[2..own.len() - 5].to_owned();
    graph.role(&bin).sign_with(&["p256-targets", "bin-0"]);
    let run = search(&mut graph.fresh_device(), &graph.files(), &["file"], now());
    assert_eq!(run.error().0, own);
    assert!(matches!(run.error().1, Reason::Untrusted(_)));
    assert_eq!(
        run.stored(),
        ["timestamp.json", "snapshot.json", "targets.json"]
    );
}

/// A role that is delegated but not in the snapshot ends the search; only one that is in scope is missed.
#[test]
fn rejects_role_that_the_snapshot_does_not_list_m16() {
    let mut graph = chain(Graph::new());
    graph.unlisted.insert("b".to_owned());
    assert_b_refused(
        (&graph, &graph.files()),
        graph.fresh_device(),
        "snapshot.json",
        |it| *it == Reason::RoleDropped("b.json".to_owned()),
    );
    let run = search(&mut graph.fresh_device(), &graph.files(), &["kept"], now());
    assert_eq!(run.found_in(), Some("c"));
    // A device that has seen it listed notices before it stores the snapshot.
    let mut device = after(&chain(Graph::new()));
    let before = device.clone();
    graph.release(&[]);
    let run = search(&mut device, &graph.files(), &["kept"], now());
    assert_eq!(*run.error().1, Reason::RoleDropped("b.json".to_owned()));
    assert_eq!(run.stored(), ["timestamp.json"]);
    assert!(device.snapshot == before.snapshot && device.roles == before.roles);
}

/// The keys of the delegator that leads to a role count, not those of another that was visited before and
/// names it too, for other paths.
#[test]
fn keys_of_another_delegator_count_for_nothing_m15_m21() {
    for (signer, is_good) in [("good", true), ("evil", false)] {
        let mut graph = Graph::of(&[(TOP, "z"), (TOP, "a"), (TOP, "m")]);
        for (delegator, label, path) in [
            ("z", "evil", "elsewhere"),
            ("a", "evil", "elsewhere"),
            ("m", "good", "file"),
        ] {
            let mut shared = edge("shared");
            shared.scope = paths(&[path]);
            shared.authority = authority(&[label], 1);
            graph.delegate(delegator, shared);
        }
        graph.role("shared").sign_with(&[signer]);
        graph.publish("shared", "file", b"content");
        let run = search(&mut graph.fresh_device(), &graph.files(), &["file"], now());
        let asked = ["1.z.json", "1.a.json", "1.m.json", "1.shared.json"];
        assert_eq!(run.roles_asked(), asked);
        match is_good {
            true => assert_eq!(run.found_in(), Some("shared")),
            false => assert!(matches!(run.error().1, Reason::Untrusted(_))),
        }
    }
}

/// A search is refused while anything is still wanted: by the refresh, or by another search.
#[test]
fn rejects_search_before_its_time_m20() {
    let graph = chain(Graph::new());
    let files = graph.files();
    let refused = |outcome: Result<(), ClientError>| outcome.unwrap_err().reason == Reason::Order;
    let mut client = Client::start(graph.fresh_device(), now()).unwrap();
    let mut requests = 0;
    while let Some(request) = client.request() {
        requests += 1;
        assert!(refused(client.search("file")), "{}", request.name);
        assert_eq!(client.found(), None);
        assert_eq!(client.request(), Some(request.clone()));
        client
            .respond(files.get(&request.name).map(Vec::as_slice))
            .unwrap();
    }
    assert_eq!(requests, 4);
    client.search("file").unwrap();
    let request = client.request().unwrap();
    assert!(refused(client.search("kept")));
    client
        .respond(files.get(&request.name).map(Vec::as_slice))
        .unwrap();
    assert_eq!(client.request().unwrap().name, "1.b.json");
    let broken = client.respond(Some(b"{}")).unwrap_err();
    assert_eq!(client.search("kept").unwrap_err(), broken);
    assert_eq!((client.request(), client.found()), (None, None));
}

/// A target is checked by every hash that is stated; one that we can't check is no match.
#[test]
fn every_hash_of_a_found_target_counts_m25() {
    let content = b"content";
    let sha256 = hex::encode(sha2::Sha256::digest(content));
    let sha512 = hex::encode(sha2::Sha512::digest(content));
    let zeros = "0".repeat(64);
    let upper = sha256.to_uppercase();
    let (good, long) = (("sha256", sha256.as_str()), ("sha512", sha512.as_str()));
    for (hashes, matches) in [
        (&[good][..], true),
        (&[long], true),
        (&[good, long], true),
        (&[good, ("sha512", &zeros)], false),
        (&[("sha256", &zeros), long], false),
        (&[("sha256", &sha512)], false),
        (&[("sha256", "")], false),
        (&[("sha256", &upper)], false),
        (&[("sha256", &sha256[..32])], false),
        (&[("blake2b-256", &zeros)], false),
        (&[good, ("md5", "")], false),
        (&[("SHA256", &sha256)], false),
    ] {
        let mut graph = chain(Graph::new());
        graph.publish_hashed("b", "file", content.len(), hashes);
        let run = search(&mut graph.fresh_device(), &graph.files(), &["file"], now());
        let found = run.result.unwrap()[0].clone().unwrap();
        let mut hasher = Hasher::default();
        hasher.update(content);
        assert_eq!(
            found.target.hashes.check(hasher).is_ok(),
            matches,
            "{hashes:?}"
        );
    }
    let mut graph = chain(Graph::new());
    graph.publish_hashed("b", "file", content.len(), &[]);
    assert_eq!(refused_file(&graph), "1.b.json");
}

fn refused_file(graph: &Graph) -> String {
    let run: Searched = search(&mut graph.fresh_device(), &graph.files(), &["file"], now());
    run.error().0.to_owned()
}

/// One key under two ids, and one signature under two ids: a delegated role's threshold counts keys.
#[test]
fn rejects_one_key_for_two_in_a_delegation_m4() {
    let mut graph = chain(Graph::new());
    let place = ["delegations", "roles", "0"];
    let key = support::repository::key_json("b");
    graph.role("a").set(&["delegations", "keys", "alias"], key);
    let ids = Json::strings([support::repository::key_id("b"), "alias".to_owned()]);
    graph
        .role("a")
        .set(&[&place[..], &["keyids"]].concat(), ids);
    graph
        .role("a")
        .set(&[&place[..], &["threshold"]].concat(), 2_u64);
    graph.role("b").sign_with(&["b", "b"]);
    graph.role("b").signers[1].0 = "alias".to_owned();
    assert_b_refused(
        (&graph, &graph.files()),
        graph.fresh_device(),
        "1.b.json",
        |it| matches!(it, Reason::Untrusted(_)),
    );
    graph
        .role("a")
        .set(&[&place[..], &["threshold"]].concat(), 1_u64);
    assert_eq!(after(&graph).roles.len(), 2);
}

/// Members outside `signed` neither bring delegations nor keys.
#[test]
fn unsigned_delegations_count_for_nothing_m26() {
    let mut graph = Graph::unhashed();
    graph.delegate(TOP, edge("a"));
    graph.publish("a", "file", b"stolen");
    let delegations = graph.roles[TOP].signed.member("delegations").cloned();
    graph.role(TOP).remove(&["delegations"]);
    let mut files = graph.files();
    edit_envelope(files.get_mut("1.targets.json").unwrap(), |document| {
        *slot(document, &["delegations"]) = delegations.unwrap();
    });
    let run = search(&mut graph.fresh_device(), &files, &["file"], now());
    assert_eq!(run.found_in(), None);
    assert!(run.roles_asked().is_empty());
}

/// A search that can't even begin ends the run: nothing is found later as if it had not been.
#[test]
fn search_that_fails_at_once_ends_the_run() {
    let mut graph = chain(Graph::new());
    graph.unlisted.insert("a".to_owned());
    let files = graph.files();
    let mut client = Client::start(graph.fresh_device(), now()).unwrap();
    while let Some(request) = client.request() {
        let bytes = files.get(&request.name).map(Vec::as_slice);
        client.respond(bytes).unwrap();
    }
    let error = client.search("file").unwrap_err();
    assert_eq!(error.reason, Reason::RoleDropped("a.json".to_owned()));
    assert_eq!(client.outcome(), Err(error.clone()));
    assert_eq!((client.request(), client.found()), (None, None));
    assert_eq!(client.search("kept"), Err(error));
}
