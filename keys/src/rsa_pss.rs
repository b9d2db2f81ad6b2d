//! RSA public keys that verify RSASSA-PSS with SHA-256: for foreign TUF repositories. We make none.
//!
//! Source: RFC 8017 sections 8.1.2 and 9.1 (salt as long as the digest), RFC 5280 section 4.1.2.7,
//! RFC 4055 section 1.2.

use p256::pkcs8::ObjectIdentifier;
use p256::pkcs8::der::Decode as _;
use p256::pkcs8::der::Error;
use p256::pkcs8::der::asn1::{AnyRef, BitStringRef, UintRef};
use p256::pkcs8::spki::SubjectPublicKeyInfo;
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

use crate::encoding;
use crate::signing::{KeyError, SignatureError};

/// `rsaEncryption`, RFC 8017 appendix A.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const PEM_LABEL: &str = "PUBLIC KEY";
/// Longest PEM looked at: a key of 8192 bits, the longest that is used, takes 1,500 bytes.
const PEM_BYTES_MAX: usize = 2048;

/// Bytes of a modulus: 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// An RSA public key of 2048 to 8192 bits. Equality goes by its DER, which is strict: one key, one text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RsaPublicKey {
    spki: Vec<u8>,
    /// `RSAPublicKey` of RFC 8017 appendix A.1.1, part of `spki`.
    pkcs1: Vec<u8>,
}

impl RsaPublicKey {
    /// Parses PEM SubjectPublicKeyInfo, with or without the last newline.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for other PEM or DER, [`KeyError::Unsupported`] for another algorithm,
    /// [`KeyError::Weak`] for another size.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > PEM_BYTES_MAX {
            return Err(KeyError::Malformed);
        }
        let der = encoding::from_armour(PEM_LABEL, text).ok_or(KeyError::Malformed)?;
        let spki = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(&der)
            .map_err(|_| KeyError::Malformed)?;
        if spki.algorithm.oid != RSA_ENCRYPTION {
            return Err(KeyError::Unsupported);
        }
        // RFC 4055 section 1.2: NULL. With others one key would have many texts (threats M4).
        if spki.algorithm.parameters != Some(AnyRef::NULL) {
            return Err(KeyError::Malformed);
        }
        let key = spki.subject_public_key.as_bytes();
        let key = key.ok_or(KeyError::Malformed)?;
        if !MODULUS_BYTES.contains(&modulus_bytes(key).ok_or(KeyError::Malformed)?) {
            return Err(KeyError::Weak);
        }
        Ok(Self {
            pkcs1: key.to_vec(),
            spki: der.to_vec(),
        })
    }

    /// Returns the PEM SubjectPublicKeyInfo.
    pub fn to_pem(&self) -> String {
        encoding::to_armour(PEM_LABEL, &self.spki)
    }

    /// Verifies a signature of RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`], also for a key or a signature of another size.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &self.pkcs1)
            .verify(message, signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}

/// Bytes of the modulus in an `RSAPublicKey`; `None` if it is none.
fn modulus_bytes(pkcs1: &[u8]) -> Option<usize> {
    let numbers = AnyRef::from_der(pkcs1).ok()?.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        let _exponent = UintRef::decode(reader)?;
        Ok::<_, Error>(modulus.as_bytes().len())
    });
    numbers.ok()
}

#[cfg(test)]
mod tests;
