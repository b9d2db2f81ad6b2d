//! Things: what a device tells everybody of itself, signed by it or by its owner.

use keys::{AccountName, NodeId, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use crate::identity::account::AUDIENCE;
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{
    ACCOUNT_CHANGE_BYTES_MAX, THING_BYTES_MAX, THING_LIFE_MAX, THING_WORD_BYTES_MAX,
};

/// `typ` of a thing record.
pub const TYP: &str = "streembit-thing";
/// `typ` of the token by which a device names its owner.
pub const OWNER_TYP: &str = "streembit-thing-owner";

/// The end of the year 9999.
const NEVER: u64 = 253_402_300_799;

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Serial number.
    pub serial: String,
    /// Who made it.
    pub manufacturer: String,
    /// Which kind.
    pub model: String,
    /// A JWE for those who may know more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThingData {
    name: String,
    /// The device's key, hex.
    device: String,
    seq: u64,
    description: Description,
    /// If the owner signed: the device's word for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerData {}

/// A verified thing record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// The device.
    pub node_id: NodeId,
    /// Who signed: the device, or its owner.
    pub signer: PublicKey,
    /// Sequence number.
    pub seq: u64,
    /// First second in which it is void.
    pub expires: u64,
    /// What it is.
    pub description: Description,
}

/// Why a thing record is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThingError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// A name, key or word is out of bounds.
    #[error("`{0}` is out of bounds")]
    Bounds(&'static str),
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("claims `sub`, `aud` or `jti` are not those of this device")]
    Claims,
    /// Signed neither by the device nor by whom it names.
    #[error("signed neither by the device nor by its owner")]
    Owner,
}

/// The device of a record, and whom it names as its owner if not it signs.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// Its key.
    pub key: &'a PublicKey,
    /// Its name.
    pub name: &'a AccountName,
    /// From [`name_owner`], if the owner signs.
    pub owner: Option<&'a str>,
}

/// Signs by the device at `now` (seconds since 1970) that `owner` may speak for it.
///
/// # Errors
/// [`ThingError::Jws`] if the device's key is not P-256.
pub fn name_owner(
    device: &SigningKey,
    name: &AccountName,
    owner: &PublicKey,
    now: u64,
) -> Result<String, ThingError> {
    let node_id = keys::node_id(&device.public(), name).map_err(|_| JwsError::Key)?;
    let claims = Claims {
        iss: String::new(),
        sub: owner.to_hex(),
        aud: node_id.to_string(),
        iat: now,
        exp: NEVER,
        jti: now.to_string(),
        data: OwnerData {},
    };
    Ok(jws::sign(device, OWNER_TYP, claims)?)
}

/// Signs a thing record at `now` (seconds since 1970), by the device or by its owner.
///
/// # Errors
/// [`ThingError`] if the result would not verify.
pub fn sign(
    signer: &SigningKey,
    device: &Device<'_>,
    (seq, description): (u64, Description),
    now: u64,
) -> Result<String, ThingError> {
    let node_id = keys::node_id(device.key, device.name).map_err(|_| JwsError::Key)?;
    let claims = Claims {
        iss: String::new(),
        sub: node_id.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(THING_LIFE_MAX.as_secs()),
        jti: seq.to_string(),
        data: ThingData {
            name: device.name.as_str().to_owned(),
            device: device.key.to_hex(),
            seq,
            description,
            owner: device.owner.map(str::to_owned),
        },
    };
    let token = jws::sign(signer, TYP, claims)?;
    verify(token.as_bytes(), now)?;
    Ok(token)
}

/// Verifies a thing record at `now`.
///
/// # Errors
/// [`ThingError`] naming the rule.
pub fn verify(token: &[u8], now: impl Into<KnownTime>) -> Result<Thing, ThingError> {
    let (claims, signer) = jws::verify::<ThingData>(token, TYP, THING_BYTES_MAX)?;
    claims.check_time(now, THING_LIFE_MAX)?;
    let data = claims.data;
    let name: AccountName = data.name.parse().map_err(|_| ThingError::Bounds("name"))?;
    let device =
        PublicKey::from_p256_hex(&data.device).map_err(|_| ThingError::Bounds("device"))?;
    let node_id = keys::node_id(&device, &name).map_err(|_| ThingError::Bounds("device"))?;
    let expected = (node_id.to_string(), AUDIENCE, data.seq.to_string());
    if (claims.sub, claims.aud.as_str(), claims.jti) != expected {
        return Err(ThingError::Claims);
    }
    for (name, word) in [
        ("serial", &data.description.serial),
        ("manufacturer", &data.description.manufacturer),
        ("model", &data.description.model),
    ] {
        if word.len() > THING_WORD_BYTES_MAX || word.chars().any(char::is_control) {
            return Err(ThingError::Bounds(name));
        }
    }
    let by_device = data.owner.is_none() && signer == device;
    let by_owner = data
        .owner
        .is_some_and(|owner| is_named(&owner, (&device, &node_id), &signer));
    if !by_device && !by_owner {
        return Err(ThingError::Owner);
    }
    Ok(Thing {
        node_id,
        signer,
        seq: data.seq,
        expires: claims.exp,
        description: data.description,
    })
}

/// Whether a device names this owner.
fn is_named(token: &str, (device, node_id): (&PublicKey, &NodeId), owner: &PublicKey) -> bool {
    let verified = jws::verify::<OwnerData>(token.as_bytes(), OWNER_TYP, ACCOUNT_CHANGE_BYTES_MAX);
    verified.is_ok_and(|(claims, signer)| {
        signer == *device && claims.sub == owner.to_hex() && claims.aud == node_id.to_string()
    })
}

#[cfg(test)]
mod tests;
