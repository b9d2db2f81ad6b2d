//! Header and table of a delta: bytes to value and back, and nothing that needs the base.
//!
//! Layout in `docs/formats.md`. All integers are little endian and of fixed width. Payloads follow
//! the table in the order of their rows without gaps, so there is one encoding of a container.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::{
    io::{self, Read},
    ops::Range,
};

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use crate::{
    kind::Kind,
    limits::{BASE_BYTES_MAX, PAYLOAD_BYTES_MAX, SEGMENT_BYTES, TARGET_BYTES_MAX},
};

#[cfg(test)]
mod tests;

/// First bytes of every delta of this family.
const MAGIC: [u8; 8] = *b"sb-delta";
/// The one version this code reads and writes.
const VERSION: u32 = 1;
/// Bytes of the header.
pub(crate) const HEADER_BYTES: u64 = 104;
/// Bytes of one row of the table.
pub(crate) const ROW_BYTES: u64 = 48;

/// Why header or table are no delta of this version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// A size or a count is above its limit in [`crate::limits`].
    #[error("{what} is {actual}, more than {max}")]
    AboveLimit {
        /// What was counted.
        what: &'static str,
        /// As declared.
        actual: u64,
        /// The limit.
        max: u64,
    },
    /// The delta ends before its header or table does, or payloads end elsewhere than the delta.
    #[error("delta ends at byte {actual}, should at {expected}")]
    Length {
        /// Where header, table or payloads end.
        expected: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// Not a delta.
    #[error("not a delta: wrong magic")]
    Magic,
    /// Reading failed.
    #[error("delta can't be read")]
    Read(#[from] io::Error),
    /// A reserved field isn't zero, or a field doesn't follow from the others.
    #[error("field {field} of the header is wrong")]
    Field {
        /// Name in `docs/formats.md`.
        field: &'static str,
    },
    /// A row contradicts the header or the row before.
    #[error("row {index} of the table: {defect}")]
    Row {
        /// Row, from 0.
        index: u32,
        /// What is wrong.
        defect: &'static str,
    },
    /// The segments' hashes don't make up the target's hash.
    #[error("hashes of the segments don't make up the hash of the target")]
    Tree,
    /// A later format.
    #[error("version {actual} of the format isn't known")]
    Version {
        /// As declared.
        actual: u32,
    },
}

/// Where a segment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// One range of the base, starting here.
    Copy { base: u64 },
    /// A payload for the coder.
    Payload {
        kind: Kind,
        offset: u64,
        length: u32,
    },
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) source: Source,
    /// See [`segment_hash`].
    pub(crate) hash: [u8; 32],
}

/// Header and table, consistent in themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) base: [u8; 32],
    pub(crate) base_size: u64,
    pub(crate) target: [u8; 32],
    pub(crate) target_size: u64,
    /// Exactly [`segment_count`] rows.
    pub(crate) rows: Vec<Row>,
}

/// Segments of a target.
///
/// # Errors
/// [`ContainerError::AboveLimit`] above [`TARGET_BYTES_MAX`].
pub(crate) fn segment_count(target_size: u64) -> Result<u32, ContainerError> {
    let too_large = ContainerError::AboveLimit {
        what: "target size",
        actual: target_size,
        max: TARGET_BYTES_MAX,
    };
    if target_size > TARGET_BYTES_MAX {
        return Err(too_large);
    }
    u32::try_from(target_size.div_ceil(u64::from(SEGMENT_BYTES))).map_err(|_| too_large)
}

/// Output range of segment `index`, cut at the end of the target.
pub(crate) fn segment_range(index: u32, target_size: u64) -> Option<Range<u64>> {
    let start = u64::from(index).checked_mul(u64::from(SEGMENT_BYTES))?;
    let end = start
        .checked_add(u64::from(SEGMENT_BYTES))?
        .min(target_size);
    (start < end).then_some(start..end)
}

