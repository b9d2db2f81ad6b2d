//! Tests of drafts: which signatures they take, keep and count.

use keys::Algorithm;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap()
}

fn draft(version: i64) -> Draft {
    Draft::new(Json::object([("version", Json::Integer(version))]))
}

/// Adds the signature of a key over the draft as it is.
fn sign_draft(draft: &mut Draft, key: &SigningKey) {
    let signature = key.sign(&draft.message());
    draft.add(&key.public(), &signature);
}

fn authority(keys: &[(String, &SigningKey)]) -> Authority {
    let keys = keys
        .iter()
        .map(|(id, key)| (id.clone(), key.public().into()));
    Authority::new(keys.collect(), 1).unwrap()
}

fn authority_of(keys: &[&SigningKey]) -> Authority {
    let keys = keys.iter().map(|key| (key_id(&key.public()), *key));
    authority(&keys.collect::<Vec<_>>())
}

#[test]
fn draft_is_read_back_with_its_signatures() {
    let mut draft = draft(3);
    sign_draft(&mut draft, &key(1));
    sign_draft(&mut draft, &key(2));
    assert_eq!(Draft::parse(&draft.encode()).unwrap(), draft);
    assert_eq!(
        draft.encode(),
        sign(draft.signed.clone(), &[&key(1), &key(2)])
    );
}

#[test]
fn version_is_that_of_the_signed_part() {
    for version in [1, 2, 77] {
        let expected = u64::try_from(version).unwrap();
        assert_eq!(draft(version).version(), Ok(expected));
    }
    for version in [0, -1] {
        assert!(draft(version).version().is_err(), "{version}");
    }
}

#[test]
fn rejects_two_signatures_of_one_key_id() {
    let entry = |id: &str| Json::object([("keyid", Json::from(id)), ("sig", Json::from("00"))]);
    let document = |ids: &[&str]| {
        json::encode(&Json::object([
            (
                "signatures",
                Json::Array(ids.iter().map(|id| entry(id)).collect()),
            ),
            ("signed", Json::object([])),
        ]))
    };
    assert_eq!(
        Draft::parse(&document(&["a", "b"]))
            .unwrap()
            .signatures
            .len(),
        2
    );
    for ids in [&["a", "a"][..], &["a", "b", "a"]] {
        assert_eq!(
            Draft::parse(&document(ids)),
            Err(ParseError::DuplicateSignature("a".to_owned()))
        );
    }
}

#[test]
fn newest_signature_of_a_key_counts() {
    let mut draft = draft(1);
    sign_draft(&mut draft, &key(1));
    draft.add(&key(2).public(), b"wrong");
    assert_eq!(draft.signers(&authority_of(&[&key(1), &key(2)])).len(), 1);
    sign_draft(&mut draft, &key(2));
    assert_eq!(draft.signers(&authority_of(&[&key(1), &key(2)])).len(), 2);
    assert_eq!(draft.signatures.len(), 2);
}

#[test]
fn edit_drops_signatures_over_the_old_part() {
    let mut draft = draft(1);
    sign_draft(&mut draft, &key(1));
    draft.edit(|signed| *signed = Json::object([]));
    assert!(draft.signatures.is_empty());
    assert_eq!(draft.message(), b"{}");
    assert_eq!(draft.digest(), Sha256::of(b"{}"));
}

#[test]
fn merge_takes_the_signatures_of_the_same_part_alone() {
    let (mut ours, mut theirs) = (draft(1), draft(1));
    sign_draft(&mut ours, &key(1));
    sign_draft(&mut theirs, &key(2));
    let roles = authority_of(&[&key(1), &key(2)]);
    assert_eq!(ours.merge(&theirs, &[&roles]), Ok(1));
    assert_eq!(ours.merge(&theirs, &[&roles]), Ok(0), "once");
    assert_eq!(ours.signers(&roles).len(), 2);
    let mut other = draft(2);
    sign_draft(&mut other, &key(1));
    let before = ours.clone();
    assert!(ours.merge(&other, &[&roles]).is_err());
    assert_eq!(ours, before);
}

#[test]
fn merge_takes_valid_signatures_by_keys_of_the_roles_alone() {
    let (mut ours, mut theirs) = (draft(1), draft(1));
    sign_draft(&mut ours, &key(1));
    theirs.add(&key(1).public(), b"wrong");
    theirs.add(&key(2).public(), &key(2).sign(b"another message"));
    sign_draft(&mut theirs, &key(3));
    theirs.put("junk".to_owned(), "zz".to_owned());
    let before = ours.clone();
    let (one, two) = (authority_of(&[&key(1)]), authority_of(&[&key(2)]));
    assert_eq!(ours.merge(&theirs, &[&one, &two]), Ok(0));
    assert_eq!(ours, before);
    let three = authority_of(&[&key(3)]);
    assert_eq!(ours.merge(&theirs, &[&one, &three]), Ok(1), "either role");
}

#[test]
fn compact_envelope_is_one_line_with_the_same_meaning() {
    let mut draft = draft(1);
    sign_draft(&mut draft, &key(1));
    let compact = draft.encode_compact();
    assert!(!compact.contains(&b'\n') && compact.len() < draft.encode().len());
    assert_eq!(Draft::parse(&compact).unwrap(), draft);
}

#[test]
fn signers_are_distinct_keys_with_a_valid_signature() {
    let mut draft = draft(1);
    sign_draft(&mut draft, &key(1));
    sign_draft(&mut draft, &key(2));
    draft.add(&key(3).public(), &key(3).sign(b"another message"));
    let roles = authority_of(&[&key(2), &key(3), &key(4)]);
    assert_eq!(draft.signers(&roles), [&RoleKey::from(key(2).public())]);
    let twice = key(1);
    let hex = hex::encode(twice.sign(&draft.message()));
    draft.put("a".to_owned(), hex.clone());
    draft.put("b".to_owned(), hex);
    let one_key = authority(&[("a".to_owned(), &twice), ("b".to_owned(), &twice)]);
    assert_eq!(draft.signers(&one_key), [&RoleKey::from(twice.public())]);
}
