//! Tests of the rules for records: every way in which an account or a release head is refused.

use std::cell::Cell;

use keys::{AccountName, Algorithm, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::exchange::tree::Blob;
use crate::jose::jws::{Claims, JwsError, TimeError};
use crate::limits::{
    ACCOUNT_LIFE_MAX, CATALOG_BYTES_MAX, CLOCK_SKEW, HEAD_ROOT_BYTES_MAX, HEAD_TIMESTAMP_BYTES_MAX,
};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn account_key(signer: &SigningKey, text: &str) -> DhtKey {
    DhtKey::account(&keys::node_id(&signer.public(), &name(text)).unwrap())
}

fn account(signer: &SigningKey, seq: u64, now: u64) -> Vec<u8> {
    account::sign(signer, &name("alice"), seq, now)
        .unwrap()
        .into_bytes()
}

/// Root version 1 that names the account of `signer`.
fn root(signer: &SigningKey) -> String {
    let account = signer.public().to_hex();
    json!({"signed": {"_type": "root", "version": 1, "x-streembit-account": account}}).to_string()
}

fn publisher_id(root: &str) -> [u8; 32] {
    Sha256::digest(root.as_bytes()).into()
}

fn head_key(signer: &SigningKey, channel: &str) -> DhtKey {
    DhtKey::release_head(&publisher_id(&root(signer)), channel)
}

fn head(signer: &SigningKey, seq: u64) -> Vec<u8> {
    let catalog = Blob {
        root: [7; 32],
        size: 1_000,
    };
    let content = release_head::HeadContent {
        channel: "stable",
        seq,
        expires: NOW + 30 * DAY,
        root: &root(signer),
        timestamp: "{}",
        catalog,
        account_changes: &[],
    };
    release_head::sign(signer, &content, NOW)
        .unwrap()
        .into_bytes()
}

/// The claims of a good head as JSON, for forging.
fn head_claims(signer: &SigningKey) -> Claims<Value> {
    let root = root(signer);
    Claims {
        iss: String::new(),
        sub: hex::encode(publisher_id(&root)),
        aud: "stable".to_owned(),
        iat: NOW,
        exp: NOW + 30 * DAY,
        jti: "3".to_owned(),
        data: json!({
            "seq": 3,
            "root": root,
            "timestamp": "{}",
            "catalog_blake3": "07".repeat(32),
            "catalog_size": 1_000,
        }),
    }
}

/// Good claims, changed, signed by `signer` and offered under the key that belongs to them.
fn offer_head(
    signer: &SigningKey,
    change: impl FnOnce(&mut Claims<Value>),
) -> Result<Record, RecordError> {
    let mut claims = head_claims(signer);
    change(&mut claims);
    let publisher = publisher_id(claims.data["root"].as_str().unwrap_or_default());
    let key = DhtKey::release_head(&publisher, &claims.aud);
    let token = jws::sign(signer, release_head::TYP, claims).unwrap();
    verify(&key, token.as_bytes(), NOW)
}

fn offer_account(change: impl FnOnce(&mut Claims<Value>)) -> Result<Record, RecordError> {
    let node_id = keys::node_id(&key(1).public(), &name("alice")).unwrap();
    let mut claims = Claims {
        iss: String::new(),
        sub: node_id.to_string(),
        aud: "dht".to_owned(),
        iat: NOW,
        exp: NOW + 30 * DAY,
        jti: "3".to_owned(),
        data: json!({"name": "alice", "seq": 3, "state": account::State::live(&key(1)).unwrap()}),
    };
    change(&mut claims);
    let token = jws::sign(&key(1), account::TYP, claims).unwrap();
    verify(&account_key(&key(1), "alice"), token.as_bytes(), NOW)
}

fn head_error(error: HeadError) -> Result<Record, RecordError> {
    Err(RecordError::ReleaseHead(error))
}

fn account_error(error: AccountError) -> Result<Record, RecordError> {
    Err(RecordError::Account(error))
}

#[test]
fn keys_are_the_hashes_of_the_table() {
    let node_id = keys::node_id(&key(1).public(), &name("alice")).unwrap();
    let hash = |parts: &[&[u8]]| <[u8; 32]>::from(Sha256::digest(parts.concat()));
    assert_eq!(
        account_key(&key(1), "alice").as_bytes(),
        &hash(&[b"account", node_id.as_bytes()])
    );
    assert_eq!(
        DhtKey::release_head(&[5; 32], "stable").as_bytes(),
        &hash(&[b"release", &[5; 32], b"stable"])
    );
    assert_eq!(
        DhtKey::blob(&[5; 32]).as_bytes(),
        &hash(&[b"blob", &[5; 32]])
    );
    assert_eq!(DhtKey::from_slice(&[1; 31]), None);
    assert_eq!(DhtKey::from_slice(&[1; 33]), None);
}

#[test]
fn accepts_an_account_under_its_key() {
    let record = verify(
        &account_key(&key(1), "alice"),
        &account(&key(1), 4, NOW),
        NOW,
    )
    .unwrap();
    assert_eq!(record.seq(), 4);
    assert_eq!(record.signer(), &key(1).public());
    assert_eq!(record.key(), account_key(&key(1), "alice"));
    let Record::Account(account) = record else {
        panic!("not an account");
    };
    assert_eq!(account.name.as_str(), "alice");
    assert!(offer_account(|_| ()).is_ok());
}

#[test]
fn accepts_a_release_head_under_its_key() {
    let record = verify(&head_key(&key(1), "stable"), &head(&key(1), 9), NOW).unwrap();
    assert_eq!(record.seq(), 9);
    assert_eq!(record.signer(), &key(1).public());
    assert_eq!(record.key(), head_key(&key(1), "stable"));
    let Record::ReleaseHead(head) = record else {
        panic!("not a head");
    };
    assert_eq!(head.publisher_id, publisher_id(&root(&key(1))));
    assert_eq!(
        (head.channel.as_str(), head.timestamp),
        ("stable", b"{}".to_vec())
    );
    assert_eq!((head.catalog.root, head.catalog.size), ([7; 32], 1_000));
    assert!(offer_head(&key(1), |_| ()).is_ok());
}

#[test]
fn refuses_a_record_under_another_key_h64() {
    let (account, head) = (account(&key(1), 1, NOW), head(&key(1), 1));
    let other_node = account_key(&key(2), "alice");
    let other_name = account_key(&key(1), "bob");
    let other_channel = head_key(&key(1), "beta");
    let other_publisher = head_key(&key(2), "stable");
    for key in [other_node, other_name, other_channel, other_publisher] {
        assert_eq!(verify(&key, &account, NOW), Err(RecordError::Key));
        assert_eq!(verify(&key, &head, NOW), Err(RecordError::Key));
    }
    let swapped = verify(&head_key(&key(1), "stable"), &account, NOW);
    assert_eq!(swapped, Err(RecordError::Key));
}

#[test]
fn refuses_a_head_signed_by_another_account_than_root_names_h64() {
    // Mallory copies the publisher's root, so the publisher id and the key stay the same.
    let stolen = root(&key(1));
    let result = offer_head(&key(2), |claims| {
        claims.sub = hex::encode(publisher_id(&stolen));
        claims.data["root"] = json!(stolen);
    });
    assert_eq!(result, head_error(HeadError::Account));
    // Naming Mallory in the root makes another publisher, under another key.
    let root = root(&key(1)).replace(&key(1).public().to_hex(), &key(2).public().to_hex());
    let mut claims = head_claims(&key(2));
    claims.sub = hex::encode(publisher_id(&root));
    claims.data["root"] = json!(root);
    let token = jws::sign(&key(2), release_head::TYP, claims).unwrap();
    let result = verify(&head_key(&key(1), "stable"), token.as_bytes(), NOW);
    assert_eq!(result, Err(RecordError::Key));
}

#[test]
fn refuses_a_head_whose_root_text_was_changed_h64() {
    let spaced = root(&key(1)).replacen(':', ": ", 1);
    let mut claims = head_claims(&key(1));
    claims.data["root"] = json!(spaced);
    let sign = |claims| jws::sign(&key(1), release_head::TYP, claims).unwrap();
    let key = head_key(&key(1), "stable");
    // The old publisher id does not follow from the new text; the new one lies under another key.
    let result = verify(&key, sign(claims.clone()).as_bytes(), NOW);
    assert_eq!(result, head_error(HeadError::Claims));
    claims.sub = hex::encode(publisher_id(&spaced));
    let result = verify(&key, sign(claims).as_bytes(), NOW);
    assert_eq!(result, Err(RecordError::Key));
}

#[test]
fn refuses_heads_whose_root_names_no_account() {
    let account = key(1).public().to_hex();
    for root in [
        String::new(),
        "{".to_owned(),
        "{}".to_owned(),
        json!({ "x-streembit-account": account }).to_string(),
        json!({"signed": {}}).to_string(),
        json!({"signed": {"x-streembit-account": account.to_uppercase()}}).to_string(),
        json!({"signed": {"x-streembit-account": [account]}}).to_string(),
        format!(
            r#"{{"signed":{{"x-streembit-account":"{}","x-streembit-account":"{account}"}}}}"#,
            key(2).public().to_hex()
        ),
        format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)),
    ] {
        let result = offer_head(&key(1), |claims| {
            claims.sub = hex::encode(publisher_id(&root));
            claims.data["root"] = json!(root);
        });
        assert_eq!(result, head_error(HeadError::Account), "{root}");
    }
}

