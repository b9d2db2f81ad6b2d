//! Keys as text.

use super::*;
use crate::example::Signer;

/// The key of the example of Go's note package.
const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn keys_are_read_as_they_were_written() {
    let key: VerifierKey = NEUMANN.parse().unwrap();
    assert_eq!((key.name(), key.id()), ("PeterNeumann", 0xc74f_20a3));
    assert!(matches!(key.scheme(), Scheme::Note(_)));
    assert_eq!(key.to_string(), NEUMANN);
    let witness = Signer::witness("witness.example/w1", 7).key;
    assert_eq!(witness.to_string().parse(), Ok(witness));
    // ML-DSA-44: kept, though nobody here verifies it.
    let key = vec![7; 1312];
    let unknown = VerifierKey::new("w", Scheme::Unknown { kind: 6, key }).unwrap();
    assert_eq!(unknown.to_string().parse(), Ok(unknown));
}

#[test]
fn one_key_has_another_id_by_each_name_and_type() {
    let ids = [
        Signer::log("a", 1).key.id(),
        Signer::log("b", 1).key.id(),
        Signer::witness("a", 1).key.id(),
        Signer::log("a", 2).key.id(),
    ];
    for (number, id) in ids.iter().enumerate() {
        assert!(!ids[..number].contains(id));
    }
    let (log, witness) = (Signer::log("a", 1).key, Signer::witness("b", 1).key);
    assert_eq!(log.scheme().key(), witness.scheme().key());
}

#[test]
fn what_is_malformed_is_refused() {
    let name = "x".repeat(NAME_BYTES_MAX + 1);
    let long = NEUMANN.replacen("PeterNeumann", &name, 1);
    for (text, error) in [
        ("", VkeyError::Shape),
        ("PeterNeumann+c74f20a3", VkeyError::Shape),
        ("PeterNeumann+c74f20a3+", VkeyError::Shape),
        ("PeterNeumann+c74f20a3+ARpc2Qc", VkeyError::Shape),
        (&NEUMANN.replacen("c7", "C7", 1), VkeyError::Id),
        (&NEUMANN.replacen("c7", "c8", 1), VkeyError::Id),
        (&NEUMANN.replacen("Peter", "Paul", 1), VkeyError::Id),
        (&NEUMANN.replacen("PeterNeumann", "", 1), VkeyError::Name),
        (&NEUMANN.replacen("Peter", "Peter ", 1), VkeyError::Name),
        (
            &NEUMANN.replacen("Peter", "Peter\u{2003}", 1),
            VkeyError::Name,
        ),
        (
            &NEUMANN.replacen("Peter", "Peter\u{1b}", 1),
            VkeyError::Name,
        ),
        (&long, VkeyError::Name),
        // Too short, and a point of small order.
        ("a+00000000+AQID", VkeyError::Key),
        (
            "a+00000000+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            VkeyError::Key,
        ),
    ] {
        assert_eq!(text.parse::<VerifierKey>(), Err(error), "{text}");
    }
    // A log's key can't pass for one of an unknown type.
    let known = Signer::log("a", 1).key.scheme().key().to_vec();
    let disguised = Scheme::Unknown {
        kind: 1,
        key: known,
    };
    assert_eq!(VerifierKey::new("a", disguised), Err(VkeyError::Key));
}
