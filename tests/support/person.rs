//! Somebody who runs `streembit` in a folder of her own, on loopback.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::programs::{Running, folder, json, run, text};

/// Everything that is done from time to time is done each second.
const CONFIG: &str = "mdns = false\n[messenger]\n\
    mail-interval-s = 1\npresence-interval-s = 5\nretry-s = 1\ndownloads = \"downloads\"\n";

/// A person, or a node that others enter the network by.
#[derive(Debug)]
pub struct Person {
    name: String,
    folder: TempDir,
    bootstrap: Option<String>,
    /// The private network that her node runs in.
    network: Option<String>,
    /// The network namespace that her node runs in, and where it listens.
    home: Option<&'static str>,
    listen: String,
    /// Files and sockets that her node may open.
    descriptors: Option<u32>,
    /// How much the node logs.
    verbosity: &'static str,
    node: Option<Running>,
}

impl Person {
    /// Makes an account and runs its node.
    ///
    /// * `gate`: whom to enter the network by.
    pub fn start(name: &str, gate: Option<&Self>) -> Self {
        let mut person = Self::without_account(name, gate);
        person.ok(&["account", "create", name]);
        person.wake();
        person
    }

    /// Makes an account and runs its node, which may open so many files and sockets.
    pub fn start_with_descriptors(name: &str, descriptors: u32) -> Self {
        let mut person = Self::without_account(name, None);
        person.descriptors = Some(descriptors);
        person.ok(&["account", "create", name]);
        person.wake();
        person
    }

    /// Makes an account and runs its node in a network namespace.
    ///
    /// * `port`: of all addresses there; 0 takes a free one.
    pub fn start_at_home(
        name: &str,
        home: &'static str,
        port: u16,
        bootstrap: Option<String>,
    ) -> Self {
        let mut person = Self::without_account(name, None);
        person.bootstrap = bootstrap;
        person.home = Some(home);
        person.listen = format!("/ip4/0.0.0.0/tcp/{port}");
        person.ok(&["account", "create", name]);
        person.wake();
        person
    }

    /// A folder with a configuration, nothing else.
    pub fn without_account(name: &str, gate: Option<&Self>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bootstrap = gate.map(Self::address);
        std::fs::write(folder.path().join("node.toml"), CONFIG).unwrap();
        Self {
            name: name.to_owned(),
            folder,
            bootstrap,
            network: None,
            home: None,
            listen: "/ip4/127.0.0.1/tcp/0".to_owned(),
            descriptors: None,
            verbosity: "-v",
            node: None,
        }
    }

    /// Runs the node, until it answers.
    pub fn wake(&mut self) {
        let mut args = vec![
            "run",
            self.verbosity,
            "--config",
            "node.toml",
            "--account",
            &self.name,
            "--listen",
            &self.listen,
        ];
        if let Some(bootstrap) = &self.bootstrap {
            args.extend(["--bootstrap", bootstrap]);
        }
        if let Some(network) = &self.network {
            args.extend(["--network", network]);
        }
        let mut before: Vec<String> = Vec::new();
        if let Some(home) = self.home {
            before.extend(["ip", "netns", "exec", home].map(str::to_owned));
        }
        if let Some(descriptors) = self.descriptors {
            before.extend(["prlimit".to_owned(), format!("--nofile={descriptors}")]);
        }
        let program = folder().join("streembit");
        before.push(program.to_str().unwrap().to_owned());
        let args: Vec<&str> = before.iter().map(String::as_str).chain(args).collect();
        let mut node = Running::start_logged("/usr/bin/env", &args, self.path(), &self.log());
        node.wait_for("an answer", || self.try_address());
        self.node = Some(node);
    }

    /// Kills the node.
    pub fn kill(&mut self) {
        drop(self.node.take());
    }

    /// Runs the node in a private network, instead of where it ran.
    pub fn enter(&mut self, network: &str) {
        self.kill();
        self.network = Some(network.to_owned());
        self.wake();
    }

    /// Runs the node again, which logs all that it can.
    pub fn wake_loud(&mut self) {
        self.kill();
        self.verbosity = "-vvv";
        self.wake();
    }

    /// Runs the node again, which listens at an address.
    pub fn wake_at(&mut self, listen: &str, bootstrap: Option<String>) {
        self.kill();
        self.listen = listen.to_owned();
        self.bootstrap = bootstrap;
        self.wake();
    }

    /// Runs the node again, with mDNS, under a name of the local network if it gets one.
    pub fn wake_on_a_local_network(&mut self, name: Option<&str>) {
        self.kill();
        let name = name.map(|name| format!("mdns-name = {name:?}\n"));
        let config = CONFIG.replace("mdns = false\n", &name.unwrap_or_default());
        std::fs::write(self.path().join("node.toml"), config).unwrap();
        self.wake();
    }

