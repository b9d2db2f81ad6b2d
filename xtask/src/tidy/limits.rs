//! Every limit says what it bounds: a constant in a file called `limits.rs` has a doc comment.
//! Whether unit and reason in it are good is for review.

use super::finding::Finding;
use super::workspace::{File, Workspace};

const RULE: &str = "limits";

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let files = workspace
        .rust_files()
        .filter(|file| file.name() == "limits.rs");
    files.flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let text = file.text();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut findings = Vec::new();
    for (index, code) in file.code.lines().enumerate() {
        let Some(name) = public_constant(code) else {
            continue;
        };
        let mut above = lines[..index]
            .iter()
            .rev()
            .skip_while(|line| line.starts_with("#["));
        if !above.next().is_some_and(|line| line.starts_with("///")) {
            let message = format!("`{name}` has no doc comment");
            let fix = "say unit, reason and source";
            findings.push(Finding::file(RULE, &file.path, message, fix).at(index + 1));
        }
    }
    findings
}

/// Returns the name that a line declares by `pub const` or `pub(…) const`.
fn public_constant(code: &str) -> Option<&str> {
    let mut rest = code.trim().strip_prefix("pub")?;
    if rest.starts_with('(') {
        rest = rest.split_once(')')?.1;
    }
    let (name, _) = rest.trim_start().strip_prefix("const ")?.split_once(':')?;
    (!name.contains("fn ")).then_some(name.trim())
}

#[cfg(test)]
mod tests;
