//! What is seen of a log, by whom it is signed, and what two of them show.

use keys::Algorithm;
use tlog::hash::Hash;
use tlog::note::Line;

use super::*;
use crate::dht::key::DhtKey;
use crate::dht::record::{self, Record};

const NOW: u64 = 1_800_000_000;
const ORIGIN: &str = "fwlog.acme.example";

fn log_key(seed: u8) -> (SigningKey, VerifierKey) {
    let signing = SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap();
    let key = VerifierKey::new(ORIGIN, Scheme::Note(signing.public())).unwrap();
    (signing, key)
}

fn device(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn seen(size: u64, word: &str) -> Seen {
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root: Hash::of_leaf(word.as_bytes()),
    };
    let mut note = Note::unsigned(&checkpoint.to_string()).unwrap();
    let (signing, key) = log_key(1);
    note.add(Line::new(&key, 0, &signing.sign(note.text().as_bytes())));
    Seen::Checkpoint { note, checkpoint }
}

fn note(size: u64, word: &str) -> String {
    match seen(size, word) {
        Seen::Checkpoint { note, .. } => note.to_string(),
        Seen::SplitView(view) => view.encode(),
    }
}

fn token(size: u64, word: &str) -> String {
    sign(&device(2), &log_key(1).1, &seen(size, word), NOW).unwrap()
}

fn record(token: &str) -> Record {
    let key = DhtKey::log_checkpoint(&log_key(1).1);
    record::verify(&key, token.as_bytes(), NOW).unwrap()
}

#[test]
fn more_entries_win_whoever_brings_them() {
    let (few, more) = (record(&token(3, "a")), record(&token(4, "b")));
    assert!(more.replaces(&few) && !few.replaces(&more) && !few.replaces(&few));
    assert_eq!(more.contradicts(&few), None);
    let other = sign(&device(7), &log_key(1).1, &seen(5, "c"), NOW).unwrap();
    assert!(record(&other).replaces(&more));
}

/// Two roots at one size are evidence, which replaces every checkpoint and is replaced by none.
#[test]
fn two_histories_of_one_size_are_evidence_that_stays_k78() {
    let (first, second) = (record(&token(3, "a")), record(&token(3, "b")));
    assert!(!second.replaces(&first));
    let evidence = second.contradicts(&first).unwrap();
    assert_eq!(first.contradicts(&first), None);
    let evidence = Seen::SplitView(evidence);
    let evidence = sign(&device(3), &log_key(1).1, &evidence, NOW).unwrap();
    let (evidence, later) = (record(&evidence), record(&token(1 << 60, "c")));
    assert!(evidence.replaces(&later) && !later.replaces(&evidence));
    assert_eq!(evidence.contradicts(&first), None);
}

#[test]
fn nothing_is_taken_that_the_log_did_not_sign() {
    let verify = |token: &str| {
        record::verify(
            &DhtKey::log_checkpoint(&log_key(1).1),
            token.as_bytes(),
            NOW,
        )
    };
    assert!(verify(&token(3, "a")).is_ok());
    // Of another log's key, and of a key that cosigns.
    let other = sign(&device(2), &log_key(9).1, &seen(3, "a"), NOW);
    assert_eq!(other, Err(LogCheckpointError::Unsigned));
    let cosigner = VerifierKey::new(ORIGIN, Scheme::Cosignature(log_key(1).0.public())).unwrap();
    let other = sign(&device(2), &cosigner, &seen(3, "a"), NOW);
    assert_eq!(other, Err(LogCheckpointError::Key));
    // Under another key of the DHT.
    let elsewhere = DhtKey::log_checkpoint(&log_key(9).1);
    assert!(record::verify(&elsewhere, token(3, "a").as_bytes(), NOW).is_err());
    // With other claims.
    let claims = |sub: &str, aud: &str, jti: &str| {
        let claims = Claims {
            iss: String::new(),
            sub: sub.to_owned(),
            aud: aud.to_owned(),
            iat: NOW,
            exp: NOW + 60,
            jti: jti.to_owned(),
            data: LogData::Checkpoint(note(3, "a")),
        };
        jws::sign(&device(2), TYP, claims).unwrap()
    };
    let log = log_key(1).1.to_string();
    assert!(verify(&claims(&log, AUDIENCE, "3")).is_ok());
    for bad in [
        claims(&log, AUDIENCE, "4"),
        claims(&log, "other", "3"),
        claims("x", AUDIENCE, "3"),
        claims(&format!("{log} "), AUDIENCE, "3"),
    ] {
        assert!(verify(&bad).is_err(), "{bad}");
    }
    // Evidence that shows nothing.
    let forged = format!(
        r#"{{"schema":"streembit/split-view/1","smaller":{0:?},"larger":{0:?}}}"#,
        note(3, "a")
    );
    let claims = Claims {
        iss: String::new(),
        sub: log,
        aud: AUDIENCE.to_owned(),
        iat: NOW,
        exp: NOW + 60,
        jti: u64::MAX.to_string(),
        data: LogData::SplitView(forged),
    };
    assert!(verify(&jws::sign(&device(2), TYP, claims).unwrap()).is_err());
    // Out of time.
    let late = NOW + LOG_CHECKPOINT_LIFE_MAX.as_secs();
    assert!(super::verify(token(3, "a").as_bytes(), late).is_err());
}
