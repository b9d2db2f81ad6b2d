//! Binary deltas between firmware images: making, checking and applying them over `Read`, `Write`
//! and `Seek`.
//!
//! A delta ([`FORMAT`]) cuts the target into segments of 1 MiB. Every segment is rebuilt from the
//! base image and its own payload alone, never from earlier output, so segments can be applied in
//! any order, as their payloads arrive, and resumed after a cut. Every segment is checked against
//! its own node of the target's BLAKE3 tree, and all nodes against the target's BLAKE3 root, which
//! the caller takes from signed metadata: the delta itself needs no trust.
//!
//! # Layout
//!
//! * [`limits`]: every bound, with unit and reason.
//! * `container`: header and table, bytes to value and back.
//! * `segments`: how many there are of each type.
//! * `codec`: the coders of one segment; a segment's type byte chooses one.
//! * `apply`: opening a delta, one segment, the whole target, segments at their places in a slot.
//! * `matching`: which parts of the target are in the base (publisher side only).
//! * `create`: matching, coding, the mirror check (publisher side only).
//! * [`mod@bsdiff`]: deltas of bsdiff 4, for interchange with other tools.
//!
//! # What callers must keep
//!
//! * [`Expected`] comes from verified metadata, never from the delta.
//! * The base must not change while it is read. If it does, a segment's hash refuses the result.
//! * Output of [`apply()`] that ended with an error is incomplete; what was written is right.
//!
//! # Example
//!
//! ```
//! use std::{io::Cursor, ops::ControlFlow};
//!
//! let base = b"firmware image one".repeat(1000);
//! let mut target = base.clone();
//! target.extend_from_slice(b"and a new part");
//!
//! let mut bytes = Vec::new();
//! let options = delta::CreateOptions::default();
//! delta::create(&base, &target, &options, &|_| {}, &mut bytes)?;
//!
//! let expected = delta::Expected::of(&base, &target);
//! let size = bytes.len() as u64;
//! let mut opened = delta::Delta::open(Cursor::new(&bytes), size, &expected)?;
//! let mut out = Vec::new();
//! delta::apply(&mut opened, &mut Cursor::new(&base), &mut out, |_| ControlFlow::Continue(()))?;
//! assert_eq!(out, target);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
pub mod bsdiff;
mod codec;
mod container;
mod create;
#[cfg(test)]
mod images;
mod kind;
pub mod limits;
mod matching;
mod segments;

pub use apply::{
    ApplyError, Delta, Expected, InPlace, Info, apply, apply_in_place, head_range, inspect,
};
pub use codec::CodecError;
pub use container::ContainerError;
pub use create::{Coder, CreateError, CreateOptions, Matched, Summary, create};
pub use segments::Segments;

/// Name of the container format in signed metadata, of deltas that zstd has coded.
pub const FORMAT: &str = "streembit-delta/1";
/// Name of the same format with segments coded by context mixing.
pub const FORMAT_MIXING: &str = "streembit-delta-cm/1";
