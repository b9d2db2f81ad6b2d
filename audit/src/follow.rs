//! Following a log: every entry is read, hashed into the tree that the checkpoint signs, and asked what it is of.
//!
//! ```text
//! DIR/leaves         the hashes of the entries read so far, 32 bytes each
//! DIR/checkpoint     the newest checkpoint whose entries were all read
//! DIR/unexplained    digests that nobody shows the content of: number and digest, a line each
//! DIR/keys           fingerprints of the keys that have signed entries
//! DIR/head           version and digest of the newest timestamp that the network had
//! DIR/split-view.json, DIR/head-fork.jws     evidence of two histories
//! ```

mod entry;
#[cfg(feature = "online")]
pub mod others;
mod place;
#[cfg(feature = "online")]
mod tiles;

use std::collections::BTreeSet;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::attestation::log_entry::LogEntry;
use manifests::digest::Sha256;
use manifests::evidence::log_view::{Inconsistent, LogView};
use manifests::evidence::{LogError, check_log, names};
use manifests::limits::{LOG_VIEW_BYTES_MAX, TARGETS_BYTES_MAX};
use serde::Serialize;
use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::limits::BUNDLE_BYTES_MAX;
use tlog::note::Note;
use tlog::policy::{Policy, Refusal};
use tlog::split_view::SplitView;
use tlog::tile::Bundle;

use crate::source::Source;
pub use entry::Said;
use place::Leaves;
pub use place::Place;

/// What was seen of a log, a line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The log has grown.
    Grown {
        /// Entries before.
        from: u64,
        /// Entries now.
        to: u64,
    },
    /// An entry whose content is known.
    Entry {
        /// Its number.
        index: u64,
        /// What it is.
        #[serde(flatten)]
        said: Said,
    },
    /// A key has signed an entry for the first time.
    Key {
        /// The number of the entry.
        index: u64,
        /// The key's fingerprint, as `ssh-keygen -l` shows it.
        key: String,
    },
    /// The network has another head.
    Head {
        /// The version of its timestamp.
        version: u64,
        /// When that expires.
        expires: String,
    },
    /// Others have seen more of the log than the mirror shows, lately.
    Ahead {
        /// Entries.
        size: u64,
    },
    /// An alarm.
    Alert {
        /// What is wrong.
        rule: &'static str,
        /// In words.
        text: String,
        /// How the program ends because of it.
        exit: u8,
    },
}

impl Event {
    pub(crate) fn alert(rule: &'static str, text: impl std::fmt::Display, exit: Exit) -> Self {
        Self::Alert {
            rule,
            text: text.to_string(),
            exit: exit as u8,
        }
    }

    /// How the program ends because of it.
    pub const fn exit(&self) -> u8 {
        match self {
            Self::Alert { exit, .. } => *exit,
            Self::Grown { .. }
            | Self::Entry { .. }
            | Self::Key { .. }
            | Self::Head { .. }
            | Self::Ahead { .. } => 0,
        }
    }
}

/// Keys that are remembered: a publisher has a few in its life.
const KEYS_MAX: usize = 1024;

/// From the least to the worst: two histories are worse than anything else.
const BY_WEIGHT: [Exit; 6] = [
    Exit::Undecided,
    Exit::Stale,
    Exit::No,
    Exit::Quorum,
    Exit::Rollback,
    Exit::Equivocation,
];

/// How a program ends because of what was seen: by the worst of it.
pub fn worst(events: &[Event]) -> Exit {
    let is_there = |exit: &&Exit| events.iter().any(|event| event.exit() == **exit as u8);
    let found = BY_WEIGHT.iter().rev().find(is_there);
    let is_alarm = events.iter().any(|event| event.exit() != 0);
    let other = if is_alarm { Exit::No } else { Exit::Done };
    found.copied().unwrap_or(other)
}

/// What was seen of a log, and not yet kept.
#[derive(Debug, Default)]
pub struct Looked {
    /// In the order of the log; alarms come last.
    pub events: Vec<Event>,
    /// Since when a quorum holds the newest state.
    pub quorum_time: Option<u64>,
    state: Option<State>,
}

