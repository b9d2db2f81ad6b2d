//! People talk: real programs on loopback, each in a folder of its own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::person::Person;
use support::programs;

const FILM_MIB: u64 = 96;

#[test]
fn two_people_meet_by_an_offer_and_read_the_same_code() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    let offer = alice.ok(&["contacts", "offer"])["offer"].clone();
    bob.ok(&["contacts", "add", offer.as_str().unwrap()]);
    alice.until_contact_is("bob", "accepted");
    bob.until_contact_is("alice", "accepted");
    let codes = [(&alice, "bob"), (&bob, "alice")]
        .map(|(person, contact)| person.ok(&["contacts", "code", contact])["code"].clone());
    assert_eq!(codes[0], codes[1]);
    assert_eq!(codes[0].as_str().unwrap().split_whitespace().count(), 12);
    let verified = alice.ok(&["contacts", "verify", "bob"]);
    assert_eq!(verified["verified"], true);

    alice.ok(&["send", "bob", "Salut Bob ☎"]);
    bob.until_text_is("alice", "Salut Bob ☎", "delivered");
    alice.until_text_is("bob", "Salut Bob ☎", "delivered");
    bob.ok(&["send", "alice", "hello Alice"]);
    alice.until_text_is("bob", "hello Alice", "delivered");
    alice.ok(&["messages", "bob", "--read"]);
    bob.until_text_is("alice", "hello Alice", "read");

    // An offer is good once.
    let mut eve = Person::start("eve", Some(&gate));
    eve.ok(&["contacts", "add", offer.as_str().unwrap()]);
    alice.until_contact_is("eve", "pending");
    let (exit, message) = eve.refused(&["send", "alice", "let me in"]);
    assert_eq!(exit, 1, "{message}");
    assert!(message.contains("alice is requested"), "{message}");
    alice.ok(&["contacts", "deny", "eve"]);
    eve.until_contact_is("alice", "denied");
}

#[test]
fn who_is_away_reads_it_later_and_knows_it_once() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    bob.kill();
    alice.ok(&["send", "bob", "first"]);
    alice.ok(&["send", "bob", "second"]);
    alice.until_text_is("bob", "first", "mailed");
    alice.until_text_is("bob", "second", "mailed");
    // Nobody is left who said it: it waits in the network.
    alice.kill();
    bob.wake();
    bob.until_text_is("alice", "first", "delivered");
    bob.until_text_is("alice", "second", "delivered");
    alice.wake();
    alice.until_text_is("bob", "first", "delivered");
    alice.until_text_is("bob", "second", "delivered");
    let texts = |entries: &Value| {
        let entries = entries.as_array().unwrap().iter();
        entries
            .filter_map(|entry| {
                entry
                    .pointer("/body/text/text")?
                    .as_str()
                    .map(str::to_owned)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&bob.ok(&["messages", "alice"])), ["first", "second"]);
}

#[test]
fn a_file_goes_on_where_it_was_cut_off() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    let film = write_film(&alice);
    alice.ok(&["files", "send", "bob", "film.bin"]);
    fetch_and_be_killed(&mut bob);
    bob.wake();
    until_film_is_there(&mut bob, &film);
}

/// A file that takes a while.
fn write_film(person: &Person) -> PathBuf {
    let film = person.path().join("film.bin");
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut file = fs::File::create(&film).unwrap();
    let mut piece = vec![0; 1 << 20];
    for _ in 0..FILM_MIB {
        noise.fill(&mut piece);
        file.write_all(&piece).unwrap();
    }
    film
}

/// Takes the film that Alice offers, until some of it is there.
fn fetch_and_be_killed(bob: &mut Person) {
    let id = bob.until_file_is_offered("alice");
    bob.ok(&["files", "accept", &id, "--to", "copy.bin"]);
    let part = bob.path().join("copy.bin.part");
    let have = |least: u64| {
        let length = fs::metadata(&part).map(|part| part.len()).ok()?;
        (length >= least).then_some(length)
    };
    bob.until(&["status"], |_| have(1 << 20));
    bob.kill();
    let before = have(0).unwrap();
    assert!(
        before < FILM_MIB << 20,
        "it was cut off on the way: {before}"
    );
}

fn until_film_is_there(bob: &mut Person, film: &Path) {
    bob.until(&["messages", "alice"], |entries| {
        let mut entries = entries.as_array()?.iter();
        entries
            .any(|entry| entry["file"]["is_complete"] == true)
            .then_some(())
    });
    let copy = fs::read(bob.path().join("copy.bin")).unwrap();
    assert!(copy == fs::read(film).unwrap());
    assert!(!bob.path().join("copy.bin.part").exists());
}

