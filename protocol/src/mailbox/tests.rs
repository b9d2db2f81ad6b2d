//! Slots: the same for both, of use to nobody else, never the same twice.

use std::collections::BTreeSet;

use keys::{Algorithm, SigningKey};

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn agreement(seed: u8) -> AgreementKey {
    AgreementKey::of_account(&key(seed)).unwrap()
}

fn node_id(seed: u8) -> NodeId {
    keys::node_id(&key(seed).public(), &"somebody".parse().unwrap()).unwrap()
}

fn way(ours: u8, theirs: u8, recipient: u8) -> Way {
    Way::new(
        &agreement(ours),
        &agreement(theirs).public(),
        &node_id(recipient),
    )
    .unwrap()
}

#[test]
fn both_contacts_compute_the_same_slots() {
    let (sender, recipient) = (way(1, 2, 2), way(2, 1, 2));
    for number in [0, 1, u64::MAX] {
        assert_eq!(
            sender.slot(number).unwrap(),
            recipient.slot(number).unwrap()
        );
    }
}

#[test]
fn slots_of_others_other_ways_and_other_numbers_are_others() {
    let mut slots = BTreeSet::new();
    for way in [way(1, 2, 2), way(1, 2, 1), way(3, 2, 2), way(1, 3, 3)] {
        for number in 0..50 {
            assert!(slots.insert(way.slot(number).unwrap()));
        }
    }
    for recipient in [1, 2] {
        for slot in public_slots(&node_id(recipient)) {
            assert!(slots.insert(slot));
        }
    }
}

#[test]
fn strangers_write_where_the_recipient_looks() {
    let slots: BTreeSet<Slot> = public_slots(&node_id(1)).collect();
    assert_eq!(slots.len(), usize::from(PUBLIC_SLOTS));
    let used: BTreeSet<Slot> = (2..200)
        .map(|seed| public_slot_of(&key(seed).public(), &node_id(1)))
        .collect();
    assert_eq!(used, slots, "all of them, by different senders");
}

#[test]
fn an_offer_has_a_slot_of_its_own() {
    let [one, other]: [OfferSecret; 2] =
        ["01", "02"].map(|byte| byte.repeat(16).try_into().unwrap());
    let slots = [
        offer_slot(&one, &node_id(1)),
        offer_slot(&other, &node_id(1)),
        offer_slot(&one, &node_id(2)),
    ];
    assert_eq!(BTreeSet::from(slots).len(), 3);
}
