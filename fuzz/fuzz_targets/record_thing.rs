//! Thing records, signed by the device or by its owner, damaged behind a good signature.
#![no_main]

use std::sync::LazyLock;

use fuzz::accounts::{Account, NOW, check, damaged};
use fuzz::choices::Choices;
use libfuzzer_sys::fuzz_target;
use protocol::dht::record::Record;
use protocol::dht::thing::{self, Description, Device};
use protocol::limits::THING_WORD_BYTES_MAX;

struct Good {
    device: Account,
    owner: Account,
    stranger: Account,
    by_device: String,
    by_owner: String,
}

static GOOD: LazyLock<Option<Good>> = LazyLock::new(|| {
    let (device, owner, stranger) = (Account::new(1)?, Account::new(2)?, Account::new(3)?);
    let description = || Description {
        serial: "SN-1".to_owned(),
        manufacturer: "Example".to_owned(),
        model: "cam-r3".to_owned(),
        private: None,
    };
    let public = device.key.public();
    let of = |owner| Device {
        key: &public,
        name: &device.name,
        owner,
    };
    let by_device = thing::sign(&device.key, &of(None), (1, description()), NOW).ok()?;
    let named = thing::name_owner(&device.key, &device.name, &owner.key.public(), NOW).ok()?;
    let by_owner = thing::sign(&owner.key, &of(Some(&named)), (2, description()), NOW).ok()?;
    Some(Good {
        device,
        owner,
        stranger,
        by_device,
        by_owner,
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Some(good) = &*GOOD else {
        panic!("the good records can't be made");
    };
    let mut choices = Choices::new(bytes);
    let (token, signer) = match choices.byte() % 4 {
        0 => (&good.by_device, &good.device),
        1 => (&good.by_owner, &good.owner),
        2 => (&good.by_device, &good.stranger),
        _ => (&good.by_owner, &good.stranger),
    };
    let token = damaged(token, &signer.key, &mut choices);
    let record = thing::verify(&token, NOW).ok();
    if let Some(record) = &record {
        // A stranger speaks for its own device at most.
        let own = keys::node_id(&good.device.key.public(), &good.device.name);
        assert!(record.signer != good.stranger.key.public() || own.ok() != Some(record.node_id));
        let words = [&record.description.serial, &record.description.model];
        assert!(words.iter().all(|word| word.len() <= THING_WORD_BYTES_MAX));
    }
    check(&token, record.map(Record::Thing));
});