/// What is kept of a log that was read whole.
#[derive(Debug)]
struct State {
    leaves: Leaves,
    contents: Contents,
    checkpoint: Note,
}

impl Looked {
    fn alarm(event: Event) -> Self {
        Self {
            events: vec![event],
            ..Self::default()
        }
    }

    /// Keeps what was read, so that it is not told again: once whoever has to know has been told.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn keep(&self, place: &Place) -> Result<(), CliError> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        place.keep_keys(&state.contents.keys)?;
        place.keep(
            &state.leaves,
            &state.contents.unexplained,
            &state.checkpoint,
        )
    }
}

/// Reads what is new of a log.
///
/// # Errors
/// [`CliError`] if the mirror or the folder can't be read. That the log is wrong is an event.
pub fn follow(
    source: &Source,
    place: &Place,
    (policy, latest): (&Policy, u64),
) -> Result<Looked, CliError> {
    let view = view(source)?.ok_or_else(|| {
        CliError::new(Exit::Undecided, "the mirror has no log")
            .hint("streembit-publisher export writes log/view")
    })?;
    let seen = place.checkpoint()?;
    let before: Option<Checkpoint> = seen.as_ref().and_then(|note| note.text().parse().ok());
    let accepted = match check_log(&view, (policy, latest), before.as_ref(), []) {
        Ok(accepted) => accepted,
        Err(error) => return refused(place, policy, &view, error).map(Looked::alarm),
    };
    let newest = &accepted.checkpoint;
    let mut leaves = place.leaves(before.as_ref())?;
    let from = leaves.len();
    let mut edge = leaves.edge()?;
    let (mut events, mut contents) = (Vec::new(), Contents::default());
    contents.keys = place.keys()?;
    for (index, digest) in place.unexplained()? {
        events.extend(contents.look_up(source, index, digest)?);
    }
    for bundle in (edge.size() >> 8..).map_while(|index| Bundle::of(index, newest.size)) {
        for (index, entry) in new_entries(source, bundle, from)? {
            let leaf = Hash::of_leaf(&entry);
            edge.append(leaf).context(Exit::No, "log")?;
            leaves.push(leaf);
            events.extend(contents.read(source, index, &entry)?);
        }
    }
    if edge.root() != newest.root {
        let text = "the entries on the mirror are not those of the checkpoint";
        return Ok(Looked::alarm(Event::alert("log/entries", text, Exit::No)));
    }
    events.extend(contents.alerts());
    if newest.size > from {
        events.insert(
            0,
            Event::Grown {
                from,
                to: newest.size,
            },
        );
    }
    Ok(Looked {
        events,
        quorum_time: accepted.quorum_time,
        state: Some(State {
            leaves,
            contents,
            checkpoint: view.checkpoint,
        }),
    })
}