#[test]
fn refuses_expired_future_and_long_lived_records_c90() {
    let skew = CLOCK_SKEW.as_secs();
    for (iat, exp, error) in [
        (NOW - DAY, NOW, TimeError::Expired(NOW)),
        (NOW - DAY, 0, TimeError::Expired(0)),
        (NOW + skew + 1, NOW + DAY, TimeError::Future(NOW + skew + 1)),
        (u64::MAX, u64::MAX, TimeError::Future(u64::MAX)),
    ] {
        let times = |claims: &mut Claims<Value>| (claims.iat, claims.exp) = (iat, exp);
        let expected = account_error(AccountError::Time(error.clone()));
        assert_eq!(offer_account(times), expected);
        let expected = head_error(HeadError::Time(error));
        assert_eq!(offer_head(&key(1), times), expected);
    }
    let life = Cell::new(ACCOUNT_LIFE_MAX.as_secs());
    let times = |claims: &mut Claims<Value>| claims.exp = claims.iat + life.get();
    assert!(offer_account(times).is_ok());
    life.set(life.get() + 1);
    assert!(matches!(
        offer_account(times),
        Err(RecordError::Account(AccountError::Time(
            TimeError::Life { .. }
        )))
    ));
    life.set(HEAD_LIFE_MAX.as_secs());
    assert!(offer_head(&key(1), times).is_ok());
    life.set(life.get() + 1);
    assert!(matches!(
        offer_head(&key(1), times),
        Err(RecordError::ReleaseHead(HeadError::Time(
            TimeError::Life { .. }
        )))
    ));
}

