//! Files of OpenBSD's signify(1): an untrusted comment, then base64 of algorithm, key number and bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::PublicKey;
use sha2::{Digest as _, Sha256};

/// Ed25519 over the file itself; also what both tools call such a public key.
pub(super) const PURE: &[u8; 2] = b"Ed";

/// A public key file.
pub fn public_key(key: &PublicKey, product: &str) -> String {
    let line = packet(PURE, key, key.as_bytes());
    format!("untrusted comment: {product} public key\n{line}\n")
}

/// A signature file; signify itself names the key's file in the comment.
pub fn signature(key: &PublicKey, signature: &[u8], product: &str) -> Vec<u8> {
    let line = packet(PURE, key, signature);
    format!("untrusted comment: verify with {product}.signify.pub\n{line}\n").into_bytes()
}

/// Algorithm, key number and bytes in base64.
pub(super) fn packet(algorithm: &[u8; 2], key: &PublicKey, bytes: &[u8]) -> String {
    STANDARD.encode([&algorithm[..], &key_number(key), bytes].concat())
}

/// Both tools draw it at random and use it to tell keys apart; ours follows from the key.
pub(super) fn key_number(key: &PublicKey) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}
