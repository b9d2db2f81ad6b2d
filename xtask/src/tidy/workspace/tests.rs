//! Tests of which files count.

use super::{Workspace, fixture, git, write_files};

fn paths(workspace: &Workspace) -> Vec<&str> {
    workspace
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect()
}

#[test]
fn walks_without_git_and_skips_build_output() {
    let files = [
        ("b/x.rs", ""),
        ("a.txt", ""),
        ("target/y.rs", ""),
        ("fuzz/target/z", ""),
    ];
    assert_eq!(paths(&fixture(&files)), ["a.txt", "b/x.rs"]);
}

#[test]
fn asks_git_for_tracked_and_new_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (".gitignore", "ignored\n"),
        ("new name.rs", ""),
        ("ignored", ""),
        ("gone", ""),
    ];
    write_files(folder.path(), &files);
    let run = |args: &[&str]| {
        let output = git(folder.path()).args(args).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !run(&["init", "--quiet"]) {
        eprintln!("skipped: no git");
        return;
    }
    assert!(run(&["add", "gone"]));
    std::fs::remove_file(folder.path().join("gone")).unwrap();
    let workspace = Workspace::load(folder.path()).unwrap();
    assert_eq!(paths(&workspace), [".gitignore", "new name.rs"]);
}

#[test]
fn reads_members_of_root_manifest() {
    let workspace = fixture(&[("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n")]);
    assert_eq!(workspace.members, ["a", "b"]);
    assert!(fixture(&[("Cargo.toml", "not toml")]).members.is_empty());
}

#[test]
fn path_says_what_is_a_test() {
    let files = [
        ("a/src/x.rs", ""),
        ("a/src/x/tests.rs", ""),
        ("tests/support/lib.rs", ""),
    ];
    let workspace = fixture(&files);
    let tests: Vec<bool> = workspace.files.iter().map(super::File::is_test).collect();
    assert_eq!(tests, [false, true, true]);
    assert_eq!(workspace.files[1].top_folder(), "a");
    assert_eq!(workspace.files[1].name(), "tests.rs");
}
