//! Tests of `rsa_pss`. Key and signatures were made by OpenSSL 3.0.

use super::*;

const PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAtbEymigwh2NQRb031DDm
HyVMuwZvVRE0caeVPKQxlZ0sdhnkL6lZO/uiDzh5IKTR5ZQkg0T40k26criYogU6
qPIP5ycE182jAO8CgQ03WBfohNvEyoDEEh6BOpjCWDe2OM90SJGAByPdXkqr/J+J
2MPOCVCqcuc6t9AgVUj5CultgVeHBIS+vDmmn9vMrQg8zIxpLN9de4FAembAQ8JC
NEFDAZGpoZLuCCKIK0TzrKSrPoS7o5zU2JvXECZrDQ0Ix3U501HYUce9CQhy2Eb4
MjD59YPNBb4Rci/DRgTnQL0IUGnIfBxMLjIEeETX4Qwx9cBs14zJ5JTYVdOoxFU2
So9xyKP5balRHzcQVJAm3b11L7KGTvU9smsVUZKQJCymweR31QRjSDSuy+3zCeUJ
3CHnTQ4qb1LBIbI6Cc6qoDSqfVftQRRt47xooq9BT2bQQTnGSvzQdKEWOEvds93M
/O8JBErnpazdkK0a5lvrNF2SFVXi2EsWLGI/fEtAz665AgMBAAE=
-----END PUBLIC KEY-----
";
const MESSAGE: &[u8] = b"release 42";
/// `openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sign`
const PSS: &str = "b0cc10243a065a50592e57c8d2a1f1a933ee15c330bc104217e3f044c50b80eacf2642220350f9141d4647167bbe670e\
    d188c2d6721d534d89d28258cd71cbe3396d322ed505c6104edbbc8822eac9a866f1a4345d20346ba396437c1a94aa06\
    38c86a54c4e8c1988d495f832c87fac58dd199cdffea71a27047211e725c8b294b0849924f9f07f8ec0845db1f9fd60b\
    857503792e0d4d19e0c9d42833972cd88fab5e3d5cd294c8250b3282b2787730fd72f921adeb8d0f107ae240054438fa\
    b08a0a809d571b1369e76f6f01e38fb8f9aab41d84d2f3890de6562bba827946e492b853ac9ba977897188c676646d49\
    f0ea35e79dbec7aaf7329dddfc395beebb1ac3138ce47b63cec5880d1f5386e6427e4aed880bd50dd7c3eaf8e89d5ae6\
    4c7aebe693c234ed57bd7d2657f9c6e5a3de51e0691849c27940e53dc788127d69e2d3af39d4eaafc115507f47322dcb\
    e7092ad4842bf6c2a95d8b82e19cc228dd5fed8158419b6375055f044f48b87454ae995f9b92b77095b824dda796ca21";
/// The same with a salt of 20 bytes.
const PSS_SALT_20: &str = "7983ec5fbe79340828c107e6a64c4c9f20b059190eb79b5497f4ef000b81ac96f7399e1ba1e6620932a2d0dd7300d85e\
    07f2b027555d3b00ea8b6297e0f855e2cb673eb5785baac60ff456a455a3e72197dc1013964cac0c3c1b27f0fb09af31\
    b53262d57d2ad13cfb5e1af56395c8658fece65274ef6f025965c77bbef3801e137326c8525cf97aee44bb8730ecc2a3\
    b3ac9a0f2cf237180c4d969853994bc70ad08063e56acccd1d88455e2f46f036fc0de802c81b4fb82d25cbe292098d7b\
    953aad423547d0bfac3321b00c97344530ef8f9a41c1cdf5d5588cfd6540a58854fe80b371f2acc58388a0fe532f74ae\
    a966b6308cf5ccfdadb5e6d731f088f73f875f18d0fb58058f1eb6559a560068db440e1221c2867e3ad37ca5bc050309\
    4e970c2b46f84fbaa9c551667ec7363cf4bb401a98824d6acc033706fd1f9afc05b68933cf39f0ec05399bd9b253a040\
    c0c548996c0b0546d8ec18c738ea594728d41f05887befb811b7beadc0e6ddf7aeafebc6522a2a5f615153d0a5e05ced";
