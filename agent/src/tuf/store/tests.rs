//! Tests of the trusted metadata of `streembit-tuf`: what is read, bounded, voided and kept.

use std::fs::File;

use super::*;

struct Folder {
    folder: tempfile::TempDir,
    store: Store,
}

impl Folder {
    /// A store that trusts the root `root`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.begin(b"root").unwrap();
        Self { folder, store }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let effect = Effect::Store(name.to_owned(), bytes.to_vec());
        self.store.apply(&effect).unwrap();
    }

    /// A file of zeros.
    fn put_zeros(&self, name: &str, length: u64) {
        let file = File::create(self.folder.path().join(name)).unwrap();
        file.set_len(length).unwrap();
    }

    fn roles(&self) -> Vec<String> {
        self.store.load().unwrap().roles.into_keys().collect()
    }
}

#[test]
fn effects_are_read_back() {
    let folder = Folder::new();
    folder.put("timestamp.json", b"t");
    folder.put("snapshot.json", b"s");
    folder.put("targets.json", b"top");
    folder.put("a/é.json", b"role");
    folder.put("gone.json", b"role");
    let gone = Effect::Delete("gone.json".to_owned());
    folder.store.apply(&gone).unwrap();
    let stored = folder.store.load().unwrap();
    assert_eq!(stored.root, b"root");
    assert_eq!(stored.timestamp.as_deref(), Some(&b"t"[..]));
    assert_eq!(stored.snapshot.as_deref(), Some(&b"s"[..]));
    assert_eq!(stored.targets.as_deref(), Some(&b"top"[..]));
    assert_eq!(stored.roles, [("a/é".to_owned(), b"role".to_vec())].into());
}

#[test]
fn begin_voids_what_another_root_vouched_for() {
    let folder = Folder::new();
    for name in ["timestamp.json", "snapshot.json", "targets.json", "a.json"] {
        folder.put(name, b"old");
    }
    folder.store.begin(b"another").unwrap();
    let stored = folder.store.load().unwrap();
    let expected = Stored {
        root: b"another".to_vec(),
        ..Stored::default()
    };
    assert_eq!(stored, expected);
}

#[test]
fn rejects_folder_without_a_root() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let error = store.load().unwrap_err();
    assert_eq!(error.exit, Exit::Usage, "{error}");
    assert!(error.to_string().contains("has no root.json"), "{error}");
    assert!(error.fix().is_some());
}

#[test]
fn one_process_holds_the_folder() {
    let folder = Folder::new();
    let error = Store::open(folder.folder.path()).unwrap_err();
    assert_eq!(error.exit, Exit::Retry, "{error}");
}

#[test]
fn rejects_oversized_top_level_file_and_names_it() {
    for name in TOP_LEVEL {
        let folder = Folder::new();
        let file = format!("{name}.json");
        folder.put_zeros(&file, limits::SNAPSHOT_BYTES_MAX);
        assert!(folder.store.load().is_ok(), "{name}");
        folder.put_zeros(&file, limits::SNAPSHOT_BYTES_MAX + 1);
        let error = folder.store.load().unwrap_err();
        assert_eq!(error.exit, Exit::No, "{error}");
    }
}

#[test]
fn passes_over_an_oversized_role() {
    let folder = Folder::new();
    folder.put_zeros("long.json", limits::TARGETS_BYTES_MAX + 1);
    folder.put_zeros("longest.json", limits::TARGETS_BYTES_MAX);
    folder.put("short.json", b"role");
    assert_eq!(folder.roles(), ["longest", "short"]);
}

#[test]
fn reads_as_many_role_bytes_as_a_search_visits() {
    let folder = Folder::new();
    for number in 0..33 {
        folder.put_zeros(&format!("{number}.json"), limits::TARGETS_BYTES_MAX);
    }
    folder.put_zeros("targets.json", limits::TARGETS_BYTES_MAX);
    assert_eq!(folder.roles().len(), 32);
    assert!(folder.store.load().unwrap().targets.is_some());
}

#[test]
fn keep_removes_roles_that_are_not_listed_alone() {
    let folder = Folder::new();
    for name in [
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "a.json",
        "b.json",
    ] {
        folder.put(name, b"x");
    }
    let other = folder.folder.path().join("notes.txt");
    File::create(&other).unwrap();
    folder.store.keep(|role| role == "a").unwrap();
    assert_eq!(folder.roles(), ["a"]);
    let stored = folder.store.load().unwrap();
    assert!(stored.timestamp.is_some() && stored.snapshot.is_some() && stored.targets.is_some());
    assert!(other.exists());
}
