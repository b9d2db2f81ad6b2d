//! Where a record or a provider entry lies: SHA-256 of its kind's label and its parts.

use std::fmt;

use keys::NodeId;
use sha2::{Digest as _, Sha256};

use super::log_checkpoint::Subject;
use super::mail::Slot;

/// A key of the DHT, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DhtKey([u8; 32]);

impl DhtKey {
    /// `SHA-256("account" || node_id)`
    pub fn account(node_id: &NodeId) -> Self {
        Self::of(&[b"account", node_id.as_bytes()])
    }

    /// `SHA-256("log" || subject)`: where what was seen of a transparency log lies.
    pub fn log_checkpoint(subject: &Subject) -> Self {
        Self::of(&[b"log", subject.to_string().as_bytes()])
    }

    /// `SHA-256("mailbox" || recipient || slot)`
    pub fn mail(recipient: &NodeId, slot: &Slot) -> Self {
        Self::of(&[b"mailbox", recipient.as_bytes(), &slot.0])
    }

    /// `SHA-256("presence" || node_id)`
    pub fn presence(node_id: &NodeId) -> Self {
        Self::of(&[b"presence", node_id.as_bytes()])
    }

    /// `SHA-256("thing" || node_id)`
    pub fn thing(node_id: &NodeId) -> Self {
        Self::of(&[b"thing", node_id.as_bytes()])
    }

    /// `SHA-256("release" || publisher_id || channel)`
    pub fn release_head(publisher_id: &[u8; 32], channel: &str) -> Self {
        Self::of(&[b"release", publisher_id, channel.as_bytes()])
    }

    /// `SHA-256("blob" || root)`: where providers of a blob are announced, one entry per blob.
    pub fn blob(root: &[u8; 32]) -> Self {
        Self::of(&[b"blob", root])
    }

    /// Takes key bytes as they came from the network.
    ///
    /// Returns `None` unless there are 32 of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for DhtKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DhtKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DhtKey({self})")
    }
}