/// PKCS #1 version 1.5.
const V15: &str = "1083e1f91c5cb3a6db2e65fb7c7f440cc7534499d813b0a3532676d3109b33b96e04b2c3bb273ece7b282c0c2c38efaa\
    03d0f00dfc42f3b2b52ed1129ff0688d0bf34e5fcbb4283497205303ac3ad57bead7c7e131f23a5a1d968857976a6f29\
    d63049d6fbe5588dafef0b0131fa61158a4ecfcdc7b5c842552c2368d0870d0811fcfd38614fcf32265ff5c36d3ac894\
    c2f99a3a0fb0a765783aa71b6865cc9387a802295934c9898b1264409ca2d8d06d422555d427a725cf6e4ab51885f087\
    93e41065447c3c2c09e3f9b0e530247b5e40984dfa0c037abfc8d4f541020892cf8cbb187a236161509ee7f6ea587e5e\
    f27731298a5b73d3692870a347bb3fbb03199dbeca5abdf6842045336f36a8907250947c482627d969df7d04c8dc8ca8\
    c05435630c5b1997002cee3145f5891eb0f685d8915605b72e805da7581571946b364c1af6c8b8614a03e676ec41a49c\
    a735f283e3e61568992d67eda58462d44441ee38e1c477dc21f098f81fbbec1d0d2d1d3efde78b8473330c956483c45e";

fn key() -> RsaPublicKey {
    RsaPublicKey::from_pem(PEM).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

#[test]
fn verifies_what_openssl_signed() {
    assert_eq!(key().verify(MESSAGE, &bytes(PSS)), Ok(()));
    assert_eq!(key().to_pem(), PEM);
    let bare = RsaPublicKey::from_pem(PEM.trim_end()).unwrap();
    assert_eq!(bare, key());
}

#[test]
fn rejects_other_messages_paddings_and_sizes_m5_m6() {
    let good = bytes(PSS);
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let longer = [&good[..], &[0]].concat();
    let shorter = &good[1..];
    for bad in [
        &flipped[..],
        &longer,
        shorter,
        &[],
        &vec![0; 384],
        &bytes(PSS_SALT_20),
        &bytes(V15),
    ] {
        assert_eq!(key().verify(MESSAGE, bad), Err(SignatureError::Mismatch));
    }
    let other = key().verify(b"release 43", &good);
    assert_eq!(other, Err(SignatureError::Mismatch));
}

#[test]
fn rejects_keys_that_are_not_rsa_or_malformed_m6() {
    use crate::spki::tests::{ED25519_PEM, P256_PEM};
    for pem in [ED25519_PEM, P256_PEM] {
        assert_eq!(RsaPublicKey::from_pem(pem), Err(KeyError::Unsupported));
    }
    let crlf = PEM.replace('\n', "\r\n");
    let cut = PEM.replacen("MIIB", "MIIC", 1);
    let huge = PEM.repeat(4);
    for pem in ["", "x", &crlf, &cut, &huge, &PEM[1..]] {
        assert_eq!(RsaPublicKey::from_pem(pem), Err(KeyError::Malformed));
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match content.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], &length[..], content].concat()
}

/// The PEM of a key whose modulus has this many bytes.
fn pem_of(modulus_bytes: usize) -> String {
    let modulus = [&[0], &vec![0xff; modulus_bytes][..]].concat();
    let key = der(0x30, &[der(2, &modulus), der(2, &[1, 0, 1])].concat());
    let oid = der(6, &bytes("2a864886f70d010101"));
    let algorithm = der(0x30, &[oid, der(5, &[])].concat());
    let bits = der(3, &[&[0], &key[..]].concat());
    encoding::to_armour(PEM_LABEL, &der(0x30, &[algorithm, bits].concat()))
}

#[test]
fn rejects_keys_of_other_sizes() {
    for modulus_bytes in [256, 384, 1024] {
        let pem = pem_of(modulus_bytes);
        assert_eq!(RsaPublicKey::from_pem(&pem).unwrap().to_pem(), pem);
    }
    for modulus_bytes in [1, 128, 255, 1025] {
        let refused = RsaPublicKey::from_pem(&pem_of(modulus_bytes));
        assert_eq!(refused, Err(KeyError::Weak), "{modulus_bytes}");
    }
}

#[test]
fn rejects_endless_pem_before_it_is_read() {
    let pem = pem_of(2000);
    assert!(pem.len() > PEM_BYTES_MAX);
    assert_eq!(RsaPublicKey::from_pem(&pem), Err(KeyError::Malformed));
}
