//! `cargo xtask tidy`: the rules that neither rustc nor clippy can check. Owns the list of checks
//! and the report; each check is one file that turns a [`Workspace`] into [`Finding`]s.

mod cycles;
mod docs;
mod fence;
mod finding;
mod layers;
mod limits;
mod names;
mod paths;
mod size;
mod source;
mod tests_listed;
mod threats;
mod workspace;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use finding::Finding;
use workspace::Workspace;

type Check = fn(&Workspace) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    layers::check,
    cycles::check,
    size::check,
    docs::check,
    names::check,
    fence::check,
    tests_listed::check,
    threats::check,
    limits::check,
    paths::check,
];

/// Exit code for "could not look", as in every binary of the repository.
const EXIT_NOT_READABLE: u8 = 3;

/// Prints every finding of the repository at `root`. Exit 0 if there is none, 1 if there is one, 3
/// if the repository could not be read.
pub(crate) fn run(root: &Path, bless: bool) -> ExitCode {
    match report(root, bless, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tidy: {}: {error}", root.display());
            ExitCode::from(EXIT_NOT_READABLE)
        }
    }
}

fn report(root: &Path, bless: bool, out: &mut impl io::Write) -> io::Result<bool> {
    let mut workspace = Workspace::load(root)?;
    if bless {
        docs::bless(&workspace)?;
        workspace = Workspace::load(root)?;
    }
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&workspace)).collect();
    findings.sort();
    let mut text: String = findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect();
    if findings.is_empty() {
        text = format!(
            "tidy: {} files, {} checks, ok\n",
            workspace.files.len(),
            CHECKS.len()
        );
    }
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(findings.is_empty()),
    }
}
