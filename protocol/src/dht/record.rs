//! Admission of records: the same rules before storing (put) and before believing (get).

use std::time::Duration;

use keys::PublicKey;

use super::key::DhtKey;
use super::release_head::{self, HeadError, ReleaseHead};
use crate::identity::account::{self, AccountError, AccountRecord};
use crate::jose::jws::{self, KnownTime};
use crate::limits::{
    ACCOUNT_LIFE_MAX, ACCOUNT_RECORD_BYTES_MAX, HEAD_LIFE_MAX, RECORD_BYTES_MAX, RECORD_TTL_MAX,
};

/// The rules of one kind of record.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The token's `typ`.
    pub typ: &'static str,
    /// What the key is the SHA-256 of.
    pub key: &'static str,
    /// Who may sign.
    pub signer: &'static str,
    /// Bytes of the record.
    pub bytes_max: usize,
    /// From `iat` to `exp`.
    pub life_max: Duration,
    /// What happens when two meet.
    pub merge: &'static str,
}

/// All kinds. Anything else is refused.
pub const RULES: [Rule; 2] = [
    Rule {
        typ: account::TYP,
        key: "\"account\" || node_id",
        signer: "the account",
        bytes_max: ACCOUNT_RECORD_BYTES_MAX,
        life_max: ACCOUNT_LIFE_MAX,
        merge: "higher sequence wins; at equal sequence the stored one stays",
    },
    Rule {
        typ: release_head::TYP,
        key: "\"release\" || publisher_id || channel",
        signer: "the account named by root version 1, which the record carries, or its successor",
        bytes_max: RECORD_BYTES_MAX,
        life_max: HEAD_LIFE_MAX,
        merge: "higher sequence wins; at equal sequence the stored one stays",
    },
];

/// A verified record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An account.
    Account(AccountRecord),
    /// A release head.
    ReleaseHead(ReleaseHead),
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Its `typ` is none of the kinds.
    #[error("unknown kind of record")]
    Kind,
    /// Longer than any kind may be.
    #[error("record of {0} bytes is too long")]
    TooLong(usize),
    /// Stored under a key that does not follow from its content.
    #[error("record does not belong under this key")]
    Key,
    /// The account rules.
    #[error("account record: {0}")]
    Account(#[from] AccountError),
    /// The release head rules.
    #[error("release head: {0}")]
    ReleaseHead(#[from] HeadError),
}

/// Verifies a record found or offered under `key` at `now`.
///
/// # Errors
/// [`RecordError`] naming the rule.
pub fn verify(
    key: &DhtKey,
    value: &[u8],
    now: impl Into<KnownTime>,
) -> Result<Record, RecordError> {
    if value.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLong(value.len()));
    }
    let typ = jws::peek_typ(value).map_err(|_| RecordError::Kind)?;
    let record = match typ.as_str() {
        account::TYP => Record::Account(account::verify(value, now)?),
        release_head::TYP => Record::ReleaseHead(release_head::verify(value, now)?),
        _ => return Err(RecordError::Kind),
    };
    if record.key() != *key {
        return Err(RecordError::Key);
    }
    Ok(record)
}

impl Record {
    /// The key it belongs under.
    pub fn key(&self) -> DhtKey {
        match self {
            Self::Account(record) => DhtKey::account(&record.node_id),
            Self::ReleaseHead(head) => DhtKey::release_head(&head.publisher_id, &head.channel),
        }
    }

    /// The sequence number that orders records of one key.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Account(record) => record.seq,
            Self::ReleaseHead(head) => head.seq,
        }
    }

    /// The account that signed, for quotas.
    pub fn signer(&self) -> &PublicKey {
        match self {
            Self::Account(record) => &record.public_key,
            Self::ReleaseHead(head) => &head.account,
        }
    }

    /// When a node that stores it at `now` drops it: at `exp`, at most [`RECORD_TTL_MAX`] later.
    pub fn drop_at(&self, now: u64) -> u64 {
        let expires = match self {
            Self::Account(record) => record.expires,
            Self::ReleaseHead(head) => head.expires,
        };
        expires.min(now.saturating_add(RECORD_TTL_MAX.as_secs()))
    }

    /// Says whether `self` replaces `stored`, a verified record of the same key.
    pub fn replaces(&self, stored: &Self) -> bool {
        self.seq() > stored.seq()
    }
}

#[cfg(test)]
mod tests;
