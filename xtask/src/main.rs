//! Repository chores, run as `cargo xtask <command>`. Owns the command line and nothing else: each
//! command is a module.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

mod bench;
mod demo;
mod scenario;
mod tidy;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Repository chores"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures what documents quote.
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Runs the main job end to end on loopback and prints what happened; exit 0 if all is well.
    Demo {
        /// Image of release 1.0.0 [default: the publisher's executable]
        #[arg(requires = "new")]
        old: Option<PathBuf>,
        /// Image of release 1.1.0 [default: the agent's executable]
        new: Option<PathBuf>,
        /// Run in this folder and keep it, logs and slots included
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
    },
    /// Kills `install` at random moments, again and again; exit 0 if every device ends in a good state.
    Kill {
        /// Image of release 1.0.0, which runs
        old: PathBuf,
        /// Image of release 1.1.0
        new: PathBuf,
        /// How often
        #[arg(long, default_value_t = 50)]
        times: u32,
        /// Where the random moments start
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Runs a program and writes its CPU and memory into REPORT.
    #[command(hide = true)]
    Measure {
        report: PathBuf,
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Runs real programs through a story, step by step; exit 0 if all is well.
    Scenario {
        /// Which one
        #[arg(value_enum)]
        which: scenario::Scenario,
    },
    /// Holds the repository against its own rules; exit 0 if all hold, 1 if not.
    Tidy {
        /// Write the current source hashes into docs/formats.md and docs/wire.md first.
        #[arg(long)]
        bless: bool,
    },
}

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Bench { bench } => bench::run(&repository_root(), &bench),
        Command::Demo { old, new, keep } => {
            demo::run(&repository_root(), old.zip(new), keep.as_deref())
        }
        Command::Kill {
            old,
            new,
            times,
            seed,
        } => {
            let plan = demo::kill::Plan {
                old,
                new,
                times,
                seed,
            };
            demo::kill::run(&repository_root(), &plan)
        }
        Command::Measure { report, command } => bench::delta::measure::child(&report, &command),
        Command::Scenario { which } => scenario::run(&repository_root(), which),
        Command::Tidy { bless } => tidy::run(&repository_root(), bless),
    }
}

/// Returns the folder above this crate. Cargo sets the variable for `cargo run`; the value from
/// compile time serves a binary that is started by hand.
fn repository_root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or(manifest_dir)
}
