//! Stories with real programs: tests that tell what happens while they run.

use std::path::Path;
use std::process::{Command, ExitCode};

/// A story.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Six people meet, talk, send files, replace keys, and found a private network
    People,
}

impl Scenario {
    /// The test that runs it.
    const fn test(self) -> &'static str {
        match self {
            Self::People => "people::scenario_of_six_programs",
        }
    }
}

/// Runs one.
pub(crate) fn run(root: &Path, which: Scenario) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["test", "--quiet", "-p", "tests", "--test", "main", "--"];
    let status = Command::new(cargo)
        .args(args)
        .args(["--exact", which.test(), "--nocapture"])
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo test: {error}");
            ExitCode::FAILURE
        }
    }
}
