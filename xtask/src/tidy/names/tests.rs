//! Tests of the forbidden names.

use super::{FORBIDDEN, check};
use crate::tidy::workspace::fixture;

fn checked(files: &[(&str, &str)]) -> Vec<String> {
    check(&fixture(files))
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

#[test]
fn accepts_nouns() {
    let text = "mod checkpoint { } // mod util { }\nuse core::fmt; type Types = u8;";
    assert!(checked(&[("keys/src/commonplace.rs", text)]).is_empty());
}

#[test]
fn rejects_files_and_folders() {
    for name in FORBIDDEN {
        let expected = [format!("is called `{name}`")];
        assert_eq!(checked(&[(&format!("a/src/{name}.rs"), "")]), expected);
        assert_eq!(checked(&[(&format!("a/src/{name}/x.rs"), "")]), expected);
    }
    assert_eq!(checked(&[("a/src/x/mod.rs", "")]), ["is called `mod.rs`"]);
}

#[test]
fn rejects_inline_modules() {
    assert_eq!(
        checked(&[("a/src/x.rs", "pub mod helpers { }")]),
        ["module is called `helpers`"]
    );
}

#[test]
fn rejects_crates() {
    let root = ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n");
    let found = checked(&[root, ("a/Cargo.toml", "[package]\nname = \"core\"\n")]);
    assert_eq!(found, ["crate is called `core`"]);
}
