//! Bundles: what is signed, by whom, and that it was logged, each for itself.

use keys::{Algorithm, SigningKey};
use tlog::edge::Edge;
use tlog::note::Line;
use tlog::tile::Tile;
use tlog::tree::{Tiles, Tree};
use tlog::vkey::{Scheme, VerifierKey};

use super::super::dsse::{IN_TOTO, pae};
use super::*;

const FIRMWARE: &[u8] = b"firmware";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn log_key(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap();
    let verifier = VerifierKey::new("fwlog.acme.example", Scheme::Note(key.public())).unwrap();
    (key, verifier)
}

fn policy() -> Policy {
    format!("log {}\nquorum none\n", log_key(1).1)
        .parse()
        .unwrap()
}

/// The leaves of a log of fewer entries than a tile has.
struct Leaves(Vec<Hash>);

impl Tiles for Leaves {
    type Error = std::convert::Infallible;
    fn tile(&self, _: Tile) -> Result<Vec<Hash>, Self::Error> {
        Ok(self.0.clone())
    }
}

/// A log with this entry as number 5 of 17.
fn logged(entry: &[u8], seed: u8) -> LogProof {
    let leaf = |number: u64| match number {
        5 => Hash::of_leaf(entry),
        _ => Hash::of_leaf(&number.to_be_bytes()),
    };
    let leaves: Vec<Hash> = (0..17).map(leaf).collect();
    let mut edge = Edge::default();
    for leaf in &leaves {
        edge.append(*leaf).unwrap();
    }
    let (signing, verifier) = log_key(seed);
    let checkpoint = Checkpoint {
        origin: verifier.name().to_owned(),
        size: 17,
        root: edge.root(),
    };
    let mut checkpoint = Note::unsigned(&checkpoint.to_string()).unwrap();
    let signature = signing.sign(checkpoint.text().as_bytes());
    checkpoint.add(Line::new(&verifier, 0, &signature));
    LogProof {
        extra: None,
        index: 5,
        hashes: Tree::new(&Leaves(leaves), 17).inclusion(5).unwrap(),
        checkpoint,
    }
}

fn bundle(content: Content, (digest, signature): (&Sha256, &[u8])) -> Bundle {
    let entry = hashedrekord(digest, signature, &key(1).public()).unwrap();
    Bundle {
        content,
        key_hint: key(1).public().ssh_fingerprint(),
        proof: logged(&entry, 1),
        entry,
        log_id: log_key(1).1.long_id(),
    }
}

fn of_file() -> Bundle {
    let (sha256, signature) = (Sha256::of(FIRMWARE), key(1).sign(FIRMWARE));
    let content = Content::File {
        sha256,
        signature: signature.clone(),
    };
    bundle(content, (&sha256, &signature))
}

fn of_envelope() -> Bundle {
    let payload = b"{}".to_vec();
    let signature = key(1).sign(&pae(IN_TOTO, &payload));
    let envelope = Envelope::new(IN_TOTO, payload, &key(1).public(), signature);
    let (digest, signature) = (envelope.digest(), envelope.signature.clone());
    bundle(Content::Envelope(envelope), (&digest, &signature))
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
