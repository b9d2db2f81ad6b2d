//! DHT records: the bytes as they are, and claims from the input under a good signature.
#![no_main]

use std::sync::LazyLock;

use keys::{Algorithm, SigningKey};
use libfuzzer_sys::fuzz_target;
use protocol::dht::key::DhtKey;
use protocol::dht::record::{self, Record, RecordError};
use protocol::dht::release_head;
use protocol::identity::account;
use protocol::jose::jws;
use protocol::limits::RECORD_TTL_MAX;
use serde_json::Value;

const NOW: u64 = 1_800_000_000;
static KEY: LazyLock<Option<SigningKey>> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::P256, &[1; 32]).ok());

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // Claims are reached behind a signature only.
    let (Ok(claims), Some(key)) = (serde_json::from_slice::<jws::Claims<Value>>(bytes), &*KEY)
    else {
        return;
    };
    for typ in [account::TYP, release_head::TYP] {
        if let Ok(token) = jws::sign(key, typ, claims.clone()) {
            check(token.as_bytes());
        }
    }
});

fn check(token: &[u8]) {
    let elsewhere = DhtKey::blob(&[0; 32]);
    let misplaced = record::verify(&elsewhere, token, NOW);
    assert!(misplaced.is_err());
    let record = account::verify(token, NOW).map(Record::Account).ok();
    let head = release_head::verify(token, NOW)
        .map(Record::ReleaseHead)
        .ok();
    assert!(record.is_none() || head.is_none());
    let Some(record) = record.or(head) else {
        assert_ne!(misplaced, Err(RecordError::Key));
        return;
    };
    assert_eq!(misplaced, Err(RecordError::Key));
    assert_eq!(
        record::verify(&record.key(), token, NOW).as_ref(),
        Ok(&record)
    );
    let drop_at = record.drop_at(NOW);
    assert!(drop_at > NOW && drop_at <= NOW + RECORD_TTL_MAX.as_secs());
    assert!(!record.replaces(&record));
}
