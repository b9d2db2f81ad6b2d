//! Files of minisign(1): signify's form, but the signature is one of the BLAKE2b-512 of the file, and a
//! second one covers it together with a trusted comment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::PublicKey;

use super::Subject;
use super::signify::{self, PURE};

/// Ed25519 over BLAKE2b-512, "prehashed".
const PREHASHED: &[u8; 2] = b"ED";

/// A public key file.
pub fn public_key(key: &PublicKey) -> String {
    let number = u64::from_le_bytes(signify::key_number(key));
    let line = signify::packet(PURE, key, key.as_bytes());
    format!("untrusted comment: minisign public key {number:016X}\n{line}\n")
}

/// What minisign prints when the signature is good.
pub fn trusted_comment(subject: &Subject) -> String {
    let Subject {
        product,
        version,
        file,
    } = subject;
    format!("product:{product}\tversion:{version}\tfile:{file}\thashed")
}

/// What the second signature signs.
pub fn global_message(signature: &[u8], trusted_comment: &str) -> Vec<u8> {
    [signature, trusted_comment.as_bytes()].concat()
}

/// A signature file: `signature` is of the digest, `global` of [`global_message`].
pub fn signature(
    key: &PublicKey,
    signature: &[u8],
    trusted_comment: &str,
    global: &[u8],
) -> Vec<u8> {
    let line = signify::packet(PREHASHED, key, signature);
    let global = STANDARD.encode(global);
    let text = format!(
        "untrusted comment: signature from streembit-publisher\n{line}\n\
         trusted comment: {trusted_comment}\n{global}\n"
    );
    text.into_bytes()
}
