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

/// The digest that an entry was signed over; `None` if it is no `hashedrekord` 0.0.2.
pub fn digest(entry: &[u8]) -> Option<Sha256> {
    let json = json::parse(entry).ok()?;
    let data = json
        .member("spec")?
        .member("hashedRekordV002")?
        .member("data")?;
    let digest = STANDARD.decode(data.member("digest")?.as_str()?).ok()?;
    Some(Sha256::new(digest.try_into().ok()?))
}

#[cfg(test)]
mod tests;
