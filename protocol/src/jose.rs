//! The strict JOSE profile (RFC 7515, RFC 7519): JWS compact with ES256, nothing else.
//!
//! The header holds `alg` and `typ`, both exactly as expected; the key is the one named by `iss`.
//! Encrypted tokens (JWE) come with sessions.

pub mod jws;
