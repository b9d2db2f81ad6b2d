//! Signatures and keys that are none (threats M2, M5, M6).

use manifests::client::Reason;
use manifests::envelope::{ParseError, VerifyError};
use manifests::header::HeaderError;
use manifests::json::Json;
use manifests::limits::TIMESTAMP_BYTES_MAX;
use support::repository::{
    Part, Repository, assert_accepted, assert_bytes_refused, assert_refused,
    assert_tampered_refused, edit_envelope, key, key_id, key_json, slot,
};

/// The order of the P-256 group, big-endian (FIPS 186-5).
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of the Ed25519 group, little-endian (RFC 8032).
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn too_few(valid: usize, threshold: usize) -> Reason {
    Reason::Untrusted(VerifyError::TooFewSignatures { valid, threshold })
}

fn threshold(part: Part) -> usize {
    Repository::new().draft(part).signers.len()
}

/// M2: no signature at all, or one fewer than asked for.
#[test]
fn rejects_missing_signature_m2() {
    for part in Part::ALL {
        let threshold = threshold(part);
        for kept in 0..threshold {
            assert_tampered_refused(
                part,
                |draft| draft.signers.truncate(kept),
                |found| *found == too_few(kept, threshold),
            );
        }
    }
}

/// M2: signed by somebody else under the right key id.
#[test]
fn rejects_wrong_key_m2() {
    for part in Part::ALL {
        for mallory in ["mallory", "p256-mallory"] {
            assert_tampered_refused(
                part,
                |draft| draft.signers[0].1 = mallory.to_owned(),
                |found| *found == too_few(threshold(part) - 1, threshold(part)),
            );
        }
    }
}

/// M2: the valid signatures of the version before.
#[test]
fn rejects_signature_of_another_document_m2() {
    for part in Part::ALL {
        let mut old = Repository::unhashed().draft(part).encode();
        let mut signatures = Json::Null;
        edit_envelope(&mut old, |document| {
            signatures = slot(document, &["signatures"]).clone();
        });
        assert_bytes_refused(
            part,
            |bytes| {
                edit_envelope(bytes, |document| {
                    *slot(document, &["signatures"]) = signatures;
                });
            },
            |found| *found == too_few(0, threshold(part)),
        );
    }
}

/// M2: a document of another role, signed by the right keys of this role.
#[test]
fn rejects_document_of_another_role_m2() {
    let kinds = ["root", "timestamp", "snapshot", "targets"];
    for part in Part::ALL {
        let own = if part == Part::Product {
            "targets"
        } else {
            part.role()
        };
        for kind in kinds.into_iter().filter(|kind| *kind != own) {
            assert_tampered_refused(
                part,
                |draft| draft.set(&["_type"], kind),
                |found| {
                    matches!(found, Reason::Malformed(ParseError::Header(HeaderError::Kind { expected, actual }))
                        if *expected == own && actual == kind)
                },
            );
        }
    }
    // Not only the label: a whole timestamp, signed by the snapshot's key, as snapshot.
    assert_tampered_refused(
        Part::Snapshot,
        |draft| {
            let version = draft.version();
            draft.signed = Repository::new().timestamp.signed;
            draft.set(&["version"], version);
        },
        |found| {
            matches!(
                found,
                Reason::Malformed(ParseError::Header(HeaderError::Kind { .. }))
            )
        },
    );
}

/// Adds an entry to `signatures`.
fn add_signature(bytes: &mut Vec<u8>, keyid: &str, sig: &str) {
    edit_envelope(bytes, |document| {
        let entry = Json::object([("keyid", Json::from(keyid)), ("sig", Json::from(sig))]);
        let Json::Array(items) = slot(document, &["signatures"]) else {
            panic!("no signatures");
        };
        items.push(entry);
    });
}

/// Replaces the first signature.
fn set_signature(bytes: &mut Vec<u8>, sig: &str) {
    edit_envelope(bytes, |document| {
        *slot(document, &["signatures", "0", "sig"]) = Json::from(sig);
    });
}

