//! What has no place in a repository: paths of one machine, and binary files. Cargo.lock is exempt.

use super::finding::Finding;
use super::source;
use super::workspace::Workspace;

const RULE: &str = "paths";

/// Put together here, so that this file does not contain them.
const MACHINE_PATHS: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
];

const EXEMPT: &str = "Cargo.lock";

/// A NUL in this many leading bytes makes a file binary, near to git's own rule (8000).
const BINARY_PROBE_BYTES: usize = 8 * 1024;

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.files.iter().filter(|file| file.name() != EXEMPT) {
        if file
            .bytes
            .iter()
            .take(BINARY_PROBE_BYTES)
            .any(|byte| *byte == 0)
        {
            let fix = "keep it as hex or base64 text, or make it when it is needed";
            findings.push(Finding::file(RULE, &file.path, "is a binary file", fix));
            continue;
        }
        let text = file.text();
        for path in MACHINE_PATHS {
            for (at, _) in text
                .match_indices(path)
                .filter(|(at, _)| is_absolute(&text, *at, path))
            {
                let message = format!("contains `{path}`, a path of one machine");
                let line = source::line_of(&text, at);
                let fix = "write it relative to the repository";
                findings.push(Finding::file(RULE, &file.path, message, fix).at(line));
            }
        }
    }
    findings
}

/// Whether the path starts at `at` (in `a/b` the `/b` does not start one) and, for a home, names
/// a user.
fn is_absolute(text: &str, at: usize, path: &str) -> bool {
    let before = text[..at].chars().next_back();
    let inside = before.is_some_and(|c| c.is_alphanumeric() || "_.-})>]*~$".contains(c));
    let after = text[at + path.len()..].chars().next();
    let named = !path.contains("home") || after.is_some_and(char::is_alphanumeric);
    !inside && named
}

#[cfg(test)]
mod tests;
