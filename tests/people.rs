//! People talk: real programs on loopback, each in a folder of its own.

use std::fs;
use std::io::Write as _;

use serde_json::Value;
use support::person::Person;
use support::programs;

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
    let film = alice.path().join("film.bin");
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut file = fs::File::create(&film).unwrap();
    let mut piece = vec![0; 1 << 20];
    for _ in 0..96 {
        noise.fill(&mut piece);
        file.write_all(&piece).unwrap();
    }
    drop(file);
    alice.ok(&["files", "send", "bob", "film.bin"]);
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
    assert!(before < 96 << 20, "it was cut off on the way: {before}");
    bob.wake();
    bob.until(&["messages", "alice"], |entries| {
        let mut entries = entries.as_array()?.iter();
        entries
            .any(|entry| entry["file"]["is_complete"] == true)
            .then_some(())
    });
    let copy = fs::read(bob.path().join("copy.bin")).unwrap();
    assert!(copy == fs::read(&film).unwrap());
    assert!(!part.exists());
}

#[test]
fn what_was_said_cannot_be_read_from_the_disk() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    let secret = "the combination is 4711-0815";
    alice.ok(&["send", "bob", secret]);
    bob.until_text_is("alice", secret, "delivered");
    for person in [&mut alice, &mut bob] {
        person.kill();
        let found = programs::files_with(person.path(), secret.as_bytes());
        assert!(found.is_empty(), "{found:?}");
    }
    // What is looked for would be found.
    fs::write(alice.path().join("note"), secret).unwrap();
    assert_eq!(
        programs::files_with(alice.path(), secret.as_bytes()).len(),
        1
    );
}
