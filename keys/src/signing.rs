//! Signing and public keys: making, checking, signing, verifying.
//!
//! Does not own text forms of keys (`spki`, `jwk`, `tuf`) or who may sign what (`manifests`).
//! Ed25519 is RFC 8032 with dalek's `verify_strict`; ECDSA P-256/SHA-256 is FIPS 186-5.

mod adopt;
mod digest;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use p256::elliptic_curve::Generate as _;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::encoding;
use crate::secret::Secret;
use crate::suite::Algorithm;

/// Length of a raw signature: Ed25519 `R || S`, P-256 `r || s` (RFC 7518 section 3.4).
pub const RAW_SIGNATURE_BYTES: usize = 64;

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are no point of the curve, or not in the one encoding that we accept.
    #[error("not a valid public key point")]
    InvalidPoint,
    /// Zero, or not below the order of the P-256 group.
    #[error("not a valid secret key")]
    InvalidSecret,
    /// Length that the algorithm doesn't have.
    #[error("wrong key length, expected {expected} bytes")]
    Length {
        /// Length of the canonical encoding.
        expected: usize,
    },
    /// The text isn't the strict form of hex, PEM or JWK that was asked for.
    #[error("malformed key text")]
    Malformed,
    /// A P-256 key is required here.
    #[error("not a P-256 key")]
    NotP256,
    /// Key type, scheme or curve outside [`Algorithm`], or one that contradicts the key.
    #[error("unsupported key type or scheme")]
    Unsupported,
    /// Ed25519 point of small order: one signature would fit almost any message.
    #[error("weak public key")]
    Weak,
}

/// Why a signature was refused. Says nothing about the key or the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Wrong length or encoding, or a component that is zero or not below the group order.
    #[error("malformed signature")]
    Malformed,
    /// Well-formed, but not by this key over this message.
    #[error("signature does not verify")]
    Mismatch,
}

