//! Signatures that were made elsewhere: in a token, by a KMS.

use super::{PublicKey, SignatureError, VerifyingKey};

impl PublicKey {
    /// Brings a signature that a token or a KMS made into the form of [`PublicKey::verify`], verified:
    /// Ed25519 64 bytes; P-256 from DER or `r || s`, to DER with low s.
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    pub fn adopt(&self, message: &[u8], signature: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let adopted = match &self.key {
            VerifyingKey::Ed25519(_) => signature.to_vec(),
            VerifyingKey::P256(_) => {
                let parsed = p256::ecdsa::Signature::from_slice(signature)
                    .or_else(|_| p256::ecdsa::Signature::from_der(signature))
                    .map_err(|_| SignatureError::Malformed)?;
                parsed.normalize_s().to_der().as_bytes().to_vec()
            }
        };
        self.verify(message, &adopted)?;
        Ok(adopted)
    }
}
