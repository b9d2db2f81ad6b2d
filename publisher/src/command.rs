//! What each subcommand of `streembit-publisher` does, one file each.

pub mod delta;
pub mod doctor;
pub mod evidence;
pub mod export;
pub mod init;
pub mod keys;
pub mod list;
pub mod log;
pub mod pin;
pub mod policy;
pub mod provenance;
pub mod publish;
pub mod release;
pub mod role;
pub mod root;
pub mod seed;
pub mod show;
pub mod sign;
pub mod stage;
pub mod verify;
