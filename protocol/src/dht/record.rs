//! Admission of records: the same rules before storing (put) and before believing (get).

use std::time::Duration;

use keys::PublicKey;
use tlog::split_view::SplitView;

use super::key::DhtKey;
use super::log_checkpoint::{self, LogCheckpoint, LogCheckpointError};
use super::mail::{self, Mail, MailError};
use super::presence::{self, Presence, PresenceError};
use super::release_head::{self, HeadError, ReleaseHead};
use super::thing::{self, Thing, ThingError};
use crate::identity::account::{self, AccountError, AccountRecord};
use crate::jose::jws::{self, KnownTime};
use crate::limits::{
    ACCOUNT_FINAL_LIFE_MAX, ACCOUNT_RECORD_BYTES_MAX, HEAD_LIFE_MAX, HEAD_RECORD_BYTES_MAX,
    LOG_CHECKPOINT_BYTES_MAX, LOG_CHECKPOINT_LIFE_MAX, MAIL_BYTES_MAX, MAIL_LIFE_MAX,
    PRESENCE_BYTES_MAX, PRESENCE_LIFE_MAX, RECORD_BYTES_MAX, RECORD_TTL_MAX, THING_BYTES_MAX,
    THING_LIFE_MAX,
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
    /// What is never replaced.
    pub tombstone: &'static str,
    /// Records of one signer that a node stores.
    pub per_signer_max: u32,
}

const BY_SEQUENCE: &str = "higher sequence wins; at equal sequence the stored one stays";
const NONE: &str = "none";

/// All kinds. Anything else is refused.
pub const RULES: [Rule; 6] = [
    Rule {
        typ: account::TYP,
        key: "\"account\" || node_id",
        signer: "the account",
        bytes_max: ACCOUNT_RECORD_BYTES_MAX,
        life_max: ACCOUNT_FINAL_LIFE_MAX,
        merge: BY_SEQUENCE,
        tombstone: "moved or deleted, for 3650 days; live ones live 90",
        per_signer_max: 4,
    },
    Rule {
        typ: presence::TYP,
        key: "\"presence\" || node_id",
        signer: "the account",
        bytes_max: PRESENCE_BYTES_MAX,
        life_max: PRESENCE_LIFE_MAX,
        merge: BY_SEQUENCE,
        tombstone: NONE,
        per_signer_max: 4,
    },
    Rule {
        typ: mail::TYP,
        key: "\"mailbox\" || recipient || slot",
        signer: "anybody; that it was taken, the recipient",
        bytes_max: MAIL_BYTES_MAX,
        life_max: MAIL_LIFE_MAX,
        merge: "the stored one stays",
        tombstone: "taken by the recipient",
        per_signer_max: 64,
    },
    Rule {
        typ: thing::TYP,
        key: "\"thing\" || node_id",
        signer: "the device, or the owner that it names",
        bytes_max: THING_BYTES_MAX,
        life_max: THING_LIFE_MAX,
        merge: BY_SEQUENCE,
        tombstone: NONE,
        per_signer_max: 64,
    },
    Rule {
        typ: release_head::TYP,
        key: "\"release\" || publisher_id || channel",
        signer: "the account named by root version 1, which the record carries, or its successor",
        bytes_max: HEAD_RECORD_BYTES_MAX,
        life_max: HEAD_LIFE_MAX,
        merge: BY_SEQUENCE,
        tombstone: NONE,
        per_signer_max: 64,
    },
    Rule {
        typ: log_checkpoint::TYP,
        key: "\"log\" || vkey, or \"log\" || vkey || \" \" || vkey of a witness",
        signer: "anybody; what it carries, the log, and that witness",
        bytes_max: LOG_CHECKPOINT_BYTES_MAX,
        life_max: LOG_CHECKPOINT_LIFE_MAX,
        merge: "more entries win; at equal size the stored one stays",
        tombstone: "evidence of two histories, under the log's own key",
        per_signer_max: 64,
    },
];

