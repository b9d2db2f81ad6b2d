//! Charters: who founded a private network and who administers it. Only the founder signs one.

use std::collections::BTreeSet;

use keys::{AccountName, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use super::id::{AUDIENCE, NONCE_BYTES, NetworkId, NetworkName, TokenDigest, decode_hex};
use crate::jose::jws::{self, Claims, JwsError, TimeError};
use crate::limits::{CHARTER_BYTES_MAX, NETWORK_ADMINS_MAX, NETWORK_LIFE_MAX};

/// `typ` of a charter.
pub const TYP: &str = "streembit-charter";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CharterData {
    name: NetworkName,
    nonce: String,
    seq: u64,
    admins: Vec<AdminData>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminData {
    key: String,
    name: AccountName,
}

/// Who may say who is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The account's key.
    pub key: PublicKey,
    /// The account's name.
    pub name: AccountName,
}

/// What a founder signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The network's name.
    pub name: NetworkName,
    /// The random part of its id.
    pub nonce: [u8; NONCE_BYTES],
    /// Grows with every charter.
    pub seq: u64,
    /// The founder first, then others; at most [`NETWORK_ADMINS_MAX`], each key once.
    pub admins: Vec<Admin>,
}

/// A verified charter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charter {
    /// The network's id, computed from the rest.
    pub network: NetworkId,
    /// Who signed it.
    pub founder: PublicKey,
    /// What it says.
    pub terms: Terms,
    /// First second in which it is void.
    pub expires: u64,
    /// By what member lists refer to it.
    pub digest: TokenDigest,
}

/// Why a charter is not accepted or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// Not a valid token.
    #[error("charter: {0}")]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error("charter: {0}")]
    Time(#[from] TimeError),
    /// The nonce is malformed.
    #[error("charter: nonce is not 32 lower-case hex digits")]
    Nonce,
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("charter: claims `sub`, `aud` or `jti` are not those of this network")]
    Claims,
    /// Not the founder first, too many, or one twice.
    #[error("charter: admins are not the founder and at most 15 others, each once")]
    Admins,
}

/// Signs a charter at `now` (seconds since 1970), for as long as one may live.
///
/// # Errors
/// [`CharterError`] if the result would not verify.
pub fn sign(founder: &SigningKey, terms: &Terms, now: u64) -> Result<String, CharterError> {
    let network = NetworkId::new(&founder.public(), &terms.nonce, &terms.name);
    let admins = terms.admins.iter().map(|admin| AdminData {
        key: admin.key.to_hex(),
        name: admin.name.clone(),
    });
    let claims = Claims {
        iss: String::new(),
        sub: network.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(NETWORK_LIFE_MAX.as_secs()),
        jti: terms.seq.to_string(),
        data: CharterData {
            name: terms.name.clone(),
            nonce: hex::encode(terms.nonce),
            seq: terms.seq,
            admins: admins.collect(),
        },
    };
    let token = jws::sign(founder, TYP, claims)?;
    verify_at(&token, now)?;
    Ok(token)
}

/// Verifies a charter that was taken before, whatever the time.
///
/// # Errors
/// [`CharterError`] naming the rule.
pub fn verify(token: &str) -> Result<Charter, CharterError> {
    Ok(read(token)?.1)
}

/// Verifies a charter and checks that it is valid at `now`.
///
/// # Errors
/// [`CharterError`] naming the rule.
pub fn verify_at(token: &str, now: u64) -> Result<Charter, CharterError> {
    let (claims, charter) = read(token)?;
    claims.check_time(now, NETWORK_LIFE_MAX)?;
    Ok(charter)
}

fn read(token: &str) -> Result<(Claims<CharterData>, Charter), CharterError> {
    let (claims, founder) = jws::verify::<CharterData>(token.as_bytes(), TYP, CHARTER_BYTES_MAX)?;
    let data = &claims.data;
    let nonce = decode_hex(&data.nonce).ok_or(CharterError::Nonce)?;
    let network = NetworkId::new(&founder, &nonce, &data.name);
    let expected = (network.to_string(), AUDIENCE, data.seq.to_string());
    if (claims.sub.clone(), claims.aud.as_str(), claims.jti.clone()) != expected {
        return Err(CharterError::Claims);
    }
    let admins = admins(&data.admins)?;
    if admins.first().is_none_or(|admin| admin.key != founder) {
        return Err(CharterError::Admins);
    }
    let charter = Charter {
        network,
        founder,
        terms: Terms {
            name: data.name.clone(),
            nonce,
            seq: data.seq,
            admins,
        },
        expires: claims.exp,
        digest: TokenDigest::of(token),
    };
    Ok((claims, charter))
}

fn admins(data: &[AdminData]) -> Result<Vec<Admin>, CharterError> {
    let admin = |data: &AdminData| {
        Ok(Admin {
            key: PublicKey::from_p256_hex(&data.key).map_err(|_| CharterError::Admins)?,
            name: data.name.clone(),
        })
    };
    if data.len() > NETWORK_ADMINS_MAX {
        return Err(CharterError::Admins);
    }
    let admins: Vec<Admin> = data
        .iter()
        .map(admin)
        .collect::<Result<_, CharterError>>()?;
    let distinct: BTreeSet<&PublicKey> = admins.iter().map(|admin| &admin.key).collect();
    if distinct.len() != admins.len() {
        return Err(CharterError::Admins);
    }
    Ok(admins)
}

impl Charter {
    /// Whether it names `key` as an admin; the founder always is one.
    pub fn has_admin(&self, key: &PublicKey) -> bool {
        self.terms.admins.iter().any(|admin| admin.key == *key)
    }

    /// Whether `self` replaces `held`: the higher sequence wins, at equal ones the lower digest, so that all nodes
    /// end with the same.
    pub fn replaces(&self, held: &Self) -> bool {
        (self.terms.seq, held.digest) > (held.terms.seq, self.digest)
    }
}
