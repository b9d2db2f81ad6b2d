//! Requests, answers, decisions, and changes of key.

use keys::{AgreementKey, Algorithm, SigningKey};

use super::*;
use crate::identity::account::{self, Live, Moved, State};
use crate::identity::account_change;

const NOW: u64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn person(seed: u8, name: &str) -> Person {
    let key = key(seed);
    Person {
        agreement: AgreementKey::of_account(&key).unwrap().public(),
        key: key.public(),
        name: name.parse().unwrap(),
    }
}

fn secret(byte: u8) -> OfferSecret {
    hex::encode([byte; 16]).try_into().unwrap()
}

fn offer(seed: u8, name: &str) -> Offer {
    Offer {
        key: key(seed).public(),
        name: name.parse().unwrap(),
        secret: Some(secret(seed)),
        addresses: Vec::new(),
    }
}

fn relation(book: &Book, name: &str) -> Relation {
    book.find(name).unwrap().relation
}

#[test]
fn who_comes_with_an_offer_is_accepted_once() {
    let mut book = Book::default();
    book.open_offer(secret(1), NOW + 60, NOW).unwrap();
    assert_eq!(
        book.on_request(&person(2, "bob"), Some(&secret(1)), NOW),
        Verdict::Accepted
    );
    assert_eq!(relation(&book, "bob"), Relation::Accepted);
    let eve = book.on_request(&person(3, "eve"), Some(&secret(1)), NOW);
    assert_eq!(eve, Verdict::Pending { is_namesake: false });
}

#[test]
fn an_offer_ends() {
    let mut book = Book::default();
    book.open_offer(secret(1), NOW + 60, NOW).unwrap();
    let late = book.on_request(&person(2, "bob"), Some(&secret(1)), NOW + 60);
    assert_eq!(late, Verdict::Pending { is_namesake: false });
    assert_eq!(book.offers(NOW).count(), 0);
}

#[test]
fn two_who_ask_each_other_are_contacts() {
    let mut book = Book::default();
    let id = book.ask(&offer(2, "bob"), &key(1).public()).unwrap();
    assert_eq!(relation(&book, "bob"), Relation::Requested);
    assert_eq!(
        book.on_request(&person(2, "bob"), None, NOW),
        Verdict::Accepted
    );
    assert_eq!(
        book.by_id(&id).unwrap().agreement,
        Some(person(2, "bob").agreement)
    );

    // The other way round: they have asked already.
    let mut book = Book::default();
    book.on_request(&person(2, "bob"), None, NOW);
    book.ask(&offer(2, "bob"), &key(1).public()).unwrap();
    assert_eq!(relation(&book, "bob"), Relation::Accepted);
}

#[test]
fn an_answer_counts_for_who_was_asked_alone() {
    let mut book = Book::default();
    assert_eq!(book.on_answer(&person(2, "bob"), true), None);
    let id = book.ask(&offer(2, "bob"), &key(1).public()).unwrap();
    assert_eq!(book.on_answer(&person(3, "bob"), true), None);
    assert_eq!(book.on_answer(&person(2, "bob"), true), Some(id));
    assert_eq!(relation(&book, "bob"), Relation::Accepted);
    assert_eq!(book.on_answer(&person(2, "bob"), false), Some(id));
    assert_eq!(relation(&book, "bob"), Relation::Denied);
    // No change of mind afterwards.
    assert_eq!(book.on_answer(&person(2, "bob"), true), None);
}

#[test]
fn decisions_need_something_to_decide() {
    let mut book = Book::default();
    book.on_request(&person(2, "bob"), None, NOW);
    let id = book.find("bob").unwrap().id;
    book.decide(&id, Relation::Accepted).unwrap();
    assert!(matches!(
        book.decide(&id, Relation::Denied),
        Err(BookError::Relation {
            relation: Relation::Accepted,
            ..
        })
    ));
    book.decide(&id, Relation::Blocked).unwrap();
    assert_eq!(
        book.on_request(&person(2, "bob"), None, NOW),
        Verdict::Ignored
    );
    book.remove(&id);
    assert_eq!(book.find("bob"), Err(BookError::Unknown("bob".into())));
    assert_eq!(
        book.decide(&id, Relation::Blocked),
        Err(BookError::Unknown(id.to_string()))
    );
}

#[test]
fn a_namesake_is_another_contact_and_said_to_be() {
    let mut book = Book::default();
    book.ask(&offer(2, "bob"), &key(1).public()).unwrap();
    let verdict = book.on_request(&person(3, "bob"), None, NOW);
    assert_eq!(verdict, Verdict::Pending { is_namesake: true });
    assert!(matches!(book.find("bob"), Err(BookError::Ambiguous { ids, .. }) if ids.len() == 2));
    let id = book.by_key(&key(3).public()).unwrap().id;
    for text in [id.to_string(), id.account_id(), key(3).public().to_hex()] {
        assert_eq!(book.find(&text).unwrap().id, id);
    }
}

