//! Which crate may import which: holds every member's Cargo.toml against the crate table. Owns the
//! table; what modules of one crate import is `cycles`' question.
//!
//! Source: the crate table in ARCHITECTURE.md.

use super::finding::Finding;
use super::workspace::{File, Workspace};

const RULE: &str = "layers";

/// One row of the crate table.
struct Layer {
    name: &'static str,
    /// Crates of ours that it may import.
    may: &'static [&'static str],
    /// Pure: no runtime and no network among its dependencies.
    pure: bool,
}

const fn pure(name: &'static str, may: &'static [&'static str]) -> Layer {
    Layer {
        name,
        may,
        pure: true,
    }
}

const fn shell(name: &'static str, may: &'static [&'static str]) -> Layer {
    Layer {
        name,
        may,
        pure: false,
    }
}

/// What publisher and agent may import.
const NETWORKED: &[&str] = &[
    "node",
    "protocol",
    "manifests",
    "tlog",
    "delta",
    "keys",
    "cli",
];

/// Everything but `tests` itself and `xtask`.
const ALL: &[&str] = &[
    "keys",
    "tlog",
    "manifests",
    "delta",
    "protocol",
    "cli",
    "node",
    "publisher",
    "agent",
    "audit",
];

const LAYERS: &[Layer] = &[
    pure("keys", &[]),
    pure("tlog", &["keys"]),
    pure("manifests", &["keys", "tlog"]),
    pure("delta", &[]),
    pure("protocol", &["tlog", "keys"]),
    shell("cli", &["keys"]),
    shell("node", &["protocol", "tlog", "keys", "cli"]),
    shell("publisher", NETWORKED),
    shell("agent", NETWORKED),
    shell(
        "audit",
        &["manifests", "tlog", "keys", "cli", "protocol", "node"],
    ),
    shell("tests", ALL),
    shell("xtask", &[]),
];

/// Dependencies that must be optional, so that the rest builds without them: the auditor's offline
/// part links no network.
const OPTIONAL: &[(&str, &str)] = &[("audit", "node"), ("audit", "protocol"), ("audit", "tokio")];

/// The only dependencies on libp2p outside `node`.
const LIBP2P_OUTSIDE_NODE: &[(&str, &str)] = &[("tests", "libp2p-stream")];

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let Some(root) = workspace.manifest("Cargo.toml") else {
        return vec![Finding::file(
            RULE,
            "Cargo.toml",
            "no workspace manifest that can be read",
            "run cargo metadata and mend what it reports",
        )];
    };
    workspace
        .members
        .iter()
        .flat_map(|member| check_member(workspace, &root, member))
        .collect()
}

fn check_member(workspace: &Workspace, root: &toml::Table, member: &str) -> Vec<Finding> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == member) else {
        return vec![Finding::file(
            RULE,
            "Cargo.toml",
            format!("member `{member}` is not in the crate table"),
            "name it in ARCHITECTURE.md and in LAYERS of xtask/src/tidy/layers.rs, or drop it",
        )];
    };
    let path = format!("{member}/Cargo.toml");
    let (Some(file), Some(manifest)) = (workspace.file(&path), workspace.manifest(&path)) else {
        return vec![Finding::file(
            RULE,
            &path,
            "no manifest that can be read",
            "add it, or drop the member from Cargo.toml",
        )];
    };
    let mut findings = Vec::new();
    if field(&manifest, "package", "name").and_then(toml::Value::as_str) != Some(member) {
        findings.push(Finding::file(
            RULE,
            &path,
            "package name differs from its folder",
            format!("write `name = \"{member}\"`"),
        ));
    }
    if field(&manifest, "lints", "workspace").and_then(toml::Value::as_bool) != Some(true) {
        findings.push(Finding::file(
            RULE,
            &path,
            "the workspace lints are not in force",
            "add `[lints]` with `workspace = true`",
        ));
    }
    for (name, spec) in dependencies(&manifest) {
        findings.extend(check_dependency(layer, file, (&name, &spec), root));
    }
    findings
}

fn check_dependency(
    layer: &Layer,
    file: &File,
    (name, spec): (&str, &toml::Value),
    root: &toml::Table,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |message: String, fix: &str| {
        findings.push(Finding::file(RULE, &file.path, message, fix).at(line_of_key(file, name)));
    };
    if spec.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
        find(
            format!("`{name}` is not declared at the root"),
            "declare it in [workspace.dependencies] and write `workspace = true` here",
        );
    }
    let real = real_name(name, spec, root);
    let layer_name = layer.name;
    if LAYERS.iter().any(|other| other.name == real) && !layer.may.contains(&real.as_str()) {
        find(
            format!("`{layer_name}` may not import `{real}`"),
            "move the code to where the crate table allows it",
        );
    }
    let is_libp2p = real.starts_with("libp2p");
    let may_libp2p =
        layer_name == "node" || LIBP2P_OUTSIDE_NODE.contains(&(layer_name, real.as_str()));
    if is_libp2p && !may_libp2p {
        find(
            format!("`{real}` outside `node`"),
            "go through the interface of `node`",
        );
    }
    if layer.pure && real.starts_with("tokio") {
        find(
            format!("`{real}` in the pure crate `{layer_name}`"),
            "move the I/O into a shell",
        );
    }
    let optional = spec.get("optional").and_then(toml::Value::as_bool) == Some(true);
    if OPTIONAL.contains(&(layer_name, real.as_str())) && !optional {
        find(
            format!("`{real}` is not optional in `{layer_name}`"),
            "write `optional = true` and name it in the feature `online`",
        );
    }
    findings
}

fn field<'a>(manifest: &'a toml::Table, section: &str, key: &str) -> Option<&'a toml::Value> {
    manifest.get(section)?.get(key)
}

/// Returns normal, build, dev and target dependencies, in this order.
fn dependencies(manifest: &toml::Table) -> Vec<(String, toml::Value)> {
    const KINDS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
    let mut sections: Vec<&toml::Value> = KINDS
        .iter()
        .filter_map(|kind| manifest.get(*kind))
        .collect();
    let targets = manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten();
    for (_, target) in targets {
        sections.extend(KINDS.iter().filter_map(|kind| target.get(*kind)));
    }
    let tables = sections.into_iter().filter_map(toml::Value::as_table);
    tables
        .flatten()
        .map(|(name, spec)| (name.clone(), spec.clone()))
        .collect()
}

/// Returns the crate behind a dependency's name, which `package = "…"` can hide.
fn real_name(name: &str, spec: &toml::Value, root: &toml::Table) -> String {
    let declared = field(root, "workspace", "dependencies").and_then(|table| table.get(name));
    let renamed = [Some(spec), declared]
        .into_iter()
        .flatten()
        .find_map(|spec| spec.get("package"));
    renamed
        .and_then(toml::Value::as_str)
        .unwrap_or(name)
        .to_owned()
}

fn line_of_key(file: &File, name: &str) -> usize {
    let is_key = |line: &str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['.', '=', ' ']))
    };
    let header = format!("dependencies.{name}]");
    let line = file
        .text()
        .lines()
        .position(|line| is_key(line) || line.contains(&header));
    line.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests;
