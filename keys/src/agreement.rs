//! Agreeing on a secret: ECDH on P-256, with keys of accounts and with keys that live for one message
//! or session. They are other keys than those that sign: no key is shared between formats.

use std::fmt;

use hkdf::Hkdf;
use p256::elliptic_curve::Generate as _;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::jwk::Jwk;
use crate::secret::Secret;
use crate::signing::{KeyError, PublicKey, SigningKey};
use crate::suite::Algorithm;

/// A private key for agreement alone. Wiped when dropped.
pub struct AgreementKey(Box<p256::SecretKey>);

/// The public half, as 66 lower-case hex digits in documents (compressed SEC1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgreementPublicKey(PublicKey);

impl AgreementKey {
    /// Makes a fresh key from `rng`.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(Box::new(p256::SecretKey::generate_from_rng(rng)))
    }

    /// The agreement key of an account, which follows from its signing key: one backup holds both.
    ///
    /// `HKDF-SHA256(secret, info = "streembit/agreement/1" || counter)`, the first counter from 0 that gives a
    /// scalar; 0 does but for one key in 2^32.
    ///
    /// # Errors
    /// [`KeyError::NotP256`] if `account` isn't a P-256 key.
    pub fn of_account(account: &SigningKey) -> Result<Self, KeyError> {
        if account.algorithm() != Algorithm::P256 {
            return Err(KeyError::NotP256);
        }
        let secret = account.secret_bytes();
        let kdf = Hkdf::<Sha256>::new(None, secret.expose());
        let mut scalar = Zeroizing::new([0; 32]);
        for counter in 0..=u8::MAX {
            kdf.expand_multi_info(&[Context::Agreement.as_bytes(), &[counter]], &mut *scalar)
                .map_err(|_| KeyError::InvalidSecret)?;
            if let Ok(key) = p256::SecretKey::from_slice(&*scalar) {
                return Ok(Self(Box::new(key)));
            }
        }
        Err(KeyError::InvalidSecret)
    }

    /// Returns the public half.
    pub fn public(&self) -> AgreementPublicKey {
        AgreementPublicKey(PublicKey::from_p256(self.0.public_key().into()))
    }

    /// Returns the 32 bytes of the scalar, big-endian.
    pub fn secret_bytes(&self) -> Secret {
        Secret::new(Zeroizing::new(self.0.to_bytes()).to_vec())
    }

    /// Returns the x-coordinate of the common point, 32 bytes: input of a key derivation, never a key.
    ///
    /// # Errors
    /// [`KeyError::InvalidPoint`], which no checked key gives.
    ///
    /// Source: NIST SP 800-56A section 5.7.1.2, RFC 7518 section 4.6.2.
    pub fn agree(&self, other: &AgreementPublicKey) -> Result<Secret, KeyError> {
        let point = p256::PublicKey::from_sec1_bytes(other.as_bytes())
            .map_err(|_| KeyError::InvalidPoint)?;
        let shared = p256::ecdh::diffie_hellman(self.0.to_nonzero_scalar(), point.as_affine());
        Ok(Secret::new(shared.raw_secret_bytes().to_vec()))
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgreementKey")
            .field("public", &self.public())
            .finish_non_exhaustive()
    }
}

impl AgreementPublicKey {
    /// Parses the 33 bytes of a compressed point.
    ///
    /// # Errors
    /// As [`PublicKey::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_bytes(Algorithm::P256, bytes).map(Self)
    }

    /// Borrows the 33 bytes of the compressed point.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns the key as JWK.
    pub fn to_jwk(&self) -> Jwk {
        self.0.to_jwk()
    }

    /// Takes the key of a JWK.
    ///
    /// # Errors
    /// [`KeyError::NotP256`].
    pub fn from_jwk(jwk: Jwk) -> Result<Self, KeyError> {
        let key = jwk.into_public_key();
        if key.algorithm() != Algorithm::P256 {
            return Err(KeyError::NotP256);
        }
        Ok(Self(key))
    }
}

impl TryFrom<String> for AgreementPublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        PublicKey::from_p256_hex(&text).map(Self)
    }
}

impl From<AgreementPublicKey> for String {
    fn from(key: AgreementPublicKey) -> Self {
        key.0.to_hex()
    }
}

#[cfg(test)]
mod tests;