#[test]
fn neither_words_nor_secrets_can_be_read_from_disk_or_log_k75() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    alice.wake_loud();
    bob.wake_loud();
    let secret = "the combination is 4711-0815";
    alice.ok(&["send", "bob", secret]);
    bob.until_text_is("alice", secret, "delivered");
    for person in [&mut alice, &mut bob] {
        person.kill();
        for secret in [secret, programs::PASSCODE] {
            let found = programs::files_with(person.path(), secret.as_bytes());
            assert!(found.is_empty(), "{found:?}");
        }
        let log = fs::read_to_string(person.log()).unwrap();
        assert!(log.contains("DEBUG") && log.len() > 4096, "{log}");
    }
    // What is looked for would be found.
    fs::write(alice.path().join("note"), secret).unwrap();
    assert_eq!(
        programs::files_with(alice.path(), secret.as_bytes()).len(),
        1
    );
}

#[test]
fn a_new_key_is_followed_and_codes_are_compared_again() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    alice.ok(&["send", "bob", "with the old key"]);
    bob.until_text_is("alice", "with the old key", "delivered");
    let contact = |contacts: &Value| contacts.as_array().unwrap()[0].clone();
    let before = contact(&alice.ok(&["contacts", "list"]));
    assert_eq!(alice.ok(&["contacts", "verify", "bob"])["verified"], true);

    let (exit, message) = bob.refused(&["account", "rotate-key"]);
    assert!(exit == 1 && message.contains("a node runs in"), "{message}");
    bob.kill();
    let rotated = bob.ok(&["account", "rotate-key"]);
    assert_ne!(rotated["public_key"], before["public_key"]);
    bob.wake();
    let public_key = rotated["public_key"].clone();
    alice.until(&["contacts", "list"], |contacts| {
        let now = contact(contacts);
        (now["public_key"] == public_key && now["relation"] == "accepted").then_some(())
    });
    let after = contact(&alice.ok(&["contacts", "list"]));
    assert_eq!(
        (&after["id"], &after["verified"]),
        (&before["id"], &Value::Bool(false))
    );
    alice.ok(&["send", "bob", "with the new key"]);
    bob.until_text_is("alice", "with the new key", "delivered");
    // The history is his still.
    bob.until_text_is("alice", "with the old key", "delivered");
    bob.ok(&["send", "alice", "I am still I"]);
    alice.until_text_is("bob", "I am still I", "delivered");
}

#[test]
fn a_device_from_the_factory_becomes_a_contact_by_its_label() {
    let gate = Person::start("gate", None);
    let mut owner = Person::start("owner", Some(&gate));
    let mut sensor = Person::without_account("sensor", Some(&gate));
    let made = sensor.ok(&[
        "account",
        "provision",
        "--out",
        "streembit-data",
        "--name",
        "sensor",
    ]);
    sensor.wake();
    owner.ok(&["contacts", "add", made["offer"].as_str().unwrap()]);
    owner.until_contact_is("sensor", "accepted");
    sensor.until_contact_is("owner", "accepted");
    owner.ok(&["send", "sensor", "how warm is it?"]);
    sensor.until_text_is("owner", "how warm is it?", "delivered");
}

#[test]
fn an_account_moves_by_its_backup_and_passcodes_change() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    alice.kill();
    let shown = alice.ok(&["account", "export", "--to", "alice.backup"]);
    let backup = fs::read_to_string(alice.path().join("alice.backup")).unwrap();
    assert!(backup.starts_with("-----BEGIN STREEMBIT"), "{backup}");
    assert!(!backup.contains("bob"), "contacts are sealed");
    let (_, message) = alice.refused(&["account", "export", "--to", "alice.backup"]);
    assert!(message.contains("alice.backup exists already"), "{message}");

    let mut laptop = Person::without_account("alice", Some(&gate));
    fs::write(laptop.path().join("alice.backup"), &backup).unwrap();
    let imported = laptop.ok(&["account", "import", "alice.backup"]);
    assert_eq!(imported["public_key"], shown["public_key"]);
    let (_, message) = laptop.refused(&["account", "import", "alice.backup"]);
    assert!(
        message.contains("has an account \"alice\" already"),
        "{message}"
    );
    laptop.wake();
    laptop.until_contact_is("bob", "accepted");
    laptop.ok(&["send", "bob", "from the laptop"]);
    bob.until_text_is("alice", "from the laptop", "delivered");
    laptop.kill();

    let with = |passcode: &str, new: Option<&str>, args: &[&str]| {
        let mut command = programs::command("streembit", laptop.path());
        command.env("STREEMBIT_PASSCODE", passcode).args(args);
        if let Some(new) = new {
            command.env("STREEMBIT_NEW_PASSCODE", new);
        }
        command.output().unwrap()
    };
    let member = ["account", "show", "--member"];
    let new = "Quite another 7 words!";
    let weak = with(
        programs::PASSCODE,
        Some("short"),
        &["account", "change-passcode"],
    );
    assert_eq!(weak.status.code(), Some(8), "{}", programs::text(&weak));
    assert!(
        with(
            programs::PASSCODE,
            Some(new),
            &["account", "change-passcode"]
        )
        .status
        .success()
    );
    assert_eq!(
        with(programs::PASSCODE, None, &member).status.code(),
        Some(8)
    );
    assert!(with(new, None, &member).status.success());
}

