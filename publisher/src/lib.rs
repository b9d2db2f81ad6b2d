//! The publisher: signs releases, makes deltas, keeps the repository, seeds it.
//!
//! # Layout
//!
//! * [`settings`]: `publisher.toml`: channel, keys, lives, products
//! * [`repository`]: the repository on disk and its one commit point
//! * [`image`]: image or directory to blob
//! * [`bases`], [`deltas`]: deltas from earlier releases, and from nothing
//! * [`compressed`]: images that deltas can't work on
//! * [`metadata`]: the first version of each role
//! * [`change`], [`staged`], [`stage_file`], [`edit`], [`preview`]: the change that is being signed
//! * [`known`]: what a signer has seen of a publisher
//! * [`publish`]: staged roles, snapshot, timestamp and head in one commit
//! * [`head`], [`account_changes`]: the signed release head, and by whom
//! * [`log`]: the transparency log: append, integrate, sign, ask witnesses, publish
//! * [`evidence`], [`statements`]: what releases say of themselves in the log, and the proofs of that
//! * [`detached`]: signatures beside an image, for minisign, signify, ssh-keygen and openssl
//! * [`args`], [`command`]: the binary `streembit-publisher`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

pub mod account_changes;
pub mod args;
pub mod bases;
pub mod change;
pub mod command;
pub mod compressed;
pub mod deltas;
pub mod detached;
pub mod edit;
pub mod evidence;
pub mod head;
pub mod image;
pub mod known;
pub mod log;
pub mod metadata;
pub mod preview;
pub mod publish;
pub mod repository;
pub mod settings;
pub mod stage_file;
pub mod staged;
pub mod statements;
