//! Tests of `signing`: published vectors, and the hostile signatures and keys of threat M5.

use std::collections::BTreeSet;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use proptest::prelude::*;

use super::*;

#[test]
fn foreign_signatures_are_adopted_if_they_verify_m5() {
    for key in [p256(), ed25519()] {
        let public = key.public();
        for foreign in [key.sign(b"m"), key.sign_raw(b"m")] {
            let adopted = public.adopt(b"m", &foreign).unwrap();
            assert_eq!(adopted, key.sign(b"m"));
            assert!(public.adopt(b"n", &foreign).is_err());
            assert!(public.adopt(b"m", &foreign[1..]).is_err());
        }
        assert!(public.adopt(b"m", &[]).is_err());
        assert!(public.adopt(b"m", &[0; 64]).is_err());
    }
}

/// Order of the P-256 group.
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// RFC 6979 appendix A.2.5: key and its uncompressed point.
const P256_SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const P256_X: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
const P256_Y: &str = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

/// RFC 6979 appendix A.2.5, SHA-256: message, r, s.
const P256_VECTORS: [(&str, &str, &str); 2] = [
    (
        "sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        "test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
];

/// RFC 8032 section 7.1, tests 1 to 3: secret, public, message, signature.
const ED25519_VECTORS: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

pub(crate) fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// The key of RFC 6979 appendix A.2.5.
pub(crate) fn p256() -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &unhex(P256_SECRET).try_into().unwrap()).unwrap()
}

/// The key of RFC 8032 section 7.1 test 1, also that of RFC 8037 appendix A.
pub(crate) fn ed25519() -> SigningKey {
    let secret = unhex(ED25519_VECTORS[0][0]).try_into().unwrap();
    SigningKey::from_secret(Algorithm::Ed25519, &secret).unwrap()
}

/// DER of two integers given as their content octets, lengths in short form.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |value: &[u8]| [&[2, value.len() as u8], value].concat();
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8], body.as_slice()].concat()
}

/// Content octets of a DER integer.
fn unsigned(hex: &str) -> Vec<u8> {
    let bytes = unhex(hex);
    if bytes[0] >= 0x80 {
        [&[0], bytes.as_slice()].concat()
    } else {
        bytes
    }
}

#[test]
fn ed25519_signs_as_rfc_8032() {
    for [secret, public, message, signature] in ED25519_VECTORS {
        let (message, signature) = (unhex(message), unhex(signature));
        let secret: [u8; 32] = unhex(secret).try_into().unwrap();
        let key = SigningKey::from_secret(Algorithm::Ed25519, &secret).unwrap();
        assert_eq!(key.public().to_hex(), public);
        assert_eq!(
            key.public(),
            PublicKey::from_ed25519(&unhex(public)).unwrap()
        );
        assert_eq!(key.sign(&message), signature);
        assert_eq!(key.sign_raw(&message), signature);
        assert_eq!(key.public().verify(&message, &signature), Ok(()));
        assert_eq!(key.public().verify_raw(&message, &signature), Ok(()));
        assert_eq!(key.secret_bytes().expose(), secret);
    }
}

#[test]
fn p256_signs_as_rfc_6979_with_low_s() {
    let key = p256();
    let public = key.public();
    assert_eq!(public.to_hex(), format!("03{P256_X}"));
    assert_eq!(
        public.to_p256_uncompressed().unwrap(),
        unhex(&format!("04{P256_X}{P256_Y}"))
    );
    for (message, r, s) in P256_VECTORS {
        let message = message.as_bytes();
        let published = unhex(&format!("{r}{s}"));
        let low = p256::ecdsa::Signature::from_slice(&published)
            .unwrap()
            .normalize_s();
        assert_eq!(key.sign_raw(message), low.to_bytes().to_vec());
        assert_eq!(key.sign(message), low.to_der().as_bytes());
        assert!(key.sign_raw(message)[32] < 0x80);
        // The published signature itself verifies in both forms, high s ("sample") or not ("test").
        assert_eq!(public.verify_raw(message, &published), Ok(()));
        assert_eq!(
            public.verify(message, &der(&unsigned(r), &unsigned(s))),
            Ok(())
        );
    }
    assert_eq!(
        key.sign_raw(b"sample")[32..],
        unhex("0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9")
    );
}

