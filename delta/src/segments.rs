//! How many segments of each type a container has.

use crate::{
    container::{Row, Source},
    kind::Kind,
};

/// Segments by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Segments {
    /// Copied from the base as they are.
    pub copy: u32,
    /// Rebuilt from base and payload, coded by zstd.
    pub delta: u32,
    /// Rebuilt from base and payload, coded by context mixing.
    pub mixed: u32,
    /// Stored, without the base.
    pub raw: u32,
}

/// Counts rows by type.
pub(crate) fn count(rows: &[Row]) -> Segments {
    let mut segments = Segments::default();
    for row in rows {
        let counter = match row.source {
            Source::Copy { .. } => &mut segments.copy,
            Source::Payload {
                kind: Kind::DeltaZ(_),
                ..
            } => &mut segments.delta,
            Source::Payload {
                kind: Kind::DeltaCm(_),
                ..
            } => &mut segments.mixed,
            Source::Payload {
                kind: Kind::RawZstd,
                ..
            } => &mut segments.raw,
        };
        *counter = counter.saturating_add(1);
    }
    segments
}
