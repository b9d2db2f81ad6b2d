//! Entries of the log.

use keys::SigningKey;

use super::*;

#[test]
fn is_written_as_rekor_writes_it() {
    let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).unwrap();
    let signature = key.sign(b"firmware");
    let entry = hashedrekord(&Sha256::of(b"firmware"), &signature, &key.public()).unwrap();
    let text = String::from_utf8(entry).unwrap();
    let head = "{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{\"hashedRekordV002\":{\"data\":\
        {\"algorithm\":\"SHA2_256\",\"digest\":\"";
    assert!(text.starts_with(head), "{text}");
    let between = "\"},\"signature\":{\"content\":\"";
    assert!(text.contains(between), "{text}");
    let tail = "\",\"verifier\":{\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\"publicKey\":{\"rawBytes\":\"";
    assert!(text.contains(tail) && text.ends_with("\"}}}}}}"), "{text}");
    assert!((400..=520).contains(&text.len()), "{}", text.len());
}

/// Trap T6: of an Ed25519 signature nothing can be checked by the digest.
#[test]
fn only_p256_has_one() {
    let key = SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap();
    assert_eq!(hashedrekord(&Sha256::of(b""), b"", &key.public()), None);
}

#[test]
fn what_is_written_is_read_and_its_signature_counts() {
    let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).unwrap();
    let (digest, signature) = (Sha256::of(b"firmware"), key.sign(b"firmware"));
    let entry = hashedrekord(&digest, &signature, &key.public()).unwrap();
    let read = LogEntry::parse(&entry).unwrap();
    assert_eq!((read.digest, &read.key), (digest, &key.public()));
    assert!(read.is_signed());
    let other = key.sign(b"other firmware");
    let forged = hashedrekord(&digest, &other, &key.public()).unwrap();
    assert!(!LogEntry::parse(&forged).unwrap().is_signed());
    for bad in [&entry[1..], &[&entry[..], b" "].concat(), b"", b"{}"] {
        assert_eq!(LogEntry::parse(bad), None);
    }
}
