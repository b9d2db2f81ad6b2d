//! Keys, a log with one policy, and bundles in it, for tests.

use keys::{Algorithm, SigningKey};
use tlog::checkpoint::Checkpoint;
use tlog::edge::Edge;
use tlog::hash::Hash;
use tlog::log_proof::LogProof;
use tlog::note::{Line, Note};
use tlog::policy::Policy;
use tlog::tile::Tile;
use tlog::tree::{Tiles, Tree};
use tlog::vkey::{Scheme, VerifierKey};

use super::bundle::{Bundle, Content};
use super::dsse::{Envelope, pae};
use crate::digest::Sha256;

/// Number of the entry in its log, which has 17.
pub(crate) const INDEX: u64 = 5;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

pub(crate) fn log_key(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap();
    let verifier = VerifierKey::new("fwlog.acme.example", Scheme::Note(key.public())).unwrap();
    (key, verifier)
}

/// The log with key 1 counts.
pub(crate) fn policy() -> Policy {
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

/// A log with this entry.
pub(crate) fn logged(entry: &[u8], seed: u8) -> LogProof {
    let leaf = |number: u64| match number {
        INDEX => Hash::of_leaf(entry),
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
        index: INDEX,
        hashes: Tree::new(&Leaves(leaves), 17).inclusion(INDEX).unwrap(),
        checkpoint,
    }
}

fn bundle(content: Content, signer: &SigningKey) -> Bundle {
    let public = signer.public();
    let entry = content.entry(&public).unwrap();
    Bundle {
        content,
        key_hint: public.ssh_fingerprint(),
        proof: logged(&entry, 1),
        entry,
        log_id: log_key(1).1.long_id(),
    }
}

/// A signed file, in the log.
pub(crate) fn of_file(file: &[u8], signer: &SigningKey) -> Bundle {
    let content = Content::File {
        sha256: Sha256::of(file),
        signature: signer.sign(file),
    };
    bundle(content, signer)
}

/// A signed payload, in the log.
pub(crate) fn of_payload((kind, payload): (&str, &[u8]), signer: &SigningKey) -> Bundle {
    let signature = signer.sign(&pae(kind, payload));
    let envelope = Envelope::new(kind, payload.to_vec(), &signer.public(), signature);
    bundle(Content::Envelope(envelope), signer)
}
