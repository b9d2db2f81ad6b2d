//! Public keys as SSH writes them (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709), and their fingerprints as
//! `ssh-keygen -l` shows them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{Algorithm, PublicKey};

impl PublicKey {
    /// The name of the algorithm.
    pub const fn ssh_algorithm(&self) -> &'static str {
        match self.algorithm() {
            Algorithm::Ed25519 => "ssh-ed25519",
            Algorithm::P256 => "ecdsa-sha2-nistp256",
        }
    }

    /// The key as it goes over the wire.
    pub fn to_ssh_wire(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.ssh_algorithm().as_bytes());
        match self.to_p256_uncompressed() {
            Some(point) => {
                put(&mut bytes, b"nistp256");
                put(&mut bytes, &point);
            }
            None => put(&mut bytes, self.as_bytes()),
        }
        bytes
    }

    /// As a file has it: the algorithm's name, and [`Self::to_ssh_wire`] in base64.
    pub fn to_ssh_line(&self) -> String {
        let wire = STANDARD.encode(self.to_ssh_wire());
        format!("{} {wire}", self.ssh_algorithm())
    }

    /// `SHA256:` and the base64 of the hash of [`Self::to_ssh_wire`], without padding.
    pub fn ssh_fingerprint(&self) -> String {
        let hash = Sha256::digest(self.to_ssh_wire());
        format!("SHA256:{}", STANDARD_NO_PAD.encode(hash))
    }
}

/// A string with its length before it (RFC 4251 section 5).
fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    // No field is longer than a point.
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}
