//! Tests of the test lists.

use super::check;
use crate::tidy::workspace::fixture;

fn files(files: &[(&str, &str)]) -> Vec<String> {
    check(&fixture(files))
        .into_iter()
        .map(|finding| finding.file)
        .collect()
}

#[test]
fn accepts_listed_tests() {
    let listed = [
        ("tests/main.rs", "mod rollback;\nmod dht;"),
        ("tests/rollback.rs", ""),
        ("tests/dht.rs", ""),
        ("tests/support/lib.rs", "mod tests;"),
        ("tests/support/tests.rs", ""),
        ("a/src/lib.rs", "#[cfg(test)]\nmod tests;"),
        ("a/src/tests.rs", ""),
        ("b/src/main.rs", "#[cfg(test)]\nmod tests;"),
        ("b/src/tests.rs", ""),
        ("b/src/x/y.rs", "mod tests;"),
        ("b/src/x/y/tests.rs", ""),
        ("b/tests/tests.rs", ""),
    ];
    assert_eq!(files(&listed), [""; 0]);
}

#[test]
fn rejects_forgotten_cross_crate_test() {
    let main = ("tests/main.rs", "// mod dht;\nmod dht_more; mod dht { }");
    assert_eq!(files(&[main, ("tests/dht.rs", "")]), ["tests/dht.rs"]);
    assert_eq!(files(&[("tests/dht.rs", "")]), ["tests/dht.rs"]);
}

#[test]
fn rejects_forgotten_unit_tests() {
    let found = files(&[("a/src/x.rs", "mod other;"), ("a/src/x/tests.rs", "")]);
    assert_eq!(found, ["a/src/x/tests.rs"]);
    assert_eq!(files(&[("a/src/tests.rs", "")]), ["a/src/tests.rs"]);
}
