//! The commands.

pub mod diff;
pub mod explain;
pub mod journal;
pub mod monitor;
pub mod rebuild;
pub mod report;
pub mod split;
pub mod verify;

use std::path::PathBuf;

/// Whose log is read
#[derive(Clone, Debug, clap::Args)]
pub struct Published {
    /// A mirror: a URL, or a folder that `streembit-publisher export` wrote
    #[arg(value_name = "URL|DIR")]
    pub mirror: String,
    /// What is trusted
    #[arg(long, value_name = "DIR")]
    pub pin: PathBuf,
}
