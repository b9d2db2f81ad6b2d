//! Entries on their way to a mirror, who keeps all of them and says so (C2SP tlog-mirror).
//!
//! An upload names a range of entries that ends where a checkpoint does. They follow in packages, each as much of a
//! bundle as lies in the range, with the proof that the tree contains this bundle: whoever receives one needs none of
//! the others.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::decimal;
use crate::hash::Hash;
use crate::limits::{
    MIRROR_INFO_BYTES_MAX, NAME_BYTES_MAX, PROOF_HASHES_MAX, TICKET_BYTES_MAX, TILE_WIDTH,
};

/// The type of a body that says how far a mirror has come.
pub const INFO_TYPE: &str = "text/x.tlog.mirror-info";

/// Not what an upload looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an upload: origin, start, end, ticket, and entries with proofs")]
pub struct Malformed;

/// The head of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The log.
    pub origin: String,
    /// The first entry.
    pub start: u64,
    /// Behind the last entry: the size of a checkpoint that the mirror was shown.
    pub end: u64,
    /// What the mirror gave the submitter to remember.
    pub ticket: Vec<u8>,
}

/// Entries of one bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// The entries.
    pub entries: Vec<Vec<u8>>,
    /// That the tree contains the bundle up to the last of them, see [`crate::proof::verify_subtree`].
    pub proof: Vec<Hash>,
}

/// How far a mirror has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorInfo {
    /// Size of the checkpoint up to which entries are taken.
    pub size: u64,
    /// The next entry that it wants.
    pub next: u64,
    /// To be sent with the next upload.
    pub ticket: Vec<u8>,
}

impl Upload {
    /// The ranges of the packages that the upload may have, in their order.
    pub fn packages(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let end = self.end;
        let first = Some(self.start).filter(|start| *start < end);
        std::iter::successors(first, move |start| {
            Some(bundle_end(*start)).filter(|next| *next < end)
        })
        .map(move |start| start..bundle_end(start).min(end))
    }

    /// The head's bytes; `None` if the origin or the ticket is too long.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let origin = u16::try_from(self.origin.len()).ok()?.to_be_bytes();
        let ticket = u16::try_from(self.ticket.len()).ok()?.to_be_bytes();
        let (start, end) = (self.start.to_be_bytes(), self.end.to_be_bytes());
        let parts = [&origin[..], self.origin.as_bytes(), &start, &end];
        Some([parts.concat(), ticket.to_vec(), self.ticket.clone()].concat())
    }
}

impl Package {
    /// The first entry of the bundle that a package of such entries is part of.
    pub const fn bundle_start(range: &Range<u64>) -> u64 {
        range.start & !BUNDLE_MASK
    }

    /// The package's bytes; `None` if an entry or the proof is too long.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            crate::tile::Bundle::push(&mut bytes, entry).ok()?;
        }
        let count = u8::try_from(self.proof.len()).ok()?;
        bytes.push(count);
        bytes.extend(self.proof.iter().flat_map(|hash| *hash.as_bytes()));
        (self.proof.len() <= PROOF_HASHES_MAX).then_some(bytes)
    }
}

const BUNDLE_MASK: u64 = 255;
const _: () = assert!(TILE_WIDTH == 256, "a bundle is what the mask says");

/// Where the bundle of an entry ends.
const fn bundle_end(index: u64) -> u64 {
    (index | BUNDLE_MASK).saturating_add(1)
}

/// Bytes of an upload that have come and aren't used yet. Whoever adds some only when [`Incoming::upload`] or
/// [`Incoming::package`] had too few holds a package and a piece at most.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
}

/// What was read from the front of some bytes, and how many these were; `None` if they are too few.
type Read<T> = Result<Option<(T, usize)>, Malformed>;

impl Incoming {
    /// Bytes that have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The head, once it is there.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn upload(&mut self) -> Result<Option<Upload>, Malformed> {
        let read = read_upload(&self.bytes)?;
        Ok(self.taken(read))
    }

    /// A package of so many entries, once it is there.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn package(&mut self, count: u64) -> Result<Option<Package>, Malformed> {
        let read = read_package(&self.bytes, count)?;
        Ok(self.taken(read))
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn taken<T>(&mut self, read: Option<(T, usize)>) -> Option<T> {
        let (value, count) = read?;
        self.bytes.drain(..count.min(self.bytes.len()));
        Some(value)
    }
}

/// Goes through bytes from the front.
struct Cursor<'a> {
    rest: &'a [u8],
    used: usize,
}

impl<'a> Cursor<'a> {
    const fn new(rest: &'a [u8]) -> Self {
        Self { rest, used: 0 }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        self.used = self.used.saturating_add(count);
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<usize> {
        self.array().map(|bytes| u16::from_be_bytes(bytes).into())
    }
}

fn read_upload(bytes: &[u8]) -> Read<Upload> {
    let mut cursor = Cursor::new(bytes);
    let Some(length) = cursor.length() else {
        return Ok(None);
    };
    if length > NAME_BYTES_MAX {
        return Err(Malformed);
    }
    let parts = (|| {
        Some((
            cursor.take(length)?,
            cursor.array()?,
            cursor.array()?,
            cursor.length()?,
        ))
    })();
    let Some((origin, start, end, length)) = parts else {
        return Ok(None);
    };
    if length > TICKET_BYTES_MAX {
        return Err(Malformed);
    }
    let Some(ticket) = cursor.take(length) else {
        return Ok(None);
    };
    let upload = Upload {
        origin: str::from_utf8(origin).map_err(|_| Malformed)?.to_owned(),
        start: u64::from_be_bytes(start),
        end: u64::from_be_bytes(end),
        ticket: ticket.to_vec(),
    };
    let used = cursor.used;
    let is_range = upload.start <= upload.end;
    is_range.then_some(Some((upload, used))).ok_or(Malformed)
}

fn read_package(bytes: &[u8], count: u64) -> Read<Package> {
    let mut cursor = Cursor::new(bytes);
    let mut package = Package::default();
    for _ in 0..count.min(TILE_WIDTH.into()) {
        let Some(entry) = cursor.length().and_then(|length| cursor.take(length)) else {
            return Ok(None);
        };
        package.entries.push(entry.to_vec());
    }
    let Some([hashes]) = cursor.array() else {
        return Ok(None);
    };
    if usize::from(hashes) > PROOF_HASHES_MAX {
        return Err(Malformed);
    }
    let Some(proof) = cursor.take(usize::from(hashes).saturating_mul(Hash::BYTES)) else {
        return Ok(None);
    };
    let (proof, _) = proof.as_chunks();
    package.proof = proof.iter().map(|hash| Hash::from_bytes(*hash)).collect();
    Ok(Some((package, cursor.used)))
}

impl MirrorInfo {
    /// Reads the three lines.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Self::read(text).ok_or(Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MIRROR_INFO_BYTES_MAX {
            return None;
        }
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (size, next) = (decimal(lines.next()?)?, decimal(lines.next()?)?);
        let ticket = STANDARD.decode(lines.next()?).ok()?;
        lines
            .next()
            .is_none()
            .then_some(Self { size, next, ticket })
    }
}

impl fmt::Display for MirrorInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticket = STANDARD.encode(&self.ticket);
        write!(formatter, "{}\n{}\n{ticket}\n", self.size, self.next)
    }
}

#[cfg(test)]
mod tests;
