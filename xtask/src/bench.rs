//! `cargo xtask bench`: figures that documents quote, measured by one command each.
//!
//! # Layout
//!
//! * `delta`: patches of real firmware against those of other tools.

pub(crate) mod delta;

use std::path::Path;
use std::process::ExitCode;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Makes and applies patches of real images with all tools; exit 0 if each patch was right.
    Delta(delta::Plan),
}

/// Runs it; `root` is the repository.
pub(crate) fn run(root: &Path, bench: &Bench) -> ExitCode {
    match bench {
        Bench::Delta(plan) => delta::run(root, plan),
    }
}
