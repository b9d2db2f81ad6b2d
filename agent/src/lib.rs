//! The device agent: locates, fetches, verifies, installs, proves, rolls back.
//!
//! # Layout
//!
//! * [`config`]: `agent.toml`, in RAUC's words
//! * [`slot`]: slots and what is in them
//! * [`boot`]: which slot starts next; the file backend
//! * [`state`]: what the agent knows across restarts
//! * [`journal`]: every decision, hash-chained
//! * [`trust`]: the trusted metadata files
//! * [`evidence`]: what a release has to show in the log
//! * [`policy`]: may this release be installed (pure)
//! * [`plan`]: by which delta, or whole (pure)
//! * [`source`]: metadata and blobs from peers, then mirrors
//! * [`receipts`]: the device's signed word of what runs
//! * [`install`]: writing a slot and reading it back
//! * [`update`]: one update from check to switch
//! * [`prove`]: health, commit, fallback
//! * [`device`]: the data folder that all of these share
//! * `sample`: a pin, releases and a device for unit tests
//! * [`args`], [`command`]: the binary `streembit-agent`
//! * [`tuf`]: the binary `streembit-tuf`, for any TUF repository
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

pub mod args;
pub mod boot;
pub mod command;
pub mod config;
pub mod device;
pub mod evidence;
pub mod install;
pub mod journal;
pub mod plan;
pub mod policy;
pub mod power;
pub mod prove;
pub mod receipts;
#[cfg(test)]
mod sample;
pub mod slot;
pub mod source;
pub mod state;
pub mod trust;
pub mod tuf;
pub mod update;
