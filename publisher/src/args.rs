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
    /// Take the signatures of others into the staged change
    Approve(command::stage::ApproveArgs),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Make, apply and show deltas by hand
    #[command(subcommand)]
    Delta(command::delta::DeltaCommand),
    /// Say what expires when, which key is where, and what would break; exit code 1 if something does
    Doctor,
    /// What is known of a release beyond its metadata: list, add to, pack for auditors
    #[command(subcommand)]
    Evidence(command::evidence::EvidenceCommand),
    /// Copy what may be public into a folder that any web server can host
    Export(command::export::Args),
    /// Create keys, root, a product and the pin file for its devices: root init and product add in one
    Init(command::init::Args),
    /// List, rotate and revoke keys
    #[command(subcommand)]
    Keys(command::keys::KeysCommand),
    /// List the releases
    List,
    /// Keep the transparency log: every step of it, or all at once
    #[command(subcommand)]
    Log(command::log::LogCommand),
    /// Add products
    #[command(subcommand)]
    Product(command::role::ProductCommand),
    /// Write the pin that devices get, with what they demand of releases
    Pin(command::pin::Args),
    /// Sign what an image was built from, in a build's job
    Provenance(command::provenance::Args),
    /// Publish the staged change
    Publish,
    /// Sign a fresh snapshot and timestamp, for a timer
    Refresh,
    /// Sign a release: image or directory, deltas from earlier releases
    Release(command::release::Args),
    /// Change delegated roles: which there are, their keys, thresholds and lives
    #[command(subcommand)]
    Role(command::role::RoleCommand),
    /// Create the root, change it: keys, thresholds, expiry
    #[command(subcommand)]
    Root(command::root::RootCommand),
    /// Announce the newest release and serve everything until told to stop
    Seed(command::seed::Args),
    /// Show one release
    Show(command::show::Args),
    /// Sign the staged change, or a file that `stage` wrote
    Sign(command::sign::Args),
    /// Show the staged change, or write it to one file for signers elsewhere
    Stage(command::stage::Args),
    /// Verify the repository as a device would, and every byte of it
    Verify,
    /// Offer a release no more
    Yank(command::publish::YankArgs),
}

impl Program for Args {
    const NAME: &'static str = "streembit-publisher";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let (folder, output) = (self.repository.as_path(), self.common.output());
        match self.command {
            Command::Approve(args) => command::stage::approve(&args, folder, output),
            Command::Delta(command) => command::delta::run(&command, output),
            Command::Doctor => command::doctor::run(folder, output),
            Command::Keys(command) => command::keys::run(&command, folder, output),
            Command::Log(command) => command::log::run(&command, folder, output),
            Command::Product(command) => command::role::run_product(&command, folder, output),
            Command::Evidence(command) => command::evidence::run(&command, folder, output),
            Command::Pin(args) => command::pin::run(&args, folder, output),
            Command::Provenance(args) => command::provenance::run(&args, folder, output),
            Command::Publish => command::publish::run(folder, output),
            Command::Refresh => command::publish::refresh(folder, output),
            Command::Role(command) => command::role::run(&command, folder, output),
            Command::Root(command) => command::root::run(&command, folder, output),
            Command::Sign(args) => command::sign::run(&args, folder, output),
            Command::Stage(args) => command::stage::run(&args, folder, output),
            Command::Yank(args) => command::publish::yank(&args, folder, output),
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
