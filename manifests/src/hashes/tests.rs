//! Tests of `hashes`: how many there may be, and which of them names a file.

use super::*;

fn parse(hashes: &[(&str, &str)]) -> Result<Hashes, JsonError> {
    let hashes = hashes.iter();
    let hashes = hashes.map(|(name, hash)| ((*name).to_owned(), Json::from(*hash)));
    Hashes::parse(&Json::Object(hashes.collect()))
}

#[test]
fn rejects_no_hash_and_too_many() {
    let of = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let hashes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        parse(&hashes)
    };
    for count in [1, HASHES_MAX - 1, HASHES_MAX] {
        assert_eq!(of(count).unwrap().0.len(), count);
    }
    for count in [0, HASHES_MAX + 1, HASHES_MAX + 2] {
        assert!(of(count).is_err(), "{count}");
    }
}

#[test]
fn file_is_named_by_its_first_hash_that_is_hex() {
    for (hashes, expected) in [
        (&[("sha256", "a1"), ("sha512", "b2")][..], Some("a1")),
        (&[("sha512", "b2")], Some("b2")),
        (&[("sha256", "../x"), ("sha512", "b2")], Some("b2")),
        (&[("sha256", "g0")], None),
        (&[("md5", "a1")], None),
    ] {
        assert_eq!(parse(hashes).unwrap().file_prefix(), expected, "{hashes:?}");
    }
}

#[test]
fn hash_of_one_algorithm_is_not_that_of_the_other() {
    let hasher = || {
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        hasher
    };
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                  2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    for (hashes, good) in [
        (&[("sha256", sha256), ("sha512", sha512)][..], true),
        (&[("sha256", sha512)], false),
        (&[("sha512", sha256)], false),
        (&[("sha512", sha512), ("sha3-256", sha256)], false),
    ] {
        let checked = parse(hashes).unwrap().check(hasher());
        assert_eq!(checked.is_ok(), good, "{hashes:?}");
    }
}
