//! Node ids and account names: how they are formed and written.
//!
//! An account is a P-256 key and a name; its node id is always recomputed from them, never
//! believed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::encoding;
use crate::signing::{KeyError, PublicKey};
use crate::suite::Algorithm;

/// Longest account name in bytes of UTF-8: fits a mail address and a screen line.
pub const ACCOUNT_NAME_BYTES_MAX: usize = 64;

/// Bytes of a node id that [`NodeId::account_id`] shows.
const ACCOUNT_ID_BYTES: usize = 20;

/// Why a name or an id was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// A control character (Unicode category Cc) in a name.
    #[error("account name contains a control character")]
    ControlCharacter,
    /// Not 64 lower-case hex digits.
    #[error("node id must be 64 lower-case hex digits")]
    MalformedNodeId,
    /// Empty, or more than [`ACCOUNT_NAME_BYTES_MAX`] bytes.
    #[error("account name must be 1 to {ACCOUNT_NAME_BYTES_MAX} bytes")]
    NameLength,
    /// White space at the start or the end of a name.
    #[error("account name starts or ends with white space")]
    SurroundingWhiteSpace,
}

/// An account name: 1..=64 bytes of UTF-8, no control characters, no white space around it.
///
/// Compared byte by byte: no case folding, no Unicode normalization, so two names that look alike
/// can differ. People are told apart by node id, never by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

impl AccountName {
    /// Checks and takes over `name`.
    ///
    /// # Errors
    /// [`IdError`] naming the first rule that is broken.
    pub fn parse(name: &str) -> Result<Self, IdError> {
        if name.is_empty() || name.len() > ACCOUNT_NAME_BYTES_MAX {
            return Err(IdError::NameLength);
        }
        if name.chars().any(char::is_control) {
            return Err(IdError::ControlCharacter);
        }
        if name.trim() != name {
            return Err(IdError::SurroundingWhiteSpace);
        }
        Ok(Self(name.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = IdError;

    fn from_str(name: &str) -> Result<Self, IdError> {
        Self::parse(name)
    }
}

impl TryFrom<String> for AccountName {
    type Error = IdError;

    fn try_from(name: String) -> Result<Self, IdError> {
        Self::parse(&name)
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A node id: 32 bytes, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId([u8; 32]);

/// Returns the node id of an account.
///
/// `SHA-256("streembit/node/1" || 33-byte compressed public key || 0x00 || name)`. Nothing is
/// ambiguous in it: the first two parts have fixed lengths.
///
/// # Errors
/// [`KeyError::NotP256`] if `key` isn't a P-256 key.
pub fn node_id(key: &PublicKey, name: &AccountName) -> Result<NodeId, KeyError> {
    if key.algorithm() != Algorithm::P256 {
        return Err(KeyError::NotP256);
    }
    let hash = Sha256::new()
        .chain_update(Context::NodeId.as_bytes())
        .chain_update(key.as_bytes())
        .chain_update([0])
        .chain_update(name.as_str());
    Ok(NodeId(hash.finalize().into()))
}

impl NodeId {
    /// Wraps 32 bytes that were received or stored. Says nothing about whose id it is.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Returns the first 20 bytes as 40 hex digits. For display only: never compare or look up by
    /// it.
    pub fn account_id(&self) -> String {
        hex::encode(self.0.get(..ACCOUNT_ID_BYTES).unwrap_or(&self.0))
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        encoding::from_hex(text)
            .map(Self)
            .ok_or(IdError::MalformedNodeId)
    }
}

impl TryFrom<String> for NodeId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.to_hex()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

#[cfg(test)]
mod tests;
