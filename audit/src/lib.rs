//! The auditor: what does the evidence of a release show, and to whom?
//!
//! Verifying works without a network, without keys and without an event loop.
//!
//! # Layout
//!
//! * [`pack`]: evidence packs, read within bounds
//! * [`pin`]: what the auditor trusts
//! * [`finding`]: what was looked at, and what came of it
//! * [`verify`]: all checks of one release
//! * [`source`]: a publisher's files, in a folder or (feature `online`) on a web server
//! * [`follow`]: a log, read entry by entry
//! * [`roots`]: the chain of its roots
//! * `network` (feature `online`): records of the network of nodes
//! * [`report`]: a publisher's history as a page
//! * [`sarif`]: findings for code scanning
//! * [`args`], [`command`]: the binary `streembit-audit`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

pub mod args;
pub mod command;
pub mod finding;
pub mod follow;
#[cfg(feature = "online")]
pub mod network;
pub mod pack;
pub mod pin;
pub mod report;
pub mod roots;
pub mod sarif;
pub mod source;
pub mod verify;