#[test]
fn refuses_members_of_a_head_out_of_bounds() {
    let long_root = json!({"signed": {"x-streembit-account": key(1).public().to_hex(),
        "x": "x".repeat(HEAD_ROOT_BYTES_MAX)}})
    .to_string();
    let long_timestamp = "x".repeat(HEAD_TIMESTAMP_BYTES_MAX + 1);
    for (member, value, named) in [
        ("root", json!(long_root), "root"),
        ("timestamp", json!(long_timestamp), "timestamp"),
        ("catalog_size", json!(0), "catalog_size"),
        ("catalog_size", json!(CATALOG_BYTES_MAX + 1), "catalog_size"),
        ("catalog_size", json!(u64::MAX), "catalog_size"),
        ("catalog_blake3", json!("AB".repeat(32)), "catalog_blake3"),
        ("catalog_blake3", json!("07".repeat(31)), "catalog_blake3"),
        ("catalog_blake3", json!("zz".repeat(32)), "catalog_blake3"),
        ("catalog_blake3", json!(""), "catalog_blake3"),
    ] {
        let result = offer_head(&key(1), |claims| claims.data[member] = value);
        assert_eq!(result, head_error(HeadError::Bounds(named)));
    }
    let largest = offer_head(&key(1), |claims| {
        claims.data["catalog_size"] = json!(CATALOG_BYTES_MAX);
    });
    assert!(largest.is_ok());
    let long = "c".repeat(129);
    for channel in ["", "a/b", "..", ".hidden", "-x", "é", "a b", "a\0", &long] {
        let result = offer_head(&key(1), |claims| claims.aud = channel.to_owned());
        assert_eq!(result, head_error(HeadError::Bounds("aud")), "{channel}");
    }
}

