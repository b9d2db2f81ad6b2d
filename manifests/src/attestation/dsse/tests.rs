//! Envelopes.

use keys::{Algorithm, SigningKey};

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

/// The example of DSSE's protocol document.
#[test]
fn what_is_signed_is_as_the_specification_has_it() {
    let signed = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(
        signed,
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    // Lengths are of bytes.
    assert_eq!(pae("\u{e9}", b""), "DSSEv1 2 \u{e9} 0 ".as_bytes());
}

fn envelope() -> Envelope {
    let payload = b"{\"_type\":\"x\"}".to_vec();
    let signature = key(1).sign(&pae(IN_TOTO, &payload));
    Envelope::new(IN_TOTO, payload, &key(1).public(), signature)
}

#[test]
fn is_read_as_it_was_written_and_verifies_under_its_key_alone() {
    let envelope = envelope();
    let read = Envelope::from_json(&envelope.to_json()).unwrap();
    assert_eq!(read, envelope);
    assert!(read.key_hint.starts_with("SHA256:") && read.key_hint.len() == 50);
    assert_eq!(read.verify(&key(1).public()), Ok(()));
    assert_eq!(read.verify(&key(2).public()), Err(BundleError::Signature));
    let change = |change: fn(&mut Envelope)| {
        let mut changed = envelope.clone();
        change(&mut changed);
        changed.verify(&key(1).public())
    };
    assert!(change(|it| it.payload.push(b' ')).is_err());
    assert!(change(|it| it.payload_type.push('x')).is_err());
    assert!(change(|it| it.signature.push(0)).is_err());
    // The hint is only that.
    assert!(change(|it| it.key_hint.clear()).is_ok());
}

#[test]
fn one_signature_and_nothing_malformed() {
    let json = envelope().to_json();
    let text = String::from_utf8(crate::json::encode(&json)).unwrap();
    let change = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        Envelope::from_json(&crate::json::parse(changed.as_bytes()).unwrap())
    };
    let signature = text.split("\"signatures\":[").nth(1).unwrap();
    let signature = signature.split(']').next().unwrap();
    assert!(change(signature, "").is_err());
    assert!(change(signature, &format!("{signature},{signature}")).is_err());
    assert!(change("\"sig\":\"", "\"sig\":\"!").is_err());
    assert!(change("\"payload\":\"", "\"payload\":\"!").is_err());
    assert!(change("\"keyid\":", "\"keyid\":7,\"x\":").is_err());
    assert!(change("payloadType", "payloadtype").is_err());
}