/// A verified record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An account.
    Account(AccountRecord),
    /// What was seen of a transparency log.
    LogCheckpoint(Box<LogCheckpoint>),
    /// A mail.
    Mail(Mail),
    /// A presence.
    Presence(Presence),
    /// A release head.
    ReleaseHead(ReleaseHead),
    /// A thing.
    Thing(Thing),
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
    /// The rules of what was seen of a log.
    #[error("log checkpoint: {0}")]
    LogCheckpoint(#[from] LogCheckpointError),
    /// The mail rules.
    #[error("mail: {0}")]
    Mail(#[from] MailError),
    /// The presence rules.
    #[error("presence: {0}")]
    Presence(#[from] PresenceError),
    /// The thing rules.
    #[error("thing: {0}")]
    Thing(#[from] ThingError),
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
        mail::TYP => Record::Mail(mail::verify(value, now)?),
        presence::TYP => Record::Presence(presence::verify(value, now)?),
        thing::TYP => Record::Thing(thing::verify(value, now)?),
        release_head::TYP => Record::ReleaseHead(release_head::verify(value, now)?),
        log_checkpoint::TYP => Record::LogCheckpoint(Box::new(log_checkpoint::verify(value, now)?)),
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
            Self::LogCheckpoint(seen) => DhtKey::log_checkpoint(&seen.subject),
            Self::Mail(mail) => DhtKey::mail(&mail.recipient, &mail.slot),
            Self::Presence(presence) => DhtKey::presence(&presence.node_id),
            Self::ReleaseHead(head) => DhtKey::release_head(&head.publisher_id, &head.channel),
            Self::Thing(thing) => DhtKey::thing(&thing.node_id),
        }
    }

    /// Its kind's rules.
    pub fn rule(&self) -> &'static Rule {
        let [account, presence, mail, thing, head, log] = &RULES;
        match self {
            Self::Account(_) => account,
            Self::LogCheckpoint(_) => log,
            Self::Mail(_) => mail,
            Self::Presence(_) => presence,
            Self::ReleaseHead(_) => head,
            Self::Thing(_) => thing,
        }
    }

    /// The sequence number that orders records of one key; that of a mail says whether it was taken.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Account(record) => record.seq,
            Self::LogCheckpoint(seen) => seen.seq(),
            Self::Mail(mail) => mail.is_taken().into(),
            Self::Presence(presence) => presence.seq,
            Self::ReleaseHead(head) => head.seq,
            Self::Thing(thing) => thing.seq,
        }
    }

    /// The account that signed, for quotas.
    pub fn signer(&self) -> &PublicKey {
        match self {
            Self::Account(record) => &record.public_key,
            Self::LogCheckpoint(seen) => &seen.signer,
            Self::Mail(mail) => &mail.signer,
            Self::Presence(presence) => &presence.public_key,
            Self::ReleaseHead(head) => &head.account,
            Self::Thing(thing) => &thing.signer,
        }
    }

    /// When a node that stores it at `now` drops it: at `exp`, at most [`RECORD_TTL_MAX`] later.
    pub fn drop_at(&self, now: u64) -> u64 {
        let expires = match self {
            Self::Account(record) => record.expires,
            Self::LogCheckpoint(seen) => seen.expires,
            Self::Mail(mail) => mail.expires,
            Self::Presence(presence) => presence.expires,
            Self::ReleaseHead(head) => head.expires,
            Self::Thing(thing) => thing.expires,
        };
        expires.min(now.saturating_add(RECORD_TTL_MAX.as_secs()))
    }

    /// Says whether `self` replaces `stored`, a verified record of the same key.
    pub fn replaces(&self, stored: &Self) -> bool {
        match (self, stored) {
            (Self::Account(record), Self::Account(stored)) => record.replaces(stored),
            (Self::Mail(mail), Self::Mail(stored)) => mail.replaces(stored),
            _ => self.seq() > stored.seq(),
        }
    }
}

impl Record {
    /// Evidence that a log has two histories, if `self` and `other` show that.
    pub fn contradicts(&self, other: &Self) -> Option<SplitView> {
        match (self, other) {
            (Self::LogCheckpoint(seen), Self::LogCheckpoint(other)) => seen.contradicts(other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
