//! Mail, sealed and taken, damaged behind a good signature of the sender or the recipient.
#![no_main]

use std::sync::LazyLock;

use fuzz::accounts::{Account, NOW, Rng, check, damaged};
use fuzz::choices::Choices;
use libfuzzer_sys::fuzz_target;
use protocol::dht::mail::{self, Slot};
use protocol::dht::record::Record;

struct Good {
    sender: Account,
    recipient: Account,
    sealed: String,
    taken: String,
}

static GOOD: LazyLock<Option<Good>> = LazyLock::new(|| {
    let (sender, recipient) = (Account::new(1)?, Account::new(2)?);
    let node_id = keys::node_id(&recipient.key.public(), &recipient.name).ok()?;
    let slot = Slot([7; 32]);
    let to = (&node_id, &recipient.agreement.public());
    let sealed = mail::sign(&sender.key, to, slot, b"hello", (NOW, &mut Rng::new(1))).ok()?;
    let taken = mail::take(&recipient.key, &recipient.name, Slot([7; 32]), NOW).ok()?;
    Some(Good {
        sender,
        recipient,
        sealed,
        taken,
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Some(good) = &*GOOD else {
        panic!("the good mail can't be made");
    };
    let mut choices = Choices::new(bytes);
    let (token, signer) = match choices.byte() % 4 {
        0 => (&good.sealed, &good.sender),
        1 => (&good.taken, &good.recipient),
        2 => (&good.sealed, &good.recipient),
        // Only the recipient takes mail away.
        _ => (&good.taken, &good.sender),
    };
    let token = damaged(token, &signer.key, &mut choices);
    let record = mail::verify(&token, NOW).ok();
    if let Some(record) = &record {
        let opened = record.open(&good.recipient.agreement);
        assert!(!record.is_taken() || opened.is_err());
        assert!(record.open(&good.sender.agreement).is_err());
        if record.is_taken() {
            let node_id = keys::node_id(&record.signer, &signer.name);
            assert!(node_id.is_ok());
        }
    }
    check(&token, record.map(Record::Mail));
});