#[derive(Clone)]
enum VerifyingKey {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

/// A checked public key. Equality, order and hash go by algorithm, then canonical bytes, so
/// counting distinct `PublicKey`s counts distinct keys, however they were written.
#[derive(Clone)]
pub struct PublicKey {
    bytes: Vec<u8>,
    key: VerifyingKey,
}

impl PublicKey {
    /// Parses an Ed25519 public key (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// [`KeyError::Length`] unless 32 bytes; [`KeyError::InvalidPoint`] if off the curve or a
    /// second encoding of a point (y not below 2^255 - 19); [`KeyError::Weak`] if of small order.
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] = bytes
            .try_into()
            .map_err(|_| KeyError::Length { expected: 32 })?;
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::InvalidPoint)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::InvalidPoint);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            key: VerifyingKey::Ed25519(key),
        })
    }

    /// Parses a P-256 public key in SEC1 form: 33 bytes (`02`/`03`) or 65 bytes (`04`).
    ///
    /// # Errors
    /// [`KeyError::Length`] for any other length; [`KeyError::InvalidPoint`] for another tag
    /// (hybrid, compact) or a point that is off the curve.
    ///
    /// Source: SEC 1 version 2 section 2.3.4.
    pub fn from_p256_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        match (bytes.len(), bytes.first()) {
            (33, Some(2 | 3)) | (65, Some(4)) => {}
            (33 | 65, _) => return Err(KeyError::InvalidPoint),
            _ => return Err(KeyError::Length { expected: 33 }),
        }
        p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes)
            .map(Self::from_p256)
            .map_err(|_| KeyError::InvalidPoint)
    }

    /// Parses a P-256 public key from 66 lower-case hex digits (compressed SEC1).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] unless 66 lower-case hex digits; [`KeyError::InvalidPoint`] as for
    /// [`PublicKey::from_p256_sec1`].
    pub fn from_p256_hex(text: &str) -> Result<Self, KeyError> {
        let bytes = encoding::from_hex::<33>(text).ok_or(KeyError::Malformed)?;
        Self::from_p256_sec1(&bytes)
    }

    /// Parses the canonical bytes of `algorithm`, see [`PublicKey::to_bytes`].
    ///
    /// # Errors
    /// Those of [`PublicKey::from_ed25519`] and [`PublicKey::from_p256_sec1`]; the 65-byte form is
    /// refused as [`KeyError::Length`].
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Ed25519 => Self::from_ed25519(bytes),
            Algorithm::P256 if bytes.len() != 33 => Err(KeyError::Length { expected: 33 }),
            Algorithm::P256 => Self::from_p256_sec1(bytes),
        }
    }

    pub(crate) fn from_p256(key: p256::ecdsa::VerifyingKey) -> Self {
        let bytes = key.to_sec1_point(true).as_bytes().to_vec();
        Self {
            bytes,
            key: VerifyingKey::P256(key),
        }
    }

    /// Returns the algorithm of the key.
    pub const fn algorithm(&self) -> Algorithm {
        match self.key {
            VerifyingKey::Ed25519(_) => Algorithm::Ed25519,
            VerifyingKey::P256(_) => Algorithm::P256,
        }
    }

    /// Returns the canonical bytes: 32 (Ed25519), or 33 (P-256, compressed SEC1).
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Borrows the bytes of [`PublicKey::to_bytes`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the canonical bytes as lower-case hex: 64 or 66 digits.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.bytes)
    }

    /// Returns the uncompressed SEC1 point (65 bytes) of a P-256 key, `None` for Ed25519.
    pub fn to_p256_uncompressed(&self) -> Option<Vec<u8>> {
        match &self.key {
            VerifyingKey::Ed25519(_) => None,
            VerifyingKey::P256(key) => Some(key.to_sec1_point(false).as_bytes().to_vec()),
        }
    }

    /// Verifies a signature in the form TUF and DSSE use.
    ///
    /// * `message`: the signed bytes, any length.
    /// * `signature`: Ed25519 64 bytes; P-256 DER `SEQUENCE { r, s }`, at most 72 bytes, minimal.
    ///
    /// A P-256 signature with high s is accepted, since foreign signers make them: a signature is
    /// therefore no identity of anything.
    ///
    /// # Errors
    /// [`SignatureError`]; Ed25519 refuses non-canonical S and small-order R, P-256 refuses zero or
    /// too large r and s and any BER that isn't DER.
    ///
    /// Source: RFC 8032 section 5.1.7, FIPS 186-5 section 6.4.2, RFC 3279 section 2.2.3.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match &self.key {
            VerifyingKey::Ed25519(key) => verify_ed25519(key, message, signature),
            VerifyingKey::P256(key) => {
                let parsed = parse_der(signature)?;
                key.verify(message, &parsed)
                    .map_err(|_| SignatureError::Mismatch)
            }
        }
    }

    /// Verifies a signature of exactly 64 bytes: P-256 `r || s` as JOSE uses it; Ed25519 as
    /// [`PublicKey::verify`].
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    ///
    /// Source: RFC 7518 section 3.4, RFC 8037 section 3.1.
    pub fn verify_raw(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match &self.key {
            VerifyingKey::Ed25519(key) => verify_ed25519(key, message, signature),
            VerifyingKey::P256(key) => {
                let parsed = p256::ecdsa::Signature::from_slice(signature)
                    .map_err(|_| SignatureError::Malformed)?;
                key.verify(message, &parsed)
                    .map_err(|_| SignatureError::Mismatch)
            }
        }
    }
}

fn parse_der(signature: &[u8]) -> Result<p256::ecdsa::Signature, SignatureError> {
    let parsed = p256::ecdsa::Signature::from_der(signature);
    let parsed = parsed.map_err(|_| SignatureError::Malformed)?;
    // The parser is strict already; this makes "one signature, one text" independent of it.
    if parsed.to_der().as_bytes() != signature {
        return Err(SignatureError::Malformed);
    }
    Ok(parsed)
}

