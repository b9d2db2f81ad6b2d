//! Offers, and the book of contacts as it lies on the disk: what is read is written again as it was, and lives with
//! whatever happens next.
#![no_main]

use std::sync::LazyLock;

use keys::{AgreementKey, Algorithm, NodeId, SigningKey};
use libfuzzer_sys::fuzz_target;
use protocol::contacts::book::Book;
use protocol::contacts::contact::Person;
use protocol::contacts::offer::Offer;
use protocol::limits::{CONTACTS_MAX, MISSED_MAILS_MAX, OFFER_BYTES_MAX};

const NOW: u64 = 1_800_000_000;
static STRANGER: LazyLock<Option<Person>> = LazyLock::new(|| {
    let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).ok()?;
    Some(Person {
        key: key.public(),
        name: "eve".parse().ok()?,
        agreement: AgreementKey::of_account(&key).ok()?.public(),
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let Some(stranger) = &*STRANGER else {
        panic!("the stranger can't be made");
    };
    if let Ok(offer) = text.parse::<Offer>() {
        assert!(text.trim().len() <= OFFER_BYTES_MAX);
        let written = offer.to_string();
        assert_eq!(written.parse::<Offer>().as_ref(), Ok(&offer));
        let mut book = Book::default();
        if let Ok(id) = book.ask(&offer, &stranger.key) {
            assert_eq!(
                book.by_id(&id).map(|contact| &contact.key),
                Some(&offer.key)
            );
        }
    }
    let Ok(mut book) = serde_json::from_str::<Book>(text) else {
        return;
    };
    let written = serde_json::to_string(&book).unwrap_or_default();
    assert_eq!(
        serde_json::from_str::<Book>(&written).ok().as_ref(),
        Some(&book)
    );
    let before = book.contacts().len();
    book.on_request(stranger, None, NOW);
    assert!(book.contacts().len() <= before.max(CONTACTS_MAX) + 1);
    let ids: Vec<NodeId> = book.contacts().iter().map(|contact| contact.id).collect();
    for id in ids {
        if let Some(contact) = book.by_id_mut(&id) {
            let next = contact.next_mail_in;
            contact.mail_came(next.wrapping_add(3));
            assert!(contact.missed_mails.len() <= MISSED_MAILS_MAX);
        }
    }
});
