//! The I/O fence and the one verifier: who may switch the fence off, and who may check a raw
//! signature. Owns the two lists of places; what the fence forbids is `clippy.toml`'s.

use super::finding::Finding;
use super::source::{self, Token};
use super::workspace::{File, Workspace};

const RULE: &str = "fence";

/// Crates that do I/O.
const SHELLS: &[&str] = &[
    "node",
    "publisher",
    "agent",
    "audit",
    "cli",
    "tests",
    "xtask",
];

/// Lints that make the fence.
const FENCE: &[&str] = &[
    "disallowed_methods",
    "disallowed_types",
    "disallowed_macros",
];

/// Where a signature may be checked against a key without the verifier of `manifests`.
const VERIFIERS: &[&str] = &[
    "keys/",
    "tlog/",
    "manifests/",
    "protocol/src/jose",
    "protocol/src/session",
];

/// Calls that check a raw signature.
const RAW_VERIFY: &[&str] = &[".verify_raw(", "PublicKey::verify"];

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.rust_files() {
        findings.extend(check_opt_outs(file));
        findings.extend(check_verify(file));
    }
    // Clippy takes the nearest clippy.toml and merges nothing, so a second one replaces the fence.
    for member in &workspace.members {
        for name in ["clippy.toml", ".clippy.toml"] {
            let path = format!("{member}/{name}");
            if workspace.file(&path).is_some() {
                let message = "replaces the I/O fence of the root for this crate";
                findings.push(Finding::file(RULE, &path, message, "delete it"));
            }
        }
    }
    findings
}

fn check_opt_outs(file: &File) -> Vec<Finding> {
    // An example is a program of its own, which shows a core at work.
    let is_shell = SHELLS.contains(&file.top_folder()) || is_example(file);
    let tokens = source::tokens(&file.code);
    let mut findings = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let is_inner = source::reads(&tokens, index, &["#", "!", "["]);
        if !is_inner && !source::reads(&tokens, index, &["#", "["]) {
            continue;
        }
        let open = index + if is_inner { 2 } else { 1 };
        let attribute = &tokens[open..source::closing(&tokens, open)];
        // A test of a core may mark one item of its own, such as the start of a fake clock.
        let marked = !is_inner && (is_shell || is_test(file));
        let allowed = marked || (is_shell && is_inner && is_crate_root(file));
        if opts_out(attribute) && !allowed {
            let message = "switches the I/O fence off";
            let fix = if is_shell {
                "opt out once, at the crate root"
            } else {
                "take clock, bytes and randomness as arguments"
            };
            let line = source::line_of(&file.code, token.at);
            findings.push(Finding::file(RULE, &file.path, message, fix).at(line));
        }
    }
    findings
}

fn opts_out(attribute: &[Token<'_>]) -> bool {
    let has = |names: &[&str]| attribute.iter().any(|token| names.contains(&token.text));
    has(&["allow", "expect"]) && has(FENCE)
}

fn is_test(file: &File) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

fn is_example(file: &File) -> bool {
    file.path.split('/').nth(1) == Some("examples")
}

/// Whether rustc starts a crate with this file.
fn is_crate_root(file: &File) -> bool {
    let inner = file.path.split_once('/').map_or("", |(_, inner)| inner);
    let (folder, name) = inner.rsplit_once('/').unwrap_or(("", inner));
    match folder {
        "src" | "" | "support" => ["lib.rs", "main.rs", "build.rs"].contains(&name),
        "src/bin" | "bin" | "examples" | "tests" => true,
        _ => false,
    }
}

fn check_verify(file: &File) -> Vec<Finding> {
    if VERIFIERS.iter().any(|place| file.path.starts_with(place)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for call in RAW_VERIFY {
        for (at, _) in file.code.match_indices(call) {
            let message = format!("checks a raw signature with `{call}`");
            let fix = "call the verifier of manifests, tlog or protocol::jose";
            let line = source::line_of(&file.code, at);
            findings.push(Finding::file(RULE, &file.path, message, fix).at(line));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
