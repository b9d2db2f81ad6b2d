//! What each subcommand of `streembit-publisher` does, one file each.

pub mod export;
pub mod init;
pub mod list;
pub mod release;
pub mod seed;
pub mod show;
pub mod verify;
