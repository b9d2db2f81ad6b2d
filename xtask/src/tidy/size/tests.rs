//! Tests of the size limits.

use super::{check, check_with};
use crate::tidy::workspace::fixture;

fn checked(path: &str, text: &str) -> Vec<String> {
    check(&fixture(&[(path, text)]))
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

fn lines(count: usize) -> String {
    "// line\n".repeat(count)
}

/// A function of `count` lines.
fn function(count: usize) -> String {
    format!(
        "fn long(x: [u8; 3]) -> u8 {{\n{}}}\n",
        "    // } '{' \"\n".repeat(count - 2)
    )
}

#[test]
fn limits_lines_of_a_file() {
    assert!(checked("a/src/x.rs", &lines(400)).is_empty());
    assert_eq!(
        checked("a/src/x.rs", &lines(401)),
        ["401 lines, at most 400"]
    );
}

#[test]
fn limits_lines_of_a_test_file() {
    for path in [
        "a/src/x/tests.rs",
        "tests/support/net.rs",
        "a/tests/smoke.rs",
    ] {
        assert!(checked(path, &lines(600)).is_empty());
        assert_eq!(checked(path, &lines(601)), ["601 lines, at most 600"]);
    }
}

#[test]
fn test_items_do_not_count() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(300));
    assert!(checked("a/src/x.rs", &format!("{}{tests}", lines(400))).is_empty());
    let found = checked("a/src/x.rs", &format!("{}{tests}", lines(401)));
    assert_eq!(found, ["401 lines, at most 400"]);
}

#[test]
fn limits_lines_of_a_function() {
    assert!(checked("a/src/x.rs", &function(70)).is_empty());
    let message = "function `long` has 71 lines, at most 70";
    assert_eq!(checked("a/src/x.rs", &function(71)), [message]);
    let generic = function(71).replace("long(", "long<const N: usize>(");
    assert_eq!(checked("a/src/x.rs", &generic), [message]);
}

#[test]
fn limits_lines_of_a_test_function() {
    let inline = |count| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(count));
    assert!(checked("a/src/x.rs", &inline(120)).is_empty());
    assert!(checked("a/src/tests.rs", &function(120)).is_empty());
    let message = "function `long` has 121 lines, at most 120";
    assert_eq!(checked("a/src/x.rs", &inline(121)), [message]);
    assert_eq!(checked("a/src/tests.rs", &function(121)), [message]);
}

#[test]
fn ignores_functions_without_a_body() {
    let text = format!(
        "trait T {{ fn a(x: [u8; 2]); }}\ntype F = fn(u8) -> u8;\n{}",
        lines(90)
    );
    assert!(checked("a/src/x.rs", &format!("{text}struct S {{}}\n")).is_empty());
}

#[test]
fn limits_the_architecture_document() {
    assert!(checked("ARCHITECTURE.md", &lines(250)).is_empty());
    assert_eq!(
        checked("ARCHITECTURE.md", &lines(251)),
        ["251 lines, at most 250"]
    );
}

#[test]
fn exceptions_may_only_shrink() {
    let with = |count, allowed| {
        let workspace = fixture(&[("a/src/x.rs", &lines(count))]);
        let findings = check_with(&workspace, &[("a/src/x.rs", allowed)]);
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
    };
    assert!(with(450, 450).is_empty());
    assert_eq!(with(451, 450), ["451 lines, at most 450"]);
    assert_eq!(with(449, 450), ["449 lines, but its exception allows 450"]);
    let gone = check_with(&fixture(&[]), &[("a/src/gone.rs", 450)]);
    assert_eq!(gone.len(), 1);
}
