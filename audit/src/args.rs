//! The command line.

use clap::Parser;
use cli::program::{Common, Program, Shell};
use cli::{CliError, Exit};

use crate::command;

/// Verifies what is known of a release: offline, with a pin, by anybody
#[derive(Debug, Parser)]
#[command(name = "streembit-audit", version)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Say what is different between two releases
    Diff(command::diff::Args),
    /// Say what each line of verify means, and who could fake it
    Explain(command::verify::Args),
    /// Check a device's journal: whether a line is missing or changed
    Journal(command::journal::Args),
    /// Follow a log, entry by entry, and raise an alarm
    Monitor(command::monitor::Args),
    /// Build a release again, and sign that the bytes are the same
    Rebuild(command::rebuild::Args),
    /// Write a publisher's history as a page: the log's tree, its witnesses, keys over time
    Report(command::report::Args),
    /// Show that a log has two histories, or verify who says so
    Split(command::split::Args),
    /// Verify a release by its evidence pack
    Verify(command::verify::Args),
}

impl Program for Args {
    const NAME: &'static str = "streembit-audit";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let output = self.common.output();
        match self.command {
            Command::Completions { shell } => {
                cli::program::completions::<Self>(shell, Self::NAME);
                Ok(Exit::Done)
            }
            Command::Diff(args) => command::diff::run(&args, output),
            Command::Explain(args) => command::explain::run(&args, output),
            Command::Journal(args) => command::journal::run(&args, output),
            Command::Monitor(args) => command::monitor::run(&args, output),
            Command::Rebuild(args) => command::rebuild::run(&args, output),
            Command::Report(args) => command::report::run(&args, output),
            Command::Split(args) => command::split::run(&args, output),
            Command::Verify(args) => command::verify::run(&args, output),
        }
    }
}
