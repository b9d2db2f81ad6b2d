//! `streembit-agent boot`: the boot loader's part, for devices whose slots are directories or files.

use std::path::Path;

use cli::{CliError, Exit, Output};

use crate::boot::BootFile;
use crate::config::Config;

/// Runs `boot`: uses up a try of a slot on trial, falls back when none is left, prints the slot's
/// device. It needs no network, no keys and no lock, like a boot loader.
///
/// # Errors
/// [`CliError`] if the boot state can't be read or written.
pub fn run(config: &Path, output: Output) -> Result<Exit, CliError> {
    let config = Config::load(config)?;
    let file = BootFile::new(&config.data_directory);
    let mut state = file.load(&config.slots)?;
    let chosen = state.start();
    file.save(&state)?;
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
