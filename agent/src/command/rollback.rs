//! `streembit-agent rollback`: start the other slot next, by hand.

use std::path::Path;

use cli::{CliError, Exit, Output};
use serde_json::json;

use super::open;

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
