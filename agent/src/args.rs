//! The command line of `streembit-agent`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cli::program::{Common, Program, Shell};
use cli::{CliError, Exit};

use crate::command;

/// Keeps a device up to date: locates, fetches, verifies, installs, rolls back
#[derive(Debug, Parser)]
#[command(name = "streembit-agent", version, propagate_version = true)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// The configuration
    #[arg(
        long,
        short = 'c',
        global = true,
        value_name = "FILE",
        env = "STREEMBIT_AGENT_CONFIG",
        default_value = "/etc/streembit/agent.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Choose the slot to start, as a boot loader does, and print it
    Boot,
    /// Check for a release; exit code 0 if there is one, 1 if not
    Check,
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prepare the data folder and pin the publisher
    Init(command::init::Args),
    /// Install the newest release into the other slot; exit code 40 if a reboot is needed
    Install(command::install::Args),
    /// Print the journal and check its chain
    Journal,
    /// Never start a slot again until it is installed anew
    MarkBad(command::mark::Args),
    /// Count the running system as good
    MarkGood,
    /// Start the other slot next
    Rollback,
    /// Run: prove the running system, check from time to time, install
    Run(command::run::Args),
    /// Show slots, versions and trust
    Status,
}

impl Program for Args {
    const NAME: &'static str = "streembit-agent";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let (config, output) = (self.config.as_path(), self.common.output());
        match self.command {
            Command::Boot => command::boot::run(config, output),
            Command::Check => command::check::run(config, output),
            Command::Completions { shell } => {
                cli::program::completions::<Self>(shell, Self::NAME);
                Ok(Exit::Done)
            }
            Command::Init(args) => command::init::run(&args, config, output),
            Command::Install(args) => command::install::run(&args, config, output),
            Command::Journal => command::journal::run(config, output),
            Command::MarkBad(args) => command::mark::bad(&args, config, output),
            Command::MarkGood => command::mark::good(config, output),
            Command::Rollback => command::rollback::run(config, output),
            Command::Run(args) => command::run::run(&args, config, output),
            Command::Status => command::status::run(config, output),
        }
    }
}
