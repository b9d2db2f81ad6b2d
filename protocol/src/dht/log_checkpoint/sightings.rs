//! What several records say of one log.

use tlog::checkpoint::Checkpoint;
use tlog::note::Note;
use tlog::policy::Policy;
use tlog::split_view::SplitView;
use tlog::vkey::{Scheme, VerifierKey};

use super::{Seen, Subject};

/// Witnesses of a policy that are asked for; more look-ups take a small device too long.
pub const WITNESSES_ASKED_MAX: usize = 8;

/// Checkpoints of a log, and evidence against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// Each text once, with all signatures that were seen below it.
    pub checkpoints: Vec<(Note, Checkpoint)>,
    /// Evidence, if some was seen.
    pub split_view: Option<SplitView>,
}

impl Sightings {
    /// Adds what a record says.
    pub fn add(&mut self, seen: Seen) {
        let (note, checkpoint) = match seen {
            Seen::Checkpoint { note, checkpoint } => (note, checkpoint),
            Seen::SplitView(view) => {
                self.split_view.get_or_insert(view);
                return;
            }
        };
        let mut known = self.checkpoints.iter_mut();
        // Each may bear other cosignatures, which count together.
        match known.find(|(known, _)| known.text() == note.text()) {
            Some((known, _)) => note.lines().iter().for_each(|line| known.add(line.clone())),
            None => self.checkpoints.push((note, checkpoint)),
        }
    }
}

impl Subject {
    /// Where the network is asked about a log: of whatever anybody brought, and of what these witnesses cosigned.
    pub fn all(log: &VerifierKey, policy: &Policy) -> Vec<Self> {
        let keys = policy.witnesses().iter().map(|party| &party.key);
        let keys = keys.filter(|key| matches!(key.scheme(), Scheme::Cosignature(_)));
        let alone = std::iter::once(None);
        let subjects = alone.chain(keys.take(WITNESSES_ASKED_MAX).map(|key| Some(key.clone())));
        let of = |witness| Self {
            log: log.clone(),
            witness,
        };
        subjects.map(of).collect()
    }
}
