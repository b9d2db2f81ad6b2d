//! Bundles: what is signed, by whom, and that it was logged, each for itself.

use super::super::dsse::IN_TOTO;
use super::super::example::{self, key, logged, policy};
use super::*;

const FIRMWARE: &[u8] = b"firmware";

fn of_file() -> Bundle {
    example::of_file(FIRMWARE, &key(1))
}

fn of_envelope() -> Bundle {
    example::of_payload((IN_TOTO, b"{}"), &key(1))
}

fn verify_file(bundle: &Bundle) -> Result<Accepted, BundleError> {
    bundle.verify_file(
        &Sha256::of(FIRMWARE),
        &key(1).public(),
        (&policy(), u64::MAX),
    )
}

fn verify_envelope(bundle: &Bundle) -> Result<(), BundleError> {
    bundle
        .verify_envelope(&key(1).public(), (&policy(), u64::MAX))
        .map(|_| ())
}

#[test]
fn bundles_are_read_as_they_were_written_and_verify() {
    for bundle in [of_file(), of_envelope()] {
        let text = bundle.encode();
        assert_eq!(
            Bundle::parse(&text).as_ref(),
            Ok(&bundle),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
    assert_eq!(verify_file(&of_file()).unwrap().checkpoint.size, 17);
    assert_eq!(verify_envelope(&of_envelope()), Ok(()));
    assert!(verify_file(&of_envelope()).is_err() && verify_envelope(&of_file()).is_err());
}

#[test]
fn another_file_key_log_or_entry_is_refused() {
    let good = of_file();
    let (other, firmware) = (Sha256::of(b"other"), Sha256::of(FIRMWARE));
    let refused = good.verify_file(&other, &key(1).public(), (&policy(), u64::MAX));
    assert_eq!(refused, Err(BundleError::OtherFile(firmware)));
    let refused = good.verify_file(&firmware, &key(2).public(), (&policy(), u64::MAX));
    assert_eq!(refused, Err(BundleError::Signature));
    let change = |change: &dyn Fn(&mut Bundle)| {
        let mut changed = good.clone();
        change(&mut changed);
        verify_file(&changed).unwrap_err()
    };
    assert_eq!(change(&|it| it.entry.push(b' ')), BundleError::Entry);
    // The signature of somebody else over the same file was logged.
    let theirs = key(2).sign(FIRMWARE);
    let their_entry = hashedrekord(&firmware, &theirs, &key(2).public()).unwrap();
    assert_eq!(
        change(&|it| it.entry = their_entry.clone()),
        BundleError::Entry
    );
    assert!(matches!(
        change(&|it| it.proof.index = 6),
        BundleError::NotLogged(_)
    ));
    assert!(matches!(
        change(&|it| it.proof.hashes.truncate(2)),
        BundleError::NotLogged(_)
    ));
    assert!(matches!(
        change(&|it| it.log_id = [0; 32]),
        BundleError::Json(_)
    ));
    // Another log with the same name, which the policy doesn't know.
    let entry = good.entry.clone();
    assert!(matches!(
        change(&|it| it.proof = logged(&entry, 2)),
        BundleError::NotLogged(_)
    ));
    // An entry that isn't in the log at all.
    assert!(matches!(
        change(&|it| it.proof = logged(b"nothing", 1)),
        BundleError::NotLogged(_)
    ));
}

/// Trap T9: a second signature that verifies is not the one that was logged.
#[test]
fn the_signature_that_was_logged_is_the_one_that_counts() {
    let mut changed = of_file();
    let Content::File { signature, .. } = &mut changed.content else {
        panic!("a file");
    };
    *signature = key(2).sign(FIRMWARE);
    assert_eq!(verify_file(&changed), Err(BundleError::Signature));
}

#[test]
fn what_is_malformed_is_refused() {
    let text = String::from_utf8(of_envelope().encode()).unwrap();
    for (from, to) in [
        ("v0.3+json", "v0.2+json"),
        ("\"hint\"", "\"hin\""),
        ("\"tlogEntries\": [", "\"tlogEntries\": [], \"x\": ["),
        ("\"dsseEnvelope\"", "\"envelope\""),
        ("{\n", "{\n\"messageSignature\": {},\n"),
        ("\"keyid\": \"SHA256:", "\"keyid\": \"SHA512:"),
        ("\"logIndex\": \"5\"", "\"logIndex\": \"6\""),
        ("\"logIndex\": \"5\"", "\"logIndex\": 5"),
        ("\"logIndex\": \"5\"", "\"logIndex\": \"05\""),
        ("\"treeSize\": \"17\"", "\"treeSize\": \"18\""),
        ("\"rootHash\": \"", "\"rootHash\": \"AAAA"),
        ("\"envelope\": \"fwlog", "\"envelope\": \"\\u001bfwlog"),
        ("\"keyId\": \"", "\"keyId\": \"AAAA"),
        ("\"canonicalizedBody\": \"", "\"canonicalizedBody\": \"!"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(Bundle::parse(changed.as_bytes()).is_err(), "{from} → {to}");
    }
    let long = vec![b' '; BUNDLE_BYTES_MAX + 1];
    assert_eq!(Bundle::parse(&long), Err(BundleError::TooLong));
}
