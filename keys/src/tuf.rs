//! Public keys as TUF writes them, and TUF key ids.
//!
//! Owns the three strings of a TUF key object and which of their combinations mean a key of ours.
//! Does not own the metadata around them (`manifests`). Source: TUF specification 1.0.34 section
//! 4.2.

use sha2::{Digest as _, Sha256};

use crate::encoding;
use crate::rsa_pss::RsaPublicKey;
use crate::signing::{KeyError, PublicKey, SignatureError};
use crate::suite::Algorithm;

const ED25519: &str = "ed25519";
const ECDSA: &str = "ecdsa";
const ECDSA_P256: &str = "ecdsa-sha2-nistp256";

const RSA: &str = "rsa";
const RSA_PSS: &str = "rsassa-pss-sha256";

/// A key of a TUF role: one of ours, or RSA, which foreign repositories use and we only verify.
/// Equality goes by the key, however it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKey {
    /// Ed25519 or P-256.
    Ours(PublicKey),
    /// RSASSA-PSS with SHA-256.
    RsaPss(RsaPublicKey),
}

impl From<PublicKey> for RoleKey {
    fn from(key: PublicKey) -> Self {
        Self::Ours(key)
    }
}

impl RoleKey {
    /// Parses the three strings of a TUF key object; all three must agree.
    ///
    /// # Errors
    /// As [`PublicKey::from_tuf`] and [`RsaPublicKey::from_pem`].
    pub fn from_tuf(keytype: &str, scheme: &str, public: &str) -> Result<Self, KeyError> {
        if (keytype, scheme) == (RSA, RSA_PSS) {
            return RsaPublicKey::from_pem(public).map(Self::RsaPss);
        }
        PublicKey::from_tuf(keytype, scheme, public).map(Self::Ours)
    }

    /// Returns the key as TUF object.
    pub fn to_tuf(&self) -> TufKey {
        match self {
            Self::Ours(key) => key.to_tuf(),
            Self::RsaPss(key) => TufKey {
                keytype: RSA.to_owned(),
                scheme: RSA_PSS.to_owned(),
                public: key.to_pem(),
            },
        }
    }

    /// Verifies a signature in the form that TUF uses.
    ///
    /// # Errors
    /// As [`PublicKey::verify`] and [`RsaPublicKey::verify`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::Ours(key) => key.verify(message, signature),
            Self::RsaPss(key) => key.verify(message, signature),
        }
    }

    /// Returns the key id, see [`TufKey::id`].
    pub fn id(&self) -> String {
        self.to_tuf().id()
    }

    /// Returns the key if it is one that we make too.
    pub const fn ours(&self) -> Option<&PublicKey> {
        match self {
            Self::Ours(key) => Some(key),
            Self::RsaPss(_) => None,
        }
    }
}

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
