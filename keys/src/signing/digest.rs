//! Signing and verifying by the digest of a message that isn't at hand.

use p256::ecdsa::Signature;
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};

use super::{PrivateKey, PublicKey, SignatureError, SigningKey, VerifyingKey, parse_der};

impl PublicKey {
    /// Verifies a P-256 signature in the form of [`PublicKey::verify`] by the digest of the message alone.
    ///
    /// * `sha256`: SHA-256 of the signed bytes.
    ///
    /// # Errors
    /// [`SignatureError`]; Ed25519 needs the message, and is always [`SignatureError::Mismatch`].
    pub fn verify_sha256(&self, sha256: &[u8; 32], signature: &[u8]) -> Result<(), SignatureError> {
        let VerifyingKey::P256(key) = &self.key else {
            return Err(SignatureError::Mismatch);
        };
        let parsed = parse_der(signature)?;
        let verified = key.verify_prehash(sha256, &parsed);
        verified.map_err(|_| SignatureError::Mismatch)
    }
}

impl SigningKey {
    /// Signs as [`SigningKey::sign`] does, by the digest of the message alone; `None` for Ed25519, which needs the
    /// message.
    ///
    /// * `sha256`: SHA-256 of the bytes to be signed.
    pub fn sign_sha256(&self, sha256: &[u8; 32]) -> Option<Vec<u8>> {
        let PrivateKey::P256(key) = &self.key else {
            return None;
        };
        let signature: Signature = key.sign_prehash(sha256).ok()?;
        Some(signature.normalize_s().to_der().as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{Algorithm, SigningKey};

    #[test]
    fn the_digest_stands_for_the_message() {
        let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).unwrap();
        let (public, signature) = (key.public(), key.sign(b"firmware"));
        let digest = |message: &[u8]| Sha256::digest(message).into();
        assert_eq!(
            public.verify_sha256(&digest(b"firmware"), &signature),
            Ok(())
        );
        assert_eq!(
            public.verify_sha256(&digest(b"other"), &signature),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            key.sign_sha256(&digest(b"firmware")),
            Some(signature.clone())
        );
        let padded = [&signature[..], &[0]].concat();
        assert_eq!(
            public.verify_sha256(&digest(b"firmware"), &padded),
            Err(SignatureError::Malformed)
        );
        let other = SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap();
        assert_eq!(other.sign_sha256(&digest(b"firmware")), None);
        let signature = other.sign(b"firmware");
        assert!(
            other
                .public()
                .verify_sha256(&digest(b"firmware"), &signature)
                .is_err()
        );
    }
}
