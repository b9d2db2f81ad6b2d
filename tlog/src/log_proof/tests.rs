//! Proofs that travel.

use super::*;
use crate::example::{Log, ORIGIN, Signer};

struct Place {
    policy: Policy,
    proof: LogProof,
    log: Signer,
}

/// Entry 5 of 17, cosigned by two of three.
fn place() -> Place {
    let log = Signer::log(ORIGIN, 1);
    let witnesses = [2, 3, 4].map(|seed| Signer::witness(&format!("w{seed}.example"), seed));
    let [a, b, c] = witnesses.each_ref().map(|witness| &witness.key);
    let policy = format!(
        "log {}\nwitness a {a}\nwitness b {b}\nwitness c {c}\ngroup g 2 a b c\nquorum g\n",
        log.key
    );
    let tree = Log::of(17);
    let mut checkpoint = tree.note(&log);
    witnesses[0].sign(&mut checkpoint, 1_795_330_100);
    witnesses[2].sign(&mut checkpoint, 1_795_330_102);
    let hashes = tree.tree().inclusion(5).unwrap();
    Place {
        policy: policy.parse().unwrap(),
        proof: LogProof {
            extra: None,
            index: 5,
            hashes,
            checkpoint,
        },
        log,
    }
}

fn leaf(entry: &str) -> Hash {
    Hash::of_leaf(entry.as_bytes())
}

#[test]
fn shows_an_entry_without_any_network() {
    let Place { policy, proof, .. } = place();
    let text = proof.to_string();
    assert!(
        text.starts_with("c2sp.org/tlog-proof@v1\nindex 5\n"),
        "{text}"
    );
    let read = LogProof::parse(text.as_bytes()).unwrap();
    assert_eq!(read, proof);
    let accepted = read.verify(leaf("5"), &policy, u64::MAX).unwrap();
    assert_eq!(accepted.quorum_time, Some(1_795_330_100));
    assert_eq!(accepted.checkpoint.size, 17);
    let with_extra = LogProof {
        extra: Some(b"anything".to_vec()),
        ..proof
    };
    let text = with_extra.to_string();
    assert!(text.contains("\nextra YW55dGhpbmc=\nindex 5\n"), "{text}");
    assert_eq!(LogProof::parse(text.as_bytes()), Ok(with_extra));
}

#[test]
fn shows_no_other_entry_place_or_log() {
    let Place { policy, proof, .. } = place();
    let refused = |proof: &LogProof, entry: &str| proof.verify(leaf(entry), &policy, u64::MAX);
    assert!(matches!(refused(&proof, "6"), Err(NotLogged::Proof(_))));
    let moved = LogProof {
        index: 6,
        ..proof.clone()
    };
    assert!(matches!(refused(&moved, "5"), Err(NotLogged::Proof(_))));
    // Another tree of the same log: not what the witnesses have seen.
    let thief = Signer::log(ORIGIN, 77);
    let forged = LogProof {
        checkpoint: Log::of(17).note(&thief),
        ..proof.clone()
    };
    assert!(matches!(
        refused(&forged, "5"),
        Err(NotLogged::Refused(Refusal::Unsigned(_)))
    ));
    let fork = Log::with(17, |number| format!("fork {number}"));
    let unseen = LogProof {
        index: 5,
        hashes: fork.tree().inclusion(5).unwrap(),
        checkpoint: fork.note(&place().log),
        extra: None,
    };
    assert!(matches!(
        refused(&unseen, "fork 5"),
        Err(NotLogged::Refused(Refusal::Quorum(_)))
    ));
    // Cosignatures are over one checkpoint, and move to no other.
    let mut moved = unseen;
    for line in proof.checkpoint.lines() {
        moved.checkpoint.add(line.clone());
    }
    assert!(matches!(
        refused(&moved, "fork 5"),
        Err(NotLogged::Refused(Refusal::Quorum(_)))
    ));
}

#[test]
fn what_is_malformed_is_refused() {
    let text = place().proof.to_string();
    let hash = Hash::of_nothing().to_string();
    let change = |from: &str, to: &str| text.replacen(from, to, 1);
    let many = change(
        "index 5\n",
        &format!("index 5\n{}", format!("{hash}\n").repeat(60)),
    );
    for (text, error) in [
        (String::new(), LogProofError::Shape),
        (change("@v1", "@v2"), LogProofError::Shape),
        (change("c2sp.org/tlog-proof@v1\n", ""), LogProofError::Shape),
        (change("index 5\n", ""), LogProofError::Head),
        (change("index 5", "index 05"), LogProofError::Head),
        (change("index 5", "index -5"), LogProofError::Head),
        (change("index 5", "extra !\nindex 5"), LogProofError::Head),
        (change("index 5", "extra eA\nindex 5"), LogProofError::Head),
        (change("index 5", "index 5\nx"), LogProofError::Hashes),
        (many, LogProofError::Hashes),
        (change("\n\n", "\n"), LogProofError::Hashes),
        ("x".repeat(LOG_PROOF_BYTES_MAX + 1), LogProofError::Shape),
    ] {
        let refused = LogProof::parse(text.as_bytes());
        assert_eq!(refused, Err(error), "{text:.200}");
    }
    let cut = text.rfind("\u{2014}").unwrap();
    assert!(
        LogProof::parse(&text.as_bytes()[..cut]).is_ok(),
        "one signature less is still a note"
    );
    assert!(matches!(
        LogProof::parse(&text.as_bytes()[..cut + 3]),
        Err(LogProofError::Checkpoint(_))
    ));
}
