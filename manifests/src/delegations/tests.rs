//! Tests of delegations. Bins were computed by python-tuf 7.0 (`SuccinctRoles.get_role_for_target`).

use keys::{Algorithm, SigningKey};

use super::*;
use crate::author::key_id;

fn authority() -> Authority {
    let key = SigningKey::from_secret(Algorithm::Ed25519, &[7; 32]).unwrap();
    let key = key.public();
    Authority::new([(key_id(&key), key.into())].into(), 1).unwrap()
}

fn role(name: &str, scope: Scope, terminating: bool) -> Delegation {
    Delegation {
        name: name.to_owned(),
        authority: authority(),
        scope,
        terminating,
    }
}

fn paths(patterns: &[&str]) -> Scope {
    Scope::Paths(patterns.iter().map(|it| (*it).to_owned()).collect())
}

fn signed(delegations: &Delegations) -> Json {
    Json::object([("delegations", delegations.to_json())])
}

#[test]
fn roles_are_asked_in_order_up_to_a_terminating_one() {
    let roles = Delegations::Roles(vec![
        role("a", paths(&["x/*"]), false),
        role("b", paths(&["y/*", "x/1"]), true),
        role("c", paths(&["*/*"]), false),
    ]);
    let asked = |path: &str| roles.roles_for(path);
    assert_eq!(asked("x/2"), (vec!["a".into(), "c".into()], false));
    assert_eq!(asked("x/1"), (vec!["a".into(), "b".into()], true));
    assert_eq!(asked("y/1"), (vec!["b".into()], true));
    assert_eq!(asked("z"), (vec![], false));
    assert_eq!(Delegations::parse(&signed(&roles)).unwrap(), roles);
    assert!(Delegations::parse(&Json::object([])).unwrap().is_empty());
}

/// `printf a/b | sha256sum` starts with c14c.
#[test]
fn hash_prefixes_match_the_start_of_the_path_hash() {
    let scope = |prefix: &str| Scope::HashPrefixes(vec!["ffff".to_owned(), prefix.to_owned()]);
    for (prefix, expected) in [
        ("c14c", true),
        ("c", true),
        ("", true),
        ("c14d", false),
        ("C1", false),
    ] {
        let role = role("a", scope(prefix), false);
        assert_eq!(role.matches("a/b"), expected, "{prefix}");
        let roles = Delegations::Roles(vec![role]);
        assert_eq!(Delegations::parse(&signed(&roles)).unwrap(), roles);
    }
}

#[test]
fn bins_are_those_of_the_first_bits() {
    for (bits, path, bin) in BINS {
        let bins = SuccinctRoles::new(authority(), *bits, "bin").unwrap();
        assert_eq!(bins.role_of(path), *bin, "{bits} {path}");
        assert!(bins.is_bin(bin), "{bin}");
        let delegations = Delegations::Succinct(bins);
        assert_eq!(delegations.roles_for(path), (vec![(*bin).to_owned()], true));
        assert!(delegations.authority(bin).is_some());
        assert_eq!(
            Delegations::parse(&signed(&delegations)).unwrap(),
            delegations
        );
    }
}

#[test]
fn names_that_are_no_bins_have_no_keys_m20() {
    let bins = SuccinctRoles::new(authority(), 5, "bin").unwrap();
    for name in ["bin-00", "bin-1f"] {
        assert!(bins.is_bin(name), "{name}");
    }
    for name in [
        "bin-20", "bin-0", "bin-000", "bin-1F", "bin", "bin-", "bin-+1", "x-00", "",
    ] {
        assert!(!bins.is_bin(name), "{name}");
    }
    for bits in [0, 33, u32::MAX] {
        assert!(SuccinctRoles::new(authority(), bits, "bin").is_err());
    }
    assert!(SuccinctRoles::new(authority(), 32, "").is_err());
}

