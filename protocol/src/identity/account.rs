//! Accounts: a P-256 key and a name. The node id is computed from both and never believed.

use keys::{AccountName, NodeId, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{ACCOUNT_LIFE_MAX, ACCOUNT_RECORD_BYTES_MAX};

/// `typ` of an account record.
pub const TYP: &str = "streembit-account";
/// `aud` of every DHT record: it is for whoever stores it.
pub const AUDIENCE: &str = "dht";

/// What an account record carries beside its claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountData {
    /// The account's name.
    pub name: String,
    /// Grows with every change.
    pub seq: u64,
}

/// A verified account record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// The account's key.
    pub public_key: PublicKey,
    /// The account's name.
    pub name: AccountName,
    /// Computed from key and name.
    pub node_id: NodeId,
    /// Sequence number.
    pub seq: u64,
    /// First second in which the record is void.
    pub expires: u64,
}

/// Why an account record is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// The name breaks the rules for names.
    #[error("account name is malformed")]
    Name,
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("claims `sub`, `aud` or `jti` are not those of this account")]
    Claims,
}

/// Signs an account record, valid from `now` (seconds since 1970) for [`ACCOUNT_LIFE_MAX`].
///
/// # Errors
/// [`AccountError::Jws`] if the key is not P-256.
pub fn sign(
    key: &SigningKey,
    name: &AccountName,
    seq: u64,
    now: u64,
) -> Result<String, AccountError> {
    let node_id = keys::node_id(&key.public(), name).map_err(|_| JwsError::Key)?;
    let claims = Claims {
        iss: String::new(),
        sub: node_id.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(ACCOUNT_LIFE_MAX.as_secs()),
        jti: seq.to_string(),
        data: AccountData {
            name: name.as_str().to_owned(),
            seq,
        },
    };
    Ok(jws::sign(key, TYP, claims)?)
}

/// Verifies an account record at `now`.
///
/// # Errors
/// [`AccountError`] naming the rule.
pub fn verify(token: &[u8], now: impl Into<KnownTime>) -> Result<AccountRecord, AccountError> {
    let (claims, public_key) = jws::verify::<AccountData>(token, TYP, ACCOUNT_RECORD_BYTES_MAX)?;
    claims.check_time(now, ACCOUNT_LIFE_MAX)?;
    let name: AccountName = claims.data.name.parse().map_err(|_| AccountError::Name)?;
    let node_id = keys::node_id(&public_key, &name).map_err(|_| JwsError::Issuer)?;
    let expected = (node_id.to_string(), AUDIENCE, claims.data.seq.to_string());
    if (claims.sub, claims.aud.as_str(), claims.jti) != expected {
        return Err(AccountError::Claims);
    }
    Ok(AccountRecord {
        public_key,
        name,
        node_id,
        seq: claims.data.seq,
        expires: claims.exp,
    })
}
