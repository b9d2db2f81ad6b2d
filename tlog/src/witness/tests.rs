//! What a witness cosigns, and what litewitness answered in the same place.

use super::*;
use crate::example::{Log, ORIGIN, Signer};

/// A submitter's request for the step from one tree to another.
fn request(log: &Signer, old: u64, tree: &Log) -> AddCheckpoint {
    let request = AddCheckpoint {
        old_size: old,
        proof: tree.tree().consistency(old.min(tree.edge.size())).unwrap(),
        checkpoint: tree.note(log),
    };
    let text = request.to_string();
    assert_eq!(AddCheckpoint::parse(text.as_bytes()).as_ref(), Ok(&request));
    request
}

fn latest(tree: &Log) -> Latest {
    Latest {
        size: tree.edge.size(),
        root: tree.edge.root(),
    }
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let log = Signer::log(ORIGIN, 1);
    let (mut seen, mut old) = (Latest::nothing(), 0);
    for size in [8, 17, 17, 256, 70_000] {
        let tree = Log::of(size);
        let checkpoint = request(&log, old, &tree)
            .check([&log.key], |_| seen)
            .unwrap();
        assert_eq!((checkpoint.size, checkpoint.root), (size, tree.edge.root()));
        (seen, old) = (latest(&tree), size);
    }
}

#[test]
fn everything_else_is_refused_with_its_status() {
    let log = Signer::log(ORIGIN, 1);
    let (eight, seventeen) = (Log::of(8), Log::of(17));
    let fork = Log::with(17, |number| format!("fork {number}"));
    let seen = latest(&eight);
    let refused = |request: AddCheckpoint, seen: Latest| {
        let refusal = request.check([&log.key], |origin| {
            assert_eq!(origin, ORIGIN);
            seen
        });
        refusal.unwrap_err()
    };
    for (request, seen, refusal, status) in [
        // Rollback: the submitter is told where the log was.
        (
            request(&log, 0, &eight),
            latest(&seventeen),
            Refusal::OldSize(17),
            409,
        ),
        (
            request(&log, 8, &eight),
            latest(&seventeen),
            Refusal::OldSize(17),
            409,
        ),
        (request(&log, 0, &seventeen), seen, Refusal::OldSize(8), 409),
        (request(&log, 9, &seventeen), seen, Refusal::OldSize(8), 409),
        (request(&log, 18, &seventeen), seen, Refusal::Shrinks, 400),
        (request(&log, 8, &fork), seen, Refusal::Inconsistent, 422),
        (
            request(&log, 17, &fork),
            latest(&seventeen),
            Refusal::Forked(17),
            409,
        ),
        (
            request(&Signer::log(ORIGIN, 2), 8, &seventeen),
            seen,
            Refusal::Unsigned,
            403,
        ),
        // A witness's signature is no log's.
        (
            request(&Signer::witness(ORIGIN, 1), 8, &seventeen),
            seen,
            Refusal::Unsigned,
            403,
        ),
    ] {
        assert_eq!(refused(request, seen), refusal);
        assert_eq!(refusal.status(), status);
        assert_eq!(refusal.size().is_some(), status == 409);
        assert_eq!(refusal.is_fork(), matches!(refusal, Refusal::Forked(_)));
    }
    let unknown = request(&Signer::log("other.example", 1), 0, &eight);
    let refusal = unknown
        .check([&log.key], |_| panic!("nobody looks it up"))
        .unwrap_err();
    assert_eq!((refusal, refusal.status()), (Refusal::UnknownLog, 404));
    // A proof that is one hash too long.
    let mut padded = request(&log, 8, &seventeen);
    padded.proof.push(Hash::of_nothing());
    assert_eq!(refused(padded, seen), Refusal::Inconsistent);
    let mut first = request(&log, 0, &eight);
    first.proof.push(Hash::of_nothing());
    assert_eq!(refused(first, Latest::nothing()), Refusal::Inconsistent);
}

/// A log may have two keys while one takes over from the other.
#[test]
fn one_known_key_of_the_log_is_enough() {
    let (old, new) = (Signer::log(ORIGIN, 1), Signer::log(ORIGIN, 2));
    let request = request(&new, 0, &Log::of(3));
    assert!(
        request
            .check([&old.key, &new.key], |_| Latest::nothing())
            .is_ok()
    );
}

#[test]
fn what_is_malformed_is_400() {
    let log = Signer::log(ORIGIN, 1);
    let text = request(&log, 8, &Log::of(17)).to_string();
    let change = |from: &str, to: &str| text.replacen(from, to, 1);
    let hash = Hash::of_nothing().to_string();
    for text in [
        String::new(),
        change("old 8", "old 08"),
        change("old 8", "old -8"),
        change("old 8", "8"),
        change("old 8\n", "old 8\nx\n"),
        change(
            "old 8\n",
            &format!("old 8\n{}", format!("{hash}\n").repeat(64)),
        ),
        change("\n\n", "\n"),
        text.trim_end().to_owned(),
        format!("{text}x"),
        "x".repeat(ADD_CHECKPOINT_BYTES_MAX + 1),
    ] {
        let refused = AddCheckpoint::parse(text.as_bytes());
        assert_eq!(refused, Err(Refusal::Malformed), "{text:.200}");
    }
    assert_eq!(Refusal::Malformed.status(), 400);
    // A note that is no checkpoint.
    let mut note = Note::unsigned("not a checkpoint\n").unwrap();
    log.sign(&mut note, 0);
    let request = AddCheckpoint {
        old_size: 0,
        proof: Vec::new(),
        checkpoint: note,
    };
    let refused = request.check([&log.key], |_| panic!("nobody looks it up"));
    assert_eq!(refused, Err(Refusal::Malformed));
}
