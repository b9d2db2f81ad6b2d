//! Which slot starts next: the file backend.
//!
//! A boot loader keeps for each slot whether it is good and how many tries it has left. Here that is
//! one small file, and `streembit-agent boot` is the boot loader's part. Real boot loaders follow.

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};
use serde::{Deserialize, Serialize};

use crate::slot::Slot;
use crate::state::State;

/// Bytes of the file.
const BOOT_BYTES_MAX: u64 = 16 * 1024;

/// A slot as the boot loader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootSlot {
    /// What the boot loader calls it.
    pub bootname: String,
    /// It has started and proved itself.
    pub good: bool,
    /// Starts left for a slot that has not.
    pub tries: u32,
}

/// The boot state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootState {
    /// The slot that starts next if it can.
    pub primary: String,
    /// The slot that was started last.
    pub booted: String,
    /// Both slots.
    pub slots: Vec<BootSlot>,
}

impl BootState {
    /// A factory device: the first slot is good and running, the second empty.
    pub fn factory(slots: &[Slot; 2]) -> Self {
        let [first, second] = slots;
        let slot = |slot: &Slot, good| BootSlot {
            bootname: slot.bootname.clone(),
            good,
            tries: 0,
        };
        Self {
            primary: first.bootname.clone(),
            booted: first.bootname.clone(),
            slots: vec![slot(first, true), slot(second, false)],
        }
    }

    /// Without a boot file: as on a factory device, but a slot whose image has proved itself starts, as
    /// far as the agent's state says.
    pub fn guess(slots: &[Slot; 2], state: &State) -> Self {
        let mut boot = Self::factory(slots);
        let on_trial = state.pending.as_ref().map(|pending| &pending.bootname);
        let known = |name: &String| slots.iter().any(|slot| slot.bootname == *name);
        let mut proved = state.slots.iter().collect::<Vec<_>>();
        proved.retain(|(name, _)| Some(*name) != on_trial && known(name));
        if let Some((name, _)) = proved.into_iter().max_by_key(|(_, image)| image.release) {
            boot.mark_good(name);
            boot.primary.clone_from(name);
            boot.booted.clone_from(name);
        }
        boot
    }

    fn slot_mut(&mut self, bootname: &str) -> Option<&mut BootSlot> {
        self.slots.iter_mut().find(|slot| slot.bootname == bootname)
    }

    /// A slot by its boot name.
    pub fn slot(&self, bootname: &str) -> Option<&BootSlot> {
        self.slots.iter().find(|slot| slot.bootname == bootname)
    }

    fn can_start(&self, bootname: &str) -> bool {
        self.slot(bootname)
            .is_some_and(|slot| slot.good || slot.tries > 0)
    }

    /// Does what a boot loader does: starts the primary slot if it is good or has a try left (which
    /// it uses up), else the other. With nothing left it starts the primary all the same.
    pub fn start(&mut self) -> String {
        let others = self.slots.iter().map(|slot| slot.bootname.clone());
        let order: Vec<String> = std::iter::once(self.primary.clone())
            .chain(others)
            .collect();
        let chosen = order.into_iter().find(|name| self.can_start(name));
        let chosen = chosen.unwrap_or_else(|| self.primary.clone());
        if let Some(slot) = self.slot_mut(&chosen)
            && !slot.good
        {
            slot.tries = slot.tries.saturating_sub(1);
        }
        self.booted.clone_from(&chosen);
        chosen
    }

    /// Makes a slot unable to start, before its content changes. The primary moves away from it.
    pub fn forbid(&mut self, bootname: &str) {
        if let Some(slot) = self.slot_mut(bootname) {
            slot.good = false;
            slot.tries = 0;
        }
        if self.primary == bootname {
            self.primary.clone_from(&self.booted);
        }
    }

    /// Lets a verified slot start `attempts` times, first.
    pub fn try_next(&mut self, bootname: &str, attempts: u32) {
        if let Some(slot) = self.slot_mut(bootname) {
            slot.good = false;
            slot.tries = attempts;
            bootname.clone_into(&mut self.primary);
        }
    }

    /// Notes that a slot has proved itself.
    pub fn mark_good(&mut self, bootname: &str) {
        if let Some(slot) = self.slot_mut(bootname) {
            slot.good = true;
            slot.tries = 0;
        }
    }

    /// Notes that a slot must not start again.
    pub fn mark_bad(&mut self, bootname: &str) {
        if let Some(slot) = self.slot_mut(bootname) {
            slot.good = false;
            slot.tries = 0;
        }
    }
}

/// The file that holds the boot state.
#[derive(Clone, Debug)]
pub struct BootFile {
    path: PathBuf,
}

impl BootFile {
    /// Names the file in the data folder.
    pub fn new(data: &Path) -> Self {
        Self {
            path: data.join("boot.json"),
        }
    }

    /// Whether `init` has made it.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Reads the boot state.
    ///
    /// # Errors
    /// [`CliError`] if it can't be read or names other slots than the configuration.
    pub fn load(&self, slots: &[Slot; 2]) -> Result<BootState, CliError> {
        let bytes = durable::read(&self.path, BOOT_BYTES_MAX)
            .context(Exit::No, "boot state")
            .map_err(|error| error.hint("streembit-agent init makes a lost one again"))?;
        let parsed = serde_json::from_slice(&bytes).context(Exit::No, self.path.display());
        let state: BootState =
            parsed.map_err(|error| error.hint("restore the file; what may start is unknown"))?;
        let known = |name: &String| slots.iter().any(|slot| slot.bootname == *name);
        let listed = |slot: &Slot| state.slot(&slot.bootname).is_some();
        let all = state.slots.len() == 2 && slots.iter().all(listed);
        if !all || !known(&state.primary) || !known(&state.booted) {
            let message = format!(
                "{} names other slots than the configuration",
                self.path.display()
            );
            return Err(CliError::new(Exit::Usage, message).hint("put the bootnames right"));
        }
        Ok(state)
    }

    /// Replaces the boot state, durably.
    ///
    /// # Errors
    /// [`CliError`]; the old state is in force then.
    pub fn save(&self, state: &BootState) -> Result<(), CliError> {
        let bytes = serde_json::to_vec_pretty(state).context(Exit::No, "boot state")?;
        durable::replace(&self.path, &bytes, durable::Access::World)
            .context(Exit::No, "boot state")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }
}

#[cfg(test)]
mod tests;