#[test]
fn the_largest_root_fits_the_record_with_a_timestamp_of_one_signature() {
    // Every twelfth byte a quote, as in metadata full of hex; each takes two bytes in the record.
    let filler = |length: usize| "\"xxxxxxxxxxx".repeat(length / 12);
    let mut document: Value = serde_json::from_str(&root(&key(1))).unwrap();
    document["signed"]["x"] = json!(filler(HEAD_ROOT_BYTES_MAX));
    let mut root = document.to_string();
    while root.len() > HEAD_ROOT_BYTES_MAX {
        let cut = document["signed"]["x"].as_str().unwrap()[12..].to_owned();
        document["signed"]["x"] = json!(cut);
        root = document.to_string();
    }
    assert!(root.len() > HEAD_ROOT_BYTES_MAX - 24);
    let sign = |timestamp: &str| {
        let content = release_head::HeadContent {
            channel: "stable",
            seq: u64::MAX,
            expires: NOW + 30 * DAY,
            root: &root,
            timestamp,
            catalog: Blob {
                root: [7; 32],
                size: CATALOG_BYTES_MAX,
            },
            account_changes: &[],
        };
        release_head::sign(&key(1), &content, NOW)
    };
    assert!(sign(&filler(600)).is_ok());
    // Both at their bounds are too much, and the publisher is told what to shorten.
    let both = sign(&filler(HEAD_TIMESTAMP_BYTES_MAX));
    assert_eq!(both, Err(HeadError::Bounds("root and timestamp")));
}

#[test]
fn refuses_claims_that_do_not_follow_from_the_content() {
    type Change = fn(&mut Claims<Value>);
    let changes: [Change; 5] = [
        |claims| claims.sub = "00".repeat(32),
        |claims| claims.sub = claims.sub.to_uppercase(),
        |claims| claims.jti = "03".to_owned(),
        |claims| claims.jti = "4".to_owned(),
        |claims| claims.data["seq"] = json!(4),
    ];
    for change in changes {
        let expected = account_error(AccountError::Claims);
        assert_eq!(offer_account(change), expected);
        let expected = head_error(HeadError::Claims);
        assert_eq!(offer_head(&key(1), change), expected);
    }
    let other_audience = offer_account(|claims| claims.aud = "DHT".to_owned());
    assert_eq!(other_audience, account_error(AccountError::Claims));
    let other_name = offer_account(|claims| claims.data["name"] = json!("mallory"));
    assert_eq!(other_name, account_error(AccountError::Claims));
    for bad in ["", " alice", "a\u{7}lice", &"a".repeat(65)] {
        let result = offer_account(|claims| claims.data["name"] = json!(bad));
        assert_eq!(result, account_error(AccountError::Name), "{bad:?}");
    }
    let extra = |claims: &mut Claims<Value>| claims.data["extra"] = json!(1);
    assert!(matches!(
        offer_account(extra),
        Err(RecordError::Account(AccountError::Jws(JwsError::Claims(_))))
    ));
    assert!(matches!(
        offer_head(&key(1), extra),
        Err(RecordError::ReleaseHead(HeadError::Jws(JwsError::Claims(
            _
        ))))
    ));
}

#[test]
fn refuses_unknown_kinds_and_huge_values_h64() {
    let claims = head_claims(&key(1));
    let lie_under = head_key(&key(1), "stable");
    for typ in ["", "JWT", "streembit-presences", "STREEMBIT-ACCOUNT"] {
        let token = jws::sign(&key(1), typ, claims.clone()).unwrap();
        let result = verify(&lie_under, token.as_bytes(), NOW);
        assert_eq!(result, Err(RecordError::Kind), "{typ}");
    }
    for length in [RECORD_BYTES_MAX + 1, 65 * 1024] {
        let value = vec![b'e'; length];
        let result = verify(&lie_under, &value, NOW);
        assert_eq!(result, Err(RecordError::TooLong(length)));
    }
    // A kind's own bound holds below that of all records.
    let long_name = offer_account(|claims| {
        claims.data["name"] = json!("x".repeat(ACCOUNT_RECORD_BYTES_MAX * 3 / 4));
    });
    let shape = AccountError::Jws(JwsError::Shape);
    assert_eq!(long_name, account_error(shape));
    // The claims of one kind under the `typ` of the other.
    let token = jws::sign(&key(1), account::TYP, claims).unwrap();
    assert!(matches!(
        verify(&lie_under, token.as_bytes(), NOW),
        Err(RecordError::Account(AccountError::Jws(JwsError::Claims(_))))
    ));
}

