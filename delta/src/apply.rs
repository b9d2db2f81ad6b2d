//! Opening a delta and rebuilding the target, segment by segment.
//!
//! Memory is bounded by constants. Beside the table (48 bytes for each MiB of the target), a segment of zstd
//! streams takes 3.4 MiB: first payload and primer (1.75 MiB), values and literals (1 MiB), counts (0.5 MiB) and
//! zstd's state (160 KiB), then, without payload and primer, what is made (1 MiB) and what was learnt (0.4 MiB).
//! Every allocation follows a check against a constant or the segment's size.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    ops::{ControlFlow, Range},
};

use crate::{
    codec::{self, CodecError, Segment},
    container::{Container, ContainerError, Row, Source, segment_hash, segment_range},
    segments::{Segments, count},
};

mod in_place;
#[cfg(test)]
mod tests;

pub use in_place::{InPlace, apply_in_place};

/// Why a delta can't be opened or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The base can't be read.
    #[error("base can't be read")]
    Base(#[source] io::Error),
    /// `progress` asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A payload can't be decoded.
    #[error("segment {index} can't be decoded")]
    Codec {
        /// Segment, from 0.
        index: u32,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// Header or table are malformed.
    #[error("not a delta of this version")]
    Container(#[from] ContainerError),
    /// The delta can't be read.
    #[error("delta can't be read")]
    Delta(#[source] io::Error),
    /// The header says something else than the signed metadata.
    #[error("{field} of the delta isn't the expected one")]
    Disagrees {
        /// Field of [`Expected`], or `format`.
        field: &'static str,
    },
    /// The rebuilt segment isn't the target's: wrong base, or a wrong delta.
    #[error("segment {index} doesn't have the hash of the target")]
    Hash {
        /// Segment, from 0.
        index: u32,
    },
    /// The output can't be written.
    #[error("output can't be written")]
    Output(#[source] io::Error),
    /// There is no such segment.
    #[error("no segment {index}")]
    Segment {
        /// As asked for.
        index: u32,
    },
}

/// What signed metadata says about base and target; a delta must agree exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// BLAKE3 root of the base.
    pub base: [u8; 32],
    /// Bytes of the base.
    pub base_size: u64,
    /// BLAKE3 root of the target.
    pub target: [u8; 32],
    /// Bytes of the target.
    pub target_size: u64,
}

impl Expected {
    /// Returns what metadata should say about these two images.
    #[must_use]
    pub fn of(base: &[u8], target: &[u8]) -> Self {
        Self {
            base: *blake3::hash(base).as_bytes(),
            base_size: u64::try_from(base.len()).unwrap_or(u64::MAX),
            target: *blake3::hash(target).as_bytes(),
            target_size: u64::try_from(target.len()).unwrap_or(u64::MAX),
        }
    }
}

/// What a container says about itself; not to be trusted, see [`inspect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// What the header says about base and target.
    pub claims: Expected,
    /// Bytes of the delta.
    pub delta_size: u64,
    /// Output bytes of a segment.
    pub segment_size: u32,
    /// Segments by type.
    pub segments: Segments,
}

/// Parses header and table without applying.
///
/// * `size`: bytes of the whole delta.
///
/// # Errors
/// [`ApplyError::Container`] if malformed. Payloads aren't read.
pub fn inspect(mut reader: impl Read, size: u64) -> Result<Info, ApplyError> {
    let container = Container::parse(&mut reader, size)?;
    Ok(Info {
        claims: claims(&container),
        delta_size: size,
        segment_size: crate::limits::SEGMENT_BYTES,
        segments: count(&container.rows),
    })
}

const fn claims(container: &Container) -> Expected {
    Expected {
        base: container.base,
        base_size: container.base_size,
        target: container.target,
        target_size: container.target_size,
    }
}

/// Returns the range of a delta to a target of `target_size` bytes that [`Delta::open`] reads: header and table.
///
/// # Errors
/// [`ContainerError::AboveLimit`].
pub fn head_range(target_size: u64) -> Result<Range<u64>, ContainerError> {
    Ok(0..Container::head_bytes(target_size)?)
}

/// An opened delta: header and table are parsed and agree with the signed metadata.
#[derive(Debug)]
pub struct Delta<R> {
    reader: R,
    container: Container,
}

impl<R: Read + Seek> Delta<R> {
    /// Opens a delta.
    ///
    /// * `reader`: the delta's bytes from position 0; only header and table are read here.
    /// * `size`: bytes of the whole delta, also if not all of them can be read yet.
    /// * `expected`: from verified metadata.
    ///
    /// # Errors
    /// [`ApplyError::Container`] if header or table are malformed, or if the segments' hashes don't
    /// make up the target's; [`ApplyError::Disagrees`] if the header differs from `expected`.
    pub fn open(mut reader: R, size: u64, expected: &Expected) -> Result<Self, ApplyError> {
        reader.seek(SeekFrom::Start(0)).map_err(ApplyError::Delta)?;
        let mut container = Container::parse_header(&mut reader, size)?;
        let claims = claims(&container);
        for (field, agrees) in [
            ("base", claims.base == expected.base),
            ("base_size", claims.base_size == expected.base_size),
            ("target", claims.target == expected.target),
            ("target_size", claims.target_size == expected.target_size),
        ] {
            if !agrees {
                return Err(ApplyError::Disagrees { field });
            }
        }
        // Not before: how long the table is follows from the header.
        container.parse_table(&mut reader, size)?;
        Ok(Self { reader, container })
    }

    /// Checks that no segment needs another coder than the delta's format has; from nothing all are stored.
    ///
    /// * `format`: from verified metadata, that of a [`crate::Coder`].
    ///
    /// # Errors
    /// [`ApplyError::Disagrees`].
    pub fn check_format(&self, format: &str) -> Result<(), ApplyError> {
        let segments = count(&self.container.rows);
        let is_stored = segments.delta == 0 && segments.mixed == 0;
        let fits = match format {
            _ if self.container.base_size == 0 => is_stored,
            crate::FORMAT => segments.mixed == 0,
            crate::FORMAT_MIXING => true,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(ApplyError::Disagrees { field: "format" })
    }

    /// Returns the number of segments; 0 for an empty target.
    #[must_use]
    pub fn segment_count(&self) -> u32 {
        u32::try_from(self.container.rows.len()).unwrap_or(u32::MAX)
    }

    /// Returns the output range of a segment in bytes of the target; `None` if there is none.
    #[must_use]
    pub fn segment_range(&self, index: u32) -> Option<Range<u64>> {
        segment_range(index, self.container.target_size)
    }

    /// Returns the range of the delta that segment `index` needs besides header and table.
    ///
    /// A segment copied from the base needs none: its range is empty, at 0. `None` if there is no
    /// such segment.
    #[must_use]
    pub fn payload_range(&self, index: u32) -> Option<Range<u64>> {
        match self.row(index)?.source {
            Source::Copy { .. } => Some(0..0),
            Source::Payload { offset, length, .. } => {
                Some(offset..offset.checked_add(u64::from(length))?)
            }
        }
    }

    /// Returns whether `bytes` are what segment `index` must be.
    fn is_segment(&self, index: u32, bytes: &[u8]) -> bool {
        let (Some(row), Some(range)) = (self.row(index), self.segment_range(index)) else {
            return false;
        };
        let size = range.end.saturating_sub(range.start);
        u64::try_from(bytes.len()) == Ok(size)
            && segment_hash(range.start, bytes, self.container.target_size) == row.hash
    }

    fn row(&self, index: u32) -> Option<&Row> {
        self.container.rows.get(usize::try_from(index).ok()?)
    }

    /// Rebuilds one segment into `out`, checked against the target's hash.
    ///
    /// * `base`: the base image; only what the segment needs is read.
    /// * `out`: cleared first; at most [`crate::limits::SEGMENT_BYTES`]; empty after an error.
    ///
    /// # Errors
    /// [`ApplyError::Segment`] if there is none, [`ApplyError::Hash`] if base or delta are wrong,
    /// [`ApplyError::Codec`], [`ApplyError::Base`], [`ApplyError::Delta`].
    pub fn segment(
        &mut self,
        index: u32,
        base: &mut (impl Read + Seek),
        out: &mut Vec<u8>,
    ) -> Result<(), ApplyError> {
        let decoded = self.decode(index, base, out);
        if decoded.is_err() {
            out.clear();
        }
        decoded
    }

    fn decode(
        &mut self,
        index: u32,
        base: &mut (impl Read + Seek),
        out: &mut Vec<u8>,
    ) -> Result<(), ApplyError> {
        out.clear();
        let missing = ApplyError::Segment { index };
        let (Some(&row), Some(range)) = (self.row(index), self.segment_range(index)) else {
            return Err(missing);
        };
        let bytes = range.end.saturating_sub(range.start);
        let size = usize::try_from(bytes).map_err(|_| missing)?;
        match row.source {
            Source::Copy { base: start } => {
                out.resize(size, 0);
                base.seek(SeekFrom::Start(start))
                    .map_err(ApplyError::Base)?;
                base.read_exact(out).map_err(ApplyError::Base)?;
            }
            Source::Payload {
                kind,
                offset,
                length,
            } => {
                let payload = self.load(offset, length)?;
                let base_size = self.container.base_size;
                let segment = Segment {
                    start: range.start,
                    size,
                    base_size,
                };
                codec::decode(kind, payload, segment, base, out)
                    .map_err(|source| ApplyError::Codec { index, source })?;
            }
        }
        if !self.is_segment(index, out) {
            return Err(ApplyError::Hash { index });
        }
        Ok(())
    }

    /// Reads one payload, whose length the table's parser has bounded.
    fn load(&mut self, offset: u64, length: u32) -> Result<Vec<u8>, ApplyError> {
        let length = usize::try_from(length)
            .map_err(|_| ApplyError::Delta(io::ErrorKind::OutOfMemory.into()))?;
        let mut payload = vec![0; length];
        self.reader
            .seek(SeekFrom::Start(offset))
            .map_err(ApplyError::Delta)?;
        self.reader
            .read_exact(&mut payload)
            .map_err(ApplyError::Delta)?;
        Ok(payload)
    }
}

/// Rebuilds the whole target in order.
///
/// The segments' hashes make up the BLAKE3 root of the target, which [`Delta::open`] has compared
/// with the signed one; so all segments right, in their places, means the whole output right.
///
/// * `progress`: called with the bytes written so far, after each segment.
///
/// # Errors
/// [`ApplyError::Cancelled`] when `progress` breaks, [`ApplyError::Output`], and those of
/// [`Delta::segment`]. What was written up to then is a right beginning of the target.
pub fn apply<R, B, W>(
    delta: &mut Delta<R>,
    base: &mut B,
    out: &mut W,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(), ApplyError>
where
    R: Read + Seek,
    B: Read + Seek,
    W: Write,
{
    let mut segment = Vec::new();
    for index in 0..delta.segment_count() {
        delta.segment(index, base, &mut segment)?;
        out.write_all(&segment).map_err(ApplyError::Output)?;
        let written = delta.segment_range(index).map_or(0, |range| range.end);
        if progress(written).is_break() {
            return Err(ApplyError::Cancelled);
        }
    }
    out.flush().map_err(ApplyError::Output)
}
