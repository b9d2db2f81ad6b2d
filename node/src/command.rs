//! What each subcommand of `streembit` does, one file each.

pub mod account;
pub mod dht;
pub mod run;
pub mod status;
