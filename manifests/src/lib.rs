//! Signed update metadata: TUF 1.0.34 roles, the client workflow and the device pin.
//!
//! This crate parses, verifies and encodes; it reads no clock, file or socket. Publisher (before it
//! announces), agent (before it installs) and auditor run the same [`client::Client`] over the same
//! bytes.
//!
//! # Layout
//!
//! * [`limits`]: every bound on foreign input
//! * [`json`]: the strict JSON reader and OLPC canonical encoding
//! * [`instant`], [`name`], [`digest`], [`hashes`]: values of the metadata
//! * [`release`]: what a target's `custom` says about a release
//! * [`header`], [`file_meta`]: what roles have in common
//! * [`root`], [`timestamp`], [`snapshot`], [`targets`] with [`delegations`]: the TUF roles
//! * [`product`]: the delegated role of a product, as our devices read it
//! * [`envelope`]: signatures, thresholds, `Verified<T>`: the one verifier
//! * [`author`]: encoding and signing, for publishers
//! * [`attestation`]: statements of a release, and that they were logged
//! * [`statement_keys`]: whose statements count for a product
//! * [`evidence`]: what a release has to show beyond its metadata, and whether it does
//! * [`pin`]: what a device trusts from the factory
//! * [`catalog`]: all metadata of a repository in one blob
//! * [`client`]: the client workflow (TUF section 5) as a pure state machine
//!
//! # Example
//!
//! ```
//! let json = manifests::json::parse(br#"{"b":1,"a":"x"}"#).unwrap();
//! assert_eq!(manifests::json::canonical(&json), br#"{"a":"x","b":1}"#);
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod attestation;
pub mod author;
pub mod catalog;
pub mod client;
pub mod delegations;
pub mod digest;
pub mod envelope;
pub mod evidence;
pub mod file_meta;
pub mod hashes;
pub mod header;
pub mod instant;
pub mod json;
pub mod limits;
pub mod name;
pub mod pin;
pub mod product;
pub mod release;
pub mod root;
pub mod snapshot;
pub mod statement_keys;
pub mod targets;
pub mod timestamp;
