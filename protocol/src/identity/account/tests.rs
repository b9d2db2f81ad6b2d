//! Accounts over their lives: in use, moved to another key, deleted.

use keys::Algorithm;
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 24 * 3600;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn name() -> AccountName {
    "alice".parse().unwrap()
}

fn node_id(key: &SigningKey) -> NodeId {
    keys::node_id(&key.public(), &name()).unwrap()
}

fn change(old: &SigningKey, new: &SigningKey) -> String {
    let scope = node_id(old);
    account_change::sign(old, scope.as_bytes(), &new.public(), NOW).unwrap()
}

fn live(key: &SigningKey, seq: u64, changes: &[String]) -> Result<AccountRecord, AccountError> {
    let State::Live(mut live) = State::live(key)? else {
        panic!("not live");
    };
    live.changes = changes.to_vec();
    let state = State::Live(live);
    let token = sign_state(key, &name(), (seq, state), NOW)?;
    verify(token.as_bytes(), NOW)
}

fn moved(key: &SigningKey, seq: u64, to: &SigningKey) -> AccountRecord {
    let successor = to.public().to_hex();
    let state = State::Moved(Moved { successor });
    let token = sign_state(key, &name(), (seq, state), NOW).unwrap();
    verify(token.as_bytes(), NOW).unwrap()
}

fn deleted(key: &SigningKey, seq: u64) -> AccountRecord {
    let token = sign_state(key, &name(), (seq, State::Deleted), NOW).unwrap();
    verify(token.as_bytes(), NOW).unwrap()
}

#[test]
fn a_live_account_tells_what_to_encrypt_for() {
    let record = live(&key(1), 1, &[]).unwrap();
    let agreement = AgreementKey::of_account(&key(1)).unwrap().public();
    let expected = Status::Live {
        agreement,
        predecessors: Vec::new(),
    };
    assert_eq!(record.status, expected);
    assert!(record.follows(&key(1).public()) && !record.follows(&key(2).public()));
}

#[test]
fn contacts_follow_changes_of_key() {
    let changes = [change(&key(1), &key(2)), change(&key(2), &key(3))];
    let record = live(&key(3), 1, &changes).unwrap();
    for seed in 1..=3 {
        assert!(record.follows(&key(seed).public()), "{seed}");
    }
    assert!(!record.follows(&key(4).public()));
    assert!(!moved(&key(1), 2, &key(2)).follows(&key(1).public()));
}

#[test]
fn broken_changes_are_refused() {
    let broken = Err(AccountError::Changes(ChangeError::Broken));
    let (one, two) = (change(&key(1), &key(2)), change(&key(2), &key(3)));
    assert_eq!(live(&key(3), 1, &[two.clone(), one.clone()]), broken);
    assert_eq!(live(&key(2), 1, &[one.clone(), two.clone()]), broken);
    let to_another = live(&key(3), 1, std::slice::from_ref(&one));
    assert_eq!(to_another, broken);
    assert_eq!(
        live(&key(3), 1, &[change(&key(1), &key(4)), two.clone()]),
        broken
    );
    // Round in a circle, or nowhere.
    let back = change(&key(2), &key(1));
    assert_eq!(live(&key(1), 1, &[one.clone(), back]), broken);
    assert_eq!(live(&key(1), 1, &[change(&key(1), &key(1))]), broken);
    // Signed for another name, and for a publisher.
    for scope in [
        [9; 32],
        *keys::node_id(&key(1).public(), &"bob".parse().unwrap())
            .unwrap()
            .as_bytes(),
    ] {
        let other = account_change::sign(&key(1), &scope, &key(2).public(), NOW).unwrap();
        assert_eq!(live(&key(2), 1, &[other]), broken);
    }
    let many: Vec<String> = (1..=KEY_CHANGES_MAX as u8 + 1)
        .map(|seed| change(&key(seed), &key(seed + 1)))
        .collect();
    let last = key(KEY_CHANGES_MAX as u8 + 2);
    assert!(live(&last, 1, &many[1..]).is_ok());
    assert!(live(&last, 1, &many).is_err());
}

/// A thief of the old key can't make it live again, move it elsewhere or delete it.
#[test]
fn what_has_moved_stays_where_it_is() {
    let stored = moved(&key(1), 5, &key(2));
    let again = [
        live(&key(1), 99, &[]).unwrap(),
        moved(&key(1), 99, &key(3)),
        deleted(&key(1), 99),
    ];
    for record in again {
        assert!(!record.replaces(&stored), "{record:?}");
    }
    let before = live(&key(1), 99, &[]).unwrap();
    assert!(stored.replaces(&before), "a lower sequence, but final");
    assert!(deleted(&key(1), 1).replaces(&before));
    assert!(!before.replaces(&before) && live(&key(1), 100, &[]).unwrap().replaces(&before));
}

#[test]
fn final_records_outlive_live_ones() {
    for record in [moved(&key(1), 1, &key(2)), deleted(&key(1), 1)] {
        assert!(record.expires > NOW + 9 * YEAR);
    }
    assert!(live(&key(1), 1, &[]).unwrap().expires < NOW + YEAR);
}

#[test]
fn malformed_states_are_refused() {
    let offer = |state: Value| {
        let claims = Claims {
            iss: String::new(),
            sub: node_id(&key(1)).to_string(),
            aud: AUDIENCE.to_owned(),
            iat: NOW,
            exp: NOW + 1000,
            jti: "3".to_owned(),
            data: json!({"name": "alice", "seq": 3, "state": state}),
        };
        let token = jws::sign(&key(1), TYP, claims).unwrap();
        verify(token.as_bytes(), NOW)
    };
    let agreement = AgreementKey::of_account(&key(1)).unwrap().public();
    assert!(offer(json!({"live": {"agreement": agreement}})).is_ok());
    for state in [
        json!("live"),
        json!({"live": {}}),
        json!({"live": {"agreement": agreement, "more": 1}}),
        json!({"live": {"agreement": "02"}}),
        json!({"live": {"agreement": agreement}, "deleted": null}),
        json!("gone"),
        json!(null),
    ] {
        let refused = offer(state.clone());
        assert!(
            matches!(refused, Err(AccountError::Jws(JwsError::Claims(_)))),
            "{state}"
        );
    }
    for successor in [key(1).public().to_hex(), "03".repeat(33)] {
        let refused = offer(json!({"moved": {"successor": successor}}));
        assert_eq!(refused, Err(AccountError::Successor));
    }
}
