//! Chains of changes, and what is none.

use keys::Algorithm;

use super::*;

const PUBLISHER: [u8; 32] = [9; 32];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn change(old: u8, new: u8) -> String {
    sign(&key(old), &PUBLISHER, &key(new).public(), 1_800_000_000).unwrap()
}

fn account(seed: u8) -> String {
    key(seed).public().to_hex()
}

#[test]
fn chain_leads_to_the_last_account() {
    let changes = [change(1, 2), change(2, 3), change(3, 4), change(4, 5)];
    for count in 0..=changes.len() {
        let last = u8::try_from(count).unwrap() + 1;
        let found = follow(&account(1), &changes[..count], &PUBLISHER);
        assert_eq!(found, Ok(account(last)));
    }
    assert!(
        changes
            .iter()
            .all(|token| token.len() <= ACCOUNT_CHANGE_BYTES_MAX)
    );
}

#[test]
fn broken_chains_are_refused() {
    let publisher = |changes: &[String], id| follow(&account(1), changes, id);
    for changes in [
        vec![change(2, 3)],
        vec![change(1, 2), change(1, 3)],
        vec![change(1, 2), change(3, 4)],
    ] {
        assert_eq!(publisher(&changes, &PUBLISHER), Err(ChangeError::Broken));
    }
    let other = publisher(&[change(1, 2)], &[8; 32]);
    assert_eq!(other, Err(ChangeError::Broken), "another publisher's");
    let many = vec![change(1, 1); ACCOUNT_CHANGES_MAX + 1];
    assert_eq!(publisher(&many, &PUBLISHER), Err(ChangeError::TooMany));
    let long = "a".repeat(ACCOUNT_CHANGE_BYTES_MAX + 1);
    let long = publisher(&[long], &PUBLISHER);
    assert_eq!(long, Err(ChangeError::Jws(JwsError::Shape)));
}

#[test]
fn altered_tokens_are_refused() {
    let token = change(1, 2);
    for (index, _) in token.char_indices().step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        let found = follow(&account(1), &[altered], &PUBLISHER);
        assert!(found.is_err(), "byte {index}");
    }
}

#[test]
fn only_p256_keys_take_over() {
    let ed25519 = SigningKey::from_secret(Algorithm::Ed25519, &[7; 32]).unwrap();
    let new = sign(&key(1), &PUBLISHER, &ed25519.public(), 0);
    assert_eq!(new, Err(ChangeError::Broken));
    let old = sign(&ed25519, &PUBLISHER, &key(1).public(), 0);
    assert_eq!(old, Err(ChangeError::Jws(JwsError::Key)));
}
