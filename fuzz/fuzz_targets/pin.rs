//! The device pin: as it is, and made from a root whose signed part is the input.
#![no_main]

use std::time::Duration;

use fuzz::repository::key;
use libfuzzer_sys::fuzz_target;
use manifests::name::Name;
use manifests::pin::Pin;
use manifests::{author, json};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pin) = Pin::parse(bytes) {
        round_trip(&pin);
    }
    // A pin holds the hash of its root and the root its own signatures: no fuzzer guesses those.
    let Ok(signed) = json::parse(bytes) else {
        return;
    };
    let root = author::sign(signed, &[&key("root-a"), &key("p256-root-b")]);
    let (Ok(product), Ok(channel)) = (Name::parse("cam"), Name::parse("stable")) else {
        return;
    };
    if let Ok(pin) = Pin::new(&root, product, channel, Duration::from_secs(86_400)) {
        round_trip(&pin);
    }
});

fn round_trip(pin: &Pin) {
    match Pin::parse(&pin.encode()) {
        Ok(again) => assert_eq!(again, *pin),
        Err(error) => panic!("own pin is refused: {error}"),
    }
}
