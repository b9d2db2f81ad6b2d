//! Tests of the place of a target; fetching is in the tests' crate (`tuf_http`, `tuf_place`).

use std::os::unix::fs::symlink;

use manifests::digest::Sha256;
use manifests::hashes::Hashes;

use super::*;

fn target(content: &[u8]) -> Target {
    Target {
        length: content.len() as u64,
        hashes: Hashes::of_sha256(Sha256::of(content)),
        custom: None,
    }
}

#[test]
fn target_is_there_if_length_and_hashes_match() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("f");
    let long = vec![7; 2 * BUFFER_BYTES + 1];
    assert!(!is_there(&place, &target(b"abc")).unwrap());
    for (content, wanted, expected) in [
        (&b"abc"[..], &b"abc"[..], true),
        (b"abc", b"abd", false),
        (b"abc", b"abcd", false),
        (b"abcd", b"abc", false),
        (b"", b"", true),
        (&long, &long, true),
    ] {
        fs::write(&place, content).unwrap();
        assert_eq!(is_there(&place, &target(wanted)).unwrap(), expected);
    }
}

#[test]
fn place_that_cannot_be_read_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("f");
    symlink(&place, &place).unwrap();
    let error = is_there(&place, &target(b"abc")).unwrap_err();
    assert_eq!(error.path, place.display().to_string());
}

#[test]
fn url_has_a_digest_where_snapshots_are_consistent() {
    let target = target(b"abc");
    let digest = Sha256::of(b"abc").to_string();
    for (path, prefixed, expected) in [
        ("f", true, format!("{digest}.f")),
        ("a/b/f", true, format!("a/b/{digest}.f")),
        ("a/b/f", false, "a/b/f".to_owned()),
        ("a b", false, "a%20b".to_owned()),
        ("...", false, "...".to_owned()),
    ] {
        assert_eq!(url_path(path, &target, prefixed).unwrap(), expected);
    }
}

#[test]
fn rejects_path_that_leaves_the_folder_of_targets() {
    for path in ["..", ".", "../f", "a/../f", "a/./f", "a/.."] {
        let error = url_path(path, &target(b"abc"), false).unwrap_err();
        assert_eq!(error.exit, Exit::No, "{path}");
        assert!(error.to_string().contains("leaves the folder"), "{error}");
    }
}

#[test]
fn file_beside_is_held_by_one_and_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, held) = open_beside(folder.path(), "f").unwrap();
    fs::write(&first, b"left behind").unwrap();
    let (second, other) = open_beside(folder.path(), "f").unwrap();
    assert_ne!(first, second);
    let busy = open_beside(folder.path(), "f").unwrap_err();
    assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
    drop((held, other));
    let (again, file) = open_beside(folder.path(), "f").unwrap();
    assert_eq!(again, first);
    assert_eq!(file.metadata().unwrap().len(), 0);
}
