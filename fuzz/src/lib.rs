//! What fuzz targets share: bytes taken as choices, edits of valid bytes, valid inputs.
//!
//! A panic here or in a target is a finding, so nothing here may panic because of its input.
//!
//! # Layout
//!
//! * [`accounts`]: accounts, what they sign, and damage to it behind a good signature
//! * [`arithmetic`]: the arithmetic code of deltas, for both decoders
//! * [`armour`]: base64 armour around arbitrary bytes
//! * [`choices`]: the fuzzer's bytes as numbers, ranges and slices
//! * [`edit`]: damage done to valid bytes and valid JSON
//! * [`graph`]: a TUF repository with any graph of delegated roles, which the cross-crate tests use too
//! * [`history`]: a TUF repository over four releases, and devices that followed it
//! * `hostile`: images that are hard on delta coders, which the tests of `delta` use too
//! * [`image`]: noise for base images and blobs
//! * [`plain`]: the second decoder of deltas, of the cross-crate tests
//! * [`repository`]: the repository in memory that the cross-crate tests use too
//! * [`segment`]: one segment of a delta, for both decoders

pub mod accounts;
pub mod arithmetic;
pub mod armour;
pub mod choices;
pub mod edit;
// By path, as `repository` below.
#[path = "../../tests/support/graph.rs"]
pub mod graph;
pub mod history;
#[path = "../../delta/src/images/hostile.rs"]
#[allow(dead_code, reason = "only pieces are used here")]
mod hostile;
pub mod image;
pub mod plain;
// By path: the crate `tests` would bring the network and every binary into each target.
#[path = "../../tests/support/repository.rs"]
pub mod repository;
pub mod segment;
