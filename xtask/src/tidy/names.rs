//! Names that say nothing: a module called `util` is where cycles begin. Owns the list.

use super::finding::Finding;
use super::source;
use super::workspace::Workspace;

const RULE: &str = "names";

const FORBIDDEN: &[&str] = &[
    "util", "utils", "common", "helpers", "helper", "manager", "misc", "types", "core",
];

const FIX: &str = "name the noun that it holds";

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.rust_files() {
        for part in file.path.split('/') {
            let name = part.strip_suffix(".rs").unwrap_or(part);
            if FORBIDDEN.contains(&name) {
                findings.push(Finding::file(
                    RULE,
                    &file.path,
                    format!("is called `{name}`"),
                    FIX,
                ));
            }
        }
        if file.name() == "mod.rs" {
            let fix = "use `foo.rs` beside `foo/`";
            findings.push(Finding::file(RULE, &file.path, "is called `mod.rs`", fix));
        }
        let tokens = source::tokens(&file.code);
        for (index, token) in tokens.iter().enumerate().skip(1) {
            let is_inline =
                tokens[index - 1].text == "mod" && source::reads(&tokens, index + 1, &["{"]);
            if is_inline && FORBIDDEN.contains(&token.text) {
                let message = format!("module is called `{}`", token.text);
                let line = source::line_of(&file.code, token.at);
                findings.push(Finding::file(RULE, &file.path, message, FIX).at(line));
            }
        }
    }
    for member in &workspace.members {
        let path = format!("{member}/Cargo.toml");
        let manifest = workspace.manifest(&path).unwrap_or_default();
        let package = manifest
            .get("package")
            .and_then(|package| package.get("name")?.as_str());
        if let Some(name) = package.filter(|name| FORBIDDEN.contains(name)) {
            findings.push(Finding::file(
                RULE,
                &path,
                format!("crate is called `{name}`"),
                FIX,
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
