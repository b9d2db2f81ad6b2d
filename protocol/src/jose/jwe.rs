//! Encrypted tokens (RFC 7516): `ECDH-ES+A256KW` with `A256GCM`.
//!
//! Compact form for one recipient, general JSON form for several. In the latter all share one ephemeral key, in
//! the protected header, and nothing says who or how many they are: entries that nobody can open fill up to a
//! power of two. Who wrote a token is not known from it: what is inside, or around it, is signed.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce};
use aes_kw::KwAes256;
use keys::{AgreementKey, AgreementPublicKey, Jwk, Secret};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{decode_base64url, decode_object, encode_base64url};
use crate::limits::{JWE_HEADER_BYTES_MAX, JWE_RECIPIENTS_MAX, JWE_RECIPIENTS_MIN};

const ALGORITHM: &str = "ECDH-ES+A256KW";
const ENCRYPTION: &str = "A256GCM";
/// Read, never written.
const WEAKER_ENCRYPTION: &str = "A128GCM";
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Bytes of a content key that we make.
const KEY_BYTES: usize = 32;
/// What wrapping adds to a key (RFC 3394 section 2.2.1).
const WRAP_BYTES: usize = 8;

/// Why a token can't be opened or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Not of the form that was asked for, or too long.
    #[error("not a JWE of this form")]
    Shape,
    /// The protected header is not exactly ours.
    #[error(
        "JWE header is not alg {ALGORITHM}, enc {ENCRYPTION} and the expected typ, with an ephemeral key"
    )]
    Header,
    /// Not for this key, or changed on the way.
    #[error("not for this key, or changed")]
    Refused,
    /// More recipients than [`JWE_RECIPIENTS_MAX`], or none.
    #[error("1 to {JWE_RECIPIENTS_MAX} recipients")]
    Recipients,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    enc: String,
    epk: Jwk,
    typ: String,
}

/// RFC 7516 section 7.2.1; without a header for each recipient.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct General {
    protected: String,
    recipients: Vec<Recipient>,
    iv: String,
    ciphertext: String,
    tag: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient {
    encrypted_key: String,
}

