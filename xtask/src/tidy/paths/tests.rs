//! Tests of machine paths and binary files.

use super::{BINARY_PROBE_BYTES, MACHINE_PATHS, check};
use crate::tidy::workspace::fixture;

fn lines(path: &str, text: &str) -> Vec<Option<usize>> {
    check(&fixture(&[(path, text)]))
        .into_iter()
        .map(|finding| finding.line)
        .collect()
}

#[test]
fn rejects_absolute_paths() {
    for path in MACHINE_PATHS {
        assert_eq!(
            lines("a.md", &format!("x\nsee \"{path}user/x\"")),
            [Some(2)],
            "{path}"
        );
        assert_eq!(lines("a.md", &format!("{path}user")), [Some(1)], "{path}");
        assert!(lines("Cargo.lock", &format!("{path}user")).is_empty());
    }
}

#[test]
fn accepts_relative_paths() {
    for path in MACHINE_PATHS {
        assert!(
            lines(
                "a.md",
                &format!("manifests{path}x {{dir}}{path}x **{path}x")
            )
            .is_empty()
        );
    }
    assert!(lines("a.md", &format!("{}<user>/", MACHINE_PATHS[2])).is_empty());
}

#[test]
fn rejects_binary_files() {
    assert_eq!(lines("a.bin", "x\0y"), [None]);
    let late = format!("{}\0", "x".repeat(BINARY_PROBE_BYTES));
    assert!(lines("a.txt", &late).is_empty());
}
