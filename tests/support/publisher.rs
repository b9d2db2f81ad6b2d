//! The publisher's commands, run in this process.

use std::path::Path;

use clap::Parser as _;
use cli::program::Program as _;
use cli::{CliError, Exit};

/// Runs a command on a repository.
///
/// # Errors
/// What the program would report.
pub fn publisher(repository: &Path, args: &[&str]) -> Result<Exit, CliError> {
    let start = ["publisher", "-q", "-C", repository.to_str().unwrap()];
    publisher::args::Args::try_parse_from([&start[..], args].concat())
        .unwrap()
        .run()
}

/// Runs a command that must succeed.
#[track_caller]
pub fn done(repository: &Path, args: &[&str]) {
    assert_eq!(publisher(repository, args).unwrap(), Exit::Done, "{args:?}");
}

/// The URI of a key file of the repository.
pub fn key_uri(repository: &Path, name: &str) -> String {
    format!(
        "file:{}",
        repository
            .join("keys")
            .join(name)
            .with_extension("key")
            .display()
    )
}

/// A copy of a folder, as it is.
pub fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}
