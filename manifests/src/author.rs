//! Encoding and signing of metadata, for publishers.

use keys::{PublicKey, SigningKey};

use crate::json::{Json, canonical, encode_pretty};

/// Signs the canonical form of `signed` with each key and returns the envelope's bytes.
///
/// Key ids are those of TUF 1.0.34 section 4.2: SHA-256 of the key's canonical form.
pub fn sign(signed: Json, signers: &[&SigningKey]) -> Vec<u8> {
    let message = canonical(&signed);
    let signatures = signers
        .iter()
        .map(|key| {
            let signature = hex::encode(key.sign(&message));
            Json::object([
                ("keyid", Json::from(key_id(&key.public()).as_str())),
                ("sig", Json::from(signature.as_str())),
            ])
        })
        .collect();
    encode_pretty(&Json::object([
        ("signatures", Json::Array(signatures)),
        ("signed", signed),
    ]))
}

/// The TUF key id of a key, 64 hex digits.
pub fn key_id(key: &PublicKey) -> String {
    key.to_tuf().id()
}
