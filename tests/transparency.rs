//! A publisher's log and its witnesses, as real programs: over HTTP and over the network of nodes, through restarts,
//! against a publisher with two histories (threats K78).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use support::logged::{ORIGIN, Publisher, Witness};
use support::programs::json;
use tlog::hash::Hash;

/// The body of what is there, as any program asks for it.
fn get(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: witness\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_log_is_cosigned_over_http_and_over_the_network_of_nodes() {
    let publisher = Publisher::empty();
    let (mut first, mut second) = (Witness::new("w.example/1"), Witness::new("w.example/2"));
    let [url, _] = first.start();
    let [_, address] = second.start();
    for witness in [&first, &second] {
        witness.watch(&publisher.key);
    }
    let parties = [
        ("http", first.key.as_str(), url.as_str()),
        ("node", &second.key, &address),
    ];
    publisher.set_policy(&parties, "all");
    assert_eq!(publisher.append(&["one", "two", "three"]), 0);
    let shown = publisher.log("update");
    assert_eq!(
        shown["cosigned"],
        serde_json::json!(["http", "node"]),
        "{shown}"
    );
    assert_eq!(
        (&shown["size"], &shown["published"]),
        (&3.into(), &3.into())
    );
    assert_eq!((first.cosigned(), second.cosigned()), (3, 3));
    // The log grows; one witness is started anew in between, at another address.
    first.stop();
    let [url, _] = first.start();
    let parties = [
        ("http", first.key.as_str(), url.as_str()),
        ("node", &second.key, &address),
    ];
    publisher.set_policy(&parties, "all");
    assert_eq!(publisher.append(&["four"]), 3);
    assert_eq!(publisher.log("update")["published"], 4);
    let proof = publisher.prove(3);
    let accepted = proof
        .verify(Hash::of_leaf(b"four"), &publisher.policy(), u64::MAX)
        .unwrap();
    assert_eq!((accepted.cosigned.len(), accepted.checkpoint.size), (2, 4));
    assert!(
        proof
            .verify(Hash::of_leaf(b"five"), &publisher.policy(), u64::MAX)
            .is_err()
    );
    assert_eq!(publisher.log("verify")["size"], 4);
    // Who monitors asks the witness itself.
    let shown = json("streembit", &["witness", "show"], first.path());
    let hash = shown["logs"][0]["hash"].as_str().unwrap();
    let monitored = get(&url, &format!("/{hash}/checkpoint"));
    assert!(
        monitored.starts_with(&format!("{ORIGIN}\n4\n")),
        "{monitored}"
    );
    assert!(monitored.contains("w.example/1 "), "{monitored}");
}

#[test]
fn every_step_can_be_taken_alone_and_again_and_too_few_witnesses_are_exit_7() {
    let publisher = Publisher::empty();
    let (mut here, away) = (Witness::new("w.example/1"), Witness::new("w.example/2"));
    let [url, _] = here.start();
    here.watch(&publisher.key);
    let parties = [
        ("here", here.key.as_str(), url.as_str()),
        ("away", &away.key, "http://127.0.0.1:9/"),
    ];
    publisher.set_policy(&parties, "all");
    publisher.append(&["one", "two"]);
    assert_eq!(publisher.log("show")["size"], 0);
    for _ in 0..2 {
        let shown = publisher.log("integrate");
        assert_eq!(
            (&shown["size"], &shown["signed"]),
            (&2.into(), &Value::Null)
        );
    }
    for _ in 0..2 {
        assert_eq!(publisher.log("sign")["signed"], 2);
    }
    for _ in 0..2 {
        let shown = publisher.log("witness");
        assert_eq!(shown["cosigned"], serde_json::json!(["here"]), "{shown}");
        assert_eq!(shown["missing"], serde_json::json!(["away"]));
    }
    let (exit, said) = publisher.refused("publish");
    assert_eq!(exit, Some(7), "{said}");
    assert_eq!(publisher.log("show")["published"], Value::Null);
    publisher.set_policy(&parties, "any");
    for _ in 0..2 {
        assert_eq!(publisher.log("publish")["published"], 2);
    }
}

/// A publisher with all its keys shows another history: the witness cosigns one of them, and keeps the other.
#[test]
fn a_second_history_is_not_cosigned_k78() {
    let publisher = Publisher::empty();
    let mut witness = Witness::new("w.example/1");
    let [url, _] = witness.start();
    witness.watch(&publisher.key);
    publisher.set_policy(&[("w", &witness.key, &url)], "all");
    publisher.append(&["one", "two"]);
    assert_eq!(publisher.log("update")["published"], 2);
    let split = publisher.twin();
    publisher.append(&["three"]);
    assert_eq!(publisher.log("update")["published"], 3);
    // The copy goes on with other entries: as many, fewer, and more.
    for entries in [&["drei"][..], &["vier", "fuenf"]] {
        split.append(entries);
        let (exit, said) = split.refused("update");
        assert_eq!(exit, Some(7), "{said}");
        assert!(
            said.contains("another history") || said.contains("422"),
            "{said}"
        );
        assert_eq!(split.log("show")["published"], 2);
    }
    let evidence = support::programs::files_with(witness.path(), b"fwlog.acme.example\n3\n");
    assert_eq!(
        evidence.len(),
        2,
        "the checkpoint that it cosigned, and one that it didn't: {evidence:?}"
    );
    assert_eq!(witness.cosigned(), 3);
    assert_eq!(publisher.log("update")["published"], 3);
}
