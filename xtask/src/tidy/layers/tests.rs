//! Tests of the crate table.

use super::{LAYERS, check};
use crate::tidy::workspace::fixture;

const LINTS: &str = "[lints]\nworkspace = true\n";

/// Checks one member with this manifest below its package and lints; returns the messages.
fn checked(member: &str, manifest: &str) -> Vec<String> {
    let package = format!("[package]\nname = \"{member}\"\n{LINTS}");
    raw(member, &format!("{package}{manifest}"))
}

fn raw(member: &str, manifest: &str) -> Vec<String> {
    let root = format!(
        "[workspace]\nmembers = [\"{member}\"]\n\
         [workspace.dependencies]\nnet = {{ package = \"libp2p\", version = \"1\" }}\n"
    );
    let path = format!("{member}/Cargo.toml");
    let workspace = fixture(&[("Cargo.toml", &root), (&path, manifest)]);
    check(&workspace)
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

#[test]
fn accepts_rows_of_the_table() {
    for layer in LAYERS {
        let depend = |name: &&str| format!("{name} = {{ workspace = true, optional = true }}\n");
        let lines: String = layer.may.iter().map(depend).collect();
        let found = checked(layer.name, &format!("[dependencies]\n{lines}"));
        assert!(found.is_empty(), "{}: {found:?}", layer.name);
    }
}

#[test]
fn rows_only_name_rows_above() {
    for (index, layer) in LAYERS.iter().enumerate() {
        for name in layer.may {
            let place = LAYERS.iter().position(|other| other.name == *name).unwrap();
            assert!(place < index, "{} names {name}", layer.name);
        }
    }
}

#[test]
fn rejects_import_against_the_table() {
    let expected = ["`node` may not import `manifests`"];
    assert_eq!(
        checked("node", "[dependencies]\nmanifests.workspace = true\n"),
        expected
    );
    assert_eq!(
        checked("node", "[dev-dependencies]\nmanifests.workspace = true\n"),
        expected
    );
    assert_eq!(
        checked("node", "[build-dependencies.manifests]\nworkspace = true\n"),
        expected
    );
    let target = "[target.'cfg(unix)'.dependencies]\nmanifests.workspace = true\n";
    assert_eq!(checked("node", target), expected);
}

#[test]
fn finding_names_the_line() {
    let package = format!("[package]\nname = \"keys\"\n{LINTS}");
    let manifest =
        format!("{package}[dependencies]\nhex.workspace = true\ntlog.workspace = true\n");
    let root = "[workspace]\nmembers = [\"keys\"]\n";
    let findings = check(&fixture(&[
        ("Cargo.toml", root),
        ("keys/Cargo.toml", &manifest),
    ]));
    assert_eq!(findings[0].line, Some(7));
}

#[test]
fn rejects_libp2p_outside_node() {
    let libp2p = "[dependencies]\nlibp2p.workspace = true\n";
    let stream = "[dependencies]\nlibp2p-stream.workspace = true\n";
    assert!(checked("node", libp2p).is_empty());
    assert!(checked("tests", stream).is_empty());
    assert_eq!(checked("tests", libp2p), ["`libp2p` outside `node`"]);
    assert_eq!(checked("agent", stream), ["`libp2p-stream` outside `node`"]);
    let renamed = "[dependencies]\nnet.workspace = true\n";
    assert_eq!(checked("agent", renamed), ["`libp2p` outside `node`"]);
}

#[test]
fn rejects_tokio_in_pure_crates() {
    let tokio = "[dev-dependencies]\ntokio.workspace = true\n";
    assert_eq!(
        checked("protocol", tokio),
        ["`tokio` in the pure crate `protocol`"]
    );
    assert!(checked("cli", tokio).is_empty());
}

#[test]
fn rejects_auditor_that_always_links_the_node() {
    let found = checked("audit", "[dependencies]\nnode.workspace = true\n");
    assert_eq!(found, ["`node` is not optional in `audit`"]);
}

#[test]
fn rejects_version_outside_the_root() {
    let found = checked("keys", "[dependencies]\nhex = \"0.4\"\n");
    assert_eq!(found, ["`hex` is not declared at the root"]);
}

#[test]
fn rejects_missing_lints_and_other_name() {
    let found = raw("keys", "[package]\nname = \"streembit-keys\"\n");
    assert_eq!(
        found,
        [
            "package name differs from its folder",
            "the workspace lints are not in force"
        ]
    );
}

#[test]
fn rejects_unknown_member_and_missing_manifest() {
    assert_eq!(
        checked("extra", ""),
        ["member `extra` is not in the crate table"]
    );
    let workspace = fixture(&[("Cargo.toml", "[workspace]\nmembers = [\"keys\"]\n")]);
    assert_eq!(check(&workspace)[0].message, "no manifest that can be read");
    assert_eq!(check(&fixture(&[])).len(), 1);
}
