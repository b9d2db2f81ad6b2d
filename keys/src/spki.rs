//! Public keys as SubjectPublicKeyInfo, in DER and PEM.
//!
//! DER of a fixed key type is a fixed prefix and the key, so this needs no ASN.1 parser: whatever
//! differs in a byte from what we would write is refused. Source: RFC 5280 section 4.1.2.7, RFC
//! 5480 section 2 (P-256, uncompressed), RFC 8410 section 4 (Ed25519), RFC 7468 section 13 (PEM).

use crate::encoding;
use crate::signing::{KeyError, PublicKey};

/// `SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING (32 bytes follow) }`.
const ED25519_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// `SEQUENCE { SEQUENCE { OID id-ecPublicKey, OID prime256v1 }, BIT STRING (65 bytes follow) }`.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const PEM_LABEL: &str = "PUBLIC KEY";

/// Longest PEM looked at: a P-256 key takes 178 bytes.
const PEM_BYTES_MAX: usize = 1024;

impl PublicKey {
    /// Returns the DER SubjectPublicKeyInfo: 44 bytes (Ed25519) or 91 (P-256, uncompressed point).
    pub fn to_spki_der(&self) -> Vec<u8> {
        match self.to_p256_uncompressed() {
            Some(point) => [P256_PREFIX.as_slice(), &point].concat(),
            None => [ED25519_PREFIX.as_slice(), self.as_bytes()].concat(),
        }
    }

    /// Parses exactly what [`PublicKey::to_spki_der`] makes.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for any other algorithm, curve or encoding;
    /// [`KeyError::InvalidPoint`], [`KeyError::Weak`] as for the raw key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Some(key) = der.strip_prefix(&ED25519_PREFIX) {
            return Self::from_ed25519(key);
        }
        match der.strip_prefix(&P256_PREFIX) {
            Some(point) if point.len() == 65 => Self::from_p256_sec1(point),
            _ => Err(KeyError::Unsupported),
        }
    }

    /// Returns the PEM SubjectPublicKeyInfo: LF line ends, 64 columns, exactly one newline at the
    /// end.
    pub fn to_pem(&self) -> String {
        encoding::to_armour(PEM_LABEL, &self.to_spki_der())
    }

    /// Parses what [`PublicKey::to_pem`] makes, with or without the last newline.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for other line lengths, CRLF, text around it, or more than 1024
    /// bytes; else those of [`PublicKey::from_spki_der`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > PEM_BYTES_MAX {
            return Err(KeyError::Malformed);
        }
        let der = encoding::from_armour(PEM_LABEL, text).ok_or(KeyError::Malformed)?;
        Self::from_spki_der(&der)
    }
}

#[cfg(test)]
pub(crate) mod tests;