/// Signatures that are empty, no hex, or too long for any algorithm.
fn odd_signatures() -> [String; 5] {
    [
        String::new(),
        "0".to_owned(),
        "zz".repeat(64),
        "00".repeat(1025),
        "ab".repeat(4096),
    ]
}

/// M2: odd signatures alone.
#[test]
fn rejects_odd_signature_m2() {
    for part in Part::ALL {
        for odd in odd_signatures() {
            assert_bytes_refused(
                part,
                |bytes| set_signature(bytes, &odd),
                |found| *found == too_few(threshold(part) - 1, threshold(part)),
            );
        }
    }
}

/// M2: odd signatures, and those of strangers, beside enough good ones spoil nothing.
#[test]
fn accepts_odd_signatures_beside_enough_good_ones_m2() {
    for part in Part::ALL {
        let mut repository = Repository::unhashed();
        let device = repository.updated_device();
        repository.release(part);
        for (index, odd) in odd_signatures().iter().enumerate() {
            let mut files = repository.files();
            let bytes = files.get_mut(&repository.file_name(part)).unwrap();
            add_signature(bytes, &format!("stranger-{index}"), odd);
            assert_accepted(&device, &files);
        }
        repository.edit(part, |draft| {
            draft
                .signers
                .push((key_id("stranger"), "stranger".to_owned()));
        });
        assert_accepted(&device, &repository.files());
    }
}

/// M2: the third key of a role of three may fail if the other two are enough.
#[test]
fn accepts_bad_signature_of_a_spare_key_m2() {
    let ids = ["root-a", "p256-root-b", "root-c"].map(|label| (key_id(label), label));
    let keys = ids.each_ref().map(|(id, label)| (id.as_str(), *label));
    let mut repository = Repository::new();
    repository.edit(Part::Root, |root| root.set_role("root", &keys, 2));
    let device = repository.updated_device();
    repository.next_root(|root| {
        root.signers.push((key_id("root-c"), "mallory".to_owned()));
    });
    assert_accepted(&device, &repository.files());
    repository.edit(Part::Root, |root| root.signers[0].1 = "mallory".to_owned());
    assert_refused(
        (&device, &device),
        &repository.files(),
        "2.root.json",
        |found| *found == too_few(1, 2),
    );
}

/// M2: a signature of 1 MB is beyond the limit of the file.
#[test]
fn rejects_megabyte_signature_m2() {
    let limit = TIMESTAMP_BYTES_MAX;
    assert_bytes_refused(
        Part::Timestamp,
        |bytes| add_signature(bytes, "stranger", &"00".repeat(500_000)),
        |found| *found == Reason::TooLong { limit },
    );
}

