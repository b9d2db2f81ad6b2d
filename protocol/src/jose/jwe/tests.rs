//! Tests of the JWE profile: vectors of RFC 7518 and RFC 3394, forms, refusals. Foreign libraries read and
//! write the same tokens in the cross-crate tests.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use serde_json::{Value, json};

use super::*;

const TYP: &str = "streembit-test";
const LENGTH_MAX: usize = 16 * 1024;

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn key() -> AgreementKey {
    AgreementKey::generate(&mut rng())
}

fn opened(key: &AgreementKey, token: &str) -> Result<Vec<u8>, JweError> {
    open(key, TYP, token.as_bytes(), LENGTH_MAX).map(|plain| plain.expose().to_vec())
}

fn opened_as_one(key: &AgreementKey, token: &str) -> Result<Vec<u8>, JweError> {
    open_as_one(key, TYP, token.as_bytes(), LENGTH_MAX).map(|plain| plain.expose().to_vec())
}

/// The parts of a compact token with one of them changed.
fn with_part(token: &str, index: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[index] = part;
    parts.join(".")
}

/// The same token under another header, sealed as the header says as far as this profile can.
fn with_header(token: &str, edit: impl Fn(&mut Value)) -> String {
    let protected = token.split('.').next().unwrap();
    let mut header: Value = serde_json::from_slice(&decode_base64url(protected).unwrap()).unwrap();
    edit(&mut header);
    with_part(token, 0, &encode_base64url(header.to_string()))
}

/// RFC 7518 appendix C.
#[test]
fn derives_as_rfc_7518_appendix_c() {
    let shared = [
        158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110,
        163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
    ];
    let derived = concat_kdf(&shared, "A128GCM", [b"Alice", b"Bob"], 128);
    let text = encode_base64url(&derived.expose()[..16]);
    assert_eq!(text, "VqqN6vgjbSBcIijNcacQGg");
}

