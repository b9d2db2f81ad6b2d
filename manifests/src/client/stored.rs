//! Trusted files as a shell holds them.

use super::rules::SNAPSHOT_FILE;
use super::workflow::{ROOT_FILE, TARGETS_FILE, TIMESTAMP_FILE};
use super::{Effect, Stored};

impl Stored {
    /// A device that has seen nothing yet but its pin.
    pub fn from_pin(pin: &crate::pin::Pin) -> Self {
        Self {
            root: pin.root.clone(),
            ..Self::default()
        }
    }

    /// Does to these files what a shell does to its own.
    pub fn apply(&mut self, effect: &Effect) {
        let (file, bytes) = match effect {
            Effect::Store(file, bytes) => (file, Some(bytes.clone())),
            Effect::Delete(file) => (file, None),
        };
        match (file.as_str(), bytes) {
            (ROOT_FILE, bytes) => self.root = bytes.unwrap_or_default(),
            (TIMESTAMP_FILE, bytes) => self.timestamp = bytes,
            (SNAPSHOT_FILE, bytes) => self.snapshot = bytes,
            (TARGETS_FILE, bytes) => self.targets = bytes,
            (file, bytes) => {
                let role = file.strip_suffix(".json").unwrap_or(file).to_owned();
                match bytes {
                    Some(bytes) => self.roles.insert(role, bytes),
                    None => self.roles.remove(&role),
                };
            }
        }
    }
}