/// Offers every signature in place of the first of `part`, whose other signatures are good.
fn refuses_signatures(part: Part, make: impl Fn(&[u8]) -> Vec<(&'static str, Vec<u8>)>) {
    let mut good = Repository::unhashed();
    good.release(part);
    let draft = good.draft(part);
    let message = manifests::json::canonical(&draft.signed);
    let signer = key(&draft.signers[0].1);
    let signature = signer.sign(&message);
    assert!(signer.public().verify(&message, &signature).is_ok());
    for (what, forged) in make(&signature) {
        assert_ne!(forged, signature, "{what}");
        assert_bytes_refused(
            part,
            |bytes| set_signature(bytes, &hex::encode(&forged)),
            |found| {
                assert_eq!(
                    *found,
                    too_few(threshold(part) - 1, threshold(part)),
                    "{what}"
                );
                true
            },
        );
    }
}

/// M5: Ed25519 signatures that only lenient verifiers take.
#[test]
fn rejects_degenerate_ed25519_signature_m5() {
    let identity = [&[1u8][..], &[0; 31]].concat();
    for part in [Part::Root, Part::Timestamp, Part::Snapshot] {
        refuses_signatures(part, |good| {
            let (r, s) = good.split_at(32);
            vec![
                ("all zero", vec![0; 64]),
                (
                    "R the neutral element, S zero",
                    [&identity[..], &[0; 32]].concat(),
                ),
                (
                    "S not below the group order",
                    [r, &plus_ed25519_order(s)].concat(),
                ),
                ("R of small order", [&identity[..], s].concat()),
                ("R and S swapped", [s, r].concat()),
                ("63 bytes", good[..63].to_vec()),
                ("65 bytes", [good, &[0]].concat()),
                ("twice", [good, good].concat()),
                ("high bit of S", {
                    let mut bytes = good.to_vec();
                    bytes[63] |= 0x80;
                    bytes
                }),
            ]
        });
    }
}

/// M5, CVE-2022-24884: P-256 signatures of zero, beyond the group order, or in another encoding.
#[test]
fn rejects_degenerate_p256_signature_m5() {
    let order = hex::decode(P256_ORDER).unwrap();
    for part in [Part::Targets, Part::Product] {
        refuses_signatures(part, |good| {
            let (r, s) = der_numbers(good);
            let shifted = add(&s, &order);
            let mut long_form = good.to_vec();
            long_form.splice(1..2, [0x81, good[1]]);
            vec![
                ("r = s = 0", der(&[0], &[0])),
                ("r = 0", der(&[0], &s)),
                ("s = 0", der(&r, &[0])),
                ("r = s = n", der(&order, &order)),
                ("s + n", der(&r, &shifted)),
                ("raw r || s", [r.clone(), s.clone()].concat()),
                ("raw zeros", vec![0; 64]),
                ("one byte more", [good, &[0]].concat()),
                ("one byte less", good[..good.len() - 1].to_vec()),
                ("BER length", long_form),
                ("r padded", der(&[&[0, 0][..], &r].concat(), &s)),
            ]
        });
    }
}

/// M5, trap T9: n - s verifies as well as s, since foreign signers make it. A signature is no identity:
/// the document is the same, and the device stores nothing new for it.
#[test]
fn accepts_high_s_as_the_same_document_m5() {
    let mut repository = Repository::unhashed();
    repository.edit(Part::Root, |root| {
        root.set_role("timestamp", &[(&key_id("p256-online"), "p256-online")], 1);
    });
    repository.timestamp.sign_with(&["p256-online"]);
    let device = repository.updated_device();
    let mut files = repository.files();
    let message = manifests::json::canonical(&repository.timestamp.signed);
    let (r, s) = der_numbers(&key("p256-online").sign(&message));
    let high = subtract(&hex::decode(P256_ORDER).unwrap(), &s);
    set_signature(
        files.get_mut("timestamp.json").unwrap(),
        &hex::encode(der(&r, &high)),
    );
    assert_ne!(
        files["timestamp.json"],
        repository.files()["timestamp.json"]
    );
    assert_eq!(assert_accepted(&device, &files), device);
}

/// M5: keys that verify anything, or that are no points.
#[test]
fn rejects_degenerate_key_m5() {
    let identity = format!("01{}", "00".repeat(31));
    let small = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let not_canonical = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    for public in [
        &identity,
        small,
        not_canonical,
        &"00".repeat(32),
        &"ff".repeat(32),
        &"aa".repeat(31),
    ] {
        refuses_key("ed25519", "ed25519", public);
    }
}

/// M6: RSA, HMAC and P-384 keys, unknown schemes, and keys that are declared as another type.
#[test]
fn rejects_confused_key_type_m6() {
    let p256 = key("p256-x").public().to_pem();
    let ed25519_pem = key("x").public().to_pem();
    let ed25519 = key("x").public().to_hex();
    let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----\n";
    for (keytype, scheme, public) in [
        ("rsa", "rsassa-pss-sha256", rsa),
        ("ed25519", "ed25519", rsa),
        ("ed25519", "ed25519", p256.as_str()),
        ("ed25519", "ed25519", &ed25519_pem),
        ("ecdsa", "ecdsa-sha2-nistp256", rsa),
        ("ecdsa", "ecdsa-sha2-nistp256", &ed25519),
        ("ecdsa", "ecdsa-sha2-nistp256", &ed25519_pem),
        ("ecdsa", "ecdsa-sha2-nistp384", &p256),
        ("ecdsa", "ed25519", &p256),
        ("ed25519", "ecdsa-sha2-nistp256", &p256),
        ("ed25519", "hmac-sha256", &ed25519),
        ("hmac", "hmac-sha256", &ed25519),
        ("", "", ""),
        ("ED25519", "ed25519", &ed25519),
        ("ed25519", "ed25519ph", &ed25519),
        ("sigstore-oidc", "Fulcio", "x"),
    ] {
        refuses_key(keytype, scheme, public);
    }
}

/// Adds a key that nobody needs to a root, and to a delegation: it is refused whole, never skipped.
fn refuses_key(keytype: &str, scheme: &str, public: &str) {
    let mut odd = key_json("extra");
    *slot(&mut odd, &["keytype"]) = Json::from(keytype);
    *slot(&mut odd, &["scheme"]) = Json::from(scheme);
    *slot(&mut odd, &["keyval", "public"]) = Json::from(public);
    for (part, path) in [
        (Part::Root, &["keys", "odd"][..]),
        (Part::Targets, &["delegations", "keys", "odd"]),
    ] {
        assert_tampered_refused(
            part,
            |draft| draft.set(path, odd.clone()),
            |found| matches!(found, Reason::Malformed(ParseError::Key { id, .. }) if id == "odd"),
        );
        let mut control = Repository::new();
        let device = control.updated_device();
        control.release(part);
        control.edit(part, |draft| draft.set(path, key_json("extra")));
        assert_accepted(&device, &control.files());
    }
}

/// S + L, little-endian: the same number modulo the group order.
fn plus_ed25519_order(s: &[u8]) -> Vec<u8> {
    let big: Vec<u8> = s.iter().rev().copied().collect();
    let order: Vec<u8> = hex::decode(ED25519_ORDER)
        .unwrap()
        .into_iter()
        .rev()
        .collect();
    let mut sum = add(&big, &order);
    assert_eq!(sum.len(), 32);
    sum.reverse();
    sum
}

/// r and s of a DER signature, 32 bytes each.
fn der_numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let number = |from: usize| {
        let length = usize::from(der[from + 1]);
        let digits = &der[from + 2..from + 2 + length];
        let mut wide = [0; 64];
        wide[64 - length..].copy_from_slice(digits);
        (wide[32..].to_vec(), from + 2 + length)
    };
    let (r, next) = number(2);
    (r, number(next).0)
}

