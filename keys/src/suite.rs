//! The closed list of signature algorithms and their names.
//!
//! Does not own the arithmetic (see `signing`) or the names that standards use (see `tuf`, `jwk`).

use std::fmt;
use std::str::FromStr;

/// A signature algorithm we make and accept. There is no other, and none is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519, RFC 8032 section 5.1.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, FIPS 186-5 section 6; nonces from RFC 6979.
    P256,
}

impl Algorithm {
    /// Every algorithm, in order.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::P256];

    /// Returns the name used in our command lines and configuration: `ed25519` or `p256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p256",
        }
    }

    /// Returns the length of the canonical public key: 32 bytes, or 33 (compressed SEC1).
    pub const fn public_key_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::P256 => 33,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no [`Algorithm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm, expected ed25519 or p256")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Parses exactly the text of [`Algorithm::name`].
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests;
