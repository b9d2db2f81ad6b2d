//! What several cross-crate tests share.
//!
//! # Layout
//!
//! * [`programs`]: the real executables
//! * [`repository`]: a TUF repository in memory, tampered with at will, and a device that follows it
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "test support"
)]

pub mod programs;
pub mod repository;
