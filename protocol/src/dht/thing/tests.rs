//! Things: told by the device or by the owner that it named, by nobody else.

use keys::Algorithm;

use super::*;

const NOW: u64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn name() -> AccountName {
    "garage door".parse().unwrap()
}

fn description() -> Description {
    Description {
        serial: "4711".to_owned(),
        manufacturer: "Acme".to_owned(),
        model: "door-2".to_owned(),
        private: None,
    }
}

fn signed(signer: &SigningKey, owner: Option<&str>) -> Result<Thing, ThingError> {
    let device = Device {
        key: &key(1).public(),
        name: &name(),
        owner,
    };
    let token = sign(signer, &device, (3, description()), NOW)?;
    verify(token.as_bytes(), NOW)
}

#[test]
fn the_device_speaks_for_itself() {
    let thing = signed(&key(1), None).unwrap();
    assert_eq!(
        thing.node_id,
        keys::node_id(&key(1).public(), &name()).unwrap()
    );
    assert_eq!((thing.seq, thing.description), (3, description()));
    assert_eq!(signed(&key(2), None), Err(ThingError::Owner));
}

#[test]
fn its_owner_speaks_for_it_and_no_other() {
    let owner = name_owner(&key(1), &name(), &key(2).public(), NOW).unwrap();
    assert_eq!(
        signed(&key(2), Some(&owner)).unwrap().signer,
        key(2).public()
    );
    assert_eq!(signed(&key(3), Some(&owner)), Err(ThingError::Owner));
    // Named by another device, by itself, under another name.
    let by_other = name_owner(&key(4), &name(), &key(2).public(), NOW).unwrap();
    let by_itself = name_owner(&key(2), &name(), &key(2).public(), NOW).unwrap();
    let other_name = "front door".parse().unwrap();
    let elsewhere = name_owner(&key(1), &other_name, &key(2).public(), NOW).unwrap();
    for token in [&by_other, &by_itself, &elsewhere, "x"] {
        assert_eq!(signed(&key(2), Some(token)), Err(ThingError::Owner));
    }
}

#[test]
fn words_are_short_and_printable_l99() {
    let device = Device {
        key: &key(1).public(),
        name: &name(),
        owner: None,
    };
    for word in [
        "a".repeat(THING_WORD_BYTES_MAX + 1),
        "\u{1b}[2J".to_owned(),
        "a\nb".to_owned(),
    ] {
        let description = Description {
            model: word,
            ..description()
        };
        let refused = sign(&key(1), &device, (1, description), NOW);
        assert_eq!(refused, Err(ThingError::Bounds("model")));
    }
}
