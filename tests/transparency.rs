//! A publisher's log and its witnesses, as real programs: over HTTP and over the network of nodes, through restarts,
//! against a publisher with two histories (threats K78).

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde_json::Value;
use support::logged::{ORIGIN, Publisher, Witness};
use support::programs::json;
use tlog::hash::Hash;

/// The status of an answer.
fn status(url: &str, path: &str) -> u16 {
    let answer = answer(url, path);
    let line = String::from_utf8_lossy(&answer).into_owned();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The body of what is there, as any program asks for it.
fn get(url: &str, path: &str) -> String {
    let answer = String::from_utf8(answer(url, path)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn answer(url: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: witness\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
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

/// A witness that keeps the entries says so by a key of its own, once it has them: over HTTP and as a node, after
/// being away, and never of what it doesn't hold.
#[test]
fn a_mirror_cosigns_what_it_holds() {
    let publisher = Publisher::empty();
    let (mut first, mut second) = (Witness::new("w.example/1"), Witness::new("w.example/2"));
    let mirrors = [first.mirror("m.example/1"), second.mirror("m.example/2")];
    for witness in [&first, &second] {
        witness.watch(&publisher.key);
    }
    let [url, _] = first.start();
    let [_, address] = second.start();
    let parties = [
        ("witness", first.key.as_str(), url.as_str()),
        ("mirror", &mirrors[0], &url),
        ("node", &mirrors[1], &address),
    ];
    publisher.set_policy(&parties, "all");
    let entries: Vec<String> = (0..700).map(|number| format!("entry {number}")).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    publisher.append(&entries);
    let shown = publisher.log("update");
    let all = serde_json::json!(["witness", "mirror", "node"]);
    assert_eq!(shown["cosigned"], all, "{shown}");
    // What it holds is there for all, byte for byte; nothing else is.
    let shown = json("streembit", &["witness", "show"], first.path());
    let hash = shown["logs"][0]["hash"].as_str().unwrap().to_owned();
    let checkpoint = get(&url, &format!("/mirror/{hash}/checkpoint"));
    assert!(checkpoint.contains("m.example/1 "), "{checkpoint}");
    let held = first
        .path()
        .join("streembit-data/witness/mirror")
        .join(&hash);
    let log = publisher.path("repository/log");
    for path in [
        "tile/entries/000",
        "tile/entries/001",
        "tile/0/002.p/188",
        "tile/1/000.p/2",
    ] {
        let ours = fs::read(log.join(path)).unwrap();
        assert_eq!(fs::read(held.join(path)).unwrap(), ours, "{path}");
        assert_eq!(status(&url, &format!("/mirror/{hash}/{path}")), 200);
    }
    for path in [
        "tree",
        "tile/../tree",
        "tile/0/..",
        "tile/0/000/../../tree",
        "%2e%2e/witness.key",
    ] {
        assert_eq!(
            status(&url, &format!("/mirror/{hash}/{path}")),
            404,
            "{path}"
        );
    }
    grows_without_its_disk(&publisher, first, &mirrors, (&held, &address));
}

/// A witness of the policy asks for ever more than there is, and gives nothing: it counts as absent.
#[test]
fn a_mirror_that_is_never_content_holds_nobody_up() {
    let publisher = Publisher::empty();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            let mut first = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if first.is_empty() {
                    first.clone_from(&line);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let (status, answer) = match first.contains("add-checkpoint") {
                true => (200, ""),
                false => (202, "3\n4\n\n"),
            };
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 {status} A\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let mut stream = reader.into_inner();
            stream
                .write_all(format!("{head}{answer}").as_bytes())
                .unwrap();
        }
    });
    let witness = Witness::new("w.example/1");
    publisher.set_policy(&[("w", &witness.key, &url)], "all");
    publisher.append(&["one", "two", "three"]);
    publisher.log("integrate");
    publisher.log("sign");
    let (exit, said) = publisher.refused("witness");
    assert!(exit == Some(0) && said.contains("takes no more"), "{said}");
    assert_eq!(publisher.refused("publish").0, Some(7));
}

/// The mirror was away, and its disk lost a bundle: what is not there is not cosigned.
fn grows_without_its_disk(
    publisher: &Publisher,
    mut first: Witness,
    mirrors: &[String; 2],
    (held, address): (&Path, &String),
) {
    let log = publisher.path("repository/log");
    let all = serde_json::json!(["witness", "mirror", "node"]);
    first.stop();
    publisher.append(&["one more", "and one"]);
    fs::remove_file(held.join("tile/entries/002.p/188")).unwrap();
    let [url, _] = first.start();
    let parties = [
        ("witness", first.key.as_str(), url.as_str()),
        ("mirror", &mirrors[0], &url),
        ("node", &mirrors[1], address),
    ];
    publisher.set_policy(&parties, "2");
    let shown = publisher.log("update");
    assert_eq!(shown["missing"], serde_json::json!(["mirror"]), "{shown}");
    fs::copy(
        log.join("tile/entries/002.p/188"),
        held.join("tile/entries/002.p/188"),
    )
    .unwrap();
    let shown = publisher.log("witness");
    assert_eq!(shown["cosigned"], all, "{shown}");
    assert_eq!(publisher.log("publish")["published"], 702);
}

/// A witness that keeps no entries never says that it does.
#[test]
fn a_witness_is_no_mirror() {
    let publisher = Publisher::empty();
    let mut witness = Witness::new("w.example/1");
    let mut mirror = Witness::new("w.example/2");
    let key = mirror.mirror("m.example/2");
    witness.watch(&publisher.key);
    let [url, _] = witness.start();
    publisher.set_policy(&[("mirror", key.as_str(), url.as_str())], "all");
    publisher.append(&["one"]);
    let (exit, said) = publisher.refused("update");
    assert_eq!(exit, Some(7), "{said}");
    assert!(said.contains("no good cosignature"), "{said}");
    mirror.stop();
    let taken = mirror.mirror_refused("m.example/3");
    assert!(taken.contains("already"), "{taken}");
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
