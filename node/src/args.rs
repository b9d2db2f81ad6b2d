//! The command line of `streembit`.

use clap::{Parser, Subcommand};
use cli::program::{Common, Program, Shell};
use cli::{CliError, Exit};

use crate::command::{self, DataDirectory};

/// A node of the Streembit network
#[derive(Debug, Parser)]
#[command(name = "streembit", version, propagate_version = true)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create and show accounts
    #[command(subcommand)]
    Account(command::account::Command),
    /// Talk to a contact: what is typed goes there, what comes is shown
    Chat(command::contacts::Whom),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Find, accept, check and forget contacts
    #[command(subcommand)]
    Contacts(command::contacts::Command),
    /// Read the DHT through the running node
    #[command(subcommand)]
    Dht(command::dht::Command),
    /// Offer files to contacts, fetch theirs
    #[command(subcommand)]
    Files(command::talk::Files),
    /// Show what was said with a contact
    Messages(command::talk::Messages),
    /// Found, join and administer private networks
    #[command(subcommand)]
    Network(command::network::Command),
    /// List the peers of the running node
    Peers(DataDirectory),
    /// Run a node until it is told to stop
    Run(command::run::Args),
    /// Write to a contact
    Send(command::talk::Send),
    /// Show what the running node says of itself
    Status(DataDirectory),
    /// Make a witness, and tell it which logs to watch
    #[command(subcommand)]
    Witness(command::witness::Command),
}

impl Program for Args {
    const NAME: &'static str = "streembit";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let output = self.common.output();
        match self.command {
            Command::Account(command) => command::account::run(&command, output),
            Command::Chat(whom) => command::chat::chat(&whom, output),
            Command::Completions { shell } => {
                cli::program::completions::<Self>(shell, Self::NAME);
                Ok(Exit::Done)
            }
            Command::Contacts(command) => command::contacts::run(&command, output),
            Command::Dht(command) => command::dht::run(&command, output),
            Command::Files(command) => command::talk::files(&command, output),
            Command::Messages(order) => command::talk::messages(&order, output),
            Command::Network(command) => command::network::run(&command, output),
            Command::Peers(place) => command::status::peers(&place.data_directory, output),
            Command::Run(args) => command::run::run(&args, output),
            Command::Send(order) => command::talk::send(&order, output),
            Command::Status(place) => command::status::status(&place.data_directory, output),
            Command::Witness(command) => command::witness::run(&command, output),
        }
    }
}

#[cfg(test)]
mod tests;
