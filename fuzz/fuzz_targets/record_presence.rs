//! Presences, damaged behind a good signature, and their sealed addresses opened by who may and who may not.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use fuzz::accounts::{Account, NOW, Rng, check, damaged};
use fuzz::choices::Choices;
use libfuzzer_sys::fuzz_target;
use protocol::dht::presence::{self, Announcement};
use protocol::dht::record::Record;
use protocol::limits::{ADDRESS_BYTES_MAX, PRESENCE_ADDRESSES_MAX};

struct Good {
    account: Account,
    reader: Account,
    stranger: Account,
    token: String,
}

static GOOD: LazyLock<Option<Good>> = LazyLock::new(|| {
    let (account, reader, stranger) = (Account::new(1)?, Account::new(2)?, Account::new(3)?);
    let announcement = Announcement {
        name: &account.name,
        seq: 1,
        addresses: &["/ip4/198.51.100.7/tcp/4001".to_owned()],
        readers: &[reader.agreement.public()],
        life: Duration::from_secs(3600),
    };
    let token = presence::sign(&account.key, &announcement, NOW, &mut Rng::new(1)).ok()?;
    Some(Good {
        account,
        reader,
        stranger,
        token,
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Some(good) = &*GOOD else {
        panic!("the good presence can't be made");
    };
    let mut choices = Choices::new(bytes);
    let token = damaged(&good.token, &good.account.key, &mut choices);
    let record = presence::verify(&token, NOW).ok();
    if let Some(record) = &record {
        assert!(record.open(&good.stranger.agreement).is_err());
        if let Ok(addresses) = record.open(&good.reader.agreement) {
            assert!((1..=PRESENCE_ADDRESSES_MAX).contains(&addresses.len()));
            assert!(
                addresses
                    .iter()
                    .all(|address| address.len() <= ADDRESS_BYTES_MAX)
            );
        }
    }
    check(&token, record.map(Record::Presence));
});
