//! Transparency logs after C2SP: what a publisher's log writes, what witnesses say of it, and how anybody checks
//! both without a network. No file, socket or clock is touched here.
//!
//! # Layout
//!
//! * [`limits`]: every bound, with unit and reason
//! * [`hash`]: hashes of leaves and nodes (RFC 6962)
//! * [`proof`]: verifying inclusion and consistency
//! * [`tile`], [`tree`], [`edge`]: the files of a log; roots and proofs from them; appending
//! * [`vkey`], [`note`]: keys, and texts that they sign
//! * [`checkpoint`]: the state of a log
//! * [`policy`]: which logs and witnesses count
//! * [`log_proof`]: a proof that travels
//! * [`witness`]: when a witness cosigns
//! * [`mirror`]: entries on their way to who keeps all of them
//! * [`split_view`]: evidence against a log
//! * [`sigsum`]: entries, proofs and policies for the tools of another kind of log
//!
//! # What callers must keep
//!
//! * A witness keeps what [`witness::AddCheckpoint::check`] returns on its disk before it signs, one origin at a time.
//! * A log signs one checkpoint for a size, after the tiles are on its disk.
//! * Witnesses are pinned, never found: [`policy::Policy`] comes from the device's pin.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod checkpoint;
pub mod edge;
#[cfg(test)]
mod example;
pub mod hash;
pub mod limits;
pub mod log_proof;
pub mod mirror;
pub mod note;
pub mod policy;
pub mod proof;
pub mod sigsum;
pub mod split_view;
pub mod tile;
pub mod tree;
pub mod vkey;
pub mod witness;
