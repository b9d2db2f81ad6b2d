//! Tiles: 256 hashes of a level of the tree in a file, and bundles of 256 entries (C2SP tlog-tiles).

use std::fmt;

use crate::hash::Hash;
use crate::limits::{TILE_WIDTH, TREE_SIZE_MAX};

/// Bits of a tile's width.
pub(crate) const TILE_BITS: u32 = 8;
/// Levels of tiles: eight levels of a tree of 2^63 entries each.
pub(crate) const LEVELS: usize = 8;
/// Bytes of the length in front of an entry.
const LENGTH_BYTES: usize = 2;

/// A tile of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// A bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bundle {
    index: u64,
    width: u16,
}

/// Not the bytes of this tile or bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the hashes or entries of {0} places")]
pub struct TileError(u16);

impl Tile {
    /// Tile `index` of a level as a tree of `size` entries has it; `None` if it has none.
    ///
    /// * `level`: 0 is that of the leaves.
    pub fn of(level: u8, index: u64, size: u64) -> Option<Self> {
        let shift = TILE_BITS.checked_mul(u32::from(level))?;
        if usize::from(level) >= LEVELS || size > TREE_SIZE_MAX {
            return None;
        }
        let width = width_of(index, size.checked_shr(shift)?)?;
        Some(Self {
            level,
            index,
            width,
        })
    }

    /// The partial tiles of a tree of `size` entries, from the leaves up: one a level at most.
    pub fn partial_of(size: u64) -> impl Iterator<Item = Self> {
        (0_u8..).take(LEVELS).filter_map(move |level| {
            let places = size.checked_shr(TILE_BITS.checked_mul(u32::from(level))?)?;
            let tile = Self::of(level, places >> TILE_BITS, size)?;
            (tile.width < TILE_WIDTH).then_some(tile)
        })
    }

    /// The level, 0 is that of the leaves.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// The number of the tile in its level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes it has, 1..=256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// The same tile once it is full.
    pub const fn full(self) -> Self {
        Self {
            width: TILE_WIDTH,
            ..self
        }
    }

    /// Bytes of the file.
    pub fn len(&self) -> usize {
        usize::from(self.width).saturating_mul(Hash::BYTES)
    }

    /// Never: a tile has at least one hash.
    pub const fn is_empty(&self) -> bool {
        self.width == 0
    }

    /// Writes the file's bytes.
    pub fn encode(hashes: &[Hash]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Reads the file's bytes, of this tile or, since one takes the place of the other, of the full one.
    ///
    /// # Errors
    /// [`TileError`] for any other length.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        if bytes.len() != self.len() && bytes.len() != self.full().len() {
            return Err(TileError(self.width));
        }
        let (hashes, _) = bytes.as_chunks();
        let hashes = hashes.iter().take(self.width.into());
        Ok(hashes.map(|bytes| Hash::from_bytes(*bytes)).collect())
    }
}

impl Bundle {
    /// Bundle `index` as a log of `size` entries has it; `None` if it has none.
    pub fn of(index: u64, size: u64) -> Option<Self> {
        let width = width_of(index, size)?;
        Some(Self { index, width })
    }

    /// How many entries it has, 1..=256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// The number of its first entry.
    pub fn first(&self) -> u64 {
        self.index.saturating_mul(TILE_WIDTH.into())
    }

    /// The same bundle once it is full.
    pub const fn full(self) -> Self {
        Self {
            width: TILE_WIDTH,
            ..self
        }
    }

    /// Appends an entry to a bundle's bytes.
    ///
    /// # Errors
    /// [`TileError`] if it is longer than [`ENTRY_BYTES_MAX`](crate::limits::ENTRY_BYTES_MAX).
    pub fn push(bytes: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
        let length = u16::try_from(entry.len()).map_err(|_| TileError(1))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
        Ok(())
    }

    /// Reads the entries of this bundle from its bytes or those of the full one.
    ///
    /// # Errors
    /// [`TileError`] if they are fewer, or bytes are left over.
    pub fn decode<'a>(&self, mut bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, TileError> {
        let error = TileError(self.width);
        let mut entries = Vec::with_capacity(self.width.into());
        while !bytes.is_empty() && entries.len() < TILE_WIDTH.into() {
            let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(error)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, rest) = rest.split_at_checked(length).ok_or(error)?;
            entries.push(entry);
            bytes = rest;
        }
        let widths = [self.width, TILE_WIDTH].map(usize::from);
        if !bytes.is_empty() || !widths.contains(&entries.len()) {
            return Err(error);
        }
        entries.truncate(self.width.into());
        Ok(entries)
    }
}

impl fmt::Display for Tile {
    /// The path: `tile/LEVEL/INDEX[.p/WIDTH]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "tile/{}/", self.level)?;
        write_place(formatter, self.index, self.width)
    }
}

impl fmt::Display for Bundle {
    /// The path: `tile/entries/INDEX[.p/WIDTH]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("tile/entries/")?;
        write_place(formatter, self.index, self.width)
    }
}

/// How many of the 256 places of a tile there are in a level of `places`.
fn width_of(index: u64, places: u64) -> Option<u16> {
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let left = places.checked_sub(first).filter(|left| *left > 0)?;
    Some(u16::try_from(left).map_or(TILE_WIDTH, |left| left.min(TILE_WIDTH)))
}

/// Groups of three digits, all but the last with an `x` in front.
fn write_place(formatter: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let groups = std::iter::successors(Some(index), |rest| {
        rest.checked_div(1000).filter(|rest| *rest > 0)
    });
    let groups: Vec<u64> = groups.filter_map(|rest| rest.checked_rem(1000)).collect();
    let (last, first) = groups.split_first().unwrap_or((&0, &[]));
    for group in first.iter().rev() {
        write!(formatter, "x{group:03}/")?;
    }
    write!(formatter, "{last:03}")?;
    if width < TILE_WIDTH {
        write!(formatter, ".p/{width}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