#[test]
fn rejects_other_messages_and_keys() {
    for key in [p256(), ed25519()] {
        let (der, raw) = (key.sign(b"one"), key.sign_raw(b"one"));
        let other = SigningKey::generate(key.algorithm(), &mut rng()).public();
        assert_eq!(
            key.public().verify(b"two", &der),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            key.public().verify_raw(b"two", &raw),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(other.verify(b"one", &der), Err(SignatureError::Mismatch));
        assert_eq!(
            other.verify_raw(b"one", &raw),
            Err(SignatureError::Mismatch)
        );
    }
}

#[test]
fn rejects_signatures_of_other_lengths() {
    for key in [p256(), ed25519()] {
        let raw = key.sign_raw(b"m");
        let long = [raw.as_slice(), &[0]].concat();
        let padded = [&[0], raw.as_slice()].concat();
        for signature in [&raw[..63], &raw[1..], &long, &padded, &[], &[0], &raw[..32]] {
            assert_eq!(
                key.public().verify(b"m", signature),
                Err(SignatureError::Malformed)
            );
            assert_eq!(
                key.public().verify_raw(b"m", signature),
                Err(SignatureError::Malformed)
            );
        }
    }
}

#[test]
fn p256_der_and_raw_are_not_interchangeable() {
    let key = p256();
    let (der, raw) = (key.sign(b"m"), key.sign_raw(b"m"));
    assert_eq!(
        key.public().verify(b"m", &raw),
        Err(SignatureError::Malformed)
    );
    assert_eq!(
        key.public().verify_raw(b"m", &der),
        Err(SignatureError::Malformed)
    );
}

#[test]
fn p256_rejects_zero_and_out_of_range_components() {
    let public = p256().public();
    let (message, r, s) = P256_VECTORS[1];
    // s + n, congruent to s: 33 content octets.
    let s_plus_n = "01019f4112742a2b15bd25926b49c649151c0d790e7a98e9d100820d13e0d225d4";
    let zero = "00".repeat(32);
    let max = "ff".repeat(32);
    for (r, s) in [
        (&*zero, &*zero),
        (&zero, s),
        (r, &zero),
        (N, s),
        (r, N),
        (&max, s),
        (r, &max),
    ] {
        let raw = unhex(&format!("{r}{s}"));
        let strip = |hex: &str| if hex == zero { vec![0] } else { unsigned(hex) };
        let refused = Err(SignatureError::Malformed);
        assert_eq!(public.verify_raw(message.as_bytes(), &raw), refused);
        assert_eq!(
            public.verify(message.as_bytes(), &der(&strip(r), &strip(s))),
            refused
        );
    }
    let overlong = der(&unsigned(r), &unhex(s_plus_n));
    assert_eq!(
        public.verify(message.as_bytes(), &overlong),
        Err(SignatureError::Malformed)
    );
}

#[test]
fn p256_rejects_ber_that_is_not_der() {
    let (message, r, s) = P256_VECTORS[1];
    let (r, s) = (unsigned(r), unsigned(s));
    let good = der(&r, &s);
    let body = &good[2..];
    let length = body.len() as u8;
    let padded_s = [&[0], s.as_slice()].concat();
    let forms: [Vec<u8>; 10] = [
        [&good, [0].as_slice()].concat(),              // trailing byte
        [&[0x30, 0x81, length], body].concat(),        // long-form length
        [&[0x30, 0x80], body, &[0, 0]].concat(),       // indefinite length
        [&[0x31, length], body].concat(),              // SET
        [&[0x30, length + 1], body].concat(),          // length beyond the end
        [&[0x30, length + 2], body, &[5, 0]].concat(), // a third element
        der(&r, &padded_s),                            // leading zero
        der(&r[1..], &s),                              // negative r
        der(&[], &s),                                  // empty integer
        good[..good.len() - 1].to_vec(),               // cut off
    ];
    let public = p256().public();
    assert_eq!(public.verify(message.as_bytes(), &good), Ok(()));
    for form in forms {
        let refused = Err(SignatureError::Malformed);
        assert_eq!(
            public.verify(message.as_bytes(), &form),
            refused,
            "{}",
            hex::encode(form)
        );
    }
}

#[test]
fn ed25519_rejects_non_canonical_s() {
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian.
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = ed25519();
    let mut signature = key.sign(b"m");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert_eq!(
        key.public().verify(b"m", &signature),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn ed25519_rejects_zero_signature_and_small_order_r() {
    let public = ed25519().public();
    let mut identity = [0; 64];
    assert_eq!(
        public.verify(b"m", &identity),
        Err(SignatureError::Mismatch)
    );
    identity[0] = 1;
    assert_eq!(
        public.verify(b"m", &identity),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn ed25519_rejects_keys_of_small_order() {
    for key in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        assert_eq!(
            PublicKey::from_ed25519(&unhex(key)),
            Err(KeyError::Weak),
            "{key}"
        );
    }
}

#[test]
fn ed25519_rejects_second_encodings_of_a_point() {
    let mut taken_by_the_library = 0;
    for low in 0xed..=0xff_u8 {
        for top in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, top);
            let decoded = ed25519_dalek::VerifyingKey::from_bytes(&bytes);
            taken_by_the_library += usize::from(decoded.is_ok_and(|key| !key.is_weak()));
            assert!(PublicKey::from_ed25519(&bytes).is_err());
        }
    }
    assert!(taken_by_the_library > 0, "the check would be dead code");
}

#[test]
fn rejects_malformed_public_keys() {
    let good = p256().public().to_p256_uncompressed().unwrap();
    for length in [0, 1, 32, 34, 64, 66] {
        let bytes = vec![4; length];
        assert_eq!(
            PublicKey::from_p256_sec1(&bytes),
            Err(KeyError::Length { expected: 33 })
        );
    }
    for length in [0, 31, 33, 64] {
        let refused = Err(KeyError::Length { expected: 32 });
        assert_eq!(PublicKey::from_ed25519(&vec![1; length]), refused);
    }
    // Identity, compact, hybrid, and unknown tags; then a compressed tag on 65 bytes and the
    // reverse.
    for tag in [0, 1, 5, 6, 7, 0x30, 0xff, 2] {
        let bytes = [&[tag], &good[1..]].concat();
        assert_eq!(
            PublicKey::from_p256_sec1(&bytes),
            Err(KeyError::InvalidPoint),
            "{tag}"
        );
    }
    for tag in [0, 4, 5, 6, 0xff] {
        let bytes = [&[tag], &good[1..33]].concat();
        assert_eq!(
            PublicKey::from_p256_sec1(&bytes),
            Err(KeyError::InvalidPoint),
            "{tag}"
        );
    }
    let mut off_curve = good.clone();
    off_curve[64] ^= 1;
    assert_eq!(
        PublicKey::from_p256_sec1(&off_curve),
        Err(KeyError::InvalidPoint)
    );
    let not_a_point = PublicKey::from_ed25519(&[2; 32]);
    assert_eq!(not_a_point, Err(KeyError::InvalidPoint));
    let uncompressed = PublicKey::from_bytes(Algorithm::P256, &good);
    assert_eq!(uncompressed, Err(KeyError::Length { expected: 33 }));
}

#[test]
fn hex_is_lower_case_and_exact() {
    let public = p256().public();
    let text = public.to_hex();
    assert_eq!(PublicKey::from_p256_hex(&text), Ok(public));
    for text in [
        text.to_uppercase(),
        format!("{text}00"),
        text[2..].to_owned(),
        String::new(),
    ] {
        assert_eq!(
            PublicKey::from_p256_hex(&text),
            Err(KeyError::Malformed),
            "{text}"
        );
    }
}

#[test]
fn rejects_secrets_out_of_range() {
    for secret in ["00".repeat(32), N.to_owned(), "ff".repeat(32)] {
        let secret = unhex(&secret).try_into().unwrap();
        let key = SigningKey::from_secret(Algorithm::P256, &secret);
        assert_eq!(key.map(|key| key.public()), Err(KeyError::InvalidSecret));
    }
}

#[test]
fn encodings_of_one_key_are_one_key() {
    let public = p256().public();
    let point = public.to_p256_uncompressed().unwrap();
    let again = PublicKey::from_p256_sec1(&point).unwrap();
    let keys = BTreeSet::from([public.clone(), again, ed25519().public()]);
    assert_eq!(keys.len(), 2);
    // Algorithm first: Ed25519 sorts before P-256.
    assert_eq!(keys.last(), Some(&public));
}

#[test]
fn hashes_of_keys_are_those_of_their_bytes() {
    let hash = |key: PublicKey| {
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    };
    let point = p256().public().to_p256_uncompressed().unwrap();
    let again = PublicKey::from_p256_sec1(&point).unwrap();
    assert_eq!(hash(again), hash(p256().public()));
    assert_ne!(hash(ed25519().public()), hash(p256().public()));
}

#[test]
fn debug_shows_no_secret() {
    for key in [p256(), ed25519()] {
        let text = format!("{key:?}");
        assert!(text.contains(&key.public().to_hex()));
        assert!(!text.contains(&hex::encode(key.secret_bytes().expose())));
    }
}

#[test]
fn generated_keys_differ_and_come_back_from_their_secret() {
    for algorithm in Algorithm::ALL {
        let one = SigningKey::generate(algorithm, &mut rng());
        let other = SigningKey::generate(algorithm, &mut rng());
        assert_ne!(one.public(), other.public());
        let secret = one.secret_bytes().expose().try_into().unwrap();
        assert_eq!(
            SigningKey::from_secret(algorithm, &secret)
                .unwrap()
                .public(),
            one.public()
        );
        let bytes = one.public().to_bytes();
        assert_eq!(bytes.len(), algorithm.public_key_bytes());
        assert_eq!(PublicKey::from_bytes(algorithm, &bytes), Ok(one.public()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_verifies(message in prop::collection::vec(any::<u8>(), 0..200)) {
        for key in [p256(), ed25519()] {
            prop_assert_eq!(key.public().verify(&message, &key.sign(&message)), Ok(()));
            prop_assert_eq!(key.public().verify_raw(&message, &key.sign_raw(&message)), Ok(()));
        }
    }

    #[test]
    fn flipped_bits_fail(at in any::<prop::sample::Index>(), bit in 0..8) {
        for key in [p256(), ed25519()] {
            let (mut der, mut raw) = (key.sign(b"m"), key.sign_raw(b"m"));
            *at.get_mut(&mut der) ^= 1_u8 << bit;
            *at.get_mut(&mut raw) ^= 1_u8 << bit;
            prop_assert!(key.public().verify(b"m", &der).is_err());
            prop_assert!(key.public().verify_raw(b"m", &raw).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for key in [p256(), ed25519()] {
            prop_assert!(key.public().verify(b"m", &bytes).is_err());
            prop_assert!(key.public().verify_raw(b"m", &bytes).is_err());
        }
        if let Ok(key) = PublicKey::from_ed25519(&bytes) {
            prop_assert_eq!(key.to_bytes(), bytes.clone());
        }
        if let Ok(key) = PublicKey::from_p256_sec1(&bytes) {
            prop_assert_eq!(key.to_bytes()[1..].to_vec(), bytes[1..33].to_vec());
        }
    }
}