fn verify_ed25519(
    key: &ed25519_dalek::VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let signature =
        ed25519_dalek::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
    key.verify_strict(message, &signature)
        .map_err(|_| SignatureError::Mismatch)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.algorithm(), &self.bytes).cmp(&(other.algorithm(), &other.bytes))
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.algorithm().hash(state);
        self.bytes.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.to_hex())
    }
}

// Boxed so that a `SigningKey` that is moved leaves no copy of the secret behind on the stack.
enum PrivateKey {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

/// A private key that signs. Wiped when dropped; `Debug` shows the public half alone.
///
/// Cannot be cloned:
/// ```compile_fail,E0277
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<keys::SigningKey>();
/// ```
/// Cannot be serialized:
/// ```compile_fail,E0277
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<keys::SigningKey>();
/// ```
pub struct SigningKey {
    key: PrivateKey,
}

impl SigningKey {
    /// Makes a fresh key from `rng`.
    pub fn generate(algorithm: Algorithm, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let key = match algorithm {
            Algorithm::Ed25519 => {
                PrivateKey::Ed25519(Box::new(ed25519_dalek::SigningKey::generate(rng)))
            }
            Algorithm::P256 => {
                PrivateKey::P256(Box::new(p256::ecdsa::SigningKey::generate_from_rng(rng)))
            }
        };
        Self { key }
    }

    /// Builds the key from its 32 secret bytes: the RFC 8032 seed, or the P-256 scalar
    /// (big-endian).
    ///
    /// # Errors
    /// [`KeyError::InvalidSecret`] if a P-256 scalar is zero or not below the group order.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let key = match algorithm {
            Algorithm::Ed25519 => {
                PrivateKey::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(secret)))
            }
            Algorithm::P256 => p256::ecdsa::SigningKey::from_slice(secret)
                .map(|key| PrivateKey::P256(Box::new(key)))
                .map_err(|_| KeyError::InvalidSecret)?,
        };
        Ok(Self { key })
    }

    /// Returns the algorithm of the key.
    pub const fn algorithm(&self) -> Algorithm {
        match self.key {
            PrivateKey::Ed25519(_) => Algorithm::Ed25519,
            PrivateKey::P256(_) => Algorithm::P256,
        }
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        match &self.key {
            PrivateKey::Ed25519(key) => PublicKey {
                bytes: key.verifying_key().to_bytes().to_vec(),
                key: VerifyingKey::Ed25519(key.verifying_key()),
            },
            PrivateKey::P256(key) => PublicKey::from_p256(*key.verifying_key()),
        }
    }

    /// Signs in the form [`PublicKey::verify`] takes: Ed25519 64 bytes; P-256 DER, low s. The same
    /// key and message always give the same signature (RFC 8032, RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            PrivateKey::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            PrivateKey::P256(key) => sign_p256(key, message).to_der().as_bytes().to_vec(),
        }
    }

    /// Signs in the form [`PublicKey::verify_raw`] takes: 64 bytes; P-256 `r || s`, low s.
    pub fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            PrivateKey::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            PrivateKey::P256(key) => sign_p256(key, message).to_bytes().to_vec(),
        }
    }

    /// Returns the 32 secret bytes that [`SigningKey::from_secret`] takes.
    pub fn secret_bytes(&self) -> Secret {
        Secret::new(match &self.key {
            PrivateKey::Ed25519(key) => Zeroizing::new(key.to_bytes()).to_vec(),
            PrivateKey::P256(key) => Zeroizing::new(key.to_bytes()).to_vec(),
        })
    }
}

fn sign_p256(key: &p256::ecdsa::SigningKey, message: &[u8]) -> p256::ecdsa::Signature {
    let signature: p256::ecdsa::Signature = key.sign(message);
    signature.normalize_s()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
