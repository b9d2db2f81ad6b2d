//! `streembit-agent boot`: the boot loader's part, for devices whose slots are directories or files.

use std::path::Path;

use cli::durable::Lock;
use cli::{CliError, Exit, Output};

use crate::boot::{BootFile, BootState};
use crate::config::Config;
use crate::state::StateFile;

/// Runs `boot`: uses up a try of a slot on trial, falls back when none is left, prints the slot's
/// device. It needs no network and no keys, and like a boot loader it always chooses: a boot state that
/// can't be read or written costs the trial, not the start (threats S82, S84).
///
/// # Errors
/// [`CliError`] with [`Exit::Retry`] if an agent runs: a device that is up is not started.
pub fn run(config: &Path, output: Output) -> Result<Exit, CliError> {
    let config = Config::load(config)?;
    // A folder that can't be locked (read-only, full) must not keep the device from starting.
    let lock = Lock::acquire(&config.data_directory);
    if matches!(lock, Ok(None)) {
        let message = "an agent runs: this device has started already";
        return Err(CliError::new(Exit::Retry, message).hint("reboot, then boot chooses"));
    }
    let file = BootFile::new(&config.data_directory);
    let (mut state, readable) = match file.load(&config.slots) {
        Ok(state) => (state, true),
        Err(error) => {
            output.error("streembit-agent boot", &error);
            let known = StateFile::new(&config.data_directory).load();
            let guess = BootState::guess(&config.slots, &known.unwrap_or_default());
            (guess, false)
        }
    };
    let before = state.clone();
    let mut chosen = state.start();
    if readable
        && state != before
        && let Err(error) = file.save(&state)
    {
        output.error("streembit-agent boot", &error);
        // A try that can't be counted is not used.
        let good = state.slots.iter().find(|slot| slot.good);
        chosen = good.map_or(chosen, |slot| slot.bootname.clone());
    }
    let slot = config.slots.iter().find(|slot| slot.bootname == chosen);
    let device = slot
        .map(|slot| slot.device.display().to_string())
        .unwrap_or_default();
    let tries = state.slot(&chosen).map_or(0, |slot| slot.tries);
    let good = state.slot(&chosen).is_some_and(|slot| slot.good);
    let value = serde_json::json!({ "bootname": chosen, "device": device, "good": good,
        "tries_left": tries });
    output.result(&value, device)?;
    Ok(Exit::Done)
}
