//! Tests of `jwk`. Thumbprints: RFC 8037 appendix A.3, and one computed by Python's hashlib.

use proptest::prelude::*;

use super::*;
use crate::signing::tests::{ed25519, p256};

const ED25519_JWK: &str =
    r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const P256_JWK: &str = concat!(
    r#"{"crv":"P-256","kty":"EC","x":"YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y","#,
    r#""y":"eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk"}"#
);

#[test]
fn thumbprint_is_that_of_rfc_8037() {
    let public = ed25519().public();
    assert_eq!(public.to_jwk().to_string(), ED25519_JWK);
    assert_eq!(
        public.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    let public = p256().public();
    assert_eq!(public.to_jwk().to_string(), P256_JWK);
    assert_eq!(
        public.thumbprint(),
        "DOvxvJiAdIqVWIkFt5hDtCunXLF0BV4-JGv4f-ALSm0"
    );
}

#[test]
fn parses_in_any_order_and_inside_documents() {
    for key in [p256().public(), ed25519().public()] {
        let text = key.to_jwk().to_string();
        assert_eq!(PublicKey::from_jwk(&text), Ok(key.clone()));
        assert_eq!(serde_json::to_string(&key.to_jwk()).unwrap(), text);
        let header: serde_json::Value = serde_json::json!({ "epk": key.to_jwk() });
        assert_eq!(
            serde_json::from_value::<Jwk>(header["epk"].clone()).unwrap(),
            key.to_jwk()
        );
    }
    let reordered = ED25519_JWK.replace(
        r#""crv":"Ed25519","kty":"OKP","#,
        r#""kty":"OKP", "crv":"Ed25519","#,
    );
    assert_eq!(PublicKey::from_jwk(&reordered), Ok(ed25519().public()));
}

#[test]
fn rejects_malformed_members() {
    for (text, from, to) in [
        (
            ED25519_JWK,
            "}",
            r#","d":"nWGxne_9WmC6hEr0kuwsxERJxXN7MmkZcDusAxyuf2A"}"#,
        ),
        (ED25519_JWK, "}", r#","kid":"1"}"#),
        (ED25519_JWK, "}", r#","y":"AA"}"#),
        (ED25519_JWK, "}", r#","kty":"OKP"}"#),
        (ED25519_JWK, "URo", "URp"),
        (ED25519_JWK, "URo", "UR"),
        (ED25519_JWK, "URo", "URo="),
        (ED25519_JWK, "_7", "/7"),
        (ED25519_JWK, r#""x":"#, r#""X":"#),
        (
            P256_JWK,
            r#","y":"eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk""#,
            "",
        ),
        (P256_JWK, "eQP-", "AAAAeQP-"),
        (P256_JWK, "}", "} {}"),
        (P256_JWK, r#""EC""#, "1"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert_eq!(
            PublicKey::from_jwk(&changed),
            Err(KeyError::Malformed),
            "{changed}"
        );
    }
    let long = format!("{P256_JWK}{}", " ".repeat(JWK_BYTES_MAX));
    assert_eq!(PublicKey::from_jwk(&long), Err(KeyError::Malformed));
}

#[test]
fn rejects_other_key_types_and_curves() {
    for (text, from, to) in [
        (ED25519_JWK, "OKP", "EC"),
        (ED25519_JWK, "Ed25519", "X25519"),
        (ED25519_JWK, "Ed25519", "ed25519"),
        (P256_JWK, "EC", "oct"),
        (P256_JWK, "EC", "RSA"),
        (P256_JWK, "P-256", "P-384"),
        (P256_JWK, "P-256", "secp256k1"),
    ] {
        let changed = text.replace(from, to);
        assert_eq!(
            PublicKey::from_jwk(&changed),
            Err(KeyError::Unsupported),
            "{changed}"
        );
    }
}

#[test]
fn rejects_points_off_the_curve() {
    let changed = P256_JWK.replace("eQP-", "eQQ-");
    assert_eq!(PublicKey::from_jwk(&changed), Err(KeyError::InvalidPoint));
}

proptest! {
    #[test]
    fn parse_never_panics(text in r#"\{?("(crv|kty|x|y)":"[A-Za-z0-9_-]{0,44}",?){0,4}\}?"#) {
        if let Ok(key) = PublicKey::from_jwk(&text) {
            prop_assert_eq!(PublicKey::from_jwk(&key.to_jwk().to_string()), Ok(key));
        }
    }
}