/// A DER signature of two big-endian numbers; leading zeros beyond the first two are kept.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |digits: &[u8]| {
        let padded = digits.starts_with(&[0, 0]) && digits.len() > 32;
        let first = if padded {
            0
        } else {
            digits
                .iter()
                .position(|byte| *byte != 0)
                .unwrap_or(digits.len() - 1)
        };
        let digits = &digits[first..];
        let sign = if digits[0] >= 0x80 { &[0u8][..] } else { &[] };
        let body = [sign, digits].concat();
        [&[2, u8::try_from(body.len()).unwrap()][..], &body].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// Sum of two big-endian numbers of equal length.
fn add(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0u16;
    let mut sum: Vec<u8> = left
        .iter()
        .zip(right)
        .rev()
        .map(|(a, b)| {
            carry += u16::from(*a) + u16::from(*b);
            let low = carry.to_le_bytes()[0];
            carry >>= 8;
            low
        })
        .collect();
    if carry > 0 {
        sum.push(1);
    }
    sum.reverse();
    sum
}

/// Difference of two big-endian numbers of equal length, the left the larger.
fn subtract(left: &[u8], right: &[u8]) -> Vec<u8> {
    let complement: Vec<u8> = right.iter().map(|byte| !byte).collect();
    let mut one = vec![0; right.len()];
    *one.last_mut().unwrap() = 1;
    let sum = add(left, &add(&complement, &one));
    sum[sum.len() - right.len()..].to_vec()
}