/// How the log has grown, by the mirror's word; `None` if it has none.
fn view(source: &Source) -> Result<Option<LogView>, CliError> {
    let limit = u64::try_from(LOG_VIEW_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = source.file(names::VIEW_ON_MIRROR, limit)?;
    let view = bytes.map(|bytes| LogView::parse(&bytes)).transpose();
    view.context(Exit::No, names::VIEW_ON_MIRROR)
}

/// The entries of a bundle from a number on.
fn new_entries(
    source: &Source,
    bundle: Bundle,
    from: u64,
) -> Result<Vec<(u64, Vec<u8>)>, CliError> {
    let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
    // A full bundle takes the place of a partial one.
    let mut bytes = None;
    for name in [bundle.to_string(), bundle.full().to_string()] {
        if bytes.is_none() {
            bytes = source.file(&format!("log/{name}"), limit)?;
        }
    }
    let bytes = bytes.ok_or_else(|| {
        CliError::new(
            Exit::Undecided,
            format_args!("log/{bundle} is not on the mirror"),
        )
    })?;
    let entries = bundle
        .decode(&bytes)
        .context(Exit::No, format_args!("log/{bundle}"))?;
    let first = bundle.first();
    let numbered = (first..).zip(entries).filter(|(index, _)| *index >= from);
    Ok(numbered
        .map(|(index, entry)| (index, entry.to_vec()))
        .collect())
}

/// What entries are of.
#[derive(Debug, Default)]
struct Contents {
    /// Digests that statements speak of: images, lists of components.
    spoken_of: BTreeSet<Sha256>,
    /// Digests whose content nobody shows, by the number of their entry.
    unexplained: BTreeSet<(u64, Sha256)>,
    foreign: Vec<u64>,
    /// Keys that have signed entries, by fingerprint.
    keys: BTreeSet<String>,
}

impl Contents {
    fn read(&mut self, source: &Source, index: u64, entry: &[u8]) -> Result<Vec<Event>, CliError> {
        let Some(read) = LogEntry::parse(entry) else {
            self.foreign.push(index);
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        if !read.is_signed() {
            let text = format!("entry {index} bears no signature of the key that it names");
            events.push(Event::alert("log/signature", text, Exit::No));
        } else {
            events.extend(self.first_of(index, read.key.ssh_fingerprint()));
        }
        events.extend(self.look_up(source, index, read.digest)?);
        Ok(events)
    }

    /// Says that a key has signed for the first time.
    fn first_of(&mut self, index: u64, key: String) -> Option<Event> {
        if self.keys.contains(&key) {
            return None;
        }
        if self.keys.len() >= KEYS_MAX {
            let text = format!("entry {index}: more than {KEYS_MAX} keys have signed entries");
            return Some(Event::alert("log/keys", text, Exit::No));
        }
        self.keys.insert(key.clone());
        Some(Event::Key { index, key })
    }

    fn look_up(
        &mut self,
        source: &Source,
        index: u64,
        digest: Sha256,
    ) -> Result<Option<Event>, CliError> {
        let preimage = source.file(&format!("log/preimages/{digest}"), TARGETS_BYTES_MAX)?;
        let preimage = preimage.filter(|bytes| Sha256::of(bytes) == digest);
        let Some(preimage) = preimage else {
            self.unexplained.insert((index, digest));
            return Ok(None);
        };
        let (said, about) = entry::said(&preimage);
        self.spoken_of.extend(about);
        Ok(Some(Event::Entry { index, said }))
    }

    /// What is still not explained, now that all statements are read.
    fn alerts(&mut self) -> Vec<Event> {
        let spoken_of = std::mem::take(&mut self.spoken_of);
        self.unexplained
            .retain(|(_, digest)| !spoken_of.contains(digest));
        let unexplained = self.unexplained.iter().map(|(index, digest)| {
            let text = format!("entry {index} has the digest {digest}, and nobody shows of what");
            Event::alert("log/preimage", text, Exit::No)
        });
        let foreign = self.foreign.iter().map(|index| {
            Event::alert(
                "log/entry",
                format!("entry {index} is no signature that is known here"),
                Exit::No,
            )
        });
        unexplained.chain(foreign).collect()
    }
}

fn refused(
    place: &Place,
    policy: &Policy,
    view: &LogView,
    error: LogError,
) -> Result<Event, CliError> {
    let exit = match &error {
        LogError::Refused(Refusal::Quorum(_)) => Exit::Quorum,
        LogError::Inconsistent(Inconsistent::Shrunk { .. }) => Exit::Rollback,
        LogError::Inconsistent(Inconsistent::Forked(..)) => Exit::Equivocation,
        LogError::Inconsistent(Inconsistent::Unknown(_)) => Exit::Undecided,
        LogError::Inconsistent(Inconsistent::Damaged(_))
        | LogError::Refused(_)
        | LogError::OtherLog(..) => Exit::No,
    };
    let text = error.to_string();
    if let LogError::Inconsistent(Inconsistent::Forked(_, prefix)) = error
        && let Some(seen) = place.checkpoint()?
    {
        let notes = [&seen, &view.checkpoint];
        let mut logs = policy.logs().iter();
        let found = logs.find_map(|log| SplitView::between(notes, prefix.clone(), &log.key).ok());
        if let Some(found) = found {
            let path = place.keep_evidence(&found.encode())?;
            return Ok(Event::alert(
                "log/consistency",
                format!("{text}; evidence: {path}"),
                exit,
            ));
        }
    }
    Ok(Event::alert("log/consistency", text, exit))
}
