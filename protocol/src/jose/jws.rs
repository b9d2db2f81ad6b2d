//! Signed tokens: `BASE64URL(header) . BASE64URL(claims) . BASE64URL(r || s)`.

use keys::{PublicKey, SigningKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{decode_base64url, decode_object, encode_base64url};
use crate::limits::JWS_HEADER_BYTES_MAX;

/// The only algorithm: ECDSA with P-256 and SHA-256, raw r||s, low s when we sign (RFC 7518 3.4).
const ALGORITHM: &str = "ES256";

/// The claims of every token; `data` is what the kind carries. All members are required, others
/// refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims<D> {
    /// The signer's public key: 33-byte SEC1 compressed P-256, hex.
    pub iss: String,
    /// What the token is about.
    pub sub: String,
    /// For whom it is.
    pub aud: String,
    /// When it was signed, seconds since 1970.
    pub iat: u64,
    /// The first second in which it is void.
    pub exp: u64,
    /// Unique per issuer and kind; records use their sequence number.
    pub jti: String,
    /// The kind's own members.
    pub data: D,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three base64url parts, or too long.
    #[error("not a compact JWS")]
    Shape,
    /// The header is not exactly the expected algorithm and type.
    #[error("JWS header is not alg ES256, typ {0}")]
    Header(String),
    /// The claims are not the expected members.
    #[error("JWS claims: {0}")]
    Claims(String),
    /// `iss` is not a P-256 public key.
    #[error("`iss` is not a P-256 public key")]
    Issuer,
    /// The signature does not verify under `iss`.
    #[error("signature does not verify")]
    Signature,
    /// The key can't sign this profile.
    #[error("only a P-256 key signs ES256")]
    Key,
}

/// Signs claims; `iss` is set to the key's public half.
///
/// # Errors
/// [`JwsError::Key`] for an Ed25519 key, [`JwsError::Claims`] if the data can't be encoded.
pub fn sign<D: Serialize>(
    key: &SigningKey,
    typ: &str,
    mut claims: Claims<D>,
) -> Result<String, JwsError> {
    if key.algorithm() != keys::Algorithm::P256 {
        return Err(JwsError::Key);
    }
    claims.iss = key.public().to_hex();
    let encode_error = |error: serde_json::Error| JwsError::Claims(error.to_string());
    let header = Header {
        alg: ALGORITHM.to_owned(),
        typ: typ.to_owned(),
    };
    let header = serde_json::to_vec(&header).map_err(encode_error)?;
    let claims = serde_json::to_vec(&claims).map_err(encode_error)?;
    let message = format!("{}.{}", encode_base64url(header), encode_base64url(claims));
    let signature = encode_base64url(key.sign_raw(message.as_bytes()));
    Ok(format!("{message}.{signature}"))
}

/// Reads the `typ` of a token without trusting anything in it, to choose a rule.
///
/// # Errors
/// [`JwsError::Shape`] if there is no readable header.
pub fn peek_typ(token: &[u8]) -> Result<String, JwsError> {
    let dot = token
        .iter()
        .position(|byte| *byte == b'.')
        .ok_or(JwsError::Shape)?;
    let header = token.get(..dot).ok_or(JwsError::Shape)?;
    Ok(decode_header(header)?.typ)
}

/// Verifies a token of kind `typ` of at most `length_max` bytes under the key that its `iss` names.
///
/// Neither time nor the meaning of the claims is checked here: see [`Claims::check_time`].
///
/// # Errors
/// [`JwsError`]; no claim is exposed then.
pub fn verify<D: DeserializeOwned>(
    token: &[u8],
    typ: &str,
    length_max: usize,
) -> Result<(Claims<D>, PublicKey), JwsError> {
    if token.len() > length_max {
        return Err(JwsError::Shape);
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(JwsError::Shape);
    };
    let head = decode_header(header)?;
    if head.alg != ALGORITHM || head.typ != typ {
        return Err(JwsError::Header(typ.to_owned()));
    }
    let payload = decode_object(claims).ok_or(JwsError::Shape)?;
    let claims_text: Claims<D> =
        serde_json::from_slice(&payload).map_err(|error| JwsError::Claims(error.to_string()))?;
    let key = PublicKey::from_p256_hex(&claims_text.iss).map_err(|_| JwsError::Issuer)?;
    let signature = decode_base64url(signature).ok_or(JwsError::Shape)?;
    let message_len = header.len().saturating_add(1).saturating_add(claims.len());
    let message = token.get(..message_len).ok_or(JwsError::Shape)?;
    key.verify_raw(message, &signature)
        .map_err(|_| JwsError::Signature)?;
    Ok((claims_text, key))
}

fn decode_header(part: &[u8]) -> Result<Header, JwsError> {
    if part.len() > JWS_HEADER_BYTES_MAX {
        return Err(JwsError::Shape);
    }
    let header = decode_object(part).ok_or(JwsError::Shape)?;
    serde_json::from_slice(&header).map_err(|_| JwsError::Shape)
}

/// Why a token is not valid at a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Void since `exp`.
    #[error("expired at {0}")]
    Expired(u64),
    /// Signed in the future, beyond the allowed clock skew.
    #[error("signed in the future, at {0}")]
    Future(u64),
    /// Lives longer than its kind may.
    #[error("lives {life} s, its kind at most {limit} s")]
    Life {
        /// Seconds from `iat` to `exp`.
        life: u64,
        /// The kind's limit in seconds.
        limit: u64,
    },
}

/// What is known of the time, in seconds since 1970: a moment, or that it is not before one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTime {
    /// It is not earlier.
    pub earliest: u64,
    /// It is not later.
    pub latest: u64,
}

impl From<u64> for KnownTime {
    fn from(now: u64) -> Self {
        Self {
            earliest: now,
            latest: now,
        }
    }
}

impl<D> Claims<D> {
    /// Checks `iat` and `exp` at `now` for a kind that lives at most `limit`.
    ///
    /// # Errors
    /// [`TimeError`] naming the rule.
    pub fn check_time(
        &self,
        now: impl Into<KnownTime>,
        limit: std::time::Duration,
    ) -> Result<(), TimeError> {
        let now = now.into();
        let skew = crate::limits::CLOCK_SKEW.as_secs();
        if self.iat > now.latest.saturating_add(skew) {
            return Err(TimeError::Future(self.iat));
        }
        if now.earliest >= self.exp {
            return Err(TimeError::Expired(self.exp));
        }
        let (life, limit) = (self.exp.saturating_sub(self.iat), limit.as_secs());
        if life > limit {
            return Err(TimeError::Life { life, limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
