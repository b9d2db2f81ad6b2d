//! What anybody has seen of a transparency log: its largest checkpoint, or evidence that it has two histories.
//!
//! The log's own signature is what counts, and the key follows from the log's key, so anybody may bring it: a log that
//! shows somebody another history than the rest meets both at the nodes of this key.

use keys::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use tlog::checkpoint::Checkpoint;
use tlog::note::{Note, Signed};
use tlog::split_view::SplitView;
use tlog::vkey::{Scheme, VerifierKey};

use crate::identity::account::AUDIENCE;
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{LOG_CHECKPOINT_BYTES_MAX, LOG_CHECKPOINT_LIFE_MAX};

/// `typ` of such a record.
pub const TYP: &str = "streembit-log-checkpoint";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LogData {
    /// A signed note.
    Checkpoint(String),
    /// A file of evidence: `streembit/split-view/1`.
    SplitView(String),
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A checkpoint that the log signed.
    Checkpoint {
        /// As it was signed, with whatever cosignatures it came with.
        note: Note,
        /// What it says.
        checkpoint: Checkpoint,
    },
    /// Two that can't both be true.
    SplitView(SplitView),
}

/// A verified record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCheckpoint {
    /// The log's key, whose name is its origin.
    pub log: VerifierKey,
    /// What was seen of it.
    pub seen: Seen,
    /// Who brought it.
    pub signer: PublicKey,
    /// First second in which it is void.
    pub expires: u64,
}

/// Why what was seen is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogCheckpointError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("claims `sub`, `aud` or `jti` are not those of this log")]
    Claims,
    /// No key of a log.
    #[error("no key of a log that signs notes")]
    Key,
    /// The log didn't sign it, or it is no evidence.
    #[error("the log of this key has not signed that")]
    Unsigned,
}

/// Signs what was seen of a log, at `now` (seconds since 1970), with anybody's key.
///
/// # Errors
/// [`LogCheckpointError`] if the result would not verify.
pub fn sign(
    key: &SigningKey,
    log: &VerifierKey,
    seen: &Seen,
    now: u64,
) -> Result<String, LogCheckpointError> {
    let data = match seen {
        Seen::Checkpoint { note, .. } => LogData::Checkpoint(note.to_string()),
        Seen::SplitView(view) => LogData::SplitView(view.encode()),
    };
    let claims = Claims {
        iss: String::new(),
        sub: log.to_string(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(LOG_CHECKPOINT_LIFE_MAX.as_secs()),
        jti: order(seen).to_string(),
        data,
    };
    let token = jws::sign(key, TYP, claims)?;
    verify(token.as_bytes(), now)?;
    Ok(token)
}

/// Verifies a record at `now`.
///
/// # Errors
/// [`LogCheckpointError`] naming the rule.
pub fn verify(
    token: &[u8],
    now: impl Into<KnownTime>,
) -> Result<LogCheckpoint, LogCheckpointError> {
    let (claims, signer) = jws::verify::<LogData>(token, TYP, LOG_CHECKPOINT_BYTES_MAX)?;
    claims.check_time(now, LOG_CHECKPOINT_LIFE_MAX)?;
    let log: VerifierKey = claims.sub.parse().map_err(|_| LogCheckpointError::Key)?;
    if !matches!(log.scheme(), Scheme::Note(_)) {
        return Err(LogCheckpointError::Key);
    }
    let seen = match &claims.data {
        LogData::Checkpoint(text) => signed(text, &log).ok_or(LogCheckpointError::Unsigned)?,
        LogData::SplitView(text) => {
            let view = SplitView::parse(text.as_bytes());
            let view = view.map_err(|_| LogCheckpointError::Unsigned)?;
            view.verify(&log)
                .map_err(|_| LogCheckpointError::Unsigned)?;
            Seen::SplitView(view)
        }
    };
    let is_ours = claims.sub == log.to_string() && claims.aud == AUDIENCE;
    if !is_ours || claims.jti != order(&seen).to_string() {
        return Err(LogCheckpointError::Claims);
    }
    Ok(LogCheckpoint {
        log,
        seen,
        signer,
        expires: claims.exp,
    })
}

/// A checkpoint that a log signed.
fn signed(text: &str, log: &VerifierKey) -> Option<Seen> {
    let note = Note::parse(text.as_bytes()).ok()?;
    let checkpoint: Checkpoint = note.text().parse().ok()?;
    let is_signed = note.signed_by(log) == Some(Signed::Note) && checkpoint.origin == log.name();
    is_signed.then_some(Seen::Checkpoint { note, checkpoint })
}

/// More has seen more; nothing is above evidence.
const fn order(seen: &Seen) -> u64 {
    match seen {
        Seen::Checkpoint { checkpoint, .. } => checkpoint.size,
        Seen::SplitView(_) => u64::MAX,
    }
}

impl LogCheckpoint {
    /// Entries of the log; the highest number for evidence.
    pub const fn seq(&self) -> u64 {
        order(&self.seen)
    }

    /// What two checkpoints of one size show if their roots differ.
    pub fn contradicts(&self, other: &Self) -> Option<SplitView> {
        match (&self.seen, &other.seen) {
            (Seen::Checkpoint { note, .. }, Seen::Checkpoint { note: second, .. }) => {
                SplitView::between([note, second], None, &self.log).ok()
            }
            (Seen::SplitView(_), _) | (_, Seen::SplitView(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests;
