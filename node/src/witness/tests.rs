//! A witness on a disk: one history of each log, whatever happens.

use std::fs;

use keys::Algorithm;
use tlog::edge::Edge;
use tlog::hash::Hash;
use tlog::note::Signed;
use tlog::vkey::Scheme;

use super::*;

const ORIGIN: &str = "fwlog.acme.example";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap()
}

fn log_key(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, Scheme::Note(key(seed).public())).unwrap()
}

/// A witness that watches the log with key 1.
fn place(folder: &tempfile::TempDir) -> Place {
    let place = Place::of(folder.path());
    place.create("w.example/1", key(9).public()).unwrap();
    assert!(place.watch(&log_key(1), true).unwrap());
    place
}

fn witness(folder: &tempfile::TempDir) -> Witness {
    Witness::new(Place::of(folder.path()), key(9), None).unwrap()
}

/// A request for a log of so many entries, which begins at nothing.
fn request(size: u64, word: &str, seed: u8) -> Vec<u8> {
    let mut edge = Edge::default();
    for number in 0..size {
        drop(
            edge.append(Hash::of_leaf(format!("{word} {number}").as_bytes()))
                .unwrap(),
        );
    }
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root: edge.root(),
    };
    let mut note = Note::unsigned(&checkpoint.to_string()).unwrap();
    let signature = key(seed).sign(note.text().as_bytes());
    note.add(Line::new(&log_key(seed), 0, &signature));
    let request = AddCheckpoint {
        old_size: 0,
        proof: Vec::new(),
        checkpoint: note,
    };
    request.to_string().into_bytes()
}

#[tokio::test]
async fn what_was_cosigned_is_known_after_a_restart_and_nothing_else_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let files = place(&folder);
    let answer = witness(&folder).add_checkpoint(request(3, "a", 1)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut note = AddCheckpoint::parse(&request(3, "a", 1))
        .unwrap()
        .checkpoint;
    for line in note::parse_lines(&answer.body).unwrap() {
        note.add(line);
    }
    let key = files.verifier_key().unwrap();
    assert!(
        matches!(note.signed_by(&key), Some(Signed::At(time)) if time.abs_diff(unix_now()) < 60)
    );
    // Another history from the start, to a witness that was started again.
    let again = witness(&folder);
    let forked = again.add_checkpoint(request(3, "b", 1)).await;
    assert_eq!(
        (forked.status, forked.kind, forked.body.as_str()),
        (409, SIZE_TYPE, "3\n")
    );
    assert_eq!(again.add_checkpoint(request(4, "a", 2)).await.status, 403);
    assert_eq!(again.add_checkpoint(b"x".to_vec()).await.status, 400);
    let kept = again.checkpoint(place::hash(ORIGIN)).await;
    assert_eq!((kept.status, kept.body), (200, note.to_string()));
    for name in [
        "",
        "../../witness.key",
        &"0".repeat(64),
        &place::hash(ORIGIN).to_uppercase(),
    ] {
        assert_eq!(
            again.checkpoint(name.to_owned()).await.status,
            404,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_log_is_watched_from_when_it_is_told_until_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = place(&folder);
    let running = witness(&folder);
    assert!(files.watch(&log_key(1), false).unwrap());
    assert_eq!(running.add_checkpoint(request(3, "a", 1)).await.status, 404);
    assert!(files.watch(&log_key(1), true).unwrap());
    assert!(!files.watch(&log_key(1), true).unwrap());
    assert_eq!(running.add_checkpoint(request(3, "a", 1)).await.status, 200);
    let cosigner = VerifierKey::new(ORIGIN, Scheme::Cosignature(key(1).public())).unwrap();
    assert!(matches!(
        files.watch(&cosigner, true),
        Err(PlaceError::NoLog(_))
    ));
}

/// A log whose history can't be read is not one without history.
#[tokio::test]
async fn damaged_files_cosign_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(place(&folder));
    let running = witness(&folder);
    assert_eq!(running.add_checkpoint(request(3, "a", 1)).await.status, 200);
    let path = folder
        .path()
        .join("witness/latest")
        .join(place::hash(ORIGIN))
        .join("checkpoint");
    let good = fs::read_to_string(&path).unwrap();
    let unsigned = AddCheckpoint::parse(&request(1, "b", 1))
        .unwrap()
        .checkpoint;
    for bad in [
        String::new(),
        "x".to_owned(),
        good.replacen('3', "2", 1),
        unsigned.to_string(),
    ] {
        fs::write(&path, bad).unwrap();
        assert_eq!(running.add_checkpoint(request(4, "b", 1)).await.status, 500);
    }
    fs::write(&path, good).unwrap();
    assert_eq!(running.add_checkpoint(request(4, "b", 1)).await.status, 409);
}

#[tokio::test]
async fn one_process_at_a_time_and_only_with_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    drop(place(&folder));
    let other = Witness::new(Place::of(folder.path()), key(8), None);
    assert!(
        matches!(other, Err(PlaceError::Damaged { .. })),
        "{other:?}"
    );
    let _running = witness(&folder);
    let second = Witness::new(Place::of(folder.path()), key(9), None);
    assert!(matches!(second, Err(PlaceError::Locked(_))));
    let taken = Place::of(folder.path()).create("w", key(9).public());
    assert!(matches!(taken, Err(PlaceError::Taken(_))));
    let empty = tempfile::tempdir().unwrap();
    let none = Witness::new(Place::of(empty.path()), key(9), None);
    assert!(matches!(none, Err(PlaceError::Missing(_))));
}

mod mirror;
