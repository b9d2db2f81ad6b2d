//! Policies: which logs count, and which witnesses have to have seen a checkpoint (C2SP tlog-policy).

mod parse;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::limits::{POLICY_BYTES_MAX, POLICY_ITEMS_MAX};
use crate::note::{Note, Signed};
use crate::vkey::{VerifierKey, VkeyError};

/// A log or a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// What a policy calls it; for a log the origin.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it is asked.
    pub url: Option<String>,
}

/// What a quorum is made of, in the order in which it was defined.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    /// The witness of this number.
    Witness(usize),
    /// At least `least` of these, all defined before.
    Group { least: usize, members: Vec<usize> },
}

/// Whose word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Party>,
    witnesses: Vec<Party>,
    members: Vec<Member>,
    /// The member that has to be met; `None` if nobody has to be asked.
    quorum: Option<usize>,
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy, line {line}: {error}")]
pub struct PolicyError {
    /// The line, from 1; 0 for the whole.
    pub line: usize,
    /// What is wrong there.
    pub error: Rule,
}

/// What a line of a policy may break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Too long.
    #[error(
        "it has more than {POLICY_BYTES_MAX} bytes, or more than {POLICY_ITEMS_MAX} of one kind"
    )]
    Size,
    /// A byte that isn't text.
    #[error("a control character")]
    Control,
    /// An unknown word, or too few or too many of them.
    #[error("neither log, witness, group nor quorum, or not with what belongs to it")]
    Shape,
    /// Not a key, or not of this kind.
    #[error(transparent)]
    Key(#[from] VkeyError),
    /// A witness's key for a log, or the other way round.
    #[error("a log's key signs notes (type 1), a witness's cosigns (type 4 or later)")]
    Scheme,
    /// The key is there already.
    #[error("another has the same key")]
    DuplicateKey,
    /// The name is there already, or is `none`.
    #[error("the name {0:?} is taken")]
    Name(String),
    /// The name is not defined above, or is a member already.
    #[error("{0:?} is not defined above, or is a member of a group already")]
    Member(String),
    /// Not `all`, `any` or 1 to the number of members.
    #[error("how many of a group: all, any, or a number from 1 to that of its members")]
    Threshold,
    /// No quorum, or a second one.
    #[error("exactly one line says the quorum")]
    Quorum,
}

/// A checkpoint that a policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The log's key.
    pub log: VerifierKey,
    /// Who cosigned well, by the policy's names, and when: seconds since 1970, the newest first.
    pub cosigned: Vec<(String, u64)>,
    /// Since when a quorum holds that the log was in this state; `None` if nobody has to be asked. By as many clocks
    /// as a quorum needs that moment has passed.
    pub quorum_time: Option<u64>,
}

/// Why a policy doesn't accept a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text of the note is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Of no log of the policy.
    #[error("{0:?} is no log of the policy")]
    UnknownLog(String),
    /// The log's signature is missing or wrong.
    #[error("{0:?} has not signed the checkpoint")]
    Unsigned(String),
    /// Too few witnesses.
    #[error("{} of the policy's witnesses have cosigned, which is no quorum", .0.len())]
    Quorum(Vec<String>),
}

impl Policy {
    /// The same witnesses and quorum, for another log.
    #[must_use]
    pub fn of_log(&self, key: VerifierKey) -> Self {
        let name = key.name().to_owned();
        let url = None;
        Self {
            logs: vec![Party { name, key, url }],
            ..self.clone()
        }
    }

    /// The logs.
    pub fn logs(&self) -> &[Party] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[Party] {
        &self.witnesses
    }

    /// Whether a checkpoint counts.
    ///
    /// * `latest`: cosignatures after this moment, seconds since 1970, count for nothing; `u64::MAX` for a device
    ///   that doesn't know the time.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn accept(&self, note: &Note, latest: u64) -> Result<Accepted, Refusal> {
        let checkpoint: Checkpoint = note.text().parse()?;
        let of_log = |log: &&Party| log.name == checkpoint.origin;
        let unknown = || Refusal::UnknownLog(checkpoint.origin.clone());
        let mut logs = self.logs.iter().filter(of_log).peekable();
        logs.peek().ok_or_else(unknown)?;
        let log = logs.find(|log| note.signed_by(&log.key) == Some(Signed::Note));
        let log = log.ok_or_else(|| Refusal::Unsigned(checkpoint.origin.clone()))?;
        let times: Vec<Option<u64>> = self
            .witnesses
            .iter()
            .map(|witness| match note.signed_by(&witness.key) {
                Some(Signed::At(time)) if time <= latest => Some(time),
                _ => None,
            })
            .collect();
        let named = self.witnesses.iter().zip(&times);
        let mut cosigned: Vec<(String, u64)> = named
            .filter_map(|(witness, time)| Some((witness.name.clone(), (*time)?)))
            .collect();
        cosigned.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        let quorum_time = match self.quorum {
            None => None,
            Some(_) => {
                // The newest moment at which those who had cosigned by then are a quorum, from the newest back.
                let since = |since: &u64| self.is_met(&times, *since);
                let found = cosigned.iter().map(|(_, time)| *time).find(since);
                let names = || cosigned.iter().map(|(name, _)| name.clone()).collect();
                Some(found.ok_or_else(|| Refusal::Quorum(names()))?)
            }
        };
        Ok(Accepted {
            log: log.key.clone(),
            checkpoint,
            cosigned,
            quorum_time,
        })
    }

    /// Whether those whose cosignature isn't older than `since` are a quorum.
    fn is_met(&self, times: &[Option<u64>], since: u64) -> bool {
        let mut met: Vec<bool> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let is_met = match member {
                Member::Witness(number) => {
                    let time = times.get(*number).copied().flatten();
                    time.is_some_and(|time| time >= since)
                }
                Member::Group { least, members } => {
                    let is_met = |member: &&usize| met.get(**member) == Some(&true);
                    members.iter().filter(is_met).count() >= *least
                }
            };
            met.push(is_met);
        }
        self.quorum
            .is_none_or(|quorum| met.get(quorum) == Some(&true))
    }
}

#[cfg(test)]
mod tests;
