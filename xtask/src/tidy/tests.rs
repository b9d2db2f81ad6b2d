//! Tests of the report: exit, order, text.

use super::workspace::write_files;
use super::{CHECKS, report};

fn reported(files: &[(&str, &str)], bless: bool) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), files);
    let mut out = Vec::new();
    let ok = report(folder.path(), bless, &mut out).unwrap();
    (ok, String::from_utf8(out).unwrap())
}

/// A repository that breaks no rule.
fn sound() -> Vec<(&'static str, String)> {
    let documents = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "README.md",
        "docs/glossary.md",
    ];
    let legal = ["LICENSE-APACHE", "LICENSE-MIT", "deny.toml"];
    let mut files: Vec<_> = documents
        .iter()
        .chain(&legal)
        .map(|path| (*path, String::new()))
        .collect();
    let hashed = "<!-- sources: keys/src/lib.rs -->\n<!-- sha256: 0 -->\n";
    files.push(("docs/formats.md", hashed.to_owned()));
    files.push(("docs/wire.md", hashed.to_owned()));
    let rows = super::threats::ids()
        .into_iter()
        .map(|id| format!("| {id} | x | open |\n"));
    files.push(("docs/threat-model.md", rows.collect()));
    files.push((
        "Cargo.toml",
        "[workspace]\nmembers = [\"keys\"]\n".to_owned(),
    ));
    let manifest = "[package]\nname = \"keys\"\n[lints]\nworkspace = true\n";
    files.push(("keys/Cargo.toml", manifest.to_owned()));
    files.push(("keys/src/lib.rs", "//! Keys.\n".to_owned()));
    files
}

#[test]
fn accepts_sound_repository_and_counts() {
    let files = sound();
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let (ok, text) = reported(&files, true);
    let expected = format!("tidy: {} files, {} checks, ok\n", files.len(), CHECKS.len());
    assert_eq!((ok, text), (true, expected));
}

#[test]
fn rejects_stale_hash_unless_blessed() {
    let files = sound();
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let (ok, text) = reported(&files, false);
    assert!(!ok);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("docs/formats.md:2: docs: its sources have changed; fix: read"));
    assert!(lines[1].starts_with("docs/wire.md:2: "), "sorted by file");
}

#[test]
fn rejects_empty_repository() {
    let (ok, text) = reported(&[], false);
    assert!(!ok);
    assert!(text.contains("Cargo.toml: layers: "), "{text}");
    assert!(
        text.contains("README.md: docs: is missing; fix: write it"),
        "{text}"
    );
}

#[test]
fn reports_folder_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    assert!(report(&folder.path().join("absent"), false, &mut Vec::new()).is_err());
}
