//! The commands.

pub mod diff;
pub mod explain;
pub mod journal;
pub mod monitor;
pub mod rebuild;
pub mod report;
pub mod split;
pub mod verify;
