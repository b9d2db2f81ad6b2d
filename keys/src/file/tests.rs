//! Tests of `file`. `VECTOR` was made by pyca/cryptography 48 (Argon2id, AES-GCM of OpenSSL).

use proptest::prelude::*;

use super::*;
use crate::signing::tests::{ed25519, p256, rng};
use crate::suite::Algorithm;

const PASSCODE: &str = "Correct horse 9 battery!";
const CHEAP: Cost = Cost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};
const ENCRYPTED: Protection<'_> = Protection::Passcode {
    passcode: PASSCODE,
    cost: CHEAP,
};

/// The key of RFC 6979 appendix A.2.5, 64 KiB, 2 passes, salt 00..0f, nonce 10..1b.
const VECTOR: &str = "-----BEGIN STREEMBIT ENCRYPTED KEY-----
U1RLRgECAQAAAEAAAAACAAAAAQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhsD
YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7YMUkZDIDY5Nzkga2V5Lql2
Zk6sD2xPx9x92bx8XK9VHTu/IrKbjQKv2JUeu6Tny1xzNOciGcJXlQ+9aiq0
-----END STREEMBIT ENCRYPTED KEY-----
";

fn bytes_of(armour: &str, text: &str) -> Vec<u8> {
    encoding::from_armour(armour, text).unwrap().to_vec()
}

/// Parses and opens `bytes` in encrypted armour.
fn open(bytes: &[u8]) -> Result<SigningKey, KeyFileError> {
    KeyFile::parse(&encoding::to_armour(ENCRYPTED_LABEL, bytes))?.open(Some(PASSCODE))
}

#[test]
fn opens_the_file_of_another_implementation() {
    let file = KeyFile::parse(VECTOR).unwrap();
    assert_eq!(file.public(), &p256().public());
    assert_eq!(file.label(), "RFC 6979 key");
    assert_eq!(
        file.cost(),
        Some(Cost {
            memory_kib: 64,
            passes: 2,
            lanes: 1
        })
    );
    assert!(file.is_encrypted());
    let key = file.open(Some(PASSCODE)).unwrap();
    assert_eq!(key.secret_bytes().expose(), p256().secret_bytes().expose());
}

#[test]
fn seals_and_opens() {
    for key in [p256(), ed25519()] {
        for (protection, passcode) in [(ENCRYPTED, Some(PASSCODE)), (Protection::Unprotected, None)]
        {
            for label in ["", "build server", "Zsófia", &"x".repeat(LABEL_BYTES_MAX)] {
                let text = seal(&key, label, protection, &mut rng()).unwrap();
                let file = KeyFile::parse(&text).unwrap();
                assert_eq!((file.public(), file.label()), (&key.public(), label));
                assert_eq!(file.is_encrypted(), passcode.is_some());
                assert_eq!(file.cost(), passcode.map(|_| CHEAP));
                let opened = file.open(passcode).unwrap();
                assert_eq!(opened.secret_bytes().expose(), key.secret_bytes().expose());
                assert!(KeyFile::parse(text.trim_end()).is_ok());
                assert!(text.len() <= 428);
            }
        }
    }
}

#[test]
fn armour_names_the_kind() {
    let encrypted = seal(&p256(), "", ENCRYPTED, &mut rng()).unwrap();
    assert!(encrypted.starts_with("-----BEGIN STREEMBIT ENCRYPTED KEY-----\n"));
    let plain = seal(&p256(), "", Protection::Unprotected, &mut rng()).unwrap();
    assert!(plain.starts_with("-----BEGIN STREEMBIT KEY-----\n"));
    for (text, from, to) in [
        (encrypted, ENCRYPTED_LABEL, PLAIN_LABEL),
        (plain, PLAIN_LABEL, ENCRYPTED_LABEL),
    ] {
        let swapped = encoding::to_armour(to, &bytes_of(from, &text));
        assert_eq!(
            KeyFile::parse(&swapped).err(),
            Some(KeyFileError::Malformed)
        );
    }
}

#[test]
fn salt_and_nonce_are_fresh() {
    let bytes = || {
        bytes_of(
            ENCRYPTED_LABEL,
            &seal(&p256(), "", ENCRYPTED, &mut rng()).unwrap(),
        )
    };
    let (one, other) = (bytes(), bytes());
    assert_ne!(one[19..35], other[19..35]);
    assert_ne!(one[35..47], other[35..47]);
}

