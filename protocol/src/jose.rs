//! The strict JOSE profile (RFC 7515, RFC 7516, RFC 7519): JWS compact with ES256; JWE with ECDH-ES+A256KW and
//! A256GCM, compact for one recipient, JSON for several. Nothing else.
//!
//! Headers hold exactly the expected members; the key that signs is the one named by `iss`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub mod jwe;
pub mod jws;

/// Base64url without padding (RFC 7515 section 2).
fn encode_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Canonical base64url without padding.
fn decode_base64url(part: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// Decodes a part that must hold a JSON object: serde would also read a struct from an array.
fn decode_object(part: &[u8]) -> Option<Vec<u8>> {
    let bytes = decode_base64url(part)?;
    (bytes.first() == Some(&b'{')).then_some(bytes)
}
