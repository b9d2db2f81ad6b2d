//! Private networks between real processes: who is no member gets nowhere, who is removed is cut off, and the
//! public network carries nothing that others can read.

use std::fs;
use std::path::PathBuf;

use keys::{AgreementKey, SigningKey};
use node::{Multiaddr, PeerId};
use protocol::dht::key::DhtKey;
use protocol::dht::record::Record;
use serde_json::Value;
use support::network::{HostilePeer, TestNode, key, until};
use support::programs::{Running, json, run, text};
use tempfile::TempDir;

const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// Somebody with an account and a data folder, whose node may run.
struct Person {
    folder: PathBuf,
    name: &'static str,
    node: Option<Running>,
}

impl Person {
    fn new(folder: &TempDir, name: &'static str) -> Self {
        let person = Self {
            folder: folder.path().join(name),
            name,
            node: None,
        };
        fs::create_dir(&person.folder).unwrap();
        person.json(&["account", "create", name, "--no-passcode"]);
        person
    }

    fn json(&self, args: &[&str]) -> Value {
        json("streembit", args, &self.folder)
    }

    /// Fails as it must, and says why.
    fn refused(&self, args: &[&str]) -> String {
        let output = run("streembit", args, &self.folder);
        assert!(!output.status.success(), "{args:?}");
        text(&output)
    }

    /// What others need to invite this person.
    fn card(&self) -> String {
        let shown = self.json(&["account", "show", self.name, "--member"]);
        let part = |part: &str| shown[part].as_str().unwrap().to_owned();
        format!(
            "{}:{}:{}",
            part("public_key"),
            part("agreement_key"),
            self.name
        )
    }

    fn found(&self, more: &[&str]) {
        let create = ["network", "create", "home"];
        self.json(&[&create, more].concat());
    }

    /// Takes others in and returns what they join with.
    fn invite(&self, others: &[&Self], more: &[&str]) -> String {
        let cards: Vec<String> = others.iter().map(|other| other.card()).collect();
        let mut args = vec!["network", "invite"];
        args.extend(cards.iter().map(String::as_str));
        args.extend(more);
        self.json(&args)["invitation"].as_str().unwrap().to_owned()
    }

    fn join(&self, invitation: &str) {
        self.json(&["network", "join", invitation]);
    }

    /// Runs the node in the network `home`.
    fn run(&mut self, more: &[&str]) {
        let args = [
            "run",
            "-v",
            "--network",
            "home",
            "--no-mdns",
            "--listen",
            LISTEN,
        ];
        let args = [&args[..], &["--account", self.name], more].concat();
        let log = self.folder.join("log");
        let mut node = Running::start_logged("streembit", &args, &self.folder, &log);
        node.wait_for("a node that listens", || self.address());
        self.node = Some(node);
    }

