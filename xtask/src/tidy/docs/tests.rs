//! Tests of headers, required documents and hashes.

use super::{REQUIRED, bless, check};
use crate::tidy::workspace::{Workspace, fixture, write_files};

/// Messages about everything but missing documents.
fn messages(workspace: &Workspace) -> Vec<String> {
    let findings = check(workspace).into_iter();
    findings
        .map(|finding| finding.message)
        .filter(|message| message != "is missing")
        .collect()
}

#[test]
fn rejects_source_without_header() {
    let header = |text: &str| messages(&fixture(&[("a/src/lib.rs", text)])).is_empty();
    assert!(header("//! Owns it.\n"));
    assert!(header("\n\n//! Owns it.\n"));
    assert!(!header("// Owns it.\n//! Late.\n"));
    assert!(!header("use std::fs;\n"));
    assert!(!header(""));
}

#[test]
fn rejects_missing_documents() {
    let missing: Vec<String> = check(&fixture(&[])).into_iter().map(|f| f.file).collect();
    assert_eq!(missing, REQUIRED);
    let all: Vec<_> = REQUIRED.iter().map(|path| (*path, "")).collect();
    assert!(
        check(&fixture(&all))
            .iter()
            .all(|finding| finding.message != "is missing")
    );
}

/// Loads sources and a document, blesses, loads again; then `edit` replaces one file.
fn blessed_then(edit: Option<(&str, &str)>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let document = "<!-- sources: b.txt\na.txt -->\n<!-- sha256: 0 -->\nText.\n";
    let files = [
        ("a.txt", "one\n"),
        ("b.txt", "two\n"),
        ("docs/wire.md", document),
    ];
    write_files(folder.path(), &files);
    let workspace = Workspace::load(folder.path()).unwrap();
    assert_eq!(messages(&workspace), ["its sources have changed"]);
    bless(&workspace).unwrap();
    write_files(folder.path(), edit.as_slice());
    messages(&Workspace::load(folder.path()).unwrap())
}

#[test]
fn bless_writes_the_hash() {
    assert_eq!(blessed_then(None), [""; 0]);
    assert_eq!(
        blessed_then(Some(("b.txt", "two\r\n"))),
        [""; 0],
        "line ends do not count"
    );
}

#[test]
fn rejects_changed_source() {
    assert_eq!(
        blessed_then(Some(("b.txt", "three\n"))),
        ["its sources have changed"]
    );
}

#[test]
fn hash_is_path_nul_content_sorted() {
    // printf 'a.txt\0one\nb.txt\0two\n' | sha256sum
    let hash = "fb97a7a129087d3e7be42b9c93225bbe5d65590b8ec3f24ec624d14fafc60a0d";
    let text = "<!-- sources: b.txt a.txt -->\n<!-- sha256: HASH -->\n".replace("HASH", hash);
    let files = [
        ("a.txt", "one\n"),
        ("b.txt", "two\n"),
        ("docs/formats.md", text.as_str()),
    ];
    assert_eq!(messages(&fixture(&files)), [""; 0]);
}

#[test]
fn rejects_incomplete_markers() {
    let document = |text: &str| messages(&fixture(&[("docs/wire.md", text)]));
    assert_eq!(document("Text."), ["names no sources"]);
    assert_eq!(document("<!-- sources: -->"), ["names no sources"]);
    assert_eq!(
        document("<!-- sources: a -->"),
        ["carries no hash of its sources"]
    );
    let gone = "<!-- sources: gone.rs --><!-- sha256: 0 -->";
    assert_eq!(
        document(gone),
        ["names the source `gone.rs`, which does not exist"]
    );
}

#[test]
fn bless_leaves_broken_markers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "<!-- sources: gone.rs --><!-- sha256: 0 -->";
    write_files(folder.path(), &[("docs/wire.md", text)]);
    bless(&Workspace::load(folder.path()).unwrap()).unwrap();
    let after = std::fs::read_to_string(folder.path().join("docs/wire.md")).unwrap();
    assert_eq!(after, text);
}
