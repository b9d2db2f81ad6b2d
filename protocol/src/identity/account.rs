//! Accounts: a P-256 key and a name. The node id is computed from both and never believed.
//!
//! An account is live, or it has moved to another key or was deleted; what has moved or was deleted never comes
//! back, so a stolen old key takes nothing back. A live account shows the changes of key that led to it.

use std::time::Duration;

use keys::{AccountName, AgreementKey, AgreementPublicKey, NodeId, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use super::account_change::{self, ChangeError};
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{
    ACCOUNT_FINAL_LIFE_MAX, ACCOUNT_LIFE_MAX, ACCOUNT_RECORD_BYTES_MAX, KEY_CHANGES_MAX,
};

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
    /// What has become of it.
    pub state: State,
}

/// What has become of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is in use.
    Live(Box<Live>),
    /// Another key has taken over; for good.
    Moved(Moved),
    /// It is no longer used; for good.
    Deleted,
}

/// An account in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// What to encrypt for.
    pub agreement: AgreementPublicKey,
    /// Changes of key that led here, the oldest first; each signed by the key before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// Where an account went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The new key, hex; its account has the same name, and shows the change.
    pub successor: String,
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
    /// What has become of the account.
    pub status: Status,
}

/// [`State`], verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Live {
        /// What to encrypt for.
        agreement: AgreementPublicKey,
        /// The keys that it had before, the oldest first.
        predecessors: Vec<PublicKey>,
    },
    /// Another key has taken over.
    Moved {
        /// That key.
        successor: PublicKey,
    },
    /// No longer used.
    Deleted,
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
    /// The successor is not another P-256 key.
    #[error("the successor is not another P-256 key")]
    Successor,
    /// The changes don't lead to the key that signed.
    #[error("changes of key: {0}")]
    Changes(#[from] ChangeError),
}

impl State {
    /// A live account that never had another key.
    ///
    /// # Errors
    /// [`JwsError::Key`] if it is no P-256 key.
    pub fn live(key: &SigningKey) -> Result<Self, JwsError> {
        let agreement = AgreementKey::of_account(key).map_err(|_| JwsError::Key)?;
        Ok(Self::Live(Box::new(Live {
            agreement: agreement.public(),
            changes: Vec::new(),
        })))
    }

    /// Longest life of its record.
    const fn life_max(&self) -> Duration {
        match self {
            Self::Live(_) => ACCOUNT_LIFE_MAX,
            Self::Moved(_) | Self::Deleted => ACCOUNT_FINAL_LIFE_MAX,
        }
    }
}

/// Signs the record of a live account that never had another key, valid from `now` (seconds since 1970).
///
/// # Errors
/// [`AccountError::Jws`] if the key is not P-256.
pub fn sign(
    key: &SigningKey,
    name: &AccountName,
    seq: u64,
    now: u64,
) -> Result<String, AccountError> {
    sign_state(key, name, (seq, State::live(key)?), now)
}

/// Signs an account record, valid from `now` (seconds since 1970) for as long as its state may.
///
/// # Errors
/// [`AccountError`] if the result would not verify.
pub fn sign_state(
    key: &SigningKey,
    name: &AccountName,
    (seq, state): (u64, State),
    now: u64,
) -> Result<String, AccountError> {
    let node_id = keys::node_id(&key.public(), name).map_err(|_| JwsError::Key)?;
    let claims = Claims {
        iss: String::new(),
        sub: node_id.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(state.life_max().as_secs()),
        jti: seq.to_string(),
        data: AccountData {
            name: name.as_str().to_owned(),
            seq,
            state,
        },
    };
    let token = jws::sign(key, TYP, claims)?;
    verify(token.as_bytes(), now)?;
    Ok(token)
}

/// Verifies an account record at `now`.
///
/// # Errors
/// [`AccountError`] naming the rule.
pub fn verify(token: &[u8], now: impl Into<KnownTime>) -> Result<AccountRecord, AccountError> {
    let (claims, public_key) = jws::verify::<AccountData>(token, TYP, ACCOUNT_RECORD_BYTES_MAX)?;
    claims.check_time(now, claims.data.state.life_max())?;
    let data = claims.data;
    let name: AccountName = data.name.parse().map_err(|_| AccountError::Name)?;
    let node_id = keys::node_id(&public_key, &name).map_err(|_| JwsError::Issuer)?;
    let expected = (node_id.to_string(), AUDIENCE, data.seq.to_string());
    if (claims.sub, claims.aud.as_str(), claims.jti) != expected {
        return Err(AccountError::Claims);
    }
    Ok(AccountRecord {
        status: status(data.state, &public_key, &name)?,
        public_key,
        name,
        node_id,
        seq: data.seq,
        expires: claims.exp,
    })
}

fn status(state: State, key: &PublicKey, name: &AccountName) -> Result<Status, AccountError> {
    Ok(match state {
        State::Live(live) => Status::Live {
            agreement: live.agreement,
            predecessors: predecessors(&live.changes, key, name)?,
        },
        State::Moved(moved) => {
            let successor = PublicKey::from_p256_hex(&moved.successor).ok();
            let successor = successor.filter(|successor| successor != key);
            Status::Moved {
                successor: successor.ok_or(AccountError::Successor)?,
            }
        }
        State::Deleted => Status::Deleted,
    })
}

/// The keys before `key`, by changes that each follow from the one before.
fn predecessors(
    changes: &[String],
    key: &PublicKey,
    name: &AccountName,
) -> Result<Vec<PublicKey>, ChangeError> {
    if changes.len() > KEY_CHANGES_MAX {
        return Err(ChangeError::TooMany);
    }
    let mut predecessors: Vec<PublicKey> = Vec::new();
    let mut next = None;
    for token in changes {
        let (old, new) = account_change::verify_named(token, name)?;
        if next.is_some_and(|next| next != old) || predecessors.contains(&new) || old == new {
            return Err(ChangeError::Broken);
        }
        predecessors.push(old);
        next = Some(new);
    }
    if next.is_some_and(|next| next != *key) {
        return Err(ChangeError::Broken);
    }
    Ok(predecessors)
}

impl AccountRecord {
    /// Whether `self` replaces `stored`, both of the same account: what is final replaces what is live and is
    /// never replaced; of two live ones the higher sequence wins.
    pub fn replaces(&self, stored: &Self) -> bool {
        match (self.is_live(), stored.is_live()) {
            (true, true) => self.seq > stored.seq,
            (is_live, was_live) => was_live && !is_live,
        }
    }

    /// Whether the account is in use.
    pub const fn is_live(&self) -> bool {
        matches!(self.status, Status::Live { .. })
    }

    /// Whether this live account is that of `pinned`, or follows from it.
    pub fn follows(&self, pinned: &PublicKey) -> bool {
        match &self.status {
            Status::Live { predecessors, .. } => {
                self.public_key == *pinned || predecessors.contains(pinned)
            }
            Status::Moved { .. } | Status::Deleted => false,
        }
    }
}

#[cfg(test)]
mod tests;