    /// The log of the node.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Waits for a line of the log with all these words.
    pub fn until_logged(&mut self, words: &[&str]) -> String {
        let log = self.log();
        self.until(&["status"], |_| {
            let log = std::fs::read_to_string(&log).ok()?;
            let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
            log.lines().find(has_all).map(str::to_owned)
        })
    }

    /// What `network invite` takes to invite her.
    pub fn card(&self) -> String {
        let shown = self.ok(&["account", "show", "--member"]);
        let word = |name: &str| shown[name].as_str().unwrap().to_owned();
        format!(
            "{}:{}:{}",
            word("public_key"),
            word("agreement_key"),
            self.name
        )
    }

    /// The peer id of her node.
    pub fn peer_id(&self) -> String {
        self.ok(&["account", "show"])["peer_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Waits until these, and nobody else, are connected.
    pub fn until_peers_are(&mut self, others: &[&Self]) {
        let mut expected: Vec<String> = others.iter().map(|other| other.peer_id()).collect();
        expected.sort();
        self.until(&["peers"], |peers| {
            let ids = peers
                .as_array()?
                .iter()
                .map(|peer| peer["peer_id"].as_str());
            let mut ids: Vec<&str> = ids.collect::<Option<_>>()?;
            ids.sort_unstable();
            (ids == expected).then_some(())
        });
    }

    /// Her name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Her folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where her node can be dialled.
    pub fn address(&self) -> String {
        self.try_address().unwrap()
    }

    /// The same, for bare sockets.
    pub fn socket(&self) -> std::net::SocketAddr {
        let parts: Vec<String> = self.address().split('/').map(str::to_owned).collect();
        format!("{}:{}", parts[2], parts[4]).parse().unwrap()
    }

    fn try_address(&self) -> Option<String> {
        let status = self.try_ask(&["status"]).ok()?;
        let address = status.pointer("/listening/0")?.as_str()?;
        Some(address.to_owned())
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> Value {
        json("streembit", args, self.path())
    }

    /// Runs a command, and returns what it printed if it succeeded.
    ///
    /// # Errors
    /// What it did otherwise.
    pub fn try_ask(&self, args: &[&str]) -> Result<Value, Output> {
        let all = [args, &["--json"]].concat();
        let output = run("streembit", &all, self.path());
        match serde_json::from_slice(&output.stdout) {
            Ok(value) if output.status.success() => Ok(value),
            _ => Err(output),
        }
    }

    /// Runs a command that must fail; returns its exit code and all that it printed.
    pub fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = run("streembit", args, self.path());
        assert!(!output.status.success(), "{args:?}: {}", text(&output));
        (output.status.code().unwrap(), text(&output))
    }

    /// Asks again and again until an answer is as it should be; the node must go on running.
    pub fn until<T>(&mut self, args: &[&str], is_it: impl Fn(&Value) -> Option<T>) -> T {
        let mut node = self.node.take().unwrap();
        let what = format!("{}: {args:?}", self.name);
        let found = node.wait_for(&what, || is_it(&self.try_ask(args).ok()?));
        self.node = Some(node);
        found
    }

    /// Waits until a contact is this to her.
    pub fn until_contact_is(&mut self, contact: &str, relation: &str) {
        self.until(&["contacts", "list"], |contacts| {
            let mut contacts = contacts.as_array()?.iter();
            contacts
                .any(|found| found["name"] == contact && found["relation"] == relation)
                .then_some(())
        });
    }

    /// Waits for a message of, or to, a contact that has come this far.
    pub fn until_text_is(&mut self, contact: &str, said: &str, progress: &str) {
        self.until(&["messages", contact], |entries| {
            let mut entries = entries.as_array()?.iter();
            let is_it = |entry: &Value| {
                entry
                    .pointer("/body/text/text")
                    .is_some_and(|text| text == said)
                    && entry["progress"] == progress
            };
            entries.any(is_it).then_some(())
        });
    }

    /// Waits for a file that a contact offered; returns the id of the message.
    pub fn until_file_is_offered(&mut self, contact: &str) -> String {
        self.until(&["messages", contact], |entries| {
            let mut entries = entries.as_array()?.iter();
            let entry = entries.find(|entry| entry.pointer("/body/file-offer").is_some())?;
            entry["id"].as_str().map(str::to_owned)
        })
    }

    /// Meets another by an offer of hers.
    pub fn meet(&mut self, other: &mut Self) {
        let offer = self.ok(&["contacts", "offer"])["offer"]
            .as_str()
            .unwrap()
            .to_owned();
        other.ok(&["contacts", "add", &offer]);
        other.until_contact_is(&self.name.clone(), "accepted");
        self.until_contact_is(&other.name.clone(), "accepted");
    }
}
