//! A mirror is held against what the network of nodes has: whoever shows an auditor another history than the rest, or an
//! old one, is found out (threats M18, K78).

use std::fs;

use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::Subject;
use serde_json::Value;
use support::logged::{Publisher, Witness, record_of};
use support::network::{TestNode, network, put};
use support::programs::{Running, run, seed, text};

use crate::audit_monitor::{Scene, of};

/// What the network has is that of the publisher: the program that seeds it, and where its node is.
fn seeded(scene: &Scene) -> (Running, String) {
    seed(&scene.publisher.path("repository"))
}

/// Looks at a mirror, and at the network.
fn look(scene: &Scene, mirror: &str, node: &str) -> (Option<i32>, Vec<Value>) {
    scene.look(mirror, &["--bootstrap", node])
}

fn rules(events: &[Value]) -> Vec<&str> {
    let alerts = of(events, "alert").into_iter();
    alerts
        .map(|alert| alert["rule"].as_str().unwrap())
        .collect()
}

#[test]
fn head_of_the_network_is_seen_once_and_agrees_with_the_mirror() {
    let scene = Scene::new();
    let (_seeder, node) = seeded(&scene);
    let (exit, events) = look(&scene, "public", &node);
    assert_eq!(exit, Some(0), "{events:#?}");
    let bytes = fs::read(scene.public("metadata/timestamp.json")).unwrap();
    let timestamp: Value = serde_json::from_slice(&bytes).unwrap();
    let [head] = of(&events, "head")[..] else {
        panic!("{events:#?}")
    };
    assert_eq!(head["version"], timestamp["signed"]["version"]);
    assert_eq!(look(&scene, "public", &node), (Some(0), Vec::new()));
}

/// With all its keys a publisher makes two releases of one number: one for this mirror, one for all others.
#[test]
fn mirror_that_is_shown_another_history_than_the_network_is_found_out_k78() {
    let scene = Scene::new();
    let twin = scene.twin();
    scene.release("1.1.0");
    twin.release_of("1.1.0", "for this mirror alone");
    let (_seeder, node) = seeded(&scene);
    let (exit, events) = look(&twin, "public", &node);
    assert_eq!(exit, Some(6), "{events:#?}");
    assert_eq!(rules(&events), ["head/fork", "log/split-view"]);
    let words = ["split", "monitor/split-view.json", "--pin", "cam.pin"];
    let third = run("streembit-audit", &words, twin.publisher.folder());
    assert_eq!(third.status.code(), Some(6), "{}", text(&third));
    let head = fs::read(twin.publisher.path("monitor/head-fork.jws")).unwrap();
    let head = protocol::dht::release_head::verify(&head, node::clock::unix_now()).unwrap();
    let bytes = fs::read(scene.public("metadata/timestamp.json")).unwrap();
    assert_eq!(head.timestamp, bytes);
}

/// Its history is longer, and leaves out how it grew from the size that others know: who has read all entries knows.
#[test]
fn longer_history_of_a_mirror_is_found_out_k78() {
    let scene = Scene::new();
    let twin = scene.twin();
    scene.release("1.1.0");
    twin.publisher
        .append(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    twin.release_of("1.1.0", "for this mirror alone");
    let (_seeder, node) = seeded(&scene);
    let (exit, events) = look(&twin, "public", &node);
    assert_eq!(exit, Some(6), "{events:#?}");
    assert!(rules(&events).contains(&"log/split-view"), "{events:#?}");
    let words = ["split", "monitor/split-view.json", "--pin", "cam.pin"];
    let third = run("streembit-audit", &words, twin.publisher.folder());
    assert_eq!(third.status.code(), Some(6), "{}", text(&third));
}

#[test]
fn mirror_that_is_behind_the_network_is_stale_m18() {
    let scene = Scene::of(Publisher::empty(), &["--max-staleness", "1s"]);
    let old = scene.publisher.path("old");
    support::publisher::copy(&scene.publisher.path("public"), &old);
    scene.release("1.1.0");
    let (_seeder, node) = seeded(&scene);
    // A second must have passed since the head was signed: it is looked at until then.
    let (exit, events) = loop {
        let looked = look(&scene, "old", &node);
        if looked.0 != Some(0) {
            break looked;
        }
    };
    assert_eq!(exit, Some(4), "{events:#?}");
    assert_eq!(rules(&events), ["mirror/stale"]);
}

/// A publisher whose log a witness watches.
fn watched(pin: &[&str]) -> (Scene, Witness) {
    let (publisher, mut witness) = (Publisher::empty(), Witness::new("w.example/1"));
    witness.watch(&publisher.key);
    let [url, _] = witness.start();
    publisher.set_policy(&[("w", &witness.key, &url)], "all");
    (Scene::of(publisher, pin), witness)
}

/// Nothing new comes, and no witness has seen the log of late: that is no less than something wrong.
#[test]
fn mirror_that_is_frozen_is_stale_without_a_network_m18() {
    let (scene, _witness) = watched(&["--max-staleness", "1s"]);
    let (exit, events) = loop {
        let looked = scene.look("public", &[]);
        if looked.0 != Some(0) {
            break looked;
        }
    };
    assert_eq!(exit, Some(4), "{events:#?}");
    assert_eq!(rules(&events), ["log/stale"]);
}

/// Whoever has stolen the log's key signs a size that nobody reaches, so that nobody compares with the honest one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoint_that_no_witness_cosigned_raises_an_alarm_k70() {
    let nodes = network(2).await;
    let made = tokio::task::spawn_blocking(|| {
        let (scene, witness) = watched(&[]);
        let thief = scene.twin();
        thief.publisher.append(&["1", "2", "3", "4", "5", "6"]);
        thief.publisher.log("integrate");
        thief.publisher.log("sign");
        let signed = fs::read_to_string(thief.publisher.path("repository/log/signed"));
        (scene, witness, signed.unwrap())
    });
    let (scene, _witness, signed) = made.await.unwrap();
    let log = Subject::of(scene.publisher.key.parse().unwrap());
    let record = record_of(&signed, &log);
    put(&nodes[1], &DhtKey::log_checkpoint(&log), &record).await;
    let address = nodes[0].address.to_string();
    let looked = tokio::task::spawn_blocking(move || look(&scene, "public", &address));
    let (exit, events) = looked.await.unwrap();
    assert_eq!(exit, Some(1), "{events:#?}");
    assert_eq!(rules(&events), ["head/none", "log/unwitnessed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_without_a_head_and_no_network_are_told() {
    let empty = TestNode::start(&[]).await;
    let address = empty.address.to_string();
    let looked = tokio::task::spawn_blocking(move || {
        let scene = Scene::new();
        let nobody = "/ip4/127.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
        [address.as_str(), nobody].map(|node| {
            let words = ["monitor", "public", "--pin", "cam.pin", "--once"];
            let words = [&words[..], &["--bootstrap", node]].concat();
            let output = run("streembit-audit", &words, scene.publisher.folder());
            (output.status.code(), text(&output))
        })
    });
    let [empty, nobody] = looked.await.unwrap();
    assert_eq!(empty.0, Some(3), "{}", empty.1);
    assert!(empty.1.contains("head/none"), "{}", empty.1);
    assert_eq!(nobody.0, Some(3), "{}", nobody.1);
    assert!(
        nobody.1.contains("no node of the network is reached"),
        "{}",
        nobody.1
    );
}
