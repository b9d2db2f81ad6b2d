//! Frames of the exchange: `u8 kind, u32 length (big endian), body`.
//!
//! A decoder first reads five bytes, refuses an unknown kind or a length above that kind's bound,
//! and only then reads the body (threats P53).

use super::tree::Blob;
use crate::limits::{BLOB_BYTES_MAX, CHUNK_BYTES, FRAME_BYTES_MAX, TREE_NODES_MAX};

/// Bytes before the body.
pub const PREFIX_BYTES: usize = 5;
/// Version in `OPEN`.
const VERSION: u8 = 1;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of a stream: which blob it is about.
    Open(Blob),
    /// A chunk map: what the sender has of the blob.
    Have(Vec<u8>),
    /// Asks for nodes of the chunk level.
    GetTree {
        /// First node.
        first: u32,
        /// How many, at most [`TREE_NODES_MAX`].
        count: u32,
    },
    /// Nodes of the chunk level, 32 bytes each.
    Tree {
        /// First node.
        first: u32,
        /// The nodes.
        nodes: Vec<u8>,
    },
    /// Asks for chunks.
    Request {
        /// First chunk.
        first: u32,
        /// How many, at least 1.
        count: u16,
    },
    /// One chunk.
    Data {
        /// Its number.
        chunk: u32,
        /// Its bytes, whole.
        bytes: Vec<u8>,
    },
    /// A chunk is no longer wanted.
    Cancel {
        /// Its number.
        chunk: u32,
    },
    /// The sender won't deliver.
    Reject {
        /// The chunk, and with it the rest of the run; for an answer to `OPEN` or `GET_TREE`, 0.
        chunk: u32,
        /// Why.
        code: Refusal,
    },
}

/// Why something is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests under way; ask again later.
    Busy,
    /// The sender does not have it.
    NotHave,
}

/// Why bytes are not a frame. The stream is at its end then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No such kind.
    #[error("unknown frame kind {0}")]
    Kind(u8),
    /// Longer than its kind may be.
    #[error("frame of kind {kind} announces {length} bytes")]
    Length {
        /// The kind.
        kind: u8,
        /// The announced length of the body.
        length: u32,
    },
    /// The body is malformed.
    #[error("frame of kind {0} is malformed")]
    Body(u8),
}

const OPEN: u8 = 1;
const HAVE: u8 = 2;
const GET_TREE: u8 = 3;
const TREE: u8 = 4;
const REQUEST: u8 = 5;
const DATA: u8 = 6;
const CANCEL: u8 = 7;
const REJECT: u8 = 8;

/// Reads a frame's prefix: its kind and the length of its body, bounded for that kind.
///
/// # Errors
/// [`WireError`] before anything is allocated.
pub fn parse_prefix(prefix: [u8; PREFIX_BYTES]) -> Result<(u8, usize), WireError> {
    let [kind, length @ ..] = prefix;
    let length = u32::from_be_bytes(length);
    let max = match kind {
        OPEN => 41,
        HAVE => u32::try_from(BLOB_BYTES_MAX / CHUNK_BYTES / 8).unwrap_or(u32::MAX),
        GET_TREE => 8,
        TREE | DATA => FRAME_BYTES_MAX,
        REQUEST => 6,
        CANCEL => 4,
        REJECT => 5,
        _ => return Err(WireError::Kind(kind)),
    };
    match usize::try_from(length) {
        Ok(bytes) if length <= max => Ok((kind, bytes)),
        _ => Err(WireError::Length { kind, length }),
    }
}

impl Frame {
    /// Parses a body of kind `kind`, whose length [`parse_prefix`] has bounded.
    ///
    /// # Errors
    /// [`WireError::Body`] for anything but exactly one value.
    pub fn parse(kind: u8, body: &[u8]) -> Result<Self, WireError> {
        Self::read(kind, body).ok_or(WireError::Body(kind))
    }

    fn read(kind: u8, body: &[u8]) -> Option<Self> {
        let mut body = Reader(body);
        let frame = match kind {
            OPEN => {
                let [version] = body.take()?;
                let (root, size) = (body.take()?, u64::from_be_bytes(body.take()?));
                let sound = version == VERSION && (1..=BLOB_BYTES_MAX).contains(&size);
                sound.then_some(Self::Open(Blob { root, size }))?
            }
            HAVE => Self::Have(body.rest()),
            GET_TREE => {
                let (first, count) = (body.u32()?, body.u32()?);
                let sound = (1..=TREE_NODES_MAX).contains(&count);
                sound.then_some(Self::GetTree { first, count })?
            }
            TREE => {
                let (first, nodes) = (body.u32()?, body.rest());
                let sound = !nodes.is_empty() && nodes.len().is_multiple_of(32);
                sound.then_some(Self::Tree { first, nodes })?
            }
            REQUEST => {
                let (first, count) = (body.u32()?, u16::from_be_bytes(body.take()?));
                (count > 0).then_some(Self::Request { first, count })?
            }
            DATA => Self::Data {
                chunk: body.u32()?,
                bytes: body.rest(),
            },
            CANCEL => Self::Cancel { chunk: body.u32()? },
            REJECT => {
                let chunk = body.u32()?;
                let code = match body.take()? {
                    [1] => Refusal::Busy,
                    [2] => Refusal::NotHave,
                    _ => return None,
                };
                Self::Reject { chunk, code }
            }
            _ => return None,
        };
        body.0.is_empty().then_some(frame)
    }

    /// Encodes the frame with its prefix.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Open(blob) => framed(OPEN, &[&[VERSION], &blob.root, &blob.size.to_be_bytes()]),
            Self::Have(map) => framed(HAVE, &[map]),
            Self::GetTree { first, count } => {
                framed(GET_TREE, &[&first.to_be_bytes(), &count.to_be_bytes()])
            }
            Self::Tree { first, nodes } => framed(TREE, &[&first.to_be_bytes(), nodes]),
            Self::Request { first, count } => {
                framed(REQUEST, &[&first.to_be_bytes(), &count.to_be_bytes()])
            }
            Self::Data { chunk, bytes } => framed(DATA, &[&chunk.to_be_bytes(), bytes]),
            Self::Cancel { chunk } => framed(CANCEL, &[&chunk.to_be_bytes()]),
            Self::Reject { chunk, code } => {
                let code = match code {
                    Refusal::Busy => 1,
                    Refusal::NotHave => 2,
                };
                framed(REJECT, &[&chunk.to_be_bytes(), &[code]])
            }
        }
    }
}

fn framed(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&[kind][..], &length.to_be_bytes(), &body].concat()
}

/// Takes fixed parts off the front of a body.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}

#[cfg(test)]
mod tests;