#[test]
fn strangers_make_room_for_each_other_and_for_nobody_else() {
    let mut book = Book::default();
    book.ask(&offer(1, "bob"), &key(99).public()).unwrap();
    for seed in 2..=u8::try_from(STRANGERS_MAX).unwrap() + 2 {
        book.on_request(&person(seed, &format!("stranger {seed}")), None, NOW);
    }
    assert_eq!(book.contacts().len(), STRANGERS_MAX + 1);
    assert_eq!(relation(&book, "bob"), Relation::Requested);
    assert!(book.find("stranger 2").is_err());
    assert!(book.find("stranger 3").is_ok());
}

#[test]
fn offers_are_bounded_and_oneself_is_no_contact() {
    let mut book = Book::default();
    for byte in 0..OFFERS_MAX {
        let byte = u8::try_from(byte).unwrap();
        book.open_offer(secret(byte), NOW + 60, NOW).unwrap();
    }
    assert_eq!(
        book.open_offer(secret(255), NOW + 60, NOW),
        Err(BookError::Full(OFFERS_MAX))
    );
    // Those that ended make room.
    book.open_offer(secret(255), NOW + 120, NOW + 60).unwrap();
    assert_eq!(
        book.ask(&offer(1, "me"), &key(1).public()),
        Err(BookError::Ourselves)
    );
}

fn record(seed: u8, name: &str, state: State) -> AccountRecord {
    let token = account::sign_state(&key(seed), &name.parse().unwrap(), (1, state), NOW);
    account::verify(token.unwrap().as_bytes(), NOW).unwrap()
}

/// Alive under a key, with a change from another key to it.
fn successor(old: u8, new: u8, name: &str) -> State {
    let name: AccountName = name.parse().unwrap();
    let scope = keys::node_id(&key(old).public(), &name).unwrap();
    let change = account_change::sign(&key(old), scope.as_bytes(), &key(new).public(), NOW);
    let agreement = AgreementKey::of_account(&key(new)).unwrap().public();
    let changes = vec![change.unwrap()];
    State::Live(Box::new(Live { agreement, changes }))
}

#[test]
fn a_change_of_key_is_followed_by_its_chain_alone() {
    let mut book = Book::default();
    let id = book.ask(&offer(2, "bob"), &key(1).public()).unwrap();
    book.by_id_mut(&id).unwrap().is_verified = true;

    let live = record(2, "bob", State::live(&key(2)).unwrap());
    assert_eq!(book.follow(&id, &live), Ok(false));
    let successor_key = key(3).public().to_hex();
    let moved = record(
        2,
        "bob",
        State::Moved(Moved {
            successor: successor_key,
        }),
    );
    assert_eq!(book.follow(&id, &moved), Ok(false));
    assert!(book.by_id(&id).unwrap().is_verified);

    // A key that nobody named, and one that another account named.
    for other in [
        record(3, "bob", State::live(&key(3)).unwrap()),
        record(3, "bob", successor(4, 3, "bob")),
    ] {
        let error = BookError::Unfollowed("bob".parse().unwrap());
        assert_eq!(book.follow(&id, &other), Err(error));
    }
    let next = record(3, "bob", successor(2, 3, "bob"));
    assert_eq!(book.follow(&id, &next), Ok(true));
    let contact = book.find("bob").unwrap();
    assert_eq!((&contact.key, contact.id), (&key(3).public(), id));
    assert!(!contact.is_verified);
    assert_eq!(book.find(&contact.node_id().to_string()).unwrap().id, id);

    // The old key is heard no more.
    let stolen = record(2, "bob", State::live(&key(2)).unwrap());
    assert!(book.follow(&id, &stolen).is_err());
    let deleted = record(3, "bob", State::Deleted);
    assert_eq!(
        book.follow(&id, &deleted),
        Err(BookError::Deleted("bob".parse().unwrap()))
    );
}

#[test]
fn survives_writing_and_reading() {
    let mut book = Book::default();
    book.open_offer(secret(1), NOW + 60, NOW).unwrap();
    book.on_request(&person(2, "bob"), None, NOW);
    let text = serde_json::to_string(&book).unwrap();
    assert_eq!(serde_json::from_str::<Book>(&text).unwrap(), book);
}

#[test]
fn mail_that_was_missed_is_looked_for_until_it_is_found_or_counted() {
    let mut book = Book::default();
    book.on_request(&person(2, "bob"), None, NOW);
    let mut bob = book.find("bob").unwrap().clone();
    let wanted = |bob: &Contact| bob.mails_to_look_for(2).collect::<Vec<_>>();
    assert_eq!(wanted(&bob), [0, 1]);
    bob.mail_came(2);
    assert_eq!(wanted(&bob), [0, 1, 3, 4]);
    bob.mail_came(1);
    bob.mail_came(1);
    assert_eq!(wanted(&bob), [0, 3, 4]);
    // A contact that skips numbers costs no more than a few look-ups.
    bob.mail_came(u64::MAX - 1);
    assert_eq!(bob.missed_mails.len(), crate::limits::MISSED_MAILS_MAX);
    assert_eq!(bob.missed_mails.last(), Some(&(u64::MAX - 2)));
    bob.mails_were_counted(7);
    assert!(wanted(&bob).is_empty());
}
