//! Tests of the module graph.

use super::check;
use crate::tidy::workspace::fixture;

/// Checks a crate `a` with these files below `src/`; returns the messages.
fn checked(files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("Cargo.toml".to_owned(), "[workspace]\nmembers = [\"a\"]\n")];
    all.extend(
        files
            .iter()
            .map(|(path, text)| (format!("a/src/{path}"), *text)),
    );
    let all: Vec<_> = all
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let strip = |message: String| message.replace("modules import each other: ", "");
    check(&fixture(&all))
        .into_iter()
        .map(|finding| strip(finding.message))
        .collect()
}

#[test]
fn accepts_one_way_imports() {
    let files = [
        ("lib.rs", "pub mod low; pub mod high; pub use low::Low;"),
        ("low.rs", "pub struct Low;"),
        ("high.rs", "use crate::Low; use super::low; mod part;"),
        (
            "high/part.rs",
            "use super::Own; use crate::high::Other; use super::super::low::Low;",
        ),
    ];
    assert_eq!(checked(&files), [""; 0]);
}

#[test]
fn rejects_two_modules_with_place() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
        ("a/src/lib.rs", ""),
        ("a/src/x.rs", "//! X.\n\nuse crate::y::Y;\n"),
        ("a/src/y.rs", "fn f() { super::x::g() }"),
    ];
    let findings = check(&fixture(&files));
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].file.as_str(), findings[0].line),
        ("a/src/x.rs", Some(3))
    );
}

#[test]
fn prints_the_shortest_loop_of_each_set() {
    let files = [
        ("lib.rs", ""),
        ("p.rs", "use crate::q;"),
        ("q.rs", "use crate::r;"),
        ("r.rs", "use crate::{p, q};"),
        ("s.rs", "use crate::t;"),
        ("t.rs", "use crate::s;"),
    ];
    assert_eq!(checked(&files), ["q -> r -> q", "s -> t -> s"]);
}

#[test]
fn looks_into_groups() {
    let files = [
        ("lib.rs", ""),
        ("x.rs", "use crate::{z::{A, B}, y::C};"),
        ("y.rs", "use super::{x, w};"),
    ];
    assert_eq!(checked(&files), ["x -> y -> x"]);
}

#[test]
fn resolves_reexports() {
    let root = "mod x; mod y; pub use crate::y::{inner::{Deep}, Thing as Other}; pub use x::*;";
    let y = ("y.rs", "use crate::x;");
    assert_eq!(
        checked(&[("lib.rs", root), ("x.rs", "use crate::Deep;"), y]),
        ["x -> y -> x"]
    );
    assert_eq!(
        checked(&[("lib.rs", root), ("x.rs", "use crate::Other;"), y]),
        ["x -> y -> x"]
    );
    assert_eq!(
        checked(&[("lib.rs", root), ("x.rs", "use crate::Thing;"), y]),
        [""; 0]
    );
    let globbed = [
        ("lib.rs", root),
        ("x.rs", "pub struct G; use crate::y;"),
        ("y.rs", "use crate::G;"),
    ];
    assert_eq!(checked(&globbed), ["x -> y -> x"]);
}

#[test]
fn rejects_module_that_imports_the_root() {
    let x = ("x.rs", "use crate::Own;");
    let rooted = |root| checked(&[("lib.rs", root), x]);
    assert_eq!(rooted("mod x; pub struct Own(x::X);"), ["lib -> x -> lib"]);
    assert_eq!(
        rooted("mod x; use x::X; pub struct Own(X);"),
        ["lib -> x -> lib"]
    );
    assert_eq!(
        rooted("mod x; use std::{x::Y}; pub struct Own(std::x::X);"),
        [""; 0]
    );
    assert_eq!(rooted("mod x; pub use x::X; pub struct Own;"), [""; 0]);
    let captures = "mod x; fn f() -> impl Sized + use<> { x::g(); } pub struct Own;";
    assert_eq!(rooted(captures), ["lib -> x -> lib"]);
}

#[test]
fn ignores_tests_comments_and_strings() {
    let x = "// crate::y\nfn f() { \"crate::y\" } #[cfg(test)] mod tests { use crate::y; }";
    let files = [
        ("lib.rs", ""),
        ("x.rs", x),
        ("x/tests.rs", "use crate::y;"),
        ("y.rs", "use crate::x;"),
    ];
    assert_eq!(checked(&files), [""; 0]);
}

#[test]
fn super_counts_inline_modules() {
    let y = ("y.rs", "use crate::x;");
    let inline = ("x.rs", "mod i { use super::y; }");
    assert_eq!(checked(&[("lib.rs", ""), inline, y]), [""; 0]);
    let deeper = ("x.rs", "mod i { use super::super::y; }");
    assert_eq!(checked(&[("lib.rs", ""), deeper, y]), ["x -> y -> x"]);
    let by_self = ("x.rs", "use self::super::y;");
    assert_eq!(checked(&[("lib.rs", ""), by_self, y]), ["x -> y -> x"]);
}

#[test]
fn looks_at_binaries_and_at_named_libraries() {
    let binary = [
        ("main.rs", ""),
        ("x.rs", "use crate::y;"),
        ("y.rs", "use crate::x;"),
    ];
    assert_eq!(checked(&binary), ["x -> y -> x"]);
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"tests\"]\n"),
        ("tests/Cargo.toml", "[lib]\npath = \"support/lib.rs\"\n"),
        ("tests/support/lib.rs", ""),
        ("tests/support/x.rs", "use crate::y;"),
        ("tests/support/y.rs", "use crate::x;"),
    ];
    assert_eq!(check(&fixture(&files)).len(), 1);
}
