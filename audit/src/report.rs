//! A publisher's history: what its log holds, who has witnessed it, which keys counted when.

pub mod page;
mod tree;

use std::collections::BTreeMap;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::envelope::{Metadata as _, Verified};
use manifests::instant::UtcTime;
use manifests::pin::Pin;
use manifests::root::{Role, Root};
use tlog::hash::Hash;
use tlog::limits::CLOCK_SKEW_S;
use tlog::policy::Policy;

use crate::follow::{Event, Place, Said, follow, worst};
use crate::pin::Trusted;
use crate::roots;
use crate::source::Source;

/// What the page shows.
#[derive(Debug)]
pub struct History {
    /// Who: the publisher's id, the product and the channel of the pin.
    pub pin: Pin,
    /// When it was looked at.
    pub at: UtcTime,
    /// The roots, the oldest first; each signed by enough keys of the one before.
    pub roots: Vec<RootVersion>,
    /// The log, if the pin trusts one and it could be read.
    pub log: Option<LogState>,
    /// What is wrong, in words.
    pub alarms: Vec<String>,
    /// How bad that is.
    pub exit: Exit,
}

/// A version of the root.
#[derive(Debug)]
pub struct RootVersion {
    /// Its number.
    pub version: u64,
    /// When it expires.
    pub expires: String,
    /// How many root keys have to sign.
    pub threshold: usize,
    /// Roles by the id of their keys.
    pub keys: BTreeMap<String, Vec<Role>>,
}

/// The log.
#[derive(Debug)]
pub struct LogState {
    /// Its name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// What is known of them, by number.
    pub entries: BTreeMap<u64, Said>,
    /// All witnesses of the policy, with the moment at which they cosigned this state.
    pub witnesses: Vec<(String, Option<u64>)>,
    /// Since when a quorum holds that.
    pub quorum_time: Option<u64>,
}

/// Reads all of it from a mirror.
///
/// # Errors
/// [`CliError`] if the mirror can't be read. That something is wrong is part of the history.
pub fn gather(source: &Source, trusted: Trusted, at: UtcTime) -> Result<History, CliError> {
    let mut roots = Vec::new();
    roots::follow(source, &trusted.pin, |root| roots.push(version(root)))?;
    let mut history = History {
        pin: trusted.pin,
        at,
        roots,
        log: None,
        alarms: Vec::new(),
        exit: Exit::Done,
    };
    if let Some(policy) = &trusted.policy {
        history.read_log(source, policy)?;
    }
    Ok(history)
}

impl History {
    fn read_log(&mut self, source: &Source, policy: &Policy) -> Result<(), CliError> {
        let folder = tempfile::tempdir().context(Exit::No, "folder of the moment")?;
        let place = Place::open(folder.path())?;
        let latest = self.at.as_unix().saturating_add(CLOCK_SKEW_S);
        let mut entries = BTreeMap::new();
        let looked = follow(source, &place, (policy, latest))?;
        looked.keep(&place)?;
        self.exit = worst(&looked.events);
        for event in looked.events {
            match event {
                Event::Entry { index, said } => drop(entries.insert(index, said)),
                Event::Alert { rule, text, .. } => self.alarms.push(format!("{rule}: {text}")),
                Event::Grown { .. }
                | Event::Key { .. }
                | Event::Head { .. }
                | Event::Ahead { .. } => {}
            }
        }
        // What was not read whole is not shown: the alarm says why.
        let Some(note) = place.checkpoint()? else {
            return Ok(());
        };
        let accepted = policy.accept(&note, latest).context(Exit::No, "log")?;
        let times: BTreeMap<&str, u64> = accepted
            .cosigned
            .iter()
            .map(|(name, time)| (name.as_str(), *time))
            .collect();
        let witnesses = policy.witnesses().iter();
        self.log = Some(LogState {
            origin: accepted.checkpoint.origin.clone(),
            size: accepted.checkpoint.size,
            root: accepted.checkpoint.root,
            entries,
            witnesses: witnesses
                .map(|party| (party.name.clone(), times.get(party.name.as_str()).copied()))
                .collect(),
            quorum_time: accepted.quorum_time,
        });
        Ok(())
    }
}

fn version(root: &Verified<Root>) -> RootVersion {
    let mut keys: BTreeMap<String, Vec<Role>> = BTreeMap::new();
    for role in Role::ALL {
        for id in root.role(role).keys().keys() {
            keys.entry(id.clone()).or_default().push(role);
        }
    }
    RootVersion {
        version: root.header().version,
        expires: root.header().expires.to_string(),
        threshold: root.role(Role::Root).threshold(),
        keys,
    }
}
