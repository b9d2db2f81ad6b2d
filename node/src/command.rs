//! What each subcommand of `streembit` does, one file each.

pub mod account;
pub mod asking;
pub mod chat;
pub mod contacts;
pub mod dht;
pub mod network;
pub mod run;
pub mod status;
pub mod talk;
pub mod witness;

use std::path::PathBuf;

/// Where the running node keeps its data and its control socket.
#[derive(Clone, Debug, clap::Args)]
pub struct DataDirectory {
    /// Data folder of the running node
    #[arg(
        long,
        value_name = "DIR",
        env = "STREEMBIT_DATA",
        default_value = "streembit-data"
    )]
    pub data_directory: PathBuf,
}
