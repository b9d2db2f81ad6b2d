//! Searches by a device that holds delegated roles of earlier runs: they count while their present delegator
//! vouches for them and the snapshot names them (TUF 1.0.34 sections 5.5 and 5.6).

use manifests::client::Reason;
use manifests::instant::UtcTime;
use manifests::json::Json;
use support::graph::{Graph, TOP, edge, paths, search};
use support::repository::{NOW, authority, key_id, now};

use crate::search_trust::{after, assert_b_refused, chain};

/// 2^53 - 1, the largest version that can be written.
const VERSION_MAX: u64 = (1 << 53) - 1;

/// What is stored was right once. It counts only while its present delegator vouches for it: not after
/// its key was revoked, its threshold raised, or the delegation gone.
#[test]
fn rejects_stored_role_that_its_delegator_no_longer_trusts_m15() {
    let old = chain(Graph::new());
    let device = after(&old);
    for (keys, threshold) in [(&["b2"][..], 1), (&["b", "b2"], 2)] {
        let mut graph = old.clone();
        graph.release(&["a"]);
        let mut child = edge("b");
        child.scope = paths(&["file"]);
        child.authority = authority(keys, threshold);
        graph.redelegate("a", child);
        let untrusted = |it: &Reason| matches!(it, Reason::Untrusted(_));
        assert_b_refused(
            (&graph, &graph.files()),
            device.clone(),
            "1.b.json",
            untrusted,
        );
        // The same version, signed by the new keys as well: fetched, and stored in place of the old.
        graph.role("b").sign_with(&["b", "b2"]);
        let mut stored = device.clone();
        let run = search(&mut stored, &graph.files(), &["file"], now());
        assert_eq!(run.found_in(), Some("b"));
        assert_eq!(run.roles_asked(), [] as [&str; 0], "targets are stored");
        let stores = ["timestamp.json", "snapshot.json", "a.json", "b.json"];
        assert_eq!(run.stored(), stores);
        assert!(stored.roles["b"] == graph.files()["1.b.json"]);
    }
    let mut graph = old.clone();
    graph.release(&["a"]);
    let mut child = edge("b");
    child.scope = paths(&["elsewhere"]);
    graph.redelegate("a", child);
    let run = search(&mut device.clone(), &graph.files(), &["file"], now());
    assert_eq!(run.found_in(), None);
}

/// One name under two delegators with different keys: what satisfies one is nothing to the other.
#[test]
fn stored_role_of_one_delegator_is_not_that_of_another_m15() {
    let mut graph = Graph::new();
    for (delegator, label, path) in [("x", "x-key", "x*"), ("y", "y-key", "y*")] {
        let mut above = edge(delegator);
        above.scope = paths(&[path]);
        graph.delegate(TOP, above);
        let mut shared = edge("shared");
        shared.authority = authority(&[label], 1);
        graph.delegate(delegator, shared);
    }
    graph.publish("shared", "x1", b"1");
    graph.publish("shared", "y1", b"2");
    graph.role("shared").sign_with(&["x-key"]);
    let mut stored = graph.fresh_device();
    let run = search(&mut stored, &graph.files(), &["x1", "y1"], now());
    assert_eq!(run.error().0, "1.shared.json");
    assert!(matches!(run.error().1, Reason::Untrusted(_)));
    assert_eq!(
        run.roles_asked(),
        ["1.x.json", "1.shared.json", "1.y.json", "1.shared.json"]
    );
    let mut again = stored.clone();
    let run = search(&mut again, &graph.files(), &["y1"], now());
    assert!(matches!(run.error().1, Reason::Untrusted(_)));
    graph.role("shared").sign_with(&["x-key", "y-key"]);
    let run = search(
        &mut graph.fresh_device(),
        &graph.files(),
        &["x1", "y1"],
        now(),
    );
    assert_eq!(run.roles_asked(), ["1.x.json", "1.shared.json", "1.y.json"]);
    assert!(run.result.unwrap().iter().all(Option::is_some));
}

/// The snapshot guards the versions of delegated roles, and a role of one version stays what it was.
#[test]
fn rejects_older_and_other_delegated_role_m11_m12() {
    let old = chain(Graph::new());
    let mut new = old.clone();
    new.release(&["b"]);
    let device = after(&new);
    let mut attack = old.clone();
    attack.base.snapshot.set(&["version"], 3_u64);
    attack.base.timestamp.set(&["version"], 3_u64);
    let mut stored = device.clone();
    let run = search(&mut stored, &attack.files(), &["file"], now());
    assert_eq!(run.error().0, "b.json");
    assert_eq!(
        *run.error().1,
        Reason::Rollback {
            trusted: 2,
            offered: 1
        }
    );
    assert_eq!(run.stored(), ["timestamp.json"]);
    let mut attack = new.clone();
    attack.release(&[]);
    attack.publish("b", "file", b"other content");
    assert_b_refused((&attack, &attack.files()), device, "2.b.json", |it| {
        *it == Reason::Equivocation(2)
    });
}

