//! `cargo xtask bench delta` on a tiny pair of files: no network, and no tools but those that are there.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test: runs the program on files of its own"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Two images that differ like two builds.
fn images(folder: &Path) -> String {
    let old: Vec<u8> = (0..100_000u32)
        .flat_map(|n| (n / 3).to_le_bytes())
        .collect();
    let mut new = old.clone();
    new[100_000..100_010].copy_from_slice(b"new build!");
    new.splice(200_000..200_000, *b"inserted");
    let (from, to) = (folder.join("old.img"), folder.join("new.img"));
    fs::write(&from, old).unwrap();
    fs::write(&to, new).unwrap();
    format!("tiny={},{}", from.display(), to.display())
}

fn bench(folder: &Path, args: &[&str]) -> Output {
    let keep = folder.join("keep");
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bench", "delta", "--profile", "dev", "--keep"])
        .arg(&keep)
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn tiny_pair_is_measured_with_the_tools_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let pair = images(folder.path());
    let output = bench(folder.path(), &["--json", "--pair-files", &pair]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("SKIPPED: hdiffz"), "{said}");
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tiny = &results["pairs"][0];
    assert_eq!(tiny["name"], "tiny");
    assert_eq!(tiny["new_bytes"], 400_008);
    let rows = tiny["rows"].as_array().unwrap();
    for tool in ["mixing", "zstd"] {
        let row = rows.iter().find(|row| row["tool"] == tool).unwrap();
        let bytes = row["patch_bytes"].as_u64().unwrap();
        assert!((100..20_000).contains(&bytes), "{tool}: {bytes}");
        for cost in [&row["create"], &row["apply"]] {
            let memory = cost["memory_bytes"].as_u64().unwrap();
            assert!((1 << 20..1 << 30).contains(&memory), "{tool}: {memory}");
            assert!(cost["user_seconds"].as_f64().unwrap() > 0.0);
        }
    }
    assert!(tiny["both"]["memory_bytes"].as_u64().unwrap() > 0);

    let output = bench(folder.path(), &["--reuse", "--pair-files", &pair]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("### Patch bytes"),
        "{text}"
    );
}

#[test]
fn images_that_are_not_there_are_skipped_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--pair-files", "none=no.old,no.new"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("SKIPPED: none: no.old:"), "{said}");
}