/// RFC 3394 section 4.6: 256 bits of key under 256 bits of key.
#[test]
fn wraps_as_rfc_3394_section_4_6() {
    let bytes = |text: &str| hex::decode(text).unwrap();
    let wrapping = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let content = bytes("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    let mut wrapped = [0; 40];
    let wrapping = KwAes256::new_from_slice(&wrapping).unwrap();
    wrapping.wrap_key(&content, &mut wrapped).unwrap();
    let expected =
        "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
    assert_eq!(hex::encode(wrapped), expected);
}

#[test]
fn opens_for_its_recipient_alone() {
    let (ours, other) = (key(), key());
    let token = seal(&ours.public(), TYP, b"the heating is on", &mut rng()).unwrap();
    assert_eq!(opened(&ours, &token).unwrap(), b"the heating is on");
    assert_eq!(opened(&other, &token), Err(JweError::Refused));
    let again = seal(&ours.public(), TYP, b"the heating is on", &mut rng()).unwrap();
    assert_ne!(token, again);
    let empty = seal(&ours.public(), TYP, b"", &mut rng()).unwrap();
    assert_eq!(opened(&ours, &empty).unwrap(), b"");
}

#[test]
fn every_changed_part_is_refused() {
    let ours = key();
    let token = seal(&ours.public(), TYP, b"plain", &mut rng()).unwrap();
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    for (index, part) in parts.iter().enumerate() {
        let mut bytes = decode_base64url(part).unwrap();
        bytes[0] ^= 1;
        let changed = with_part(&token, index, &encode_base64url(&bytes));
        assert!(opened(&ours, &changed).is_err(), "part {index}");
        assert!(
            opened(&ours, &with_part(&token, index, "")).is_err(),
            "part {index}"
        );
        let padded = with_part(&token, index, &format!("{part}="));
        assert!(opened(&ours, &padded).is_err(), "part {index}");
    }
    let four = parts[..4].join(".");
    assert_eq!(opened(&ours, &four), Err(JweError::Shape));
    assert_eq!(opened(&ours, &format!("{token}.")), Err(JweError::Shape));
    let short = open(&ours, TYP, token.as_bytes(), token.len() - 1).err();
    assert_eq!(short, Some(JweError::Shape));
    let other = open(&ours, "streembit-other", token.as_bytes(), LENGTH_MAX).err();
    assert_eq!(other, Some(JweError::Header));
}

/// A header outside the profile is refused before any key is used.
#[test]
fn other_headers_are_refused() {
    let ours = key();
    let token = seal(&ours.public(), TYP, b"plain", &mut rng()).unwrap();
    let edits: [fn(&mut Value); 11] = [
        |it| it["alg"] = json!("ECDH-ES"),
        |it| it["alg"] = json!("dir"),
        |it| it["alg"] = json!("none"),
        |it| it["enc"] = json!("A256CBC-HS512"),
        |it| it["zip"] = json!("DEF"),
        |it| it["crit"] = json!(["exp"]),
        |it| it["apu"] = json!("QQ"),
        |it| it["kid"] = json!("1"),
        |it| it["epk"]["crv"] = json!("P-384"),
        |it| it["epk"]["d"] = it["epk"]["x"].clone(),
        |it| drop(it.as_object_mut().unwrap().remove("epk")),
    ];
    for edit in edits {
        let changed = with_header(&token, edit);
        assert_eq!(opened(&ours, &changed), Err(JweError::Header), "{changed}");
    }
    // Not on the curve: what an invalid curve attack sends.
    let off_curve = with_header(&token, |it| it["epk"]["y"] = it["epk"]["x"].clone());
    assert_eq!(opened(&ours, &off_curve), Err(JweError::Header));
    let array = encode_base64url(r#"["ECDH-ES+A256KW"]"#);
    assert_eq!(
        opened(&ours, &with_part(&token, 0, &array)),
        Err(JweError::Shape)
    );
    let long = "A".repeat(JWE_HEADER_BYTES_MAX + 1);
    assert_eq!(
        opened(&ours, &with_part(&token, 0, &long)),
        Err(JweError::Shape)
    );
}

/// The paper asks for 128 bits beside 256: read, never written.
#[test]
fn reads_aes_128() {
    let ours = key();
    let mut sealing = Sealing::new(TYP, &mut rng()).unwrap();
    let header: Value =
        serde_json::from_slice(&decode_base64url(&sealing.protected).unwrap()).unwrap();
    assert_eq!(header["enc"], ENCRYPTION);
    let header = header.to_string().replace(ENCRYPTION, WEAKER_ENCRYPTION);
    sealing.protected = encode_base64url(header);
    let content = &sealing.content.expose()[..16];
    let wrapping = key_wrapping(&sealing.ephemeral, &ours.public()).unwrap();
    let mut wrapped = [0; 24];
    wrapping.wrap_key(content, &mut wrapped).unwrap();
    let payload = Payload {
        msg: b"weaker",
        aad: sealing.protected.as_bytes(),
    };
    let cipher = Aes128Gcm::new_from_slice(content).unwrap();
    let sealed = cipher
        .encrypt(&Nonce::from(sealing.nonce), payload)
        .unwrap();
    let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
    let parts = [&wrapped[..], &sealing.nonce, ciphertext, tag].map(encode_base64url);
    let token = format!("{}.{}", sealing.protected, parts.join("."));
    assert_eq!(opened(&ours, &token).unwrap(), b"weaker");
}

#[test]
fn several_open_one_token_and_nobody_sees_how_many() {
    let keys = [(); 5].map(|()| key());
    let recipients = keys.each_ref().map(AgreementKey::public);
    let token = seal_for_all(&recipients, TYP, b"here I am", &mut rng()).unwrap();
    for ours in &keys {
        assert_eq!(opened_as_one(ours, &token).unwrap(), b"here I am");
    }
    assert_eq!(opened_as_one(&key(), &token), Err(JweError::Refused));
    let one = seal_for_all(&recipients[..1], TYP, b"here I am", &mut rng()).unwrap();
    assert_eq!(one.len(), token.len());
    let many = vec![recipients[0].clone(); 9];
    let many = seal_for_all(&many, TYP, b"", &mut rng()).unwrap();
    let many: Value = serde_json::from_str(&many).unwrap();
    assert_eq!(many["recipients"].as_array().unwrap().len(), 16);
    let too_many = vec![recipients[0].clone(); JWE_RECIPIENTS_MAX + 1];
    let none: &[AgreementPublicKey] = &[];
    for recipients in [&too_many, none] {
        let sealed = seal_for_all(recipients, TYP, b"", &mut rng());
        assert_eq!(sealed, Err(JweError::Recipients));
    }
}

#[test]
fn changed_json_is_refused() {
    let ours = key();
    let token = seal_for_all(&[ours.public()], TYP, b"plain", &mut rng()).unwrap();
    let value: Value = serde_json::from_str(&token).unwrap();
    let edits: [fn(&mut Value); 8] = [
        |it| it["header"] = json!({"alg": ALGORITHM}),
        |it| it["aad"] = json!("QQ"),
        |it| it["recipients"][0]["header"] = json!({"kid": "1"}),
        |it| it["recipients"] = json!([]),
        |it| it["tag"] = json!("QQ"),
        |it| it["iv"] = json!("QQ"),
        |it| it["ciphertext"] = json!("QQ"),
        |it| it["protected"] = it["iv"].clone(),
    ];
    for edit in edits {
        let mut changed = value.clone();
        edit(&mut changed);
        assert!(
            opened_as_one(&ours, &changed.to_string()).is_err(),
            "{changed}"
        );
    }
    let mut many = value;
    let entry = many["recipients"][0].clone();
    many["recipients"] = vec![entry; JWE_RECIPIENTS_MAX + 1].into();
    let token = many.to_string();
    assert_eq!(opened_as_one(&ours, &token), Err(JweError::Recipients));
    assert_eq!(opened_as_one(&ours, "[1]"), Err(JweError::Shape));
}
