//! A publisher's log and its witnesses, as real programs: over HTTP and over the network of nodes, through restarts,
//! against a publisher with two histories (threats K78).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::Value;
use support::programs::{Running, json, run, text};
use tempfile::TempDir;
use tlog::hash::Hash;
use tlog::log_proof::LogProof;
use tlog::policy::Policy;

const ORIGIN: &str = "fwlog.acme.example";

/// A node that cosigns.
struct Witness {
    folder: TempDir,
    key: String,
    node: Option<Running>,
    starts: usize,
}

impl Witness {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        json(
            "streembit",
            &["account", "create", "w", "--no-passcode"],
            folder.path(),
        );
        let made = json(
            "streembit",
            &["witness", "init", name, "--no-passcode"],
            folder.path(),
        );
        let config = "mdns = false\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[witness]\nlisten = \"127.0.0.1:0\"\n";
        fs::write(folder.path().join("node.toml"), config).unwrap();
        Self {
            key: made["key"].as_str().unwrap().to_owned(),
            folder,
            node: None,
            starts: 0,
        }
    }

    fn watch(&self, log: &str) {
        let watched = json(
            "streembit",
            &["witness", "add-log", log],
            self.folder.path(),
        );
        assert_eq!(watched["origin"], ORIGIN);
    }

    /// Starts it; where it is asked over HTTP, and as a node.
    fn start(&mut self) -> [String; 2] {
        self.starts += 1;
        let log = self.folder.path().join(format!("log{}", self.starts));
        let args = ["run", "--witness", "--config", "node.toml"];
        let mut node = Running::start_logged("streembit", &args, self.folder.path(), &log);
        let url = node.wait_for("the address of the witness", || {
            let log = fs::read_to_string(&log).ok()?;
            let line = log
                .lines()
                .find_map(|line| line.strip_prefix("witness at "))?;
            Some(line.to_owned())
        });
        let address = node.wait_for("the address of the node", || {
            let status = run("streembit", &["status", "--json"], self.folder.path());
            let status: Value = serde_json::from_slice(&status.stdout).ok()?;
            let listening = status["listening"][0].as_str()?;
            let peer = status["peer_id"].as_str()?;
            let end = format!("/p2p/{peer}");
            let listening = listening.strip_suffix(&end).unwrap_or(listening);
            Some(format!("{listening}{end}"))
        });
        self.node = Some(node);
        [url, address]
    }

    fn cosigned(&self) -> u64 {
        let shown = json("streembit", &["witness", "show"], self.folder.path());
        shown["logs"][0]["size"].as_u64().unwrap()
    }
}

struct Publisher {
    folder: TempDir,
    key: String,
}

impl Publisher {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let init = [
            "init",
            "--product",
            "cam",
            "--hardware",
            "h",
            "--no-passcode",
        ];
        json("streembit-publisher", &init, folder.path());
        let init = ["log", "init", "--origin", ORIGIN, "--no-passcode"];
        let made = json("streembit-publisher", &init, folder.path());
        let key = made["key"].as_str().unwrap().to_owned();
        Self { folder, key }
    }

    fn set_policy(&self, witnesses: &[(&str, &str, &str)], quorum: &str) {
        let mut policy = format!("log {}\n", self.key);
        for (name, key, url) in witnesses {
            policy.push_str(&format!("witness {name} {key} {url}\n"));
        }
        let names: Vec<&str> = witnesses.iter().map(|(name, _, _)| *name).collect();
        policy.push_str(&format!("group q {quorum} {}\nquorum q\n", names.join(" ")));
        fs::write(self.path("repository/log/policy"), policy).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, entries: &[&str]) -> u64 {
        let files: Vec<String> = entries
            .iter()
            .map(|entry| format!("{entry}.entry"))
            .collect();
        for (file, entry) in files.iter().zip(entries) {
            fs::write(self.path(file), entry).unwrap();
        }
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let words = [&["log", "append"][..], &files].concat();
        json("streembit-publisher", &words, self.folder.path())["first"]
            .as_u64()
            .unwrap()
    }

    fn log(&self, step: &str) -> Value {
        json("streembit-publisher", &["log", step], self.folder.path())
    }

    fn refused(&self, step: &str) -> (Option<i32>, String) {
        let output = run("streembit-publisher", &["log", step], self.folder.path());
        (output.status.code(), text(&output))
    }

    fn prove(&self, index: u64) -> LogProof {
        let shown = json(
            "streembit-publisher",
            &["log", "prove", &index.to_string()],
            self.folder.path(),
        );
        LogProof::parse(shown["proof"].as_str().unwrap().as_bytes()).unwrap()
    }

    fn policy(&self) -> Policy {
        Policy::parse(&fs::read(self.path("repository/log/policy")).unwrap()).unwrap()
    }
}

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
    let publisher = Publisher::new();
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
    first.node = None;
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
    let shown = json("streembit", &["witness", "show"], first.folder.path());
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
    let publisher = Publisher::new();
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
    let publisher = Publisher::new();
    let mut witness = Witness::new("w.example/1");
    let [url, _] = witness.start();
    witness.watch(&publisher.key);
    publisher.set_policy(&[("w", &witness.key, &url)], "all");
    publisher.append(&["one", "two"]);
    assert_eq!(publisher.log("update")["published"], 2);
    let split = Publisher {
        folder: tempfile::tempdir().unwrap(),
        key: publisher.key.clone(),
    };
    support::publisher::copy(&publisher.path("repository"), &split.path("repository"));
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
    let evidence = support::programs::files_with(witness.folder.path(), b"fwlog.acme.example\n3\n");
    assert_eq!(
        evidence.len(),
        2,
        "the checkpoint that it cosigned, and one that it didn't: {evidence:?}"
    );
    assert_eq!(witness.cosigned(), 3);
    assert_eq!(publisher.log("update")["published"], 3);
}
