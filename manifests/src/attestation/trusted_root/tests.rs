//! The log's key for sigstore's tools.

use keys::{Algorithm, SigningKey};

use super::*;

#[test]
fn names_the_log_by_its_host_and_long_id() {
    let key = SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap();
    let log = VerifierKey::new("fwlog.acme.example", Scheme::Note(key.public())).unwrap();
    let file = trusted_root(&log, UtcTime::from_unix(1_795_330_100)).unwrap();
    let json = json::parse(&file).unwrap();
    let [entry] = json.items("tlogs", 1).unwrap() else {
        panic!("one log");
    };
    assert_eq!(entry.string("baseUrl"), Ok("https://fwlog.acme.example"));
    let id = STANDARD.encode(log.long_id());
    for member in ["logId", "checkpointKeyId"] {
        assert_eq!(
            entry.require(member).unwrap().string("keyId"),
            Ok(id.as_str())
        );
    }
    let public = entry.require("publicKey").unwrap();
    assert_eq!(public.string("keyDetails"), Ok("PKIX_ED25519"));
    let start = public.require("validFor").unwrap().string("start").unwrap();
    assert!(
        start.ends_with('Z') && start.starts_with("2026-"),
        "{start}"
    );
    let witness = VerifierKey::new("w", Scheme::Cosignature(key.public())).unwrap();
    assert_eq!(trusted_root(&witness, UtcTime::EPOCH), None);
}
