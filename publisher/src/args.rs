//! The command line of `streembit-publisher`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cli::program::{Common, Program, Shell};
use cli::{CliError, Exit};

use crate::command;

/// Signs releases, makes deltas and seeds them
#[derive(Debug, Parser)]
#[command(name = "streembit-publisher", version)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// The repository's folder
    #[arg(
        long,
        short = 'C',
        global = true,
        value_name = "DIR",
        env = "STREEMBIT_REPOSITORY",
        default_value = "repository"
    )]
    repository: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Copy what may be public into a folder that any web server can host
    Export(command::export::Args),
    /// Create keys, root, an empty repository and the pin file for devices
    Init(command::init::Args),
    /// List the releases
    List,
    /// Sign a release: image or directory, deltas from earlier releases
    Release(command::release::Args),
    /// Announce the newest release and serve everything until told to stop
    Seed(command::seed::Args),
    /// Show one release
    Show(command::show::Args),
    /// Verify the repository as a device would, and every byte of it
    Verify,
}

impl Program for Args {
    const NAME: &'static str = "streembit-publisher";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let (folder, output) = (self.repository.as_path(), self.common.output());
        match self.command {
            Command::Completions { shell } => {
                cli::program::completions::<Self>(shell, Self::NAME);
                Ok(Exit::Done)
            }
            Command::Export(args) => command::export::run(&args, folder, output),
            Command::Init(args) => command::init::run(&args, folder, output),
            Command::List => command::list::run(folder, output),
            Command::Release(args) => command::release::run(&args, folder, output),
            Command::Seed(args) => command::seed::run(&args, folder, output),
            Command::Show(args) => command::show::run(&args, folder, output),
            Command::Verify => command::verify::run(folder, output),
        }
    }
}