/// Encrypts for one recipient, in compact form.
///
/// # Errors
/// [`JweError::Refused`], which no checked key gives.
pub fn seal(
    recipient: &AgreementPublicKey,
    typ: &str,
    plain: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<String, JweError> {
    let sealing = Sealing::new(typ, rng)?;
    let wrapped = encode_base64url(&sealing.wrap_for(recipient)?);
    let [iv, ciphertext, tag] = sealing.encrypt(plain)?;
    let protected = sealing.protected;
    Ok(format!("{protected}.{wrapped}.{iv}.{ciphertext}.{tag}"))
}

/// Decrypts a token in compact form of at most `length_max` bytes.
///
/// # Errors
/// [`JweError`].
pub fn open(
    key: &AgreementKey,
    typ: &str,
    token: &[u8],
    length_max: usize,
) -> Result<Secret, JweError> {
    if token.len() > length_max {
        return Err(JweError::Shape);
    }
    let parts: Vec<&[u8]> = token.splitn(6, |byte| *byte == b'.').collect();
    let [protected, wrapped, iv, ciphertext, tag] = parts[..] else {
        return Err(JweError::Shape);
    };
    let opening = Opening::new(protected, typ)?;
    let wrapping = opening.wrapping_key(key)?;
    let content = opening.unwrap_by(&wrapping, wrapped)?;
    let content = content.ok_or(JweError::Refused)?;
    opening.decrypt(&content, [iv, ciphertext, tag])
}

/// Encrypts for several recipients, in general JSON form, with entries for nobody among them.
///
/// # Errors
/// [`JweError::Recipients`].
pub fn seal_for_all(
    recipients: &[AgreementPublicKey],
    typ: &str,
    plain: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<String, JweError> {
    if recipients.is_empty() || recipients.len() > JWE_RECIPIENTS_MAX {
        return Err(JweError::Recipients);
    }
    let sealing = Sealing::new(typ, rng)?;
    let mut entries = recipients
        .iter()
        .map(|recipient| sealing.wrap_for(recipient))
        .collect::<Result<Vec<_>, _>>()?;
    let count = entries.len().max(JWE_RECIPIENTS_MIN).next_power_of_two();
    entries.resize_with(count, || {
        let mut nobody = vec![0; KEY_BYTES + WRAP_BYTES];
        rng.fill_bytes(&mut nobody);
        nobody
    });
    // In the order of what can't be told from noise, so that no place says anything.
    entries.sort_unstable();
    let [iv, ciphertext, tag] = sealing.encrypt(plain)?;
    let entry = |wrapped: Vec<u8>| Recipient {
        encrypted_key: encode_base64url(&wrapped),
    };
    let general = General {
        protected: sealing.protected,
        recipients: entries.into_iter().map(entry).collect(),
        iv,
        ciphertext,
        tag,
    };
    serde_json::to_string(&general).map_err(|_| JweError::Shape)
}

/// Decrypts a token in general JSON form of at most `length_max` bytes.
///
/// # Errors
/// [`JweError`].
pub fn open_as_one(
    key: &AgreementKey,
    typ: &str,
    token: &[u8],
    length_max: usize,
) -> Result<Secret, JweError> {
    if token.len() > length_max || token.first() != Some(&b'{') {
        return Err(JweError::Shape);
    }
    let general: General = serde_json::from_slice(token).map_err(|_| JweError::Shape)?;
    if general.recipients.len() > JWE_RECIPIENTS_MAX {
        return Err(JweError::Recipients);
    }
    let opening = Opening::new(general.protected.as_bytes(), typ)?;
    let wrapping = opening.wrapping_key(key)?;
    for recipient in &general.recipients {
        if let Some(content) = opening.unwrap_by(&wrapping, recipient.encrypted_key.as_bytes())? {
            let parts = [&general.iv, &general.ciphertext, &general.tag];
            return opening.decrypt(&content, parts.map(|part| part.as_bytes()));
        }
    }
    Err(JweError::Refused)
}

/// What one token is sealed with.
struct Sealing {
    ephemeral: AgreementKey,
    content: Secret,
    nonce: [u8; NONCE_BYTES],
    protected: String,
}

impl Sealing {
    fn new(typ: &str, rng: &mut (impl CryptoRng + ?Sized)) -> Result<Self, JweError> {
        let ephemeral = AgreementKey::generate(rng);
        let mut content = vec![0; KEY_BYTES];
        rng.fill_bytes(&mut content);
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let header = Header {
            alg: ALGORITHM.to_owned(),
            enc: ENCRYPTION.to_owned(),
            epk: ephemeral.public().to_jwk(),
            typ: typ.to_owned(),
        };
        let header = serde_json::to_vec(&header).map_err(|_| JweError::Header)?;
        Ok(Self {
            ephemeral,
            content: Secret::new(content),
            nonce,
            protected: encode_base64url(&header),
        })
    }

    fn wrap_for(&self, recipient: &AgreementPublicKey) -> Result<Vec<u8>, JweError> {
        let wrapping = key_wrapping(&self.ephemeral, recipient)?;
        let mut wrapped = vec![0; KEY_BYTES + WRAP_BYTES];
        wrapping
            .wrap_key(self.content.expose(), &mut wrapped)
            .map_err(|_| JweError::Refused)?;
        Ok(wrapped)
    }

    /// Nonce, ciphertext and tag.
    fn encrypt(&self, plain: &[u8]) -> Result<[String; 3], JweError> {
        let payload = Payload {
            msg: plain,
            aad: self.protected.as_bytes(),
        };
        let sealed = Aes256Gcm::new_from_slice(self.content.expose())
            .ok()
            .and_then(|cipher| cipher.encrypt(&Nonce::from(self.nonce), payload).ok())
            .ok_or(JweError::Refused)?;
        let (ciphertext, tag) = sealed
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(JweError::Refused)?;
        Ok([&self.nonce[..], ciphertext, tag].map(encode_base64url))
    }
}

/// A checked header.
struct Opening<'a> {
    protected: &'a [u8],
    ephemeral: AgreementPublicKey,
    /// Bytes of the content key.
    key_bytes: usize,
}

impl<'a> Opening<'a> {
    fn new(protected: &'a [u8], typ: &str) -> Result<Self, JweError> {
        if protected.len() > JWE_HEADER_BYTES_MAX {
            return Err(JweError::Shape);
        }
        let header = decode_object(protected).ok_or(JweError::Shape)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| JweError::Header)?;
        let key_bytes = match header.enc.as_str() {
            ENCRYPTION => KEY_BYTES,
            WEAKER_ENCRYPTION => KEY_BYTES / 2,
            _ => return Err(JweError::Header),
        };
        if header.alg != ALGORITHM || header.typ != typ {
            return Err(JweError::Header);
        }
        Ok(Self {
            protected,
            ephemeral: AgreementPublicKey::from_jwk(header.epk).map_err(|_| JweError::Header)?,
            key_bytes,
        })
    }

    fn wrapping_key(&self, key: &AgreementKey) -> Result<KwAes256, JweError> {
        key_wrapping(key, &self.ephemeral)
    }

    /// The content key; `None` if it was wrapped for another.
    fn unwrap_by(&self, wrapping: &KwAes256, wrapped: &[u8]) -> Result<Option<Secret>, JweError> {
        let wrapped = decode_base64url(wrapped).ok_or(JweError::Shape)?;
        if wrapped.len() != self.key_bytes.saturating_add(WRAP_BYTES) {
            return Err(JweError::Shape);
        }
        let mut content = vec![0; self.key_bytes];
        let is_ours = wrapping.unwrap_key(&wrapped, &mut content).is_ok();
        let content = Secret::new(content);
        Ok(is_ours.then_some(content))
    }

    fn decrypt(&self, content: &Secret, parts: [&[u8]; 3]) -> Result<Secret, JweError> {
        let [nonce, ciphertext, tag] = parts.map(decode_base64url);
        let (Some(nonce), Some(mut sealed), Some(tag)) = (nonce, ciphertext, tag) else {
            return Err(JweError::Shape);
        };
        let Ok(nonce) = <[u8; NONCE_BYTES]>::try_from(nonce) else {
            return Err(JweError::Shape);
        };
        if tag.len() != TAG_BYTES {
            return Err(JweError::Shape);
        }
        sealed.extend(tag);
        let payload = Payload {
            msg: &sealed,
            aad: self.protected,
        };
        let nonce = Nonce::from(nonce);
        let key = content.expose();
        let plain = if self.key_bytes == KEY_BYTES {
            let cipher = Aes256Gcm::new_from_slice(key).ok();
            cipher.and_then(|cipher| cipher.decrypt(&nonce, payload).ok())
        } else {
            let cipher = Aes128Gcm::new_from_slice(key).ok();
            cipher.and_then(|cipher| cipher.decrypt(&nonce, payload).ok())
        };
        plain.map(Secret::new).ok_or(JweError::Refused)
    }
}

fn key_wrapping(ours: &AgreementKey, theirs: &AgreementPublicKey) -> Result<KwAes256, JweError> {
    let shared = ours.agree(theirs).map_err(|_| JweError::Refused)?;
    let key = concat_kdf(shared.expose(), ALGORITHM, [&[], &[]], 256);
    KwAes256::new_from_slice(key.expose()).map_err(|_| JweError::Refused)
}

/// RFC 7518 section 4.6.2: one round of SHA-256.
///
/// * `parties`: `apu` and `apv`, which our tokens don't have.
/// * `bits`: that the key is said to have; the caller takes as many.
fn concat_kdf(shared: &[u8], algorithm: &str, parties: [&[u8]; 2], bits: u32) -> Secret {
    let mut hasher = Sha256::new();
    hasher.update(1_u32.to_be_bytes());
    hasher.update(shared);
    for field in [algorithm.as_bytes(), parties[0], parties[1]] {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        hasher.update(length.to_be_bytes());
        hasher.update(field);
    }
    hasher.update(bits.to_be_bytes());
    Secret::new(hasher.finalize().to_vec())
}

#[cfg(test)]
mod tests;