#[test]
fn a_deleted_account_is_told_to_the_network_and_is_gone() {
    let gate = Person::start("gate", None);
    let mut bob = Person::start("bob", Some(&gate));
    let node_id = bob.ok(&["account", "show"])["node_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = format!("account:{node_id}");
    bob.until(&["dht", "get", &key], |found| {
        found["record"]["seq"].as_u64()
    });
    bob.kill();
    let config = ["--config", "node.toml", "--bootstrap"];
    let gate_address = gate.address();
    let delete = [&["account", "delete", "bob"][..], &config, &[&gate_address]].concat();
    let (exit, message) = bob.refused(&delete);
    assert!(exit == 2 && message.contains("--yes"), "{message}");
    bob.ok(&[&delete[..], &["--yes"]].concat());
    assert_eq!(bob.ok(&["account", "list"]), serde_json::json!([]));
    let found = gate.ok(&["dht", "get", &key]);
    let token = found["record"]["token"].as_str().unwrap();
    let record = protocol::identity::account::verify(token.as_bytes(), support::network::now());
    let status = record.unwrap().status;
    assert_eq!(status, protocol::identity::account::Status::Deleted);
}

/// `cargo xtask scenario people` shows this one: six programs, and all that the others here do one by one.
#[test]
fn scenario_of_six_programs() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    step("Alice makes an offer, Bob comes with it, and they compare codes");
    alice.meet(&mut bob);
    let codes = [(&alice, "bob"), (&bob, "alice")]
        .map(|(person, contact)| person.ok(&["contacts", "code", contact])["code"].clone());
    assert_eq!(codes[0], codes[1]);
    step("they talk");
    alice.ok(&["send", "bob", "Do you have the film?"]);
    bob.until_text_is("alice", "Do you have the film?", "delivered");
    bob.ok(&["send", "alice", "No. Send it to me."]);
    alice.until_text_is("bob", "No. Send it to me.", "delivered");
    step("Alice sends a film; Bob is killed on the way, and goes on");
    let film = write_film(&alice);
    alice.ok(&["files", "send", "bob", "film.bin"]);
    fetch_and_be_killed(&mut bob);
    bob.wake();
    until_film_is_there(&mut bob, &film);
    step("Alice writes while Bob is away; Bob reads it later");
    bob.kill();
    alice.ok(&["send", "bob", "Good night!"]);
    alice.until_text_is("bob", "Good night!", "mailed");
    step("Bob replaces his key; Alice follows without being asked");
    bob.ok(&["account", "rotate-key"]);
    bob.wake();
    bob.until_text_is("alice", "Good night!", "delivered");
    let new_key = bob.ok(&["account", "show"])["public_key"].clone();
    alice.until(&["contacts", "list"], |contacts| {
        (contacts[0]["public_key"] == new_key).then_some(())
    });

    step("Carol founds a private network and takes Dave in");
    let mut carol = Person::without_account("carol", None);
    let mut dave = Person::without_account("dave", None);
    for person in [&carol, &dave] {
        person.ok(&["account", "create", person.name()]);
    }
    carol.ok(&["network", "create", "home"]);
    carol.ok(&["network", "invite", &dave.card()]);
    carol.enter("home");
    let invitation = carol.ok(&["network", "invite"])["invitation"].clone();
    dave.ok(&["network", "join", invitation.as_str().unwrap()]);
    dave.enter("home");
    carol.until_peers_are(&[&dave]);
    step("a stranger is refused at the door");
    let mut eve = Person::start("eve", Some(&carol));
    carol.until_logged(&["WARN", "not a member", &eve.peer_id()]);
    eve.until_peers_are(&[]);
    step("Dave is removed, and cut off at once");
    carol.ok(&["network", "remove", "dave"]);
    carol.until_peers_are(&[]);
    dave.until_peers_are(&[]);
    step("all is well");
}

fn step(what: &str) {
    eprintln!("-- {what}");
}
