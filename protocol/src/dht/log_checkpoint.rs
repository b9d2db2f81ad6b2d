//! What anybody has seen of a transparency log: its largest checkpoint, or evidence that it has two histories.
//!
//! The log's own signature is what counts, and the key follows from the log's key, so anybody may bring it: a log that
//! shows somebody another history than the rest meets both at the nodes of this key.
//!
//! Whoever has the log's key can sign a checkpoint that is larger than all honest ones. So what a witness has cosigned
//! lies once more under a key of log and witness: nobody without the keys of both gets into its way.

mod sightings;

use std::fmt;
use std::str::FromStr;

use keys::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use tlog::checkpoint::Checkpoint;
use tlog::note::{Note, Signed};
use tlog::split_view::SplitView;
use tlog::vkey::{Scheme, VerifierKey};

use crate::identity::account::AUDIENCE;
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{LOG_CHECKPOINT_BYTES_MAX, LOG_CHECKPOINT_LIFE_MAX};

pub use sightings::{Sightings, WITNESSES_ASKED_MAX};

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

/// Whose signatures a record needs: `VKEY`, or `VKEY WITNESS_VKEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The log's key, whose name is its origin.
    pub log: VerifierKey,
    /// The key of a witness.
    pub witness: Option<VerifierKey>,
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
    /// Whose signatures it bears.
    pub subject: Subject,
    /// What was seen of the log.
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
    /// No key of a log, or none of a witness.
    #[error("no key of a log that signs notes, or none of a witness that cosigns them")]
    Key,
    /// The log didn't sign it, the witness didn't, or it is no evidence.
    #[error("the log of this key has not signed that, or the witness has not")]
    Unsigned,
}

impl Subject {
    /// A log, whoever else has signed.
    pub const fn of(log: VerifierKey) -> Self {
        Self { log, witness: None }
    }

    /// A checkpoint that bears the signatures; `None` if one is missing.
    pub fn seen(&self, note: Note) -> Option<Seen> {
        let checkpoint: Checkpoint = note.text().parse().ok()?;
        let is_cosigned =
            |witness: &VerifierKey| matches!(note.signed_by(witness), Some(Signed::At(_)));
        let is_signed = note.signed_by(&self.log) == Some(Signed::Note)
            && checkpoint.origin == self.log.name()
            && self.witness.as_ref().is_none_or(is_cosigned);
        is_signed.then_some(Seen::Checkpoint { note, checkpoint })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.log)?;
        let Some(witness) = &self.witness else {
            return Ok(());
        };
        write!(formatter, " {witness}")
    }
}

impl FromStr for Subject {
    type Err = LogCheckpointError;

    fn from_str(text: &str) -> Result<Self, LogCheckpointError> {
        let (log, witness) = match text.split_once(' ') {
            Some((log, witness)) => (log, Some(witness)),
            None => (text, None),
        };
        let key = |text: &str| text.parse().map_err(|_| LogCheckpointError::Key);
        let subject = Self {
            log: key(log)?,
            witness: witness.map(key).transpose()?,
        };
        let witness = subject.witness.as_ref().map(VerifierKey::scheme);
        let is_one = matches!(subject.log.scheme(), Scheme::Note(_))
            && matches!(witness, None | Some(Scheme::Cosignature(_)))
            && subject.to_string() == text;
        is_one.then_some(subject).ok_or(LogCheckpointError::Key)
    }
}

/// Signs what was seen of a log, at `now` (seconds since 1970), with anybody's key.
///
/// # Errors
/// [`LogCheckpointError`] if the result would not verify.
pub fn sign(
    key: &SigningKey,
    subject: &Subject,
    seen: &Seen,
    now: u64,
) -> Result<String, LogCheckpointError> {
    let data = match seen {
        Seen::Checkpoint { note, .. } => LogData::Checkpoint(note.to_string()),
        Seen::SplitView(view) => LogData::SplitView(view.encode()),
    };
    let claims = Claims {
        iss: String::new(),
        sub: subject.to_string(),
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
    let subject: Subject = claims.sub.parse()?;
    let seen = match claims.data {
        LogData::Checkpoint(text) => checkpoint(&text, &subject),
        LogData::SplitView(text) => evidence(&text, &subject),
    };
    let seen = seen.ok_or(LogCheckpointError::Unsigned)?;
    if claims.aud != AUDIENCE || claims.jti != order(&seen).to_string() {
        return Err(LogCheckpointError::Claims);
    }
    Ok(LogCheckpoint {
        subject,
        seen,
        signer,
        expires: claims.exp,
    })
}

fn checkpoint(text: &str, subject: &Subject) -> Option<Seen> {
    subject.seen(Note::parse(text.as_bytes()).ok()?)
}

/// Evidence is about the log, and lies under its key alone: it would outlast what a witness cosigned.
fn evidence(text: &str, subject: &Subject) -> Option<Seen> {
    let view = SplitView::parse(text.as_bytes()).ok()?;
    let is_one = subject.witness.is_none() && view.verify(&subject.log).is_ok();
    is_one.then_some(Seen::SplitView(view))
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
                SplitView::between([note, second], None, &self.subject.log).ok()
            }
            (Seen::SplitView(_), _) | (_, Seen::SplitView(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests;
