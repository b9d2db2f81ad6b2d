//! Tests of the strict JWS profile against RFC 7515, RFC 7518 and forged tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keys::Algorithm;
use serde_json::{Value, json};

use super::*;

const TYP: &str = "streembit-test";
const LENGTH_MAX: usize = 2048;
/// Half the order of P-256 (FIPS 186-5), rounded down: the greatest low s.
const HALF_ORDER: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn claims() -> Claims<Value> {
    Claims {
        iss: String::new(),
        sub: "subject".to_owned(),
        aud: "audience".to_owned(),
        iat: 1_000,
        exp: 2_000,
        jti: "1".to_owned(),
        data: json!({"n": 1}),
    }
}

/// The claims as JSON text, `iss` set to `key`.
fn claims_text(key: &SigningKey) -> String {
    let mut claims = claims();
    claims.iss = key.public().to_hex();
    serde_json::to_string(&claims).unwrap()
}

fn header_text(alg: &str) -> String {
    format!(r#"{{"alg":"{alg}","typ":"{TYP}"}}"#)
}

/// A token over any texts, with a signature that verifies.
fn forged(key: &SigningKey, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(key.sign_raw(message.as_bytes()));
    format!("{message}.{signature}")
}

fn check(token: &str) -> Result<(Claims<Value>, PublicKey), JwsError> {
    verify(token.as_bytes(), TYP, LENGTH_MAX)
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

#[test]
fn verifies_the_es256_vector_of_rfc_7515_a3() {
    let token = "eyJhbGciOiJFUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                 cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA\
                 pmWQxfKTUJqPP3-Kg6NU1Q";
    let mut point = vec![4];
    for coordinate in [
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ] {
        point.extend(URL_SAFE_NO_PAD.decode(coordinate).unwrap());
    }
    let key = PublicKey::from_p256_sec1(&point).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(key.verify_raw(message.as_bytes(), &signature), Ok(()));
    assert!(
        key.verify_raw(&message.as_bytes()[1..], &signature)
            .is_err()
    );
    // No `typ`: outside our profile, whatever its signature.
    assert_eq!(check(token), Err(JwsError::Shape));
}

#[test]
fn round_trip_names_the_signer() {
    let token = sign(&key(1), TYP, claims()).unwrap();
    let (read, signer) = check(&token).unwrap();
    assert_eq!(signer, key(1).public());
    assert_eq!(read.iss, key(1).public().to_hex());
    let expected = Claims {
        iss: read.iss.clone(),
        ..claims()
    };
    assert_eq!(read, expected);
    assert_eq!(peek_typ(token.as_bytes()), Ok(TYP.to_owned()));
    assert_eq!(sign(&key(1), TYP, claims()), Ok(token));
    // The forging helper of the other tests makes what is accepted.
    let forged = forged(&key(1), &header_text("ES256"), &claims_text(&key(1)));
    assert!(check(&forged).is_ok());
}

#[test]
fn signatures_are_raw_and_low_s() {
    for n in 0..20 {
        let data = json!({ "n": n });
        let token = sign(&key(2), TYP, Claims { data, ..claims() }).unwrap();
        let [_, _, signature] = parts(&token);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert_eq!(signature.len(), 64);
        assert!(hex::encode(&signature[32..]).as_str() <= HALF_ORDER);
    }
}

#[test]
fn refuses_a_change_of_any_byte() {
    let token = sign(&key(1), TYP, claims()).unwrap().into_bytes();
    for index in 0..token.len() {
        for byte in [token[index] ^ 1, token[index] ^ 0x20, b'A', b'_', b'.'] {
            let mut changed = token.clone();
            changed[index] = byte;
            let result = verify::<Value>(&changed, TYP, LENGTH_MAX);
            assert_eq!(result.is_ok(), changed == token, "{index} {byte}");
        }
        let mut shorter = token.clone();
        shorter.remove(index);
        assert!(verify::<Value>(&shorter, TYP, LENGTH_MAX).is_err());
        assert!(verify::<Value>(&token[..index], TYP, LENGTH_MAX).is_err());
    }
}

#[test]
fn refuses_other_algorithms() {
    for alg in [
        "none", "None", "HS256", "ES384", "ES512", "EdDSA", "es256", "ES256 ", "",
    ] {
        let token = forged(&key(1), &header_text(alg), &claims_text(&key(1)));
        assert_eq!(
            check(&token),
            Err(JwsError::Header(TYP.to_owned())),
            "{alg}"
        );
    }
    let [_, claims, _] = parts(&sign(&key(1), TYP, claims()).unwrap());
    let header = URL_SAFE_NO_PAD.encode(header_text("none"));
    assert!(check(&format!("{header}.{claims}.")).is_err());
    let header = URL_SAFE_NO_PAD.encode(header_text("ES256"));
    assert_eq!(
        check(&format!("{header}.{claims}.")),
        Err(JwsError::Signature)
    );
}

#[test]
fn refuses_headers_other_than_alg_and_typ() {
    let jwk = r#"{"alg":"ES256","typ":"streembit-test","jwk":{"kty":"EC"}}"#;
    for header in [
        jwk,
        r#"{"alg":"ES256","typ":"streembit-test","crit":["exp"]}"#,
        r#"{"alg":"ES256","typ":"streembit-test","crit":[]}"#,
        r#"{"alg":"ES256","typ":"streembit-test","kid":"1"}"#,
        r#"{"alg":"ES256","typ":"streembit-test","b64":false}"#,
        r#"{"alg":"none","alg":"ES256","typ":"streembit-test"}"#,
        r#"{"alg":"ES256","alg":"ES256","typ":"streembit-test"}"#,
        r#"{"alg":"ES256","typ":"streembit-test"} x"#,
        r#"{"alg":"ES256"}"#,
        r#"{"typ":"streembit-test"}"#,
        r#"{"alg":["ES256"],"typ":"streembit-test"}"#,
        r#"["ES256","streembit-test"]"#,
        "{}",
        "",
        "null",
    ] {
        let token = forged(&key(1), header, &claims_text(&key(1)));
        assert_eq!(check(&token), Err(JwsError::Shape), "{header}");
        assert_eq!(peek_typ(token.as_bytes()), Err(JwsError::Shape), "{header}");
    }
    for typ in [
        "streembit-other",
        "STREEMBIT-TEST",
        "application/streembit-test",
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
        let token = forged(&key(1), &header, &claims_text(&key(1)));
        assert_eq!(
            check(&token),
            Err(JwsError::Header(TYP.to_owned())),
            "{typ}"
        );
    }
    let padded = format!(
        "{}{}",
        header_text("ES256"),
        " ".repeat(JWS_HEADER_BYTES_MAX)
    );
    let token = forged(&key(1), &padded, &claims_text(&key(1)));
    assert_eq!(check(&token), Err(JwsError::Shape));
}

#[test]
fn refuses_claims_that_are_not_exactly_the_members() {
    let good = claims_text(&key(1));
    let object: serde_json::Map<String, Value> = serde_json::from_str(&good).unwrap();
    let mut bad = vec![
        good.replacen('{', r#"{"nbf":0,"#, 1),
        good.replacen('{', r#"{"sub":"other","#, 1),
        good.replacen('{', r#"{"exp":9999999999,"#, 1),
        good.replace(r#""exp":2000"#, r#""exp":2000.0"#),
        good.replace(r#""exp":2000"#, r#""exp":"2000""#),
        good.replace(r#""exp":2000"#, r#""exp":2e3"#),
        good.replace(r#""iat":1000"#, r#""iat":-1"#),
        good.replace(r#""exp":2000"#, r#""exp":18446744073709551616"#),
        good.replace(r#""aud":"audience""#, r#""aud":["audience"]"#),
        format!("{good}{good}"),
    ];
    for name in object.keys() {
        let mut object = object.clone();
        object.remove(name);
        bad.push(serde_json::to_string(&object).unwrap());
        object.insert(name.clone(), Value::Null);
        if name != "data" {
            bad.push(serde_json::to_string(&object).unwrap());
        }
    }
    for text in bad {
        assert_ne!(text, good);
        let result = check(&forged(&key(1), &header_text("ES256"), &text));
        assert!(matches!(result, Err(JwsError::Claims(_))), "{text}");
    }
    let values: Vec<&Value> = ["iss", "sub", "aud", "iat", "exp", "jti", "data"]
        .iter()
        .map(|name| &object[*name])
        .collect();
    let array = serde_json::to_string(&values).unwrap();
    let result = check(&forged(&key(1), &header_text("ES256"), &array));
    assert_eq!(result, Err(JwsError::Shape));
}

#[test]
fn refuses_deeply_nested_and_invalid_json_without_panic() {
    let good = claims_text(&key(1));
    let nested = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for text in [
        good.replace(r#"{"n":1}"#, &nested),
        "{".repeat(900),
        "{\"\u{0}".into(),
    ] {
        let result = check(&forged(&key(1), &header_text("ES256"), &text));
        assert!(matches!(result, Err(JwsError::Claims(_))), "{text}");
    }
}

#[test]
fn refuses_base64_that_is_not_canonical() {
    // Header text of 1 mod 3 bytes, so that its last character has unused bits too.
    let spaced = format!("{} ", header_text("ES256"));
    let header = [header_text("ES256"), spaced.clone(), format!("{spaced} ")]
        .into_iter()
        .find(|text| text.len() % 3 == 1)
        .unwrap();
    let token = forged(&key(1), &header, &claims_text(&key(1)));
    assert!(check(&token).is_ok());
    let [head, body, signature] = parts(&token);
    for part in 0..3 {
        let texts = [&head, &body, &signature];
        let original = texts[part];
        let last = original.chars().last().unwrap();
        let trailing = format!("{}{}", &original[..original.len() - 1], next_letter(last));
        for changed in [
            format!("{original}="),
            format!("{original}=="),
            format!("{original}\n"),
            format!(" {original}"),
            format!("{}\r\n{}", &original[..8], &original[8..]),
            format!("{original}+/"),
            trailing,
        ] {
            let mut texts = texts.map(String::as_str);
            texts[part] = &changed;
            // Signed as it is written, so that only the form can be wrong.
            let message = format!("{}.{}", texts[0], texts[1]);
            let signed = URL_SAFE_NO_PAD.encode(key(1).sign_raw(message.as_bytes()));
            let tail = if part == 2 { texts[2] } else { &signed };
            assert!(
                check(&format!("{message}.{tail}")).is_err(),
                "{part} {changed:?}"
            );
        }
    }
}

/// The next letter of the alphabet of base64url: for a last character it sets an unused bit.
fn next_letter(letter: char) -> char {
    char::from(u8::try_from(letter).unwrap() + 1)
}

#[test]
fn refuses_other_than_three_parts() {
    let token = sign(&key(1), TYP, claims()).unwrap();
    let [header, body, signature] = parts(&token);
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.clone(),
        format!("{header}.{body}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{body}.{signature}"),
        format!("{header}.{body}.{signature}.{body}.{signature}"),
    ] {
        assert_eq!(check(&text), Err(JwsError::Shape), "{text}");
    }
}

#[test]
fn refuses_tokens_over_the_length_it_is_given() {
    let token = sign(&key(1), TYP, claims()).unwrap();
    let at = |length| verify::<Value>(token.as_bytes(), TYP, length);
    assert!(at(token.len()).is_ok());
    assert_eq!(at(token.len() - 1), Err(JwsError::Shape));
}

#[test]
fn refuses_signatures_in_other_forms() {
    let token = sign(&key(1), TYP, claims()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let der = key(1).sign(message.as_bytes());
    let mut high_r = raw.clone();
    high_r[..32].fill(0xff);
    for bad in [
        der,
        raw[..63].to_vec(),
        [&raw[..], &[0]].concat(),
        vec![0; 64],
        [&raw[..32], &[0; 32]].concat(),
        high_r,
        [&raw[32..], &raw[..32]].concat(),
    ] {
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&bad));
        assert_eq!(check(&token), Err(JwsError::Signature), "{bad:?}");
    }
}

#[test]
fn refuses_a_signature_of_another_key_than_iss() {
    // Mallory signs claims that name Alice, and Alice's claims with the issuer swapped to Mallory.
    let (alice, mallory) = (key(1), key(2));
    let token = forged(&mallory, &header_text("ES256"), &claims_text(&alice));
    assert_eq!(check(&token), Err(JwsError::Signature));
    let [header, _, signature] = parts(&sign(&alice, TYP, claims()).unwrap());
    let swapped = URL_SAFE_NO_PAD.encode(claims_text(&mallory));
    let token = format!("{header}.{swapped}.{signature}");
    assert_eq!(check(&token), Err(JwsError::Signature));
}

#[test]
fn refuses_issuers_that_are_no_compressed_p256_key() {
    let good = key(1).public().to_hex();
    let ed25519 = SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap();
    let uncompressed = hex::encode(key(1).public().to_p256_uncompressed().unwrap());
    for iss in [
        String::new(),
        good.to_uppercase(),
        good[2..].to_owned(),
        format!("05{}", &good[2..]),
        format!("02{}", "f".repeat(64)),
        uncompressed,
        ed25519.public().to_hex(),
    ] {
        let text = claims_text(&key(1)).replace(&good, &iss);
        let token = forged(&key(1), &header_text("ES256"), &text);
        assert_eq!(check(&token), Err(JwsError::Issuer), "{iss}");
    }
    assert_eq!(sign(&ed25519, TYP, claims()), Err(JwsError::Key));
}

#[test]
fn times_hold_to_the_second() {
    let skew = crate::limits::CLOCK_SKEW.as_secs();
    let life = Duration::from_secs(1_000);
    let at = |now| claims().check_time(now, life);
    assert_eq!(at(1_000 - skew), Ok(()));
    assert_eq!(at(1_000 - skew - 1), Err(TimeError::Future(1_000)));
    assert_eq!(at(1_999), Ok(()));
    assert_eq!(at(2_000), Err(TimeError::Expired(2_000)));
    assert_eq!(at(u64::MAX), Err(TimeError::Expired(2_000)));
    // Where only the earliest moment is known, nothing is from the future, and what is over is over.
    let known = |earliest| {
        let latest = u64::MAX;
        claims().check_time(KnownTime { earliest, latest }, life)
    };
    assert_eq!(known(0), Ok(()));
    assert_eq!(known(1_999), Ok(()));
    assert_eq!(known(2_000), Err(TimeError::Expired(2_000)));
    let short = claims().check_time(1_500, Duration::from_secs(999));
    let (life, limit) = (1_000, 999);
    assert_eq!(short, Err(TimeError::Life { life, limit }));
    let endless = Claims {
        iat: 0,
        exp: u64::MAX,
        ..claims()
    };
    assert!(matches!(
        endless.check_time(0, Duration::from_secs(999)),
        Err(TimeError::Life { .. })
    ));
}
