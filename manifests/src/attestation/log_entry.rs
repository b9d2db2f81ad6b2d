//! What the log holds of a signature: Rekor v2's `hashedrekord` 0.0.2, the digest that was signed, the signature and
//! the key. Written as RFC 8785 has it, which for these members is sorted keys and nothing between.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::{Algorithm, PublicKey};

use crate::digest::Sha256;
use crate::json::{self, Json};

/// The name and version of the entries, as a bundle says them.
pub const KIND: (&str, &str) = ("hashedrekord", "0.0.2");

/// The bytes of an entry; `None` unless the key is of P-256: nothing else can be checked with a digest alone.
///
/// * `signature`: DER, over the bytes with this digest.
pub fn hashedrekord(digest: &Sha256, signature: &[u8], key: &PublicKey) -> Option<Vec<u8>> {
    if key.algorithm() != Algorithm::P256 {
        return None;
    }
    let data = Json::object([
        ("algorithm", "SHA2_256".into()),
        ("digest", STANDARD.encode(digest.as_bytes()).as_str().into()),
    ]);
    let public = STANDARD.encode(key.to_spki_der());
    let verifier = Json::object([
        ("keyDetails", "PKIX_ECDSA_P256_SHA_256".into()),
        (
            "publicKey",
            Json::object([("rawBytes", public.as_str().into())]),
        ),
    ]);
    let signature = Json::object([
        ("content", STANDARD.encode(signature).as_str().into()),
        ("verifier", verifier),
    ]);
    let spec = Json::object([("data", data), ("signature", signature)]);
    let (kind, version) = KIND;
    let entry = Json::object([
        ("apiVersion", version.into()),
        ("kind", kind.into()),
        ("spec", Json::object([("hashedRekordV002", spec)])),
    ]);
    Some(json::encode(&entry))
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The digest that was signed.
    pub digest: Sha256,
    /// The signature, DER.
    pub signature: Vec<u8>,
    /// Whose it is said to be.
    pub key: PublicKey,
}

impl LogEntry {
    /// Reads an entry; `None` unless it is as [`hashedrekord`] writes it.
    pub fn parse(entry: &[u8]) -> Option<Self> {
        let json = json::parse(entry).ok()?;
        let spec = json.member("spec")?.member("hashedRekordV002")?;
        let bytes = |json: &Json| STANDARD.decode(json.as_str()?).ok();
        let digest = bytes(spec.member("data")?.member("digest")?)?;
        let signature = spec.member("signature")?;
        let key = signature.member("verifier")?.member("publicKey")?;
        let read = Self {
            digest: Sha256::new(digest.try_into().ok()?),
            signature: bytes(signature.member("content")?)?,
            key: PublicKey::from_spki_der(&bytes(key.member("rawBytes")?)?).ok()?,
        };
        let written = hashedrekord(&read.digest, &read.signature, &read.key)?;
        (written == entry).then_some(read)
    }

    /// Whether the key has signed that digest.
    pub fn is_signed(&self) -> bool {
        let verified = self
            .key
            .verify_sha256(self.digest.as_bytes(), &self.signature);
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests;
