//! What the agent knows across restarts, beside the trusted metadata: one small file, replaced whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};
use protocol::exchange::tree::Blob;
use serde::{Deserialize, Serialize};

/// Bytes of the file.
const STATE_BYTES_MAX: u64 = 256 * 1024;
/// What to do without a readable state.
pub(crate) const LOST_FIX: &str = "restore the file: without it the anti-rollback counters are lost; a \
    new data-directory and streembit-agent init start the device over";
/// Failed releases that are remembered; the oldest are forgotten.
const FAILED_MAX: usize = 64;

/// An image in a slot, as it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The version that people read.
    pub version: String,
    /// The release counter.
    pub release: u64,
    /// The security version.
    pub security_version: u64,
    /// BLAKE3 of the image, hex.
    pub blake3: String,
    /// Bytes of the image.
    pub size: u64,
}

impl Image {
    /// The image's content address; `None` if the file was edited by hand.
    pub fn blob(&self) -> Option<Blob> {
        let mut root = [0; 32];
        hex::decode_to_slice(&self.blake3, &mut root).ok()?;
        Some(Blob {
            root,
            size: self.size,
        })
    }
}

/// An installed image that has not proved itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The boot name of its slot.
    pub bootname: String,
    /// The image.
    pub image: Image,
    /// The version it replaces.
    pub from: Option<String>,
}

/// The agent's state. Counters never go down, so a file without them is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// What each slot holds, by boot name; nothing while it is written.
    pub slots: BTreeMap<String, Image>,
    /// The image on trial.
    pub pending: Option<Pending>,
    /// The highest release that proved itself here.
    pub release_floor: u64,
    /// The highest security version that proved itself here.
    pub security_floor: u64,
    /// Releases that failed here and are not tried again.
    pub failed: BTreeSet<u64>,
    /// The newest timestamp version seen and when it was first seen, seconds since 1970.
    pub newest_seen: Option<(u64, u64)>,
    /// A moment that has passed for sure, seconds since 1970: when metadata was last verified.
    #[serde(default)]
    pub time_floor: u64,
    /// What was measured, for the choice between deltas.
    #[serde(default)]
    pub measured: Measured,
}

/// How fast this device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Bytes per second that fetches brought of late.
    pub link: Option<u64>,
    /// Image bytes per CPU second that deltas by context mixing made of late.
    pub mixing: Option<u64>,
}

impl Measured {
    /// Takes a sample of the link's speed into account.
    pub fn note_link(&mut self, speed: u64) {
        self.link = Some(half_way(self.link, speed));
    }

    /// Takes a sample of context mixing's speed into account.
    pub fn note_mixing(&mut self, speed: u64) {
        self.mixing = Some(half_way(self.mixing, speed));
    }
}

/// One odd update must not decide the way of the next.
fn half_way(old: Option<u64>, sample: u64) -> u64 {
    old.map_or(sample, |old| old.midpoint(sample)).max(1)
}

impl State {
    /// Notes a release that failed.
    pub fn fail(&mut self, release: u64) {
        self.failed.insert(release);
        while self.failed.len() > FAILED_MAX {
            self.failed.pop_first();
        }
    }
}

/// The file that holds the state.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// Names the file in the data folder.
    pub fn new(data: &Path) -> Self {
        Self {
            path: data.join("state.json"),
        }
    }

    /// Whether `init` has made it.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Reads the state.
    ///
    /// # Errors
    /// [`CliError`] if it can't be read: a lost or damaged file must not lower the counters (threats
    /// S85).
    pub fn load(&self) -> Result<State, CliError> {
        let bytes = durable::read(&self.path, STATE_BYTES_MAX).context(Exit::No, "agent state");
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).context(Exit::No, self.path.display()))
            .map_err(|error| error.hint(LOST_FIX))
    }

    /// Replaces the state, durably.
    ///
    /// # Errors
    /// [`CliError`]; the old state is in force then.
    pub fn save(&self, state: &State) -> Result<(), CliError> {
        let bytes = serde_json::to_vec_pretty(state).context(Exit::No, "agent state")?;
        durable::replace(&self.path, &bytes, durable::Access::World)
            .context(Exit::No, "agent state")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }
}

#[cfg(test)]
mod tests;