#[test]
fn encrypted_file_does_not_contain_the_secret() {
    let secret = p256().secret_bytes();
    let contains = |bytes: &[u8]| bytes.windows(32).any(|window| window == secret.expose());
    assert!(!contains(&bytes_of(ENCRYPTED_LABEL, VECTOR)));
    let plain = seal(&p256(), "", Protection::Unprotected, &mut rng()).unwrap();
    assert!(contains(&bytes_of(PLAIN_LABEL, &plain)));
}

#[test]
fn rejects_the_wrong_passcode() {
    let file = KeyFile::parse(VECTOR).unwrap();
    for passcode in [
        "",
        "correct horse 9 battery!",
        "Correct horse 9 battery! ",
        "Correct horse 9 battery",
    ] {
        assert_eq!(file.open(Some(passcode)).err(), Some(KeyFileError::Refused));
    }
    assert_eq!(file.open(None).err(), Some(KeyFileError::PasscodeNeeded));
    let plain = seal(&p256(), "", Protection::Unprotected, &mut rng()).unwrap();
    let opened = KeyFile::parse(&plain).unwrap().open(Some(PASSCODE));
    assert_eq!(opened.err(), Some(KeyFileError::NotEncrypted));
}

#[test]
fn rejects_every_flipped_byte() {
    let good = bytes_of(ENCRYPTED_LABEL, VECTOR);
    assert!(open(&good).is_ok());
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            assert!(open(&bytes).is_err(), "byte {at} ^ {flip}");
        }
    }
}

#[test]
fn rejects_every_flipped_byte_of_a_plain_file_but_in_its_label() {
    let text = seal(&p256(), "label", Protection::Unprotected, &mut rng()).unwrap();
    let good = bytes_of(PLAIN_LABEL, &text);
    let label = 48 + 33..48 + 33 + 5;
    for at in (0..good.len()).filter(|at| !label.contains(at)) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let file = KeyFile::parse(&encoding::to_armour(PLAIN_LABEL, &bytes));
        assert!(file.and_then(|file| file.open(None)).is_err(), "byte {at}");
    }
}