    fn stop(&mut self) {
        self.node = None;
    }

    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut node = self.node.take().unwrap();
        let found = node.wait_for(&format!("{}: {what}", self.name), || look(self));
        self.node = Some(node);
        found
    }

    /// What the running node answers, if it does.
    fn ask(&self, args: &[&str]) -> Option<Value> {
        let output = run("streembit", &[args, &["--json"]].concat(), &self.folder);
        let answer = output.status.success().then_some(output.stdout)?;
        serde_json::from_slice(&answer).ok()
    }

    fn address(&self) -> Option<String> {
        let status = self.ask(&["status"])?;
        Some(status.pointer("/listening/0")?.as_str()?.to_owned())
    }

    fn peer_id(&self) -> String {
        let shown = self.json(&["account", "show", self.name]);
        shown["peer_id"].as_str().unwrap().to_owned()
    }

    fn node_id(&self) -> String {
        let shown = self.json(&["account", "show", self.name]);
        shown["node_id"].as_str().unwrap().to_owned()
    }

    fn peers(&self) -> Vec<String> {
        let peers = self.ask(&["peers"]).unwrap();
        let ids = peers.as_array().unwrap().iter();
        let mut ids: Vec<String> = ids
            .map(|peer| peer["peer_id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    /// Waits until exactly these are connected.
    fn until_peers(&mut self, others: &[&Self]) {
        let mut expected: Vec<String> = others.iter().map(|other| other.peer_id()).collect();
        expected.sort();
        self.until("connected to these and no others", |person| {
            (person.peers() == expected).then_some(())
        });
    }

    fn members(&self) -> Vec<String> {
        let members = self.json(&["network", "members"]);
        let names = members.as_array().unwrap().iter();
        let mut names: Vec<String> = names
            .map(|member| member["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    fn until_members(&mut self, names: &[&str]) {
        self.until("these are the members", |person| {
            (person.members() == names).then_some(())
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Waits for lines of the log that have all these words.
    fn until_logged(&mut self, words: &[&str]) -> String {
        let has = |line: &&str| words.iter().all(|word| line.contains(word));
        self.until(&format!("logs {words:?}"), |person| {
            person.log().lines().find(has).map(str::to_owned)
        })
    }
}

/// Alice, Bob and Carol, members of one network, all connected.
fn home(folder: &TempDir, psk: &[&str]) -> [Person; 3] {
    let [mut alice, mut bob, mut carol] =
        ["alice", "bob", "carol"].map(|name| Person::new(folder, name));
    alice.found(psk);
    alice.invite(&[&bob, &carol], &[]);
    alice.run(&[]);
    let invitation = alice.invite(&[], &[]);
    for person in [&mut bob, &mut carol] {
        person.join(&invitation);
        person.run(&[]);
        person.until_members(&["alice", "bob", "carol"]);
    }
    alice.until_peers(&[&bob, &carol]);
    bob.until_peers(&[&alice, &carol]);
    carol.until_peers(&[&alice, &bob]);
    [alice, bob, carol]
}

#[test]
fn members_find_each_other_and_get_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let [_alice, mut bob, carol] = home(&folder, &["--psk"]);
    // Each runs with --name, and so announces its account in the network's own DHT.
    let key = format!("account:{}", carol.node_id());
    let record = bob.until("a record of carol", |bob| bob.ask(&["dht", "get", &key]));
    assert_eq!(record["record"]["kind"], "account");
}

#[test]
fn stranger_is_refused_before_any_protocol_and_logged_q96() {
    let folder = tempfile::tempdir().unwrap();
    let mut alice = Person::new(&folder, "alice");
    alice.found(&[]);
    alice.run(&[]);
    let id = alice.json(&["network", "invite"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let address: Multiaddr = alice.address().unwrap().parse().unwrap();
    let peer: PeerId = alice.peer_id().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stranger = runtime.block_on(async {
        let stranger = HostilePeer::start().await;
        for protocol in [
            &format!("/streembit/kad/1.0.0/{id}"),
            "/streembit/kad/1.0.0",
            "/streembit/network/1",
            "/streembit/blocks/1",
            "/ipfs/id/1.0.0",
            "/ipfs/ping/1.0.0",
        ] {
            let opened = stranger.try_reach(peer, &address, protocol).await;
            // The connection ends; that a protocol isn't spoken, nobody says.
            let refused = matches!(opened, Err(libp2p_stream::OpenStreamError::Io(_)));
            assert!(refused, "{protocol}: {opened:?}");
        }
        let closed = async || (stranger.connections().await == (0, 0)).then_some(());
        until("its connections are closed", closed).await;
        stranger
    });
    let line = alice.until_logged(&["WARN", "not a member", &stranger.name()]);
    assert!(line.contains("/ip4/127.0.0.1/tcp/"), "{line}");
    assert!(alice.peers().is_empty());
}

#[test]
fn wrong_pre_shared_key_gets_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| Person::new(&folder, name));
    alice.found(&["--psk"]);
    alice.invite(&[&bob], &[]);
    alice.run(&[]);
    let invitation = alice.invite(&[], &[]);
    let (rest, psk) = invitation.split_once("&psk=").unwrap();
    assert_eq!(psk.len(), 64);
    for wrong in [rest.to_owned(), format!("{rest}&psk={}", "00".repeat(32))] {
        bob.join(&wrong);
        drop(fs::remove_file(bob.folder.join("log")));
        bob.run(&[]);
        bob.until_logged(&["not connected", &alice.peer_id()]);
        assert!(bob.peers().is_empty() && alice.peers().is_empty());
        assert!(bob.members().is_empty());
        bob.stop();
    }
    bob.join(&invitation);
    bob.run(&[]);
    bob.until_peers(&[&alice]);
}

#[test]
fn removed_member_is_cut_off_everywhere_and_stays_out() {
    let folder = tempfile::tempdir().unwrap();
    let [mut alice, mut bob, mut carol] = home(&folder, &[]);
    let removed = alice.json(&["network", "remove", "bob"]);
    assert_eq!(removed["node_told"], true);
    alice.until_peers(&[&carol]);
    carol.until_peers(&[&alice]);
    bob.until_peers(&[]);
    assert_eq!(carol.members(), ["alice", "carol"]);
    assert_eq!(
        bob.members(),
        ["alice", "bob", "carol"],
        "it is told nothing any more"
    );
    // It dials again, and is refused.
    alice.until_logged(&["WARN", "not a member", &bob.peer_id()]);
    assert_eq!(alice.peers(), [carol.peer_id()]);
    carol.stop();
    carol.run(&[]);
    carol.until_peers(&[&alice]);
}

#[test]
fn second_admin_takes_in_a_member_while_all_run() {
    let folder = tempfile::tempdir().unwrap();
    let [mut alice, mut bob, mut carol] = home(&folder, &[]);
    let mut dave = Person::new(&folder, "dave");
    let card = dave.card();
    let refused = bob.refused(&["network", "invite", &card]);
    assert!(
        refused.contains("no admin") && refused.contains("fix: "),
        "{refused}"
    );
    let refused = carol.refused(&["network", "invite", &card, "--admin"]);
    assert!(refused.contains("founder"), "{refused}");
    alice.invite(&[&carol], &["--admin"]);
    carol.until("it is an admin", |carol| {
        let members = carol.json(&["network", "members"]);
        let mut members = members.as_array().unwrap().iter();
        members
            .any(|it| it["name"] == "carol" && it["role"] == "admin")
            .then_some(())
    });
    let invitation = carol.invite(&[&dave], &[]);
    dave.join(&invitation);
    dave.run(&[]);
    for person in [&mut alice, &mut bob, &mut dave] {
        person.until_members(&["alice", "bob", "carol", "dave"]);
    }
    dave.until_peers(&[&alice, &bob, &carol]);
    // An admin who goes takes its signature along.
    alice.json(&["network", "remove", "carol"]);
    for person in [&mut alice, &mut bob, &mut dave] {
        person.until_members(&["alice", "bob", "dave"]);
    }
    carol.until_peers(&[]);
    let refused = alice.refused(&["network", "remove", "alice"]);
    assert!(refused.contains("founder"), "{refused}");
}

#[test]
fn lists_of_two_admins_at_once_end_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| Person::new(&folder, name));
    let [carol, dave] = ["carol", "dave"].map(|name| Person::new(&folder, name));
    alice.found(&[]);
    alice.invite(&[&bob], &["--admin"]);
    let file = folder.path().join("exported").display().to_string();
    alice.json(&["network", "export", &file]);
    bob.json(&["network", "import", &file]);
    // No node runs: neither knows of the other's change.
    let invitation = alice.invite(&[&carol], &[]);
    bob.invite(&[&dave], &[]);
    alice.run(&[]);
    let at = format!("{invitation}&at={}", alice.address().unwrap());
    bob.join(&at);
    bob.run(&[]);
    bob.until_peers(&[&alice]);
    let members = |one: &Person| one.json(&["network", "members"]);
    alice.until("both hold the same list", |alice| {
        (members(alice) == members(&bob)).then_some(())
    });
    let one_of_both = [["alice", "bob", "carol"], ["alice", "bob", "dave"]];
    assert!(one_of_both.iter().any(|names| alice.members() == *names));
}

#[test]
fn public_network_carries_addresses_that_only_members_read() {
    let folder = tempfile::tempdir().unwrap();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| Person::new(&folder, name));
    alice.found(&[]);
    alice.invite(&[&bob], &[]);
    let file = folder.path().join("exported").display().to_string();
    alice.json(&["network", "export", &file]);
    // Loaded by hand at its start.
    let config = format!("[network]\nname = \"home\"\nimport = {file:?}\n");
    fs::write(bob.folder.join("node.toml"), config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let public = runtime.block_on(TestNode::start(&[]));
    let gate = public.address.to_string();
    for (person, more) in [
        (&mut alice, &[][..]),
        (&mut bob, &["--config", "node.toml"]),
    ] {
        person.run(&[&["--bootstrap", &gate], more].concat());
        person.until_logged(&["published in the public network"]);
    }
    // Neither knew an address of the other.
    alice.until_peers(&[&bob]);
    bob.until_peers(&[&alice]);
    runtime.block_on(async {
        let left = async || {
            public
                .handle
                .peers()
                .await
                .unwrap()
                .is_empty()
                .then_some(())
        };
        until("both have left the public network", left).await;
        for person in [&alice, &bob] {
            let node_id = person.node_id().parse().unwrap();
            let found = public.handle.get(DhtKey::presence(&node_id)).await.unwrap();
            let (record, bytes) = found.best.unwrap();
            let Record::Presence(presence) = record else {
                panic!("no presence");
            };
            assert!(presence.open(&agreement(&key_of(&alice))).is_ok());
            assert!(presence.open(&agreement(&key_of(&bob))).is_ok());
            assert!(presence.open(&agreement(&key(9))).is_err());
            assert!(!String::from_utf8(bytes).unwrap().contains("127.0.0.1"));
        }
    });
}

fn key_of(person: &Person) -> SigningKey {
    cli::keyfile::open(
        person
            .folder
            .join("streembit-data/accounts")
            .join(person.name)
            .join("account.key")
            .to_str()
            .unwrap(),
    )
    .unwrap()
}

fn agreement(key: &SigningKey) -> AgreementKey {
    AgreementKey::of_account(key).unwrap()
}
