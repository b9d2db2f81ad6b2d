//! Tests of `tuf`. Key ids were computed by Python's hashlib; key confusion is threat M6.

use proptest::prelude::*;

use super::*;
use crate::signing::tests::{ed25519, p256};
use crate::spki::tests::{ED25519_PEM, P256_PEM, P384_PEM, RSA_PEM};

const ED25519_HEX: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn tuf_key(keytype: &str, scheme: &str, public: &str) -> TufKey {
    let [keytype, scheme, public] = [keytype, scheme, public].map(str::to_owned);
    TufKey {
        keytype,
        scheme,
        public,
    }
}

#[test]
fn keys_are_written_as_the_specification_says() {
    let key = ed25519().public().to_tuf();
    assert_eq!(key, tuf_key("ed25519", "ed25519", ED25519_HEX));
    assert_eq!(
        key.id(),
        "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916"
    );
    assert_eq!(key.public_key(), Ok(ed25519().public()));
    let key = p256().public().to_tuf();
    assert_eq!(key, tuf_key("ecdsa", "ecdsa-sha2-nistp256", P256_PEM));
    assert_eq!(
        key.id(),
        "716d622ec609eff48475645919645bb30ef604f59a69c764608fb64272dd5fe5"
    );
    assert_eq!(key.public_key(), Ok(p256().public()));
}

#[test]
fn other_writings_are_the_same_key_under_another_id() {
    let bare = tuf_key("ecdsa", "ecdsa-sha2-nistp256", P256_PEM.trim_end());
    assert_eq!(
        bare.id(),
        "357d14a112badaf95077bca5956e8e59d10abc7e9d4520c72943014e90ddd600"
    );
    assert_eq!(bare.public_key(), Ok(p256().public()));
    let legacy = tuf_key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", P256_PEM);
    assert_eq!(
        legacy.id(),
        "5d5ce1aa04c32ca37dcf8f5b4fd8f55be077000985e6b94a206a6d38b655e6b1"
    );
    assert_eq!(legacy.public_key(), Ok(p256().public()));
}

#[test]
fn canonical_json_escapes_backslash_and_quote_alone() {
    assert_eq!(olpc_string("a\\b\"c\n\u{1}é/"), "\"a\\\\b\\\"c\n\u{1}é/\"");
}

fn assert_refused(cases: &[(&str, &str, &str, KeyError)]) {
    for (keytype, scheme, public, error) in cases {
        let key = PublicKey::from_tuf(keytype, scheme, public);
        assert_eq!(key, Err(*error), "{keytype} {scheme} {public}");
    }
}

#[test]
fn rejects_other_keys_declared_ed25519() {
    let p256_hex = p256().public().to_hex();
    let zero = "00".repeat(32);
    assert_refused(&[
        ("ed25519", "ed25519", RSA_PEM, KeyError::Malformed),
        ("ed25519", "ed25519", P256_PEM, KeyError::Malformed),
        ("ed25519", "ed25519", ED25519_PEM, KeyError::Malformed),
        ("ed25519", "ed25519", &p256_hex, KeyError::Malformed),
        ("ed25519", "ed25519", &zero, KeyError::Weak),
        ("ed25519", "ed25519ph", ED25519_HEX, KeyError::Unsupported),
        (
            "ed25519",
            "ecdsa-sha2-nistp256",
            ED25519_HEX,
            KeyError::Unsupported,
        ),
        (
            "ed25519",
            "ecdsa-sha2-nistp256",
            P256_PEM,
            KeyError::Unsupported,
        ),
        ("ED25519", "ed25519", ED25519_HEX, KeyError::Unsupported),
    ]);
}

#[test]
fn rejects_other_keys_declared_p256() {
    let p256_hex = p256().public().to_hex();
    assert_refused(&[
        ("ecdsa", "ed25519", ED25519_HEX, KeyError::Unsupported),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            ED25519_HEX,
            KeyError::Malformed,
        ),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            ED25519_PEM,
            KeyError::Unsupported,
        ),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            &p256_hex,
            KeyError::Malformed,
        ),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            P384_PEM,
            KeyError::Unsupported,
        ),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            RSA_PEM,
            KeyError::Unsupported,
        ),
        (
            "ecdsa",
            "ecdsa-sha2-nistp384",
            P256_PEM,
            KeyError::Unsupported,
        ),
    ]);
}

#[test]
fn rejects_unknown_key_types_and_schemes() {
    let secret = "61".repeat(32);
    assert_refused(&[
        (
            "ecdsa",
            "ecdsa-sha2-nistp384",
            P384_PEM,
            KeyError::Unsupported,
        ),
        (
            "ecdsa-sha2-nistp384",
            "ecdsa-sha2-nistp384",
            P384_PEM,
            KeyError::Unsupported,
        ),
        ("rsa", "rsassa-pss-sha256", RSA_PEM, KeyError::Unsupported),
        ("rsa", "ed25519", ED25519_HEX, KeyError::Unsupported),
        ("hmac", "hmac-sha256", &secret, KeyError::Unsupported),
        ("sigstore-oidc", "Fulcio", "", KeyError::Unsupported),
        ("", "", "", KeyError::Unsupported),
    ]);
}

#[test]
fn rejects_hex_of_another_form() {
    for public in [
        ED25519_HEX.to_uppercase(),
        format!("{ED25519_HEX}\n"),
        format!("{ED25519_HEX}00"),
    ] {
        let key = PublicKey::from_tuf("ed25519", "ed25519", &public);
        assert_eq!(key, Err(KeyError::Malformed), "{public:?}");
    }
}

proptest! {
    #[test]
    fn parse_never_panics(pick in 0..3_usize, public in any::<String>()) {
        let keytype = ["ed25519", "ecdsa", "rsa"][pick];
        let scheme = ["ed25519", "ecdsa-sha2-nistp256", "ed25519"][pick];
        prop_assert!(PublicKey::from_tuf(keytype, scheme, &public).is_err());
        prop_assert_eq!(tuf_key(keytype, scheme, &public).id().len(), 64);
    }
}

#[test]
fn role_key_of_ours_is_that_key() {
    for key in [ed25519(), p256()] {
        let (public, tuf) = (key.public(), key.public().to_tuf());
        let role_key = RoleKey::from_tuf(&tuf.keytype, &tuf.scheme, &tuf.public).unwrap();
        assert_eq!(role_key, RoleKey::from(public.clone()));
        assert_eq!(role_key.ours(), Some(&public));
        assert_eq!((role_key.id(), role_key.to_tuf()), (tuf.id(), tuf));
        let signature = key.sign(b"message");
        assert_eq!(role_key.verify(b"message", &signature), Ok(()));
        let other = role_key.verify(b"another", &signature);
        assert_eq!(other, Err(SignatureError::Mismatch));
    }
}

#[test]
fn role_key_of_rsa_is_none_of_ours() {
    let tuf = tuf_key("rsa", "rsassa-pss-sha256", RSA_PEM);
    let role_key = RoleKey::from_tuf(&tuf.keytype, &tuf.scheme, &tuf.public).unwrap();
    assert_eq!(role_key.ours(), None);
    assert_eq!((role_key.id(), role_key.to_tuf()), (tuf.id(), tuf));
    let refused = role_key.verify(b"message", &[0; 256]);
    assert_eq!(refused, Err(SignatureError::Mismatch));
}
