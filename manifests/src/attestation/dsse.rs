//! DSSE 1.0.2: a payload, its type, and one signature over both.
//!
//! The key's id is a hint that nobody signs; it is the SSH fingerprint, the one form that cosign, sigstore-js and
//! securesystemslib all take.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::PublicKey;

use super::bundle::BundleError;
use crate::digest::Sha256;
use crate::json::{Json, JsonError, wrong};
use crate::limits::{PAYLOAD_BYTES_MAX, SIGNATURE_BYTES_MAX};

/// The type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What is signed: `DSSEv1 LENGTH TYPE LENGTH PAYLOAD`, lengths in bytes.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

/// A payload and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The payload: what is verified is what is parsed.
    pub payload: Vec<u8>,
    /// The signature over [`pae`], DER.
    pub signature: Vec<u8>,
    /// The hint which key it is of.
    pub key_hint: String,
}

impl Envelope {
    /// What the signature is over.
    pub fn message(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// The digest that the log holds: SHA-256 of [`Self::message`].
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&self.message())
    }

    /// Puts a signature beside its payload.
    pub fn new(payload_type: &str, payload: Vec<u8>, key: &PublicKey, signature: Vec<u8>) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload,
            signature,
            key_hint: key.ssh_fingerprint(),
        }
    }

    /// Whether a key has signed it.
    ///
    /// # Errors
    /// [`BundleError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), BundleError> {
        let verified = key.verify(&self.message(), &self.signature);
        verified.map_err(|_| BundleError::Signature)
    }

    /// As sigstore and securesystemslib read it.
    pub fn to_json(&self) -> Json {
        let signature = Json::object([
            ("sig", STANDARD.encode(&self.signature).as_str().into()),
            ("keyid", self.key_hint.as_str().into()),
        ]);
        Json::object([
            ("payload", STANDARD.encode(&self.payload).as_str().into()),
            ("payloadType", self.payload_type.as_str().into()),
            ("signatures", Json::Array(vec![signature])),
        ])
    }

    /// Reads an envelope with exactly one signature.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn from_json(json: &Json) -> Result<Self, JsonError> {
        let [signature] = json.items("signatures", 1)? else {
            return Err(wrong("signatures", "exactly one"));
        };
        let key_hint = match signature.member("keyid") {
            Some(hint) => hint.as_str().ok_or_else(|| wrong("keyid", "a string"))?,
            None => "",
        };
        Ok(Self {
            payload_type: json.string("payloadType")?.to_owned(),
            payload: base64_member(json, "payload", PAYLOAD_BYTES_MAX)?,
            signature: base64_member(signature, "sig", SIGNATURE_BYTES_MAX)?,
            key_hint: key_hint.to_owned(),
        })
    }
}

/// A member that is base64 of at most `limit` bytes.
pub(super) fn base64_member(
    json: &Json,
    name: &'static str,
    limit: usize,
) -> Result<Vec<u8>, JsonError> {
    let text = json.string(name)?;
    let bytes = STANDARD.decode(text).map_err(|_| wrong(name, "base64"))?;
    if bytes.len() > limit {
        return Err(wrong(name, "of allowed length"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
