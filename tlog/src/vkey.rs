//! Keys that sign notes, as text: `name+keyid+base64(type ‖ key)` (C2SP signed-note).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::PublicKey;
use sha2::{Digest as _, Sha256};

use crate::limits::{KEY_BYTES_MAX, NAME_BYTES_MAX};

/// `0x01`: Ed25519 over the text of a note.
const ED25519: u8 = 0x01;
/// `0x04`: Ed25519 over a time and the text of a checkpoint.
const COSIGNATURE: u8 = 0x04;

/// What a key signs, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// A note, as logs do.
    Note(PublicKey),
    /// That a checkpoint is consistent with all that were seen before, at a time: as witnesses do.
    Cosignature(PublicKey),
    /// Something that is not verified here, such as ML-DSA-44 (`0x06`): its lines are kept and count for nothing.
    Unknown {
        /// The type.
        kind: u8,
        /// The key.
        key: Vec<u8>,
    },
}

/// A key, and the name that is said to belong to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    name: String,
    scheme: Scheme,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Not three parts, or one of them is malformed.
    #[error("not a key of a note: name+keyid+base64")]
    Shape,
    /// Empty, too long, or with spaces or a plus.
    #[error(
        "the name of a key has 1 to {NAME_BYTES_MAX} bytes, no spaces, no plus and no control characters"
    )]
    Name,
    /// The id isn't that of the name and the key.
    #[error("the id of the key does not belong to its name and key")]
    Id,
    /// No valid key of its type.
    #[error("not a valid public key of its type")]
    Key,
}

/// Whether a key may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '+';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_plain)
}

impl VerifierKey {
    /// A key with a name.
    ///
    /// # Errors
    /// [`VkeyError::Name`]; [`VkeyError::Key`] unless it is an Ed25519 key.
    pub fn new(name: &str, scheme: Scheme) -> Result<Self, VkeyError> {
        if !is_name(name) {
            return Err(VkeyError::Name);
        }
        let (kind, key) = scheme.parts();
        // A key of a known type is only known as such.
        if Scheme::from_parts(kind, key)? != scheme {
            return Err(VkeyError::Key);
        }
        Ok(Self {
            name: name.to_owned(),
            scheme,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// `SHA-256(name ‖ 0x0A ‖ type ‖ key)`, all of it: what Rekor calls the id of a log.
    pub fn long_id(&self) -> [u8; 32] {
        let (kind, key) = self.scheme.parts();
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', kind])
            .chain_update(key);
        hash.finalize().into()
    }

    /// The first 32 bits of [`Self::long_id`].
    pub fn id(&self) -> u32 {
        let [a, b, c, d, ..] = self.long_id();
        u32::from_be_bytes([a, b, c, d])
    }
}

impl Scheme {
    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Note(key) => (ED25519, key.as_bytes()),
            Self::Cosignature(key) => (COSIGNATURE, key.as_bytes()),
            Self::Unknown { kind, key } => (*kind, key),
        }
    }

    fn from_parts(kind: u8, key: &[u8]) -> Result<Self, VkeyError> {
        let ed25519 = || PublicKey::from_ed25519(key).map_err(|_| VkeyError::Key);
        match kind {
            ED25519 => ed25519().map(Self::Note),
            COSIGNATURE => ed25519().map(Self::Cosignature),
            _ => Ok(Self::Unknown {
                kind,
                key: key.to_vec(),
            }),
        }
    }

    /// The bytes of the key itself, whatever it is used for: whoever has it twice counts once.
    pub fn key(&self) -> &[u8] {
        self.parts().1
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = self.scheme.parts();
        let key = STANDARD.encode([&[kind], key].concat());
        write!(formatter, "{}+{:08x}+{key}", self.name, self.id())
    }
}

impl FromStr for VerifierKey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        // Base64 may hold a plus, names may not.
        let (name, rest) = text.split_once('+').ok_or(VkeyError::Shape)?;
        let (id, key) = rest.split_once('+').ok_or(VkeyError::Shape)?;
        if key.len() > KEY_BYTES_MAX.saturating_mul(2) {
            return Err(VkeyError::Key);
        }
        let bytes = STANDARD.decode(key).map_err(|_| VkeyError::Shape)?;
        let (kind, bytes) = bytes.split_first().ok_or(VkeyError::Shape)?;
        let key = Self::new(name, Scheme::from_parts(*kind, bytes)?)?;
        if format!("{:08x}", key.id()) == id {
            Ok(key)
        } else {
            Err(VkeyError::Id)
        }
    }
}

#[cfg(test)]
mod tests;
