//! `streembit-agent rollback`: start the other slot next, by hand.

use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use serde_json::json;

use super::open;
use crate::install;
use crate::slot::{Slot, SlotKind};
use crate::state::State;

/// Runs `rollback`. An image that has not started yet is given up; else the other slot is started
/// next, if it is good. The counters stay: a release that was rolled back is not installed again.
///
/// # Errors
/// [`CliError`] if there is nothing good to go back to.
pub fn run(config: &Path, output: Output) -> Result<Exit, CliError> {
    let mut device = open(config)?;
    let (mut boot, mut state) = (device.boot()?, device.state()?);
    let given_up = state.pending.take();
    let waiting = given_up
        .as_ref()
        .is_some_and(|pending| pending.bootname != boot.booted);
    let next = if waiting {
        boot.booted.clone()
    } else {
        device.other_slot()?.bootname
    };
    if !boot.slot(&next).is_some_and(|slot| slot.good) {
        let message = format!("slot {next} holds no good system");
        return Err(CliError::new(Exit::No, message).hint("nothing to go back to"));
    }
    if !waiting {
        check_other(&device.other_slot()?, &state)?;
    }
    device.record("rollback", json!({ "to": next }))?;
    if let Some(pending) = given_up {
        boot.mark_bad(&pending.bootname);
        state.fail(pending.image.release);
    }
    boot.primary.clone_from(&next);
    // The state comes first: a cut in between must not look like a switch that was cut off.
    device.save_state(&state)?;
    device.save_boot(&boot)?;
    let exit = if next == boot.booted {
        Exit::Done
    } else {
        Exit::Reboot
    };
    output.result(
        &json!({ "primary": next }),
        format_args!("slot {next} starts next"),
    )?;
    Ok(exit)
}

/// A system with a hole that has been closed here does not come back, nor one whose bytes have changed.
fn check_other(slot: &Slot, state: &State) -> Result<(), CliError> {
    let Some(image) = state.slots.get(&slot.bootname) else {
        return Ok(());
    };
    if image.security_version < state.security_floor {
        let message = format!(
            "slot {} holds security version {}, the floor is {} (rollback)",
            slot.bootname, image.security_version, state.security_floor
        );
        return Err(CliError::new(Exit::Rollback, message).hint("install a newer release instead"));
    }
    if slot.kind == SlotKind::Raw
        && let Some(blob) = image.blob()
    {
        let whole = install::read_back(&slot.device, &blob);
        whole
            .context(Exit::No, format_args!("slot {}", slot.bootname))
            .map_err(|error| error.hint("its content changed; install a release instead"))?;
    }
    Ok(())
}
