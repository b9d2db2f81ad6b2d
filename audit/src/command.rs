//! The commands.

pub mod split;
pub mod verify;
