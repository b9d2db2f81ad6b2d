//! Leaves, proofs and policies for Sigsum's tools. That these read them is shown in tests/interop_log.rs.

use keys::{Algorithm, SigningKey};

use super::*;
use crate::edge::Edge;
use crate::example::{Log, Signer};
use crate::hash::Hash;
use crate::note::Note;
use crate::policy::Policy;

const FILE: [u8; 32] = [7; 32];

fn leaf(key: &SigningKey) -> Leaf {
    Leaf::new(&FILE, &key.sign(&message(&FILE)), &key.public()).unwrap()
}

fn submitter() -> SigningKey {
    SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap()
}

/// The proof of the leaf in a log with nothing else.
fn proof_of_one(leaf: &Leaf, log: &Signer) -> LogProof {
    let mut edge = Edge::default();
    edge.append(Hash::of_leaf(&leaf.encode())).unwrap();
    let checkpoint = Checkpoint {
        origin: log.key.name().to_owned(),
        size: 1,
        root: edge.root(),
    };
    let mut note = Note::unsigned(&checkpoint.to_string()).unwrap();
    log.sign(&mut note, 0);
    LogProof {
        extra: None,
        index: 0,
        hashes: Vec::new(),
        checkpoint: note,
    }
}

#[test]
fn leaf_has_128_bytes_and_comes_back() {
    let (key, leaf) = (submitter(), leaf(&submitter()));
    let bytes = leaf.encode();
    assert_eq!(bytes.len(), 128);
    assert_eq!(bytes[..32], hash(&FILE));
    assert_eq!(bytes[96..], hash(key.public().as_bytes()));
    let signed = [b"sigsum.org/v1/tree-leaf\0", &bytes[..32]].concat();
    assert!(key.public().verify(&signed, &bytes[32..96]).is_ok());
    assert_eq!(Leaf::decode(&bytes), Some(leaf));
    for length in [0, 31, 96, 127] {
        assert_eq!(Leaf::decode(&bytes[..length]), None);
    }
    assert_eq!(Leaf::decode(&[&bytes[..], &[0]].concat()), None);
}

#[test]
fn other_signatures_than_those_of_ed25519_are_refused() {
    let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).unwrap();
    let signature = key.sign(&message(&FILE));
    let refused = Leaf::new(&FILE, &signature, &key.public());
    assert_eq!(refused, Err(SigsumError::Signature(signature.len())));
}

#[test]
fn proof_of_the_only_leaf_has_no_way() {
    let log = Signer::log(&origin(&submitter().public()), 1);
    let leaf = leaf(&submitter());
    let text = leaf.proof(&proof_of_one(&leaf, &log), &log.key, []);
    let text = text.unwrap();
    assert_eq!(text.split("\n\n").count(), 2);
    let checksum = hex(&hash(&FILE));
    let own = hex(&hash(log.key.scheme().key()));
    let head = format!("version=1\nlog={own}\nleaf={} {own} ", &checksum[..4]);
    assert!(text.starts_with(&head), "{text}");
}

#[test]
fn proof_tells_the_known_witnesses_alone() {
    let log = Signer::log(&origin(&submitter().public()), 1);
    let leaf = leaf(&submitter());
    let mut proof = proof_of_one(&leaf, &log);
    let [known, other] = [2, 3].map(|seed| Signer::witness("w.example", seed));
    known.sign(&mut proof.checkpoint, 1_000);
    other.sign(&mut proof.checkpoint, 2_000);
    let text = leaf.proof(&proof, &log.key, [&known.key]).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("cosignature="))
        .collect();
    let [line] = lines[..] else { panic!("{text}") };
    let words: Vec<&str> = line.split(['=', ' ']).collect();
    assert_eq!(words[1], hex(&hash(known.key.scheme().key())));
    assert_eq!((words[2], words[3].len()), ("1000", 128));
}

#[test]
fn proof_that_the_log_has_not_signed_is_none() {
    let leaf = leaf(&submitter());
    let [log, other] = [1, 2].map(|seed| Signer::log("log.example", seed));
    let proof = proof_of_one(&leaf, &log);
    let refused = leaf.proof(&proof, &other.key, []);
    assert_eq!(refused, Err(SigsumError::Unsigned));
}

#[test]
fn larger_log_has_a_way() {
    let log = Signer::log("log.example", 1);
    let other = Log::of(3);
    let proof = LogProof {
        extra: None,
        index: 2,
        hashes: other.tree().inclusion(2).unwrap(),
        checkpoint: other.note(&log),
    };
    let text = leaf(&submitter()).proof(&proof, &log.key, []).unwrap();
    let way = text.split("\n\n").nth(2).unwrap();
    assert!(way.starts_with("leaf_index=2\nnode_hash="), "{way}");
    assert_eq!(way.lines().count(), 1 + proof.hashes.len());
}

#[test]
fn policy_keeps_witnesses_groups_and_quorum() {
    let [log, other] = [1, 2].map(|seed| Signer::log("log.example", seed));
    let witness = Signer::witness("w.example", 3);
    let text = format!(
        "# ours\nlog {}\nlog {} https://other.example\n\nwitness  w {} https://w.example\ngroup g any w\nquorum g\n",
        log.key, other.key, witness.key
    );
    Policy::parse(text.as_bytes()).unwrap();
    let key = submitter().public();
    let [shown, cosigning] = [key.as_bytes(), witness.key.scheme().key()].map(hex);
    let expected = format!("log {shown}\nwitness w {cosigning}\ngroup g any w\nquorum g\n");
    assert_eq!(policy(&text, &key), Ok(expected));
}

/// Of a witness with another kind of key Sigsum could count nothing.
#[test]
fn witness_with_another_kind_of_key_is_refused() {
    let key = VerifierKey::new(
        "w.example",
        Scheme::Unknown {
            kind: 6,
            key: vec![1; 1312],
        },
    );
    let text = format!("witness pq {}\nquorum pq\n", key.unwrap());
    let refused = policy(&text, &submitter().public());
    assert_eq!(refused, Err(SigsumError::Witness("pq".to_owned())));
}
