//! What every binary shares, so that all of them speak alike.
//!
//! # Layout
//!
//! * [`exit`]: exit codes and the error that carries one
//! * [`output`]: results on stdout, as text or JSON; everything else on stderr
//! * [`progress`], `bars`: bars on a terminal, plain lines elsewhere
//! * [`logging`]: the tracing subscriber
//! * [`durable`]: files replaced atomically, folders locked
//! * [`keyfile`]: keys by URI, passcodes, permissions
//! * [`human`]: sizes and durations as people write them
//! * [`program`]: the frame of a `main`
//!
//! # Example
//!
//! ```
//! assert_eq!(cli::human::bytes(1_572_864), "1.5 MiB");
//! assert_eq!(cli::human::parse_duration("in 6 weeks").unwrap().as_secs(), 6 * 7 * 86_400);
//! ```
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

mod bars;
pub mod durable;
pub mod exit;
pub mod human;
pub mod keyfile;
pub mod logging;
pub mod output;
pub mod program;
pub mod progress;
pub mod signer;

pub use exit::{CliError, Exit};
pub use output::Output;
