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

fn subject(seed: u8) -> Subject {
    Subject::of(log_key(seed).1)
}

fn witness_key(seed: u8) -> (SigningKey, VerifierKey) {
    let signing = SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap();
    let name = format!("w{seed}.example");
    let key = VerifierKey::new(&name, Scheme::Cosignature(signing.public())).unwrap();
    (signing, key)
}

/// The log with key 1, and a witness.
fn watched(seed: u8) -> Subject {
    Subject {
        log: log_key(1).1,
        witness: Some(witness_key(seed).1),
    }
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

/// The same, cosigned by a witness.
fn cosigned(size: u64, word: &str, seed: u8) -> Seen {
    let (signing, key) = witness_key(seed);
    let Seen::Checkpoint { mut note, .. } = seen(size, word) else {
        panic!("no checkpoint");
    };
    let message = tlog::note::message(&key, note.text(), NOW).unwrap();
    note.add(Line::new(&key, NOW, &signing.sign(&message)));
    watched(seed).seen(note).unwrap()
}

fn note(size: u64, word: &str) -> String {
    match seen(size, word) {
        Seen::Checkpoint { note, .. } => note.to_string(),
        Seen::SplitView(view) => view.encode(),
    }
}

fn token(size: u64, word: &str) -> String {
    sign(&device(2), &subject(1), &seen(size, word), NOW).unwrap()
}

fn record(token: &str) -> Record {
    let key = DhtKey::log_checkpoint(&subject(1));
    record::verify(&key, token.as_bytes(), NOW).unwrap()
}

#[test]
fn more_entries_win_whoever_brings_them() {
    let (few, more) = (record(&token(3, "a")), record(&token(4, "b")));
    assert!(more.replaces(&few) && !few.replaces(&more) && !few.replaces(&few));
    assert_eq!(more.contradicts(&few), None);
    let other = sign(&device(7), &subject(1), &seen(5, "c"), NOW).unwrap();
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
    let evidence = sign(&device(3), &subject(1), &evidence, NOW).unwrap();
    let (evidence, later) = (record(&evidence), record(&token(1 << 60, "c")));
    assert!(evidence.replaces(&later) && !later.replaces(&evidence));
    assert_eq!(evidence.contradicts(&first), None);
}

#[test]
fn nothing_is_taken_that_the_log_did_not_sign() {
    let verify =
        |token: &str| record::verify(&DhtKey::log_checkpoint(&subject(1)), token.as_bytes(), NOW);
    assert!(verify(&token(3, "a")).is_ok());
    // Of another log's key, and of a key that cosigns.
    let other = sign(&device(2), &subject(9), &seen(3, "a"), NOW);
    assert_eq!(other, Err(LogCheckpointError::Unsigned));
    let cosigner = VerifierKey::new(ORIGIN, Scheme::Cosignature(log_key(1).0.public())).unwrap();
    let other = sign(&device(2), &Subject::of(cosigner), &seen(3, "a"), NOW);
    assert_eq!(other, Err(LogCheckpointError::Key));
    // Under another key of the DHT.
    let elsewhere = DhtKey::log_checkpoint(&subject(9));
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

/// Whoever has the log's key alone can't put anything where a witness's checkpoints lie: neither a larger one, nor
/// evidence, which would stay for ever.
#[test]
fn what_a_witness_cosigned_is_replaced_by_nothing_but_what_it_cosigned_k78() {
    let key = DhtKey::log_checkpoint(&watched(5));
    assert_ne!(key, DhtKey::log_checkpoint(&subject(1)));
    assert_ne!(key, DhtKey::log_checkpoint(&watched(6)));
    let token = |seen: &Seen| sign(&device(2), &watched(5), seen, NOW);
    let few = token(&cosigned(3, "a", 5)).unwrap();
    let few = record::verify(&key, few.as_bytes(), NOW).unwrap();
    let more = token(&cosigned(4, "b", 5)).unwrap();
    let more = record::verify(&key, more.as_bytes(), NOW).unwrap();
    assert!(more.replaces(&few) && !few.replaces(&more));
    let unsigned = Err(LogCheckpointError::Unsigned);
    assert_eq!(token(&seen(1 << 60, "c")), unsigned);
    assert_eq!(token(&cosigned(1 << 60, "c", 6)), unsigned);
    let (first, second) = (record(&self::token(3, "a")), record(&self::token(3, "b")));
    let evidence = Seen::SplitView(second.contradicts(&first).unwrap());
    assert_eq!(token(&evidence), unsigned);
    // One that is cosigned says as much as any about the log alone.
    let alone = sign(&device(2), &subject(1), &cosigned(3, "a", 5), NOW);
    assert!(alone.is_ok());
}

#[test]
fn subject_is_read_back_and_has_one_spelling() {
    for subject in [subject(1), watched(5)] {
        assert_eq!(subject.to_string().parse(), Ok(subject));
    }
    let (log, witness) = (log_key(1).1, witness_key(5).1);
    for bad in [
        format!("{log} "),
        format!("{log}  {witness}"),
        format!("{log} {log}"),
        format!("{witness} {log}"),
        format!("{log} {witness} {witness}"),
        witness.to_string(),
        String::new(),
    ] {
        let read: Result<Subject, _> = bad.parse();
        assert_eq!(read, Err(LogCheckpointError::Key), "{bad:?}");
    }
}

/// Two records of one text, each with the cosignature of another witness, count as one with both.
#[test]
fn cosignatures_of_one_text_are_put_together() {
    let mut sightings = Sightings::default();
    for seen in [
        cosigned(3, "a", 5),
        cosigned(3, "a", 6),
        seen(4, "b"),
        cosigned(3, "a", 5),
    ] {
        sightings.add(seen);
    }
    let [(first, _), (second, larger)] = &sightings.checkpoints[..] else {
        panic!("{sightings:?}");
    };
    assert_eq!(first.lines().len(), 3);
    assert!(first.signed_by(&witness_key(5).1).is_some());
    assert!(first.signed_by(&witness_key(6).1).is_some());
    assert_eq!((second.lines().len(), larger.size), (1, 4));
    assert_eq!(sightings.split_view, None);
}

#[test]
fn as_many_witnesses_are_asked_for_as_may_be() {
    let log = log_key(1).1;
    let mut policy = format!("log {log}\n");
    for seed in 1..=12_u8 {
        policy += &format!("witness w{seed} {}\n", witness_key(seed).1);
    }
    policy += "quorum none\n";
    let subjects = Subject::all(&log, &policy.parse().unwrap());
    assert_eq!(subjects.len(), 1 + WITNESSES_ASKED_MAX);
    assert_eq!(subjects.first(), Some(&subject(1)));
    assert_eq!(subjects.last(), Some(&watched(8)));
}
