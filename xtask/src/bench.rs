//! `cargo xtask bench`: figures that documents quote, measured by one command each.
//!
//! # Layout
//!
//! * `delta`: patches of real firmware against those of other tools.
//! * `node`: the memory of an idle node.
//! * `section`: a section of a document that a bench writes.

pub(crate) mod delta;
mod node;
mod section;

use std::path::Path;
use std::process::ExitCode;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Makes and applies patches of real images with all tools; exit 0 if each patch was right.
    Delta(delta::Plan),
    /// Runs a full node and a leaf and reads their memory; exit 0 if both goals are met.
    Node(node::Plan),
}

/// Runs it; `root` is the repository.
pub(crate) fn run(root: &Path, bench: &Bench) -> ExitCode {
    match bench {
        Bench::Delta(plan) => delta::run(root, plan),
        Bench::Node(plan) => node::run(root, plan),
    }
}