#[test]
fn rejects_delegations_with_two_meanings_m23() {
    let roles = Delegations::Roles(vec![role("a", paths(&["x"]), false)]).to_json();
    let bins = SuccinctRoles::new(authority(), 4, "bin").unwrap();
    let bins = Delegations::Succinct(bins).to_json();
    let edited = |json: &Json, edit: &dyn Fn(&mut BTreeMap<String, Json>)| {
        let Json::Object(mut members) = json.clone() else {
            panic!("an object");
        };
        edit(&mut members);
        Delegations::parse(&Json::object([("delegations", Json::Object(members))]))
    };
    let both = bins.member("succinct_roles").unwrap();
    assert!(
        edited(&roles, &|it| drop(
            it.insert("succinct_roles".into(), both.clone())
        ))
        .is_err()
    );
    assert!(edited(&roles, &|it| drop(it.remove("roles"))).is_err());
    assert!(edited(&roles, &|it| drop(it.remove("keys"))).is_err());
    for (member, value) in [
        ("paths", None),
        ("paths", Some(Json::strings(["[cx]*"]))),
        ("path_hash_prefixes", Some(Json::strings(["00"]))),
        ("paths", Some(Json::Array(vec![Json::Integer(1)]))),
        ("terminating", Some(Json::from("false"))),
        ("terminating", None),
        ("name", Some(Json::from(""))),
        ("name", Some(Json::from("targets"))),
        ("name", Some(Json::from("x".repeat(257).as_str()))),
        ("threshold", Some(Json::Integer(0))),
    ] {
        let refused = edited(&roles, &|it| {
            let Some(Json::Array(list)) = it.get_mut("roles") else {
                panic!("an array");
            };
            let Some(Json::Object(role)) = list.first_mut() else {
                panic!("an object");
            };
            match value.clone() {
                Some(value) => drop(role.insert(member.to_owned(), value)),
                None => drop(role.remove(member)),
            }
        });
        assert!(refused.is_err(), "{member} {value:?}");
    }
}

#[test]
fn texts_are_as_long_as_their_limits_and_no_longer() {
    let parse = |role: Delegation| Delegations::parse(&signed(&Delegations::Roles(vec![role])));
    for (length, good) in [
        (1, true),
        (ROLE_BYTES_MAX, true),
        (ROLE_BYTES_MAX + 1, false),
    ] {
        let name = "x".repeat(length);
        let parsed = parse(role(&name, paths(&["x"]), false));
        assert_eq!(parsed.is_ok(), good, "{length}");
    }
    for (length, good) in [
        (0, true),
        (PATH_BYTES_MAX, true),
        (PATH_BYTES_MAX + 1, false),
    ] {
        let text = "0".repeat(length);
        for scope in [paths(&[&text]), Scope::HashPrefixes(vec![text.clone()])] {
            assert_eq!(parse(role("a", scope, false)).is_ok(), good, "{length}");
        }
    }
}

/// Bits, path, bin.
const BINS: &[(u32, &str, &str)] = &[
    (1, "a/b", "bin-1"),
    (1, "x", "bin-0"),
    (1, "some/long path.bin", "bin-1"),
    (4, "a/b", "bin-c"),
    (4, "x", "bin-2"),
    (4, "some/long path.bin", "bin-c"),
    (5, "a/b", "bin-18"),
    (5, "x", "bin-05"),
    (5, "some/long path.bin", "bin-19"),
    (8, "a/b", "bin-c1"),
    (8, "x", "bin-2d"),
    (8, "some/long path.bin", "bin-ce"),
    (14, "a/b", "bin-3053"),
    (14, "x", "bin-0b5c"),
    (14, "some/long path.bin", "bin-33be"),
    (16, "a/b", "bin-c14c"),
    (16, "x", "bin-2d71"),
    (16, "some/long path.bin", "bin-cef9"),
    (17, "a/b", "bin-18299"),
    (17, "x", "bin-05ae2"),
    (17, "some/long path.bin", "bin-19df2"),
    (32, "a/b", "bin-c14cddc0"),
    (32, "x", "bin-2d711642"),
    (32, "some/long path.bin", "bin-cef90c57"),
];