#[test]
fn rejects_truncated_and_extended() {
    let good = bytes_of(ENCRYPTED_LABEL, VECTOR);
    for length in 0..good.len() {
        assert_eq!(
            open(&good[..length]).err(),
            Some(KeyFileError::Malformed),
            "{length}"
        );
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(open(&longer).err(), Some(KeyFileError::Malformed));
    for text in [
        VECTOR.replace('\n', "\r\n"),
        format!("{VECTOR}\n"),
        format!("# key\n{VECTOR}"),
    ] {
        assert_eq!(KeyFile::parse(&text).err(), Some(KeyFileError::Malformed));
    }
    let long = "x".repeat(KEY_FILE_BYTES_MAX + 1);
    assert_eq!(KeyFile::parse(&long).err(), Some(KeyFileError::Malformed));
}

#[test]
fn rejects_other_versions_and_algorithms() {
    for (at, value) in [(0, b'X'), (4, 0), (4, 2), (5, 0), (5, 3), (6, 2), (6, 0xff)] {
        let mut bytes = bytes_of(ENCRYPTED_LABEL, VECTOR);
        bytes[at] = value;
        assert_eq!(
            open(&bytes).err(),
            Some(KeyFileError::Unsupported),
            "byte {at} = {value}"
        );
    }
}

#[test]
fn refuses_costs_out_of_bounds_before_allocating() {
    let cost = |memory_kib, passes, lanes| Cost {
        memory_kib,
        passes,
        lanes,
    };
    for cost in [
        cost(u32::MAX, 1, 1),
        cost(Cost::MEMORY_KIB_MAX + 1, 1, 1),
        cost(64, u32::MAX, 1),
        cost(64, Cost::PASSES_MAX + 1, 1),
        cost(1024, 1, Cost::LANES_MAX + 1),
        cost(u32::MAX, u32::MAX, u32::MAX),
        cost(0, 1, 1),
        cost(7, 1, 1),
        cost(15, 1, 2),
        cost(64, 0, 1),
        cost(64, 1, 0),
    ] {
        let mut bytes = bytes_of(ENCRYPTED_LABEL, VECTOR);
        let fields = [cost.memory_kib, cost.passes, cost.lanes]
            .map(u32::to_be_bytes)
            .concat();
        bytes[7..19].copy_from_slice(&fields);
        // `parse` derives no key, so what it refuses was never allocated.
        let text = encoding::to_armour(ENCRYPTED_LABEL, &bytes);
        assert_eq!(
            KeyFile::parse(&text).err(),
            Some(KeyFileError::Cost),
            "{cost:?}"
        );
        let protection = Protection::Passcode {
            passcode: PASSCODE,
            cost,
        };
        let sealed = seal(&p256(), "", protection, &mut rng());
        assert_eq!(sealed.err(), Some(KeyFileError::Cost), "{cost:?}");
    }
    assert!(Cost::default().is_valid());
    assert!(cost(Cost::MEMORY_KIB_MAX, Cost::PASSES_MAX, Cost::LANES_MAX).is_valid());
}

#[test]
fn rejects_a_secret_of_another_key() {
    let text = seal(&p256(), "", Protection::Unprotected, &mut rng()).unwrap();
    let mut bytes = bytes_of(PLAIN_LABEL, &text);
    let start = bytes.len() - SECRET_BYTES;
    let other = SigningKey::generate(Algorithm::P256, &mut rng());
    for secret in [other.secret_bytes().expose(), &[0; 32], &[0xff; 32]] {
        bytes[start..].copy_from_slice(secret);
        let file = KeyFile::parse(&encoding::to_armour(PLAIN_LABEL, &bytes)).unwrap();
        assert_eq!(file.open(None).err(), Some(KeyFileError::Refused));
    }
}

#[test]
fn rejects_invalid_public_keys() {
    let mut bytes = bytes_of(ENCRYPTED_LABEL, VECTOR);
    bytes[47] = 4;
    assert_eq!(
        open(&bytes).err(),
        Some(KeyFileError::PublicKey(KeyError::InvalidPoint))
    );
}

#[test]
fn seal_enforces_policy_and_label() {
    let weak = Protection::Passcode {
        passcode: "password",
        cost: CHEAP,
    };
    let sealed = seal(&p256(), "", weak, &mut rng());
    assert!(matches!(sealed, Err(KeyFileError::Policy(error)) if error.missing.len() == 3));
    for label in [
        "x".repeat(LABEL_BYTES_MAX + 1),
        "a\nb".to_owned(),
        "\u{1b}[2J".to_owned(),
    ] {
        for protection in [ENCRYPTED, Protection::Unprotected] {
            let sealed = seal(&p256(), &label, protection, &mut rng());
            assert_eq!(sealed.err(), Some(KeyFileError::Label));
        }
    }
}

#[test]
fn rejects_labels_that_seal_refuses() {
    let good = bytes_of(ENCRYPTED_LABEL, VECTOR);
    for byte in [b'\n', 0x1b, 0, 0xff] {
        let mut bytes = good.clone();
        bytes[81] = byte;
        assert_eq!(open(&bytes).err(), Some(KeyFileError::Label), "{byte}");
    }
}

#[test]
fn debug_shows_no_secret() {
    assert_eq!(format!("{ENCRYPTED:?}"), "Passcode([redacted])");
    let text = seal(&p256(), "", Protection::Unprotected, &mut rng()).unwrap();
    let debug = format!("{:?}", KeyFile::parse(&text).unwrap());
    assert!(debug.contains("body: [redacted]"), "{debug}");
}

proptest! {
    #[test]
    fn parse_never_panics(text in any::<String>()) {
        prop_assert!(KeyFile::parse(&text).is_err());
    }

    #[test]
    fn parse_of_bytes_never_panics(
        front in 0..120_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        armour in prop::sample::select(vec![ENCRYPTED_LABEL, PLAIN_LABEL]),
    ) {
        let good = bytes_of(ENCRYPTED_LABEL, VECTOR);
        let bytes = [&good[..front], &bytes].concat();
        if let Ok(file) = KeyFile::parse(&encoding::to_armour(armour, &bytes)) {
            // What parses is canonical: the header encodes to the bytes it came from.
            let header = file.header.encode().unwrap();
            prop_assert_eq!([header.as_slice(), file.body.expose()].concat(), bytes);
        }
    }
}
