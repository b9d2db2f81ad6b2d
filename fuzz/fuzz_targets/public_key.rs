//! Public keys in every form that a standard gives them: what one reader takes, all forms carry.
#![no_main]

use fuzz::armour::armour;
use keys::{Algorithm, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut read = vec![
        PublicKey::from_ed25519(bytes),
        PublicKey::from_p256_sec1(bytes),
        PublicKey::from_bytes(Algorithm::P256, bytes),
        PublicKey::from_spki_der(bytes),
        PublicKey::from_pem(&armour("PUBLIC KEY", bytes)),
    ];
    if let Ok(text) = std::str::from_utf8(bytes) {
        read.extend([
            PublicKey::from_jwk(text),
            PublicKey::from_p256_hex(text),
            PublicKey::from_pem(text),
            PublicKey::from_tuf("ed25519", "ed25519", text),
            PublicKey::from_tuf("ecdsa", "ecdsa-sha2-nistp256", text),
        ]);
        // Two words and the key: the type and the scheme of a foreign document.
        let mut words = text.splitn(3, ' ');
        if let (Some(kind), Some(scheme), Some(key)) = (words.next(), words.next(), words.next()) {
            read.push(PublicKey::from_tuf(kind, scheme, key));
        }
    }
    for key in read.into_iter().flatten() {
        round_trip(&key);
    }
});

fn round_trip(key: &PublicKey) {
    let same = Ok(key);
    assert_eq!(
        PublicKey::from_bytes(key.algorithm(), key.as_bytes()).as_ref(),
        same
    );
    assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()).as_ref(), same);
    assert_eq!(PublicKey::from_pem(&key.to_pem()).as_ref(), same);
    assert_eq!(
        PublicKey::from_jwk(&key.to_jwk().to_string()).as_ref(),
        same
    );
    assert_eq!(key.to_tuf().public_key().as_ref(), same);
    if let Some(point) = key.to_p256_uncompressed() {
        assert_eq!(PublicKey::from_p256_sec1(&point).as_ref(), same);
    }
}
