//! Publishers with a log, and witnesses that cosign it, as real programs.

use std::fs;
use std::path::{Path, PathBuf};

use keys::{Algorithm, SigningKey};
use protocol::dht::log_checkpoint::{self, Subject};
use serde_json::Value;
use tempfile::TempDir;
use tlog::log_proof::LogProof;
use tlog::note::Note;
use tlog::policy::Policy;

use crate::programs::{Running, json, run, text};

/// The log's name.
pub const ORIGIN: &str = "fwlog.acme.example";

/// A record that anybody may put: that the subject has signed this note.
pub fn record_of(note: &str, subject: &Subject) -> Vec<u8> {
    let seen = subject.seen(Note::parse(note.as_bytes()).unwrap());
    let stranger = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
    let token = log_checkpoint::sign(&stranger, subject, &seen.unwrap(), node::clock::unix_now());
    token.unwrap().into_bytes()
}

/// A node that cosigns.
#[derive(Debug)]
pub struct Witness {
    folder: TempDir,
    /// Its key, as policies name it.
    pub key: String,
    node: Option<Running>,
    starts: usize,
}

impl Witness {
    /// A witness that runs not yet.
    pub fn new(name: &str) -> Self {
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

    /// Makes it a mirror, too; its key as one.
    pub fn mirror(&self, name: &str) -> String {
        let args = ["witness", "mirror", name, "--no-passcode"];
        let made = json("streembit", &args, self.folder.path());
        made["key"].as_str().unwrap().to_owned()
    }

    /// What it says if it can't be made a mirror.
    pub fn mirror_refused(&self, name: &str) -> String {
        let args = ["witness", "mirror", name, "--no-passcode"];
        let output = run("streembit", &args, self.folder.path());
        assert!(!output.status.success());
        text(&output)
    }

    /// Makes it cosign a log.
    pub fn watch(&self, log: &str) {
        let watched = json(
            "streembit",
            &["witness", "add-log", log],
            self.folder.path(),
        );
        assert_eq!(watched["origin"], log.split('+').next().unwrap());
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Ends its node.
    pub fn stop(&mut self) {
        self.node = None;
    }

    /// Starts it; where it is asked over HTTP, and as a node.
    pub fn start(&mut self) -> [String; 2] {
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

    /// Entries that it has cosigned.
    pub fn cosigned(&self) -> u64 {
        let shown = json("streembit", &["witness", "show"], self.folder.path());
        shown["logs"][0]["size"].as_u64().unwrap()
    }
}

/// A publisher's repository with a log.
#[derive(Debug)]
pub struct Publisher {
    folder: TempDir,
    /// The log's key.
    pub key: String,
}

impl Publisher {
    /// A repository without releases, and its log.
    pub fn empty() -> Self {
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
        Self::with_log(folder)
    }

    /// A copy of a repository, with a log.
    pub fn copy_of(repository: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        crate::publisher::copy(repository, &folder.path().join("repository"));
        Self::with_log(folder)
    }

    fn with_log(folder: TempDir) -> Self {
        let init = ["log", "init", "--origin", ORIGIN, "--no-passcode"];
        let made = json("streembit-publisher", &init, folder.path());
        let key = made["key"].as_str().unwrap().to_owned();
        Self { folder, key }
    }

    /// Makes a key that signs statements; its file.
    pub fn make_key(&self, name: &str) -> PathBuf {
        let words = [
            "keys",
            "create",
            name,
            "--algorithm",
            "p256",
            "--no-passcode",
        ];
        self.ok(&words);
        self.path(name)
    }

    /// Makes `builder.key`, and names it as that of a builder.
    pub fn name_builder(&self, id: &str) {
        self.make_key("builder.key");
        let settings = self.path("repository/publisher.toml");
        let mut text = fs::read_to_string(&settings).unwrap();
        text.push_str(&format!(
            "\n[log.builders]\n{id:?} = \"file:../builder.key\"\n"
        ));
        fs::write(&settings, text).unwrap();
    }

    /// A copy with all keys.
    pub fn twin(&self) -> Self {
        let twin = Self {
            folder: tempfile::tempdir().unwrap(),
            key: self.key.clone(),
        };
        crate::publisher::copy(&self.path("repository"), &twin.path("repository"));
        twin
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, words: &[&str]) -> Value {
        json("streembit-publisher", words, self.folder.path())
    }

    /// Runs a command that must fail: its exit code, and what it said.
    pub fn fails(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = run("streembit-publisher", words, self.folder.path());
        assert!(!output.status.success(), "{words:?}");
        (output.status.code(), text(&output))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Names the witnesses that count.
    pub fn set_policy(&self, witnesses: &[(&str, &str, &str)], quorum: &str) {
        let mut policy = format!("log {}\n", self.key);
        for (name, key, url) in witnesses {
            policy.push_str(&format!("witness {name} {key} {url}\n"));
        }
        let names: Vec<&str> = witnesses.iter().map(|(name, _, _)| *name).collect();
        policy.push_str(&format!("group q {quorum} {}\nquorum q\n", names.join(" ")));
        fs::write(self.path("repository/log/policy"), policy).unwrap();
    }

    /// A file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Queues entries.
    pub fn append(&self, entries: &[&str]) -> u64 {
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

    /// Takes a step of the log.
    pub fn log(&self, step: &str) -> Value {
        json("streembit-publisher", &["log", step], self.folder.path())
    }

    /// A step that fails: exit code, and what was said.
    pub fn refused(&self, step: &str) -> (Option<i32>, String) {
        let output = run("streembit-publisher", &["log", step], self.folder.path());
        (output.status.code(), text(&output))
    }

    /// The proof of an entry.
    pub fn prove(&self, index: u64) -> LogProof {
        let shown = json(
            "streembit-publisher",
            &["log", "prove", &index.to_string()],
            self.folder.path(),
        );
        LogProof::parse(shown["proof"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// The policy.
    pub fn policy(&self) -> Policy {
        Policy::parse(&fs::read(self.path("repository/log/policy")).unwrap()).unwrap()
    }
}
