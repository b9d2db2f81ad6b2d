//! Public keys as TUF writes them, and TUF key ids.
//!
//! Owns the three strings of a TUF key object and which of their combinations mean a key of ours.
//! Does not own the metadata around them (`manifests`). Source: TUF specification 1.0.34 section
//! 4.2.

use sha2::{Digest as _, Sha256};

use crate::encoding;
use crate::signing::{KeyError, PublicKey};
use crate::suite::Algorithm;

const ED25519: &str = "ed25519";
const ECDSA: &str = "ecdsa";
const ECDSA_P256: &str = "ecdsa-sha2-nistp256";

/// A TUF key object. The strings are kept as they were written, since the key id is a hash of them:
/// a PEM with and one without its last newline are one key under two ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TufKey {
    /// `keytype`.
    pub keytype: String,
    /// `scheme`.
    pub scheme: String,
    /// `keyval.public`.
    pub public: String,
}

impl TufKey {
    /// Returns the key id: 64 lower-case hex digits of SHA-256 over the OLPC canonical JSON
    /// `{"keytype":..,"keyval":{"public":..},"scheme":..}`.
    pub fn id(&self) -> String {
        let json = [
            r#"{"keytype":"#,
            &olpc_string(&self.keytype),
            r#","keyval":{"public":"#,
            &olpc_string(&self.public),
            r#"},"scheme":"#,
            &olpc_string(&self.scheme),
            "}",
        ]
        .concat();
        hex::encode(Sha256::digest(json))
    }

    /// Returns the key that the strings mean.
    ///
    /// # Errors
    /// As [`PublicKey::from_tuf`].
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_tuf(&self.keytype, &self.scheme, &self.public)
    }
}

/// OLPC canonical JSON escapes the backslash and the quote, nothing else: newlines stay raw.
fn olpc_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

impl PublicKey {
    /// Returns the key as TUF object: Ed25519 as 64 lower-case hex digits, P-256 as PEM with
    /// exactly one newline at the end.
    pub fn to_tuf(&self) -> TufKey {
        let (keytype, scheme, public) = match self.algorithm() {
            Algorithm::Ed25519 => (ED25519, ED25519, self.to_hex()),
            Algorithm::P256 => (ECDSA, ECDSA_P256, self.to_pem()),
        };
        TufKey {
            keytype: keytype.to_owned(),
            scheme: scheme.to_owned(),
            public,
        }
    }

    /// Parses the three strings of a TUF key object; all three must agree. The legacy key type
    /// `ecdsa-sha2-nistp256` of older metadata is read as `ecdsa`.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for any other key type or scheme and for a PEM of another
    /// algorithm or curve; [`KeyError::Malformed`] if `public` isn't in the form of the key type;
    /// [`KeyError::InvalidPoint`], [`KeyError::Weak`] as for the raw key.
    pub fn from_tuf(keytype: &str, scheme: &str, public: &str) -> Result<Self, KeyError> {
        match (keytype, scheme) {
            (ED25519, ED25519) => {
                let bytes = encoding::from_hex::<32>(public).ok_or(KeyError::Malformed)?;
                Self::from_ed25519(&bytes)
            }
            (ECDSA | ECDSA_P256, ECDSA_P256) => {
                let key = Self::from_pem(public)?;
                match key.algorithm() {
                    Algorithm::P256 => Ok(key),
                    Algorithm::Ed25519 => Err(KeyError::Unsupported),
                }
            }
            _ => Err(KeyError::Unsupported),
        }
    }
}

#[cfg(test)]
mod tests;
