//! Agreement on P-256: RFC 7518, keys of accounts, what is refused.

use super::*;
use crate::signing::tests::rng;

#[test]
fn both_sides_agree_and_others_do_not() {
    let mut rng = rng();
    let [ours, theirs, stranger] = [(); 3].map(|()| AgreementKey::generate(&mut rng));
    let secret = ours.agree(&theirs.public()).unwrap();
    assert_eq!(
        secret.expose(),
        theirs.agree(&ours.public()).unwrap().expose()
    );
    assert_ne!(
        secret.expose(),
        stranger.agree(&ours.public()).unwrap().expose()
    );
}

/// RFC 7518 appendix C: Alice's ephemeral key and Bob's static one; Z as it prints it.
#[test]
fn agrees_as_rfc_7518_appendix_c() {
    let key = |d: &str| {
        let bytes = crate::encoding::from_base64url::<32>(d).unwrap();
        AgreementKey(Box::new(p256::SecretKey::from_slice(&bytes).unwrap()))
    };
    let alice = key("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let bob = key("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let z = [
        158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110,
        163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
    ];
    assert_eq!(alice.agree(&bob.public()).unwrap().expose(), z);
    assert_eq!(bob.agree(&alice.public()).unwrap().expose(), z);
}

#[test]
fn key_of_an_account_is_its_own_and_always_the_same() {
    let account = SigningKey::from_secret(Algorithm::P256, &[7; 32]).unwrap();
    let key = AgreementKey::of_account(&account).unwrap();
    assert_ne!(key.public().as_bytes(), account.public().as_bytes());
    // From Python: HKDF(SHA256, 32, None, b"streembit/agreement/1\0").derive(b"\7" * 32).
    assert_eq!(
        hex::encode(key.0.to_bytes()),
        "3d80699406eaf7cd95ca415c4fca120e9c86da80bf2e8c797fda46d9cc026aed"
    );
    let ed25519 = SigningKey::from_secret(Algorithm::Ed25519, &[7; 32]).unwrap();
    assert_eq!(
        AgreementKey::of_account(&ed25519).err(),
        Some(KeyError::NotP256)
    );
}

#[test]
fn refuses_what_is_no_p256_point() {
    let key = AgreementKey::generate(&mut rng()).public();
    let text = serde_json::to_string(&key).unwrap();
    assert_eq!(
        serde_json::from_str::<AgreementPublicKey>(&text).unwrap(),
        key
    );
    assert!(serde_json::from_str::<AgreementPublicKey>(&text.to_uppercase()).is_err());
    assert!(AgreementPublicKey::from_bytes(&[2; 32]).is_err());
    assert!(AgreementPublicKey::from_bytes(&[0xff; 33]).is_err());
    assert_eq!(AgreementPublicKey::from_jwk(key.to_jwk()).unwrap(), key);
    let ed25519 = SigningKey::from_secret(Algorithm::Ed25519, &[7; 32]).unwrap();
    let jwk = ed25519.public().to_jwk();
    assert_eq!(AgreementPublicKey::from_jwk(jwk), Err(KeyError::NotP256));
}
