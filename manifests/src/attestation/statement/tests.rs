//! Statements.

use super::*;

fn statement() -> Statement {
    Statement {
        subjects: vec![Subject {
            name: "cam-1.4.2.bin".to_owned(),
            sha256: Sha256::of(b"firmware"),
        }],
        predicate_type: RELEASE.to_owned(),
        predicate: Json::object([("purl", "pkg:generic/cam@1.4.2".into())]),
    }
}

#[test]
fn is_read_as_it_was_written() {
    let statement = statement();
    let payload = statement.encode();
    assert_eq!(Statement::parse(&payload), Ok(statement.clone()));
    assert!(statement.is_about(&Sha256::of(b"firmware")));
    assert!(!statement.is_about(&Sha256::of(b"other")));
    let text = String::from_utf8(payload).unwrap();
    assert!(
        text.contains("\"_type\":\"https://in-toto.io/Statement/v1\""),
        "{text}"
    );
}

#[test]
fn what_is_malformed_is_refused() {
    let text = String::from_utf8(statement().encode()).unwrap();
    for (from, to) in [
        ("Statement/v1", "Statement/v0.1"),
        ("\"subject\":[", "\"subject\":[],\"x\":["),
        ("\"sha256\"", "\"sha512\""),
        ("\"name\":", "\"name\":7,\"x\":"),
        ("\"predicateType\"", "\"type\""),
        ("\"predicate\":", "\"predicat\":"),
        ("{", "{\"subject\":[],"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(Statement::parse(changed.as_bytes()).is_err(), "{changed}");
    }
    let long = vec![b' '; PAYLOAD_BYTES_MAX + 1];
    assert!(Statement::parse(&long).is_err());
}
