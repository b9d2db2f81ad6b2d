//! Public keys as JSON Web Keys, and their thumbprint.
//!
//! Only the members that make up the key exist here (RFC 7638 section 3.2): no `kid`, `use`, `alg`,
//! and never a private `d`. Source: RFC 7517, RFC 7518 section 6.2 (EC), RFC 8037 section 2 (OKP).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encoding;
use crate::signing::{KeyError, PublicKey};

/// Longest JWK text looked at; ours take at most 126 bytes.
pub const JWK_BYTES_MAX: usize = 1024;

/// A public key as JWK. `Display` is its JSON text, members in RFC 7638 order (`crv`, `kty`, `x`,
/// `y`) without white space; serde writes and reads the same members inside a larger document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Members", into = "Members")]
pub struct Jwk(PublicKey);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    crv: String,
    kty: String,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Jwk {
    /// Returns the key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.0
    }

    /// Returns the key, giving up the wrapper.
    pub fn into_public_key(self) -> PublicKey {
        self.0
    }

    /// Returns the RFC 7638 thumbprint: base64url (43 characters) of SHA-256 of the JSON text.
    pub fn thumbprint(&self) -> String {
        encoding::to_base64url(&Sha256::digest(self.to_string()))
    }
}

impl fmt::Display for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Members { crv, kty, x, y } = self.clone().into();
        write!(f, r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}""#)?;
        if let Some(y) = y {
            write!(f, r#","y":"{y}""#)?;
        }
        f.write_str("}")
    }
}

impl From<Jwk> for Members {
    fn from(Jwk(key): Jwk) -> Self {
        let point = key.to_p256_uncompressed();
        let coordinates = point
            .as_deref()
            .and_then(|point| point.get(1..)?.split_at_checked(32));
        match coordinates {
            Some((x, y)) => Self {
                crv: "P-256".to_owned(),
                kty: "EC".to_owned(),
                x: encoding::to_base64url(x),
                y: Some(encoding::to_base64url(y)),
            },
            None => Self {
                crv: "Ed25519".to_owned(),
                kty: "OKP".to_owned(),
                x: encoding::to_base64url(key.as_bytes()),
                y: None,
            },
        }
    }
}

impl TryFrom<Members> for Jwk {
    type Error = KeyError;

    fn try_from(members: Members) -> Result<Self, KeyError> {
        let x = || encoding::from_base64url::<32>(&members.x).ok_or(KeyError::Malformed);
        match (members.kty.as_str(), members.crv.as_str(), &members.y) {
            ("EC", "P-256", Some(y)) => {
                let y = encoding::from_base64url::<32>(y).ok_or(KeyError::Malformed)?;
                PublicKey::from_p256_sec1(&[[4].as_slice(), &x()?, &y].concat()).map(Self)
            }
            ("OKP", "Ed25519", None) => PublicKey::from_ed25519(&x()?).map(Self),
            ("EC", "P-256", None) | ("OKP", "Ed25519", Some(_)) => Err(KeyError::Malformed),
            _ => Err(KeyError::Unsupported),
        }
    }
}

impl PublicKey {
    /// Returns the key as JWK.
    pub fn to_jwk(&self) -> Jwk {
        Jwk(self.clone())
    }

    /// Parses a JWK of at most [`JWK_BYTES_MAX`] bytes. Member order and white space are free.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it isn't JSON, has an unknown, repeated or missing member, or an
    /// `x` or `y` that isn't 32 bytes of unpadded base64url; [`KeyError::Unsupported`] for other
    /// key types and curves; [`KeyError::InvalidPoint`], [`KeyError::Weak`] as for the raw key.
    pub fn from_jwk(text: &str) -> Result<Self, KeyError> {
        if text.len() > JWK_BYTES_MAX {
            return Err(KeyError::Malformed);
        }
        let members: Members = serde_json::from_str(text).map_err(|_| KeyError::Malformed)?;
        Jwk::try_from(members).map(Jwk::into_public_key)
    }

    /// Returns the RFC 7638 thumbprint, see [`Jwk::thumbprint`].
    pub fn thumbprint(&self) -> String {
        self.to_jwk().thumbprint()
    }
}

#[cfg(test)]
mod tests;
