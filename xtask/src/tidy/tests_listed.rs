//! No forgotten tests: a test file that no `mod` names is never compiled and never fails.

use super::finding::Finding;
use super::source;
use super::workspace::{File, Workspace};

const RULE: &str = "tests_listed";

/// Root of the cross-crate test binary, and its folder.
const MAIN: &str = "tests/main.rs";
const FOLDER: &str = "tests/";

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.rust_files() {
        let (parents, module) = match (cross_crate_module(file), unit_test_folder(file)) {
            (Some(module), _) => (vec![MAIN.to_owned()], module),
            (None, Some(folder)) => (parents(folder), "tests"),
            (None, None) => continue,
        };
        let declared = parents
            .iter()
            .filter_map(|path| workspace.file(path))
            .any(|p| declares(p, module));
        if !declared {
            let message = format!("no `mod {module};` names it, so it never runs");
            let fix = format!("declare it in {}", parents.join(" or "));
            findings.push(Finding::file(RULE, &file.path, message, fix));
        }
    }
    findings
}

/// Returns the module name of a file right below `tests/`.
fn cross_crate_module(file: &File) -> Option<&str> {
    let name = file.path.strip_prefix(FOLDER)?.strip_suffix(".rs")?;
    (name != "main" && !name.contains('/')).then_some(name)
}

/// Returns the folder of a `tests.rs`, unless Cargo finds it by itself.
fn unit_test_folder(file: &File) -> Option<&str> {
    file.path
        .strip_suffix("/tests.rs")
        .filter(|folder| !folder.ends_with("/tests"))
}

/// Returns the files that may declare the `tests.rs` in `folder`.
fn parents(folder: &str) -> Vec<String> {
    ["/lib.rs", "/main.rs", ".rs"]
        .iter()
        .map(|end| format!("{folder}{end}"))
        .collect()
}

fn declares(parent: &File, module: &str) -> bool {
    let tokens = source::tokens(&parent.code);
    (0..tokens.len()).any(|index| source::reads(&tokens, index, &["mod", module, ";"]))
}

#[cfg(test)]
mod tests;
