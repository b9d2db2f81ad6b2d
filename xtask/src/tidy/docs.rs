//! Documents keep up with the code: every source file says what it owns, the documents exist, and
//! those that describe bytes carry a hash of the sources that they describe. Owns the hash.
//!
//! `hash = SHA-256(path1 || 0x00 || content1 || path2 || 0x00 || …)`, sorted by path, line ends as
//! LF.

use std::fs;
use std::io;

use sha2::{Digest as _, Sha256};

use super::finding::Finding;
use super::source;
use super::workspace::Workspace;

const RULE: &str = "docs";

/// Documents that describe bytes, and hence follow named source files.
const HASHED: &[&str] = &["docs/formats.md", "docs/wire.md"];

/// Documents that must exist.
const REQUIRED: &[&str] = &[
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "docs/glossary.md",
    "docs/formats.md",
    "docs/wire.md",
    "docs/threat-model.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "deny.toml",
];

const BLESS: &str = "read the diff, bring the document up to date, then cargo xtask tidy --bless";

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.rust_files() {
        let text = file.text();
        let first = text
            .trim_start_matches('\u{feff}')
            .lines()
            .find(|line| !line.trim().is_empty());
        if !first.is_some_and(|line| line.starts_with("//!")) {
            let fix = "say on the first line what the file owns";
            findings.push(Finding::file(RULE, &file.path, "does not start with `//!`", fix).at(1));
        }
    }
    for path in REQUIRED
        .iter()
        .filter(|path| workspace.file(path).is_none())
    {
        findings.push(Finding::file(RULE, path, "is missing", "write it"));
    }
    for path in HASHED {
        if let Some(file) = workspace.file(path) {
            findings.extend(check_hash(workspace, path, &file.text()));
        }
    }
    findings
}

fn check_hash(workspace: &Workspace, path: &str, text: &str) -> Vec<Finding> {
    let Some(sources) = sources(text) else {
        let fix = "add `<!-- sources: path path -->`";
        return vec![Finding::file(RULE, path, "names no sources", fix)];
    };
    let Some(stated) = marker(text, "sha256") else {
        let fix = "add `<!-- sha256: 0 -->`, then cargo xtask tidy --bless";
        return vec![Finding::file(
            RULE,
            path,
            "carries no hash of its sources",
            fix,
        )];
    };
    let line = source::line_of(text, stated.start);
    match hash(workspace, &sources) {
        Err(missing) => {
            let message = format!("names the source `{missing}`, which does not exist");
            vec![Finding::file(RULE, path, message, "name the file that took its place").at(line)]
        }
        Ok(actual) if actual == text[stated].trim() => Vec::new(),
        Ok(_) => vec![Finding::file(RULE, path, "its sources have changed", BLESS).at(line)],
    }
}

/// Writes the current hashes into the documents. A document that lacks a marker or a source is left
/// as it is, for [`check`] to report.
pub(crate) fn bless(workspace: &Workspace) -> io::Result<()> {
    for path in HASHED {
        let Some(file) = workspace.file(path) else {
            continue;
        };
        let mut text = file.text().into_owned();
        let hash = sources(&text).and_then(|sources| hash(workspace, &sources).ok());
        if let (Some(hash), Some(stated)) = (hash, marker(&text, "sha256")) {
            text.replace_range(stated, &format!(" {hash} "));
            fs::write(workspace.root.join(path), text)?;
        }
    }
    Ok(())
}

/// Returns the range between `<!-- name:` and `-->`.
fn marker(text: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let open = format!("<!-- {name}:");
    let start = text.find(&open)? + open.len();
    Some(start..start + text[start..].find("-->")?)
}

/// Returns the paths that a document names, sorted; `None` if there is none.
fn sources(text: &str) -> Option<Vec<&str>> {
    let mut paths: Vec<&str> = text[marker(text, "sources")?].split_whitespace().collect();
    paths.sort_unstable();
    paths.dedup();
    (!paths.is_empty()).then_some(paths)
}

/// Returns the hash of `paths` in hex, or the path that is not a file of the repository.
fn hash<'a>(workspace: &Workspace, paths: &[&'a str]) -> Result<String, &'a str> {
    let mut hasher = Sha256::new();
    for path in paths {
        let file = workspace.file(path).ok_or(*path)?;
        hasher.update(path.as_bytes());
        hasher.update([0]);
        hasher.update(file.text().replace("\r\n", "\n").as_bytes());
    }
    Ok(hex::encode(hasher.finalize()))
}

#[cfg(test)]
mod tests;
