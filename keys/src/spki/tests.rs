//! Tests of `spki`. The PEM texts were made by pyca/cryptography 48 (OpenSSL).

use crate::encoding;
use crate::signing::tests::{ed25519, p256, unhex};
use crate::signing::{KeyError, PublicKey};

pub(crate) const P256_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7
Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==
-----END PUBLIC KEY-----
";

pub(crate) const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";

pub(crate) const P384_PEM: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEB8Iw0gtay4TidRJFz+psZiiSvPhIagGB
J6peFgSab92KtTJtD2m1twjrWVq07W72VXew2zvL1KCoQwbgM272XDt5lJ+HO1s0
0bZo/utEFDolv+B53EvsNuguh65kJBnp
-----END PUBLIC KEY-----
";

const SECP256K1_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAELIwx/J+ZDGtV44ZaGEpM5Q4JSB8urrPm
DsHOoTpq5kVkuV5P22lIwDhuGJsAain2hnabARcEJ15EWYItwzKAhQ==
-----END PUBLIC KEY-----
";

pub(crate) const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwGt9eXNOziZwCM0KY9n7
Qm7N9H3FW5VSaHp8eWivXcCJ6wJiF7DIUGPCAnu0vCN69VV1H/S4GfkqzyTUb/nt
Fhev0Almtwi8KY5nY07M9WAwXRughAIITg4PQhkiQ1jq8/vmfwmdArV4UfkcUDI9
uB7ZRfBkNLiGemD0O2cAo7ZveCHoRrEOKFxWHN9kUY0j52K1oPyD8l/b7o5iw88e
xhjbISmF6eM77P2rKoJA/SvFg38ojx3R0CMALTMDg5+e0keQmIqY8ZDcZrH5opvm
xJvhbsb8m2pWmCnkOx6rU03clj6e3lePGUumya01IG1ATa6V8UFy5d5O+cfc3Z5F
kwIDAQAB
-----END PUBLIC KEY-----
";

#[test]
fn pem_is_that_of_openssl() {
    for (key, pem) in [(p256(), P256_PEM), (ed25519(), ED25519_PEM)] {
        assert_eq!(key.public().to_pem(), pem);
        assert_eq!(PublicKey::from_pem(pem), Ok(key.public()));
        assert_eq!(PublicKey::from_pem(pem.trim_end()), Ok(key.public()));
        assert_eq!(
            PublicKey::from_spki_der(&key.public().to_spki_der()),
            Ok(key.public())
        );
    }
}

#[test]
fn rejects_other_algorithms_and_curves() {
    for pem in [P384_PEM, SECP256K1_PEM, RSA_PEM] {
        assert_eq!(PublicKey::from_pem(pem), Err(KeyError::Unsupported));
    }
}

#[test]
fn rejects_pem_of_another_form() {
    for pem in [
        P256_PEM.replace('\n', "\r\n"),
        format!("{P256_PEM}\n"),
        format!(" {P256_PEM}"),
        format!("{P256_PEM}{P256_PEM}"),
        P256_PEM.replace("PUBLIC", "PRIVATE"),
        "x".repeat(1025),
        String::new(),
    ] {
        assert_eq!(PublicKey::from_pem(&pem), Err(KeyError::Malformed), "{pem}");
    }
}

#[test]
fn rejects_endless_pem_before_it_is_read() {
    let text = |bytes: usize| encoding::to_armour("PUBLIC KEY", &vec![0; bytes]);
    let (short, long) = (text(700), text(800));
    assert!(short.len() < 1024 && long.len() > 1024);
    assert_eq!(PublicKey::from_pem(&short), Err(KeyError::Unsupported));
    assert_eq!(PublicKey::from_pem(&long), Err(KeyError::Malformed));
}

#[test]
fn rejects_der_that_differs_in_a_byte() {
    for key in [p256(), ed25519()] {
        let der = key.public().to_spki_der();
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 1;
            // A changed Ed25519 point may be another valid point; never the same key.
            assert_ne!(PublicKey::from_spki_der(&changed), Ok(key.public()));
            assert!(PublicKey::from_spki_der(&der[..at]).is_err());
        }
        assert!(PublicKey::from_spki_der(&[der.as_slice(), &[0]].concat()).is_err());
    }
}

#[test]
fn rejects_compressed_point_where_the_whole_one_is_announced() {
    let key = p256().public();
    let der = [&key.to_spki_der()[..26], key.as_bytes()].concat();
    assert_eq!(PublicKey::from_spki_der(&der), Err(KeyError::Unsupported));
}

#[test]
fn rejects_compressed_point_and_explicit_parameters() {
    let compressed = unhex(
        "3039301306072a8648ce3d020106082a8648ce3d030107032200\
         0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
    );
    assert_eq!(
        PublicKey::from_spki_der(&compressed),
        Err(KeyError::Unsupported)
    );
    let mut hybrid = p256().public().to_spki_der();
    hybrid[26] = 7;
    assert_eq!(
        PublicKey::from_spki_der(&hybrid),
        Err(KeyError::InvalidPoint)
    );
}
