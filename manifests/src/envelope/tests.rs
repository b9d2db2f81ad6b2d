//! Tests of authorities; envelopes and their signatures are in the tests' crate (`signatures`,
//! `threshold`).

use keys::{Algorithm, SigningKey};

use super::*;

fn role_key(seed: u8) -> RoleKey {
    let key = SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap();
    key.public().into()
}

fn keys(seeds: &[u8]) -> BTreeMap<String, RoleKey> {
    let keys = seeds.iter().map(|seed| (seed.to_string(), role_key(*seed)));
    keys.collect()
}

#[test]
fn threshold_is_1_to_128() {
    for threshold in [1, 2, 127, 128] {
        let authority = Authority::new(keys(&[1, 2]), threshold).unwrap();
        let expected = usize::try_from(threshold).unwrap();
        assert_eq!(authority.threshold(), expected);
        assert_eq!(authority.keys(), &keys(&[1, 2]));
    }
    for threshold in [0, 129, u64::MAX] {
        assert!(
            Authority::new(keys(&[1]), threshold).is_err(),
            "{threshold}"
        );
    }
}

#[test]
fn ids_without_a_key_never_count() {
    let role = Json::object([
        ("keyids", Json::strings(["1", "9", "2"])),
        ("threshold", Json::Integer(2)),
    ]);
    let authority = Authority::parse(&role, &keys(&[1, 2, 3])).unwrap();
    assert_eq!(authority, Authority::new(keys(&[1, 2]), 2).unwrap());
    assert_eq!(
        Authority::parse(&authority.to_json(), &keys(&[1, 2])),
        Ok(authority)
    );
}

#[test]
fn key_under_two_ids_is_one_key() {
    let twice = [("a", 1), ("b", 1), ("c", 2)];
    let twice = twice.map(|(id, seed)| (id.to_owned(), role_key(seed)));
    let authority = Authority::new(twice.into(), 1).unwrap();
    let expected = [role_key(1), role_key(2)];
    assert_eq!(authority.distinct_keys(), expected.iter().collect());
}