/// Hash of one segment: its node in the BLAKE3 tree of the target.
///
/// * `start`: position of the segment in the target, a multiple of [`SEGMENT_BYTES`].
/// * `target_size`: if the target is one segment, its node is the root.
pub(crate) fn segment_hash(start: u64, output: &[u8], target_size: u64) -> [u8; 32] {
    if target_size <= u64::from(SEGMENT_BYTES) {
        return *blake3::hash(output).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(start);
    hasher.update(output);
    hasher.finalize_non_root()
}

/// Root of the BLAKE3 tree over the rows' nodes.
fn root(rows: &[Row]) -> [u8; 32] {
    match rows {
        [] => *blake3::hash(&[]).as_bytes(),
        [only] => only.hash,
        _ => {
            let (left, right) = halves(rows);
            *merge_subtrees_root(&node(left), &node(right), Mode::Hash).as_bytes()
        }
    }
}

fn node(rows: &[Row]) -> ChainingValue {
    match rows {
        [only] => only.hash,
        _ => {
            let (left, right) = halves(rows);
            merge_subtrees_non_root(&node(left), &node(right), Mode::Hash)
        }
    }
}

/// The left half of a BLAKE3 tree is the largest power of two that leaves something for the right.
fn halves(rows: &[Row]) -> (&[Row], &[Row]) {
    rows.split_at(rows.len().div_ceil(2).next_power_of_two())
}

impl Container {
    /// Bytes of header and table.
    ///
    /// # Errors
    /// [`ContainerError::AboveLimit`], see [`segment_count`].
    pub(crate) fn head_bytes(target_size: u64) -> Result<u64, ContainerError> {
        let rows = u64::from(segment_count(target_size)?);
        Ok(rows.saturating_mul(ROW_BYTES).saturating_add(HEADER_BYTES))
    }

    /// Encodes header and table; payloads are to follow.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(SEGMENT_BYTES.to_le_bytes());
        bytes.extend(self.base_size.to_le_bytes());
        bytes.extend(self.base);
        bytes.extend(self.target_size.to_le_bytes());
        bytes.extend(self.target);
        bytes.extend(count.to_le_bytes());
        bytes.extend([0; 4]);
        for row in &self.rows {
            let ([kind, machine], length, offset) = match row.source {
                Source::Copy { base } => ([0, 0], 0, base),
                Source::Payload {
                    kind,
                    offset,
                    length,
                } => (kind.to_bytes(), length, offset),
            };
            bytes.extend([kind, machine, 0, 0]);
            bytes.extend(length.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            bytes.extend(row.hash);
        }
        bytes
    }

    /// Parses header and table from the start of `reader`.
    ///
    /// * `size`: bytes of the whole delta; payloads must end exactly there.
    ///
    /// # Errors
    /// Any of [`ContainerError`]; nothing is allocated beyond what `size` and the limits allow.
    pub(crate) fn parse(reader: &mut impl Read, size: u64) -> Result<Self, ContainerError> {
        let mut container = Self::parse_header(reader, size)?;
        container.parse_table(reader, size)?;
        Ok(container)
    }

    /// Parses the table that follows the header.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn parse_table(
        &mut self,
        reader: &mut impl Read,
        size: u64,
    ) -> Result<(), ContainerError> {
        let mut offset = Self::head_bytes(self.target_size)?;
        for index in 0..segment_count(self.target_size)? {
            let row = self.parse_row(reader, index, offset)?;
            if let Source::Payload { length, .. } = row.source {
                offset = offset.saturating_add(u64::from(length));
            }
            self.rows.push(row);
        }
        if offset != size {
            return Err(ContainerError::Length {
                expected: offset,
                actual: size,
            });
        }
        if root(&self.rows) != self.target {
            return Err(ContainerError::Tree);
        }
        Ok(())
    }

    /// Parses the header alone; there are no rows yet.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn parse_header(reader: &mut impl Read, size: u64) -> Result<Self, ContainerError> {
        if size < HEADER_BYTES {
            return Err(ContainerError::Length {
                expected: HEADER_BYTES,
                actual: size,
            });
        }
        if take::<8>(reader)? != MAGIC {
            return Err(ContainerError::Magic);
        }
        let version = u32::from_le_bytes(take(reader)?);
        if version != VERSION {
            return Err(ContainerError::Version { actual: version });
        }
        if u32::from_le_bytes(take(reader)?) != SEGMENT_BYTES {
            return Err(ContainerError::Field {
                field: "segment_size",
            });
        }
        let base_size = u64::from_le_bytes(take(reader)?);
        if base_size > BASE_BYTES_MAX {
            return Err(ContainerError::AboveLimit {
                what: "base size",
                actual: base_size,
                max: BASE_BYTES_MAX,
            });
        }
        let base = take(reader)?;
        let target_size = u64::from_le_bytes(take(reader)?);
        let target = take(reader)?;
        let count = segment_count(target_size)?;
        if u32::from_le_bytes(take(reader)?) != count {
            return Err(ContainerError::Field {
                field: "segment_count",
            });
        }
        if take::<4>(reader)? != [0; 4] {
            return Err(ContainerError::Field { field: "reserved" });
        }
        let head = Self::head_bytes(target_size)?;
        if size < head {
            return Err(ContainerError::Length {
                expected: head,
                actual: size,
            });
        }
        let rows = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        Ok(Self {
            base,
            base_size,
            target,
            target_size,
            rows,
        })
    }

    fn parse_row(
        &self,
        reader: &mut impl Read,
        index: u32,
        next: u64,
    ) -> Result<Row, ContainerError> {
        let defect = |defect| ContainerError::Row { index, defect };
        let [kind, machine, reserved @ ..] = take::<4>(reader)?;
        let length = u32::from_le_bytes(take(reader)?);
        let offset = u64::from_le_bytes(take(reader)?);
        let hash = take(reader)?;
        if reserved != [0; 2] {
            return Err(defect("reserved bytes aren't zero"));
        }
        let source = if [kind, machine] == [0, 0] {
            let output =
                segment_range(index, self.target_size).ok_or_else(|| defect("no such segment"))?;
            let bytes = output.end.saturating_sub(output.start);
            let inside = offset
                .checked_add(bytes)
                .is_some_and(|end| end <= self.base_size);
            if length != 0 {
                return Err(defect("a copy has no payload"));
            }
            if !inside {
                return Err(defect("a copy reaches beyond the base"));
            }
            Source::Copy { base: offset }
        } else {
            let kind =
                Kind::parse([kind, machine]).ok_or_else(|| defect("unknown type or machine"))?;
            if length == 0 || length > PAYLOAD_BYTES_MAX {
                return Err(defect("payload is empty or too long"));
            }
            if offset != next {
                return Err(defect("payload doesn't follow the one before"));
            }
            Source::Payload {
                kind,
                offset,
                length,
            }
        };
        Ok(Row { source, hash })
    }
}

fn take<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
