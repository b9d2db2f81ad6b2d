//! What several cross-crate tests share.
//!
//! # Layout
//!
//! * [`device`]: a publisher's repository, and devices that install from it
//! * [`graph`]: a TUF repository with any graph of delegated roles, and a device that searches it
//! * [`guest`]: small virtual machines with a kernel of their own
//! * [`large_log`]: a log of 10^6 entries, for the benchmark
//! * [`logged`]: publishers with a log, and witnesses
//! * [`mirror`]: a web server over a folder that can be made to lie
//! * [`nat`]: homes behind address translators, as network namespaces
//! * [`network`]: nodes on loopback, and a peer that breaks the rules
//! * [`person`]: somebody who runs `streembit` in a folder of her own
//! * [`programs`]: the real executables
//! * [`repository`]: a TUF repository in memory, tampered with at will, and a device that follows it
//! * [`room`]: what is left of memory and disk
//! * [`site`]: a TUF repository behind a mirror, and `streembit-tuf` as a process that follows it
//! * [`stated`]: a publisher whose releases have all the evidence there is
//! * [`trace`]: programs run inside of `strace` and the like, killed at every call
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "test support"
)]

pub mod ceremony;
pub mod device;
pub mod firmware;
pub mod foreign;
pub mod graph;
pub mod guest;
pub mod large_log;
pub mod logged;
pub mod mirror;
pub mod nat;
pub mod network;
pub mod person;
pub mod programs;
pub mod publisher;
pub mod repository;
pub mod room;
pub mod site;
pub mod stated;
pub mod trace;