/// M14 with delegated roles on the device: versions were driven up by stolen keys. A root that rotates
/// snapshot and timestamp, and a delegator that rotates the role, bring it back to low versions.
#[test]
fn recovers_from_fast_forward_with_stored_delegated_roles_m14() {
    let honest = chain(Graph::new());
    let mut attack = honest.clone();
    attack.role("b").set(&["version"], VERSION_MAX);
    attack.publish("b", "file", b"stolen");
    attack.base.snapshot.set(&["version"], VERSION_MAX);
    attack.base.timestamp.set(&["version"], VERSION_MAX);
    let device = after(&attack);
    let mut graph = honest.clone();
    graph.release(&["a"]);
    let run = search(&mut device.clone(), &graph.files(), &["file"], now());
    assert!(matches!(run.error().1, Reason::Rollback { .. }));
    graph.base.next_root(|root| {
        for role in ["timestamp", "snapshot"] {
            let label = format!("new-{role}");
            root.set_role(role, &[(&key_id(&label), &label)], 1);
        }
    });
    graph.base.timestamp.sign_with(&["new-timestamp"]);
    graph.base.snapshot.sign_with(&["new-snapshot"]);
    let mut child = edge("b");
    child.authority = authority(&["b2"], 1);
    child.scope = paths(&["file"]);
    graph.redelegate("a", child);
    graph.role("b").sign_with(&["b2"]);
    let mut stored = device.clone();
    let run = search(&mut stored, &graph.files(), &["file"], now());
    let found = run.result.as_ref().unwrap()[0].clone().unwrap();
    assert_eq!(found.target.length, 7);
    assert!(stored.roles["b"] == graph.files()["1.b.json"]);
    let stores = [
        "-timestamp.json",
        "-snapshot.json",
        "root.json",
        "timestamp.json",
        "snapshot.json",
    ];
    assert_eq!(run.stored()[..5], stores);
}

/// Nothing is fetched twice, in one run or in the next, nor stored.
#[test]
fn searches_fetch_nothing_twice_m20() {
    let graph = chain(Graph::new());
    let mut stored = graph.fresh_device();
    let searches = ["file", "file", "kept", "nowhere", "file", "kept"];
    let run = search(&mut stored, &graph.files(), &searches, now());
    assert_eq!(run.roles_asked(), ["1.a.json", "1.b.json", "1.c.json"]);
    let role = |index: usize| {
        run.result.as_ref().unwrap()[index]
            .as_ref()
            .map(|it| it.role.as_str())
    };
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(role),
        [Some("b"), Some("b"), Some("c"), None, Some("b"), Some("c")]
    );
    let run = search(&mut stored, &graph.files(), &searches, now());
    assert_eq!(run.asked(), ["2.root.json", "timestamp.json"]);
    assert!(run.effects.is_empty());
    assert!(run.result.unwrap()[4].is_some());
    let mut next = graph.clone();
    next.release(&["b"]);
    let run = search(&mut stored, &next.files(), &searches, now());
    assert_eq!(run.asked()[2..], ["2.snapshot.json", "2.b.json"]);
}

/// A stored role that has expired since is refused although nothing is fetched, and after that the run
/// stays over.
#[test]
fn rejects_stored_role_that_has_expired_m17() {
    let mut graph = chain(Graph::new());
    graph
        .role("b")
        .set(&["expires"], Json::from("2027-01-16T08:00:00Z"));
    let mut stored = after(&graph);
    let files = graph.files();
    let tomorrow = UtcTime::from_unix(NOW + 86_400);
    let run = search(&mut stored.clone(), &files, &["kept", "file"], tomorrow);
    assert_eq!(run.error().0, "b.json");
    assert!(matches!(run.error().1, Reason::Expired { .. }));
    assert_eq!(run.stored(), ["c.json"]);
    let just_before = UtcTime::from_unix(NOW + 86_399);
    let run = search(&mut stored, &files, &["file"], just_before);
    assert_eq!(run.found_in(), Some("b"));
}