#[test]
fn a_flipped_byte_of_a_record_is_refused_h64() {
    for (key, value) in [
        (account_key(&key(1), "alice"), account(&key(1), 1, NOW)),
        (head_key(&key(1), "stable"), head(&key(1), 1)),
    ] {
        for index in 0..value.len() {
            let mut value = value.clone();
            value[index] ^= 1;
            assert!(verify(&key, &value, NOW).is_err(), "{index}");
        }
    }
}

#[test]
fn only_a_higher_sequence_replaces_p56() {
    let key = key(1);
    let read = |seq| verify(&head_key(&key, "stable"), &head(&key, seq), NOW).unwrap();
    let lie_under = account_key(&key, "alice");
    let read_account = |seq, now| verify(&lie_under, &account(&key, seq, now), NOW).unwrap();
    for (offered, stored, replaces) in [
        (2, 1, true),
        (u64::MAX, u64::MAX - 1, true),
        (1, 1, false),
        (1, 2, false),
        (0, u64::MAX, false),
    ] {
        assert_eq!(read(offered).replaces(&read(stored)), replaces);
        let (offered, stored) = (read_account(offered, NOW), read_account(stored, NOW));
        assert_eq!(offered.replaces(&stored), replaces);
    }
    // A replay that is still valid, and even one signed later, does not come back.
    assert!(!read_account(1, NOW).replaces(&read_account(2, NOW - DAY)));
    assert!(!read_account(2, NOW).replaces(&read_account(2, NOW - DAY)));
}

#[test]
fn records_are_dropped_when_they_expire_or_after_two_days() {
    let short = offer_account(|claims| claims.exp = NOW + 60).unwrap();
    assert_eq!(short.drop_at(NOW), NOW + 60);
    let long = offer_account(|_| ()).unwrap();
    assert_eq!(long.drop_at(NOW), NOW + 2 * DAY);
    let head = offer_head(&key(1), |claims| claims.exp = NOW + DAY).unwrap();
    assert_eq!(head.drop_at(NOW), NOW + DAY);
    assert_eq!(head.drop_at(u64::MAX), NOW + DAY);
}

#[test]
fn what_sign_makes_verifies_or_is_an_error() {
    let content = release_head::HeadContent {
        channel: "stable",
        seq: 1,
        expires: u64::MAX,
        root: &root(&key(1)),
        timestamp: "{}",
        catalog: Blob {
            root: [7; 32],
            size: 1,
        },
        account_changes: &[],
    };
    // A longer expiry is cut to what a head may live.
    let token = release_head::sign(&key(1), &content, NOW).unwrap();
    let read = release_head::verify(token.as_bytes(), NOW).unwrap();
    assert_eq!(read.expires, NOW + HEAD_LIFE_MAX.as_secs());
    let wrong_key = release_head::sign(&key(2), &content, NOW);
    assert_eq!(wrong_key, Err(HeadError::Account));
    let ed25519 = SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap();
    let refused = release_head::sign(&ed25519, &content, NOW);
    assert_eq!(refused, Err(HeadError::Jws(JwsError::Key)));
    let refused = account::sign(&ed25519, &name("alice"), 1, NOW);
    assert_eq!(refused, Err(AccountError::Jws(JwsError::Key)));
}

proptest! {
    #[test]
    fn verify_of_random_bytes_is_an_error_and_no_panic(
        value in proptest::collection::vec(any::<u8>(), 0..9_000),
        now: u64,
    ) {
        prop_assert!(verify(&head_key(&key(1), "stable"), &value, now).is_err());
    }

    #[test]
    fn verify_of_a_spliced_record_is_an_error_and_no_panic(
        start in 0usize..700,
        patch in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let good = head(&key(1), 1);
        let mut value = good.clone();
        let start = start % value.len();
        let end = (start + patch.len()).min(value.len());
        value.splice(start..end, patch);
        prop_assume!(value != good);
        prop_assert!(verify(&head_key(&key(1), "stable"), &value, NOW).is_err());
    }

    #[test]
    fn verify_never_panics_on_any_text_in_a_signed_head(root: String, now: u64, exp: u64) {
        let mut claims = head_claims(&key(1));
        claims.sub = hex::encode(publisher_id(&root));
        claims.data["root"] = json!(root);
        claims.exp = exp;
        let token = jws::sign(&key(1), release_head::TYP, claims).unwrap();
        prop_assert!(verify(&head_key(&key(1), "stable"), token.as_bytes(), now).is_err());
    }
}
