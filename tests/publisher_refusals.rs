//! What the publisher refuses, and what `doctor` warns of (threats K74).

use std::fs;

use cli::Exit;

use crate::rotation::Place;

#[test]
fn doctor_tells_what_needs_attention() {
    let place = Place::new();
    place.done(&["doctor"]);
    place.done(&["root", "expire", "in 3 months"]);
    assert_eq!(
        place.publisher(&["doctor"]).unwrap(),
        Exit::No,
        "unsigned change"
    );
    place.publish();
    assert_eq!(
        place.publisher(&["doctor"]).unwrap(),
        Exit::No,
        "half its life is gone"
    );
}

#[test]
fn changes_that_would_strand_somebody_are_refused() {
    let place = Place::new();
    let id = place.id("timestamp.key");
    for (args, word) in [
        (&["root", "set-threshold", "4"][..], "4 with 3 keys"),
        (&["root", "set-threshold", "0"], "asks for nobody"),
        (&["root", "remove-key", "ffff"], "0 keys have the id"),
        (&["root", "remove-key", ""], "keys have the id"),
        (
            &["root", "remove-key", &id, "--role", "timestamp"],
            "0 keys for a threshold",
        ),
        (&["keys", "revoke", &id], "0 keys for a threshold"),
        (&["role", "set-threshold", "router", "1"], "no role router"),
        (&["role", "renew", "router"], "no role router"),
        (&["role", "renew", "timestamp"], "signed with every change"),
        (&["keys", "rotate", "root"], "has 3 keys"),
        (
            &["keys", "rotate", "account", "--algorithm", "ed25519"],
            "its key is P-256",
        ),
        (&["root", "expire", "soon"], "no duration"),
        (
            &[
                "log",
                "init",
                "--origin",
                "example.com/log",
                "--no-passcode",
            ],
            "without a path",
        ),
        (&["sign"], "nothing is staged"),
        (&["publish"], "nothing is staged"),
        (&["stage"], "nothing is staged"),
    ] {
        let error = place.publisher(args).unwrap_err();
        assert!(error.to_string().contains(word), "{args:?}: {error}");
        assert!(error.fix().is_some(), "{args:?}: {error}");
    }
    assert!(!place.repository().join("staged.json").exists());
}

/// A rotation that is repeated before it is published makes no second key; without the key that is needed
/// now nothing is half done.
#[test]
fn rotation_twice_and_missing_online_keys_change_nothing() {
    let place = Place::new();
    let rotate = ["keys", "rotate", "timestamp", "--no-passcode"];
    place.done(&rotate);
    let error = place.publisher(&rotate).unwrap_err();
    assert!(error.to_string().contains("0 keys have the id"), "{error}");
    assert!(!place.key("timestamp-3.key").exists());
    place.done(&["stage", "--discard"]);
    let key = place.key("timestamp.key");
    fs::rename(&key, key.with_extension("away")).unwrap();
    let before = place.metadata("timestamp.json");
    for args in [&["refresh"][..], &["yank", "1.2.0"]] {
        let error = place.publisher(args).unwrap_err();
        assert_eq!(error.exit, Exit::Key, "{error}");
        let words = "0 of 1 keys of timestamp are here";
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(place.metadata("timestamp.json"), before);
    assert!(!place.repository().join("staged.json").exists());
    fs::rename(key.with_extension("away"), &key).unwrap();
    place.done(&["refresh"]);
}

/// Two publishers at once: one waits for the other or is told to.
#[test]
fn second_publisher_is_told_to_wait_k74() {
    let place = Place::new();
    let _held = cli::durable::Lock::acquire(&place.repository())
        .unwrap()
        .unwrap();
    for args in [&["refresh"][..], &["publish"], &["root", "expire", "1y"]] {
        assert_eq!(place.publisher(args).unwrap_err().exit, Exit::Retry);
    }
}
