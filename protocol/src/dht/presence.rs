//! Presence: where an account can be reached, readable by its contacts alone.
//!
//! The addresses are a JWE for all contacts at once, padded, so that neither how many contacts nor how many
//! addresses there are can be told from it.

use std::time::Duration;

use keys::{AccountName, AgreementKey, AgreementPublicKey, NodeId, PublicKey, SigningKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::identity::account::AUDIENCE;
use crate::jose::jwe::{self, JweError};
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{
    ADDRESS_BYTES_MAX, PRESENCE_ADDRESSES_MAX, PRESENCE_BYTES_MAX, PRESENCE_LIFE_MAX,
    PRESENCE_PAD_BYTES,
};

/// `typ` of a presence, and of the addresses in it.
pub const TYP: &str = "streembit-presence";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PresenceData {
    name: String,
    seq: u64,
    /// The addresses as a JWE in general JSON form.
    sealed: String,
}

/// A verified presence; its addresses are sealed still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The account's key.
    pub public_key: PublicKey,
    /// Computed from key and name.
    pub node_id: NodeId,
    /// Sequence number.
    pub seq: u64,
    /// First second in which it is void.
    pub expires: u64,
    sealed: String,
}

/// Why a presence is not accepted, made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// The addresses can't be sealed or opened.
    #[error(transparent)]
    Jwe(#[from] JweError),
    /// The name breaks the rules for names.
    #[error("account name is malformed")]
    Name,
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("claims `sub`, `aud` or `jti` are not those of this account")]
    Claims,
    /// Not a list of 1 to 8 addresses of at most 128 bytes each.
    #[error("not 1 to {PRESENCE_ADDRESSES_MAX} addresses of at most {ADDRESS_BYTES_MAX} bytes")]
    Addresses,
}

/// What an account announces of itself.
#[derive(Clone, Copy, Debug)]
pub struct Announcement<'a> {
    /// The account's name.
    pub name: &'a AccountName,
    /// Grows with every announcement.
    pub seq: u64,
    /// Where to dial.
    pub addresses: &'a [String],
    /// Who may read that: 1 to 64.
    pub readers: &'a [AgreementPublicKey],
    /// From `iat` to `exp`, at most [`PRESENCE_LIFE_MAX`].
    pub life: Duration,
}

/// Signs a presence at `now` (seconds since 1970).
///
/// # Errors
/// [`PresenceError`] if the result would not verify.
pub fn sign(
    key: &SigningKey,
    announcement: &Announcement<'_>,
    now: u64,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<String, PresenceError> {
    let node_id = keys::node_id(&key.public(), announcement.name).map_err(|_| JwsError::Key)?;
    check(announcement.addresses)?;
    let mut plain =
        serde_json::to_vec(announcement.addresses).map_err(|_| PresenceError::Addresses)?;
    // White space after JSON is none of its content.
    plain.resize(plain.len().next_multiple_of(PRESENCE_PAD_BYTES), b' ');
    let claims = Claims {
        iss: String::new(),
        sub: node_id.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(announcement.life.as_secs()),
        jti: announcement.seq.to_string(),
        data: PresenceData {
            name: announcement.name.as_str().to_owned(),
            seq: announcement.seq,
            sealed: jwe::seal_for_all(announcement.readers, TYP, &plain, rng)?,
        },
    };
    let token = jws::sign(key, TYP, claims)?;
    verify(token.as_bytes(), now)?;
    Ok(token)
}

/// Verifies a presence at `now`.
///
/// # Errors
/// [`PresenceError`] naming the rule.
pub fn verify(token: &[u8], now: impl Into<KnownTime>) -> Result<Presence, PresenceError> {
    let (claims, public_key) = jws::verify::<PresenceData>(token, TYP, PRESENCE_BYTES_MAX)?;
    claims.check_time(now, PRESENCE_LIFE_MAX)?;
    let data = claims.data;
    let name: AccountName = data.name.parse().map_err(|_| PresenceError::Name)?;
    let node_id = keys::node_id(&public_key, &name).map_err(|_| JwsError::Issuer)?;
    let expected = (node_id.to_string(), AUDIENCE, data.seq.to_string());
    if (claims.sub, claims.aud.as_str(), claims.jti) != expected {
        return Err(PresenceError::Claims);
    }
    Ok(Presence {
        public_key,
        node_id,
        seq: data.seq,
        expires: claims.exp,
        sealed: data.sealed,
    })
}

impl Presence {
    /// The addresses, for a reader that it was sealed for. They are hints, to be tried.
    ///
    /// # Errors
    /// [`PresenceError::Jwe`] for anybody else.
    pub fn open(&self, reader: &AgreementKey) -> Result<Vec<String>, PresenceError> {
        let plain = jwe::open_as_one(reader, TYP, self.sealed.as_bytes(), PRESENCE_BYTES_MAX)?;
        let addresses: Vec<String> =
            serde_json::from_slice(plain.expose()).map_err(|_| PresenceError::Addresses)?;
        check(&addresses)?;
        Ok(addresses)
    }
}

fn check(addresses: &[String]) -> Result<(), PresenceError> {
    let is_short = |address: &String| (1..=ADDRESS_BYTES_MAX).contains(&address.len());
    let is_some = (1..=PRESENCE_ADDRESSES_MAX).contains(&addresses.len());
    if is_some && addresses.iter().all(is_short) {
        return Ok(());
    }
    Err(PresenceError::Addresses)
}

#[cfg(test)]
mod tests;
