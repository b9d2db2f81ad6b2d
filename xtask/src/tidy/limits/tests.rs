//! Tests of documented limits.

use super::check;
use crate::tidy::workspace::fixture;

fn messages(path: &str, text: &str) -> Vec<String> {
    check(&fixture(&[(path, text)]))
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

#[test]
fn accepts_documented_constants() {
    let text = "/// Bytes of a head; fits one datagram.\npub const A: usize = 1;\n\
        /// Unit.\n#[allow(dead_code)]\npub(crate) const B: u8 = 2;\nconst PRIVATE: u8 = 3;\n\
        pub const fn f() {}\n";
    assert_eq!(messages("a/src/limits.rs", text), [""; 0]);
    assert_eq!(
        messages("a/src/other.rs", "pub const A: usize = 1;"),
        [""; 0]
    );
}

#[test]
fn rejects_bare_constants() {
    let text = "pub const A: usize = 1;\n// plain\npub(crate) const B: u8 = 2;\n";
    let expected = ["`A` has no doc comment", "`B` has no doc comment"];
    assert_eq!(messages("a/src/x/limits.rs", text), expected);
}
