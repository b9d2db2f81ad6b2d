//! Evidence convinces whoever has the log's key, and nobody of what isn't so.

use super::*;
use crate::example::{Log, ORIGIN, Signer};
use crate::tree::Tree;

fn fork(size: u64) -> Log {
    Log::with(size, |number| format!("fork {number}"))
}

/// What a tree begins with.
fn prefix(tree: &Log, size: u64) -> Prefix {
    Prefix {
        root: Tree::new(tree, size).root().unwrap(),
        proof: tree.tree().consistency(size).unwrap(),
    }
}

#[test]
fn two_roots_at_one_size_are_evidence() {
    let log = Signer::log(ORIGIN, 1);
    let (shown, hidden) = (Log::of(17).note(&log), fork(17).note(&log));
    let view = SplitView::between([&shown, &hidden], None, &log.key).unwrap();
    let text = view.encode();
    let read = SplitView::parse(text.as_bytes()).unwrap();
    assert_eq!(read, view);
    let found = read.verify(&log.key).unwrap();
    assert_eq!(found.origin, ORIGIN);
    assert_eq!(
        found.checkpoints.map(|checkpoint| checkpoint.size),
        [17, 17]
    );
    // Under no other key.
    let other = Signer::log(ORIGIN, 2);
    assert_eq!(read.verify(&other.key), Err(SplitViewError::Unsigned));
}

#[test]
fn a_larger_tree_that_begins_otherwise_is_evidence() {
    let log = Signer::log(ORIGIN, 1);
    let (small, large) = (Log::of(8), fork(17));
    let notes = [&large.note(&log), &small.note(&log)];
    let view = SplitView::between(notes, Some(prefix(&large, 8)), &log.key).unwrap();
    let read = SplitView::parse(view.encode().as_bytes()).unwrap();
    let found = read.verify(&log.key).unwrap();
    assert_eq!(found.checkpoints.map(|checkpoint| checkpoint.size), [8, 17]);
}

#[test]
fn what_can_both_be_true_is_no_evidence() {
    let log = Signer::log(ORIGIN, 1);
    let (small, large) = (Log::of(8), Log::of(17));
    let (a, b) = (small.note(&log), large.note(&log));
    let none = |notes, prefix| SplitView::between(notes, prefix, &log.key).unwrap_err();
    assert_eq!(none([&a, &a], None), SplitViewError::Consistent);
    assert_eq!(none([&a, &b], None), SplitViewError::Consistent);
    assert_eq!(
        none([&a, &b], Some(prefix(&large, 8))),
        SplitViewError::Consistent
    );
    // A root that nobody signed, with a proof from elsewhere.
    let forked = fork(17);
    assert_eq!(
        none([&a, &b], Some(prefix(&forked, 8))),
        SplitViewError::Consistent
    );
    let stranger = Signer::log(ORIGIN, 2);
    let unsigned = fork(8).note(&stranger);
    assert_eq!(none([&a, &unsigned], None), SplitViewError::Unsigned);
    // Two logs.
    let other = Signer::log("other.example", 1);
    assert_eq!(
        none([&a, &fork(8).note(&other)], None),
        SplitViewError::Unsigned
    );
}

#[test]
fn what_is_malformed_is_refused() {
    let log = Signer::log(ORIGIN, 1);
    let notes = [&Log::of(17).note(&log), &fork(17).note(&log)];
    let text = SplitView::between(notes, None, &log.key).unwrap().encode();
    let change = |from: &str, to: &str| text.replacen(from, to, 1);
    for text in [
        String::new(),
        change("split-view/1", "split-view/2"),
        change("\"schema\"", "\"shema\""),
        change("{", "{\"more\": 1,"),
        change("{", "{\"root\": \"x\","),
        change(
            "{",
            "{\"proof\": [\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"],",
        ),
        change("17\\n", "17"),
        " ".repeat(EVIDENCE_BYTES_MAX + 1),
    ] {
        let refused = SplitView::parse(text.as_bytes()).and_then(|view| view.verify(&log.key));
        assert!(refused.is_err(), "{text:.200}");
    }
}
