//! Two people behind separate address translators find each other, talk at once through a relay, and directly as soon as
//! a hole is punched.

use serde_json::Value;
use support::nat::{Internet, Ports, RELAY};
use support::person::Person;

/// Port of the node with a public address.
const PORT: u16 = 4001;

/// Alice, Bob, and the node that both enter the network by; nothing if this machine makes no namespaces.
fn meet(ports: Ports) -> Option<(Internet, [Person; 3])> {
    let internet = match Internet::start(ports) {
        Ok(internet) => internet,
        Err(error) => {
            eprintln!("SKIPPED: no network namespaces here (root, iproute2 and nftables): {error}");
            return None;
        }
    };
    let relay = Person::start_at_home("relay", "sb-relay", PORT, None);
    let entrance = format!("/ip4/{RELAY}/tcp/{PORT}/p2p/{}", relay.peer_id());
    let mut alice = Person::start_at_home("alice", "sb-alice", 0, Some(entrance.clone()));
    let mut bob = Person::start_at_home("bob", "sb-bob", 0, Some(entrance));
    for person in [&mut alice, &mut bob] {
        person.until(&["status"], |status| {
            let mut addresses = status["listening"].as_array()?.iter();
            let is_relayed = |address: &Value| address.as_str().unwrap().contains("/p2p-circuit");
            addresses.any(is_relayed).then_some(())
        });
    }
    alice.meet(&mut bob);
    Some((internet, [relay, alice, bob]))
}

/// Where `person` is connected to `other`.
fn way(person: &mut Person, other: &Person, is_it: impl Fn(&str) -> bool) -> String {
    let id = other.peer_id();
    person.until(&["peers"], |peers| {
        let mut peers = peers.as_array()?.iter();
        let peer = peers.find(|peer| peer["peer_id"] == id)?;
        let address = peer["address"].as_str()?;
        is_it(address).then(|| address.to_owned())
    })
}

fn talk(from: &mut Person, to: &mut Person, text: &str) {
    from.ok(&["send", to.name(), text]);
    to.until_text_is(from.name(), text, "delivered");
    from.until_text_is(to.name(), text, "delivered");
}

#[test]
fn two_homes_talk_through_a_relay_and_then_directly() {
    let Some((internet, [relay, mut alice, mut bob])) = meet(Ports::Kept) else {
        return;
    };
    alice.until_logged(&["reached through a relay", &relay.peer_id()]);
    talk(&mut alice, &mut bob, "through whatever there is");
    let way_to_bob = way(&mut alice, &bob, |address| !address.contains("p2p-circuit"));
    assert!(
        way_to_bob.starts_with("/ip4/198.51.100.20/"),
        "{way_to_bob}"
    );
    let way_to_alice = way(&mut bob, &alice, |address| !address.contains("p2p-circuit"));
    assert!(
        way_to_alice.starts_with("/ip4/198.51.100.10/"),
        "{way_to_alice}"
    );
    talk(&mut alice, &mut bob, "directly");

    // The line is cut and mended: what was said meanwhile comes.
    internet.set_line("bob", false);
    alice.ok(&["send", "bob", "while the line is cut"]);
    alice.until(&["contacts", "list"], |contacts| {
        let mut contacts = contacts.as_array()?.iter();
        contacts
            .all(|contact| contact["online"] == false)
            .then_some(())
    });
    internet.set_line("bob", true);
    bob.until_text_is("alice", "while the line is cut", "delivered");
    talk(&mut bob, &mut alice, "again");
}

/// The provider gives Bob's home another address in the middle of a talk: what was said meanwhile comes. By which way
/// is up to the routers: they remember the old connection of these ports, and may keep a direct one from being made.
#[test]
fn home_that_gets_another_address_is_found_again_p59() {
    let Some((internet, [_relay, mut alice, mut bob])) = meet(Ports::Kept) else {
        return;
    };
    way(&mut alice, &bob, |way| {
        way.starts_with("/ip4/198.51.100.20/")
    });
    talk(&mut alice, &mut bob, "at the old address");
    internet.move_home("bob", ["198.51.100.20", "198.51.100.21"]);
    alice.ok(&["send", "bob", "while he moves"]);
    bob.until_text_is("alice", "while he moves", "delivered");
    talk(&mut bob, &mut alice, "at the new address");
    way(&mut alice, &bob, |way| {
        !way.starts_with("/ip4/198.51.100.20/")
    });
}

#[test]
fn homes_whose_ports_cant_be_foretold_talk_through_the_relay() {
    let Some((_internet, [_relay, mut alice, mut bob])) = meet(Ports::Random) else {
        return;
    };
    talk(&mut alice, &mut bob, "through the relay");
    let way_to_bob = way(&mut alice, &bob, |_| true);
    assert!(way_to_bob.contains("p2p-circuit"), "{way_to_bob}");
}

/// Who has no lasting address tells its name (multicast DNS): nothing but that stands in the offer.
#[test]
fn a_name_of_the_local_network_is_enough_to_be_found() {
    let _internet = match Internet::start(Ports::Kept) {
        Ok(internet) => internet,
        Err(error) => {
            eprintln!("SKIPPED: no network namespaces here (root, iproute2 and nftables): {error}");
            return;
        }
    };
    let mut alice = Person::start_at_home("alice", "sb-relay", PORT, None);
    alice.wake_on_a_local_network(Some("alices-heating.local"));
    alice.until_logged(&["answers for its name", "alices-heating.local"]);
    let mut bob = Person::start_at_home("bob", "sb-neighbour", 0, None);
    bob.wake_on_a_local_network(None);
    let offer = alice.ok(&["contacts", "offer"])["offer"].clone();
    let offer = offer
        .as_str()
        .unwrap()
        .split("&at=")
        .next()
        .unwrap()
        .to_owned();
    let named = format!("{offer}&at=/dns4/alices-heating.local/tcp/{PORT}");
    bob.ok(&["contacts", "add", &named]);
    bob.until_contact_is("alice", "accepted");
    bob.until_logged(&["a name of the local network", "alices-heating.local", RELAY]);
    talk(&mut alice, &mut bob, "found by name");
}
