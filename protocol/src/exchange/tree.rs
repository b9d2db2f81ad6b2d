//! The chunk level of a blob's BLAKE3 tree.
//!
//! BLAKE3 hashes a blob as a binary tree over 1 KiB leaves. The nodes that cover 256 KiB each are
//! the chunk level: 32 bytes per chunk, checked once against the root, then every chunk verifies
//! alone. Source: BLAKE3 paper, section 2.1; crate `blake3`, module `hazmat`.

use blake3::hazmat::{self, HasherExt as _, Mode};

use crate::limits::{BLOB_BYTES_MAX, CHUNK_BYTES};

/// The bytes of one node of the tree.
pub type Node = [u8; 32];

/// A blob by content: BLAKE3 root and size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob {
    /// BLAKE3 of the bytes.
    pub root: [u8; 32],
    /// Bytes, 1 to [`BLOB_BYTES_MAX`].
    pub size: u64,
}

impl Blob {
    /// The root in lower-case hex: the blob's file name in a store.
    pub fn name(&self) -> String {
        hex::encode(self.root)
    }

    /// Root and size, `HEX-SIZE`: whoever may name a blob by a wrong size must not mean the right one.
    pub fn address(&self) -> String {
        format!("{}-{}", self.name(), self.size)
    }

    /// Reads an address.
    pub fn from_address(text: &str) -> Option<Self> {
        let (digits, size) = text.split_once('-')?;
        let mut root = [0; 32];
        hex::decode_to_slice(digits, &mut root).ok()?;
        let size = size.parse().ok()?;
        let blob = Self { root, size };
        (blob.address() == text).then_some(blob)
    }

    /// How many chunks the blob has.
    pub fn chunk_count(&self) -> u32 {
        u32::try_from(self.size.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX)
    }

    /// First byte of a chunk.
    pub fn chunk_start(&self, chunk: u32) -> u64 {
        u64::from(chunk).saturating_mul(CHUNK_BYTES)
    }

    /// Bytes of a chunk: [`CHUNK_BYTES`], less for the last, 0 beyond it.
    pub fn chunk_len(&self, chunk: u32) -> u64 {
        self.size
            .saturating_sub(self.chunk_start(chunk))
            .min(CHUNK_BYTES)
    }
}

/// The verified chunk level of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkTree {
    blob: Blob,
    nodes: Vec<Node>,
}

/// Why bytes are not the chunk level of a blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The blob is empty or larger than [`BLOB_BYTES_MAX`].
    #[error("blob of {0} bytes is empty or larger than 16 GiB")]
    Size(u64),
    /// Not 32 bytes per chunk.
    #[error("chunk level has {actual} bytes, expected {expected}")]
    Length {
        /// 32 bytes per chunk.
        expected: usize,
        /// What came.
        actual: usize,
    },
    /// The nodes don't hash up to the root.
    #[error("chunk level does not match the root")]
    Root,
}

impl ChunkTree {
    /// Reads a chunk level and checks it against the blob's root.
    ///
    /// # Errors
    /// [`TreeError`]; nothing is kept then.
    pub fn parse(blob: Blob, bytes: &[u8]) -> Result<Self, TreeError> {
        if blob.size == 0 || blob.size > BLOB_BYTES_MAX {
            return Err(TreeError::Size(blob.size));
        }
        let count = usize::try_from(blob.chunk_count()).unwrap_or(usize::MAX);
        let (nodes, rest) = bytes.as_chunks::<32>();
        if nodes.len() != count || !rest.is_empty() {
            let expected = count.saturating_mul(32);
            return Err(TreeError::Length {
                expected,
                actual: bytes.len(),
            });
        }
        if root_of(nodes) != Some(blob.root) {
            return Err(TreeError::Root);
        }
        Ok(Self {
            blob,
            nodes: nodes.to_vec(),
        })
    }

    /// The blob it belongs to.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    /// The nodes, 32 bytes each, in order.
    pub fn encode(&self) -> Vec<u8> {
        self.nodes.concat()
    }

    /// Nodes `first` to `first + count`, as far as they exist.
    pub fn nodes(&self, first: u32, count: u32) -> Vec<u8> {
        let skip = usize::try_from(first).unwrap_or(usize::MAX);
        let take = usize::try_from(count).unwrap_or(usize::MAX);
        self.nodes
            .iter()
            .skip(skip)
            .take(take)
            .flatten()
            .copied()
            .collect()
    }

    /// Says whether `bytes` are chunk `index` of the blob.
    pub fn verify(&self, index: u32, bytes: &[u8]) -> bool {
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(expected) = self.nodes.get(position) else {
            return false;
        };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length != self.blob.chunk_len(index) {
            return false;
        }
        node_of(self.nodes.len() == 1, self.blob.chunk_start(index), bytes) == *expected
    }
}

/// The node over one chunk: a subtree's chaining value, or the root itself if it is the only one.
fn node_of(only: bool, start: u64, bytes: &[u8]) -> Node {
    let mut hasher = blake3::Hasher::new();
    if only {
        return *hasher.update(bytes).finalize().as_bytes();
    }
    hasher.set_input_offset(start);
    hasher.update(bytes).finalize_non_root()
}

fn root_of(nodes: &[Node]) -> Option<Node> {
    match nodes {
        [] => None,
        [only] => Some(*only),
        _ => {
            let (left, right) = split(nodes)?;
            let (left, right) = (subtree(left)?, subtree(right)?);
            Some(*hazmat::merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
        }
    }
}

/// Chaining value over several chunks. Depth is at most 16: 2^16 chunks are the largest blob.
fn subtree(nodes: &[Node]) -> Option<Node> {
    match nodes {
        [] => None,
        [only] => Some(*only),
        _ => {
            let (left, right) = split(nodes)?;
            let (left, right) = (subtree(left)?, subtree(right)?);
            Some(hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash))
        }
    }
}

/// The left part is the largest power of two that leaves something on the right.
fn split(nodes: &[Node]) -> Option<(&[Node], &[Node])> {
    let half = nodes.len().div_ceil(2).checked_next_power_of_two()?;
    nodes.split_at_checked(half)
}

/// Computes root and chunk level of a blob as it is read, with one chunk of memory.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    nodes: Vec<Node>,
    first: Option<Node>,
    chunk: Vec<u8>,
    size: u64,
}

impl TreeBuilder {
    /// Starts with an empty blob.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let chunk_bytes = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        while !bytes.is_empty() {
            if self.chunk.len() == chunk_bytes {
                self.close_chunk();
            }
            let room = chunk_bytes.saturating_sub(self.chunk.len());
            let (head, tail) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.chunk.extend_from_slice(head);
            bytes = tail;
        }
    }

    fn close_chunk(&mut self) {
        if self.nodes.is_empty() {
            self.first = Some(node_of(true, 0, &self.chunk));
        }
        if self.chunk.is_empty() {
            return;
        }
        self.nodes.push(node_of(false, self.size, &self.chunk));
        let length = u64::try_from(self.chunk.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(length);
        self.chunk.clear();
    }

    /// Returns the tree. An empty blob has the root of the empty hash and size 0, which no reader
    /// accepts.
    pub fn finish(mut self) -> ChunkTree {
        self.close_chunk();
        if let ([only], Some(first)) = (self.nodes.as_mut_slice(), self.first) {
            *only = first;
        }
        let root = root_of(&self.nodes).or(self.first).unwrap_or_default();
        ChunkTree {
            blob: Blob {
                root,
                size: self.size,
            },
            nodes: self.nodes,
        }
    }
}

#[cfg(test)]
mod tests;
