//! `streembit-agent mark-good` and `mark-bad`.

use std::path::Path;

use cli::{CliError, Exit, Output};
use serde_json::json;

use super::open;
use crate::prove::commit;

/// Options of mark-bad
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// `booted`, `other` or a bootname
    #[arg(default_value = "booted")]
    pub slot: String,
}

/// Runs `mark-good`.
///
/// # Errors
/// [`CliError`].
pub fn good(config: &Path, output: Output) -> Result<Exit, CliError> {
    let mut device = open(config)?;
    commit(&mut device)?;
    let booted = device.boot()?.booted;
    output.result(
        &json!({ "good": booted }),
        format_args!("slot {booted} is good"),
    )?;
    Ok(Exit::Done)
}

/// Runs `mark-bad`. If the running slot is bad, the other starts next, provided it is good.
///
/// # Errors
/// [`CliError`] if no good slot would be left.
pub fn bad(args: &Args, config: &Path, output: Output) -> Result<Exit, CliError> {
    let mut device = open(config)?;
    let bootname = match args.slot.as_str() {
        "booted" => device.boot()?.booted,
        "other" => device.other_slot()?.bootname,
        name => name.to_owned(),
    };
    let mut boot = device.boot()?;
    if boot.slot(&bootname).is_none() {
        let message = format!("no slot {bootname}");
        return Err(CliError::new(Exit::Usage, message).hint("booted, other or a bootname"));
    }
    let other = boot
        .slots
        .iter()
        .find(|slot| slot.bootname != bootname && slot.good);
    let Some(other) = other.map(|slot| slot.bootname.clone()) else {
        let message = format!("{bootname} is the only good slot");
        return Err(CliError::new(Exit::No, message).hint("install a release first"));
    };
    device.record("marked-bad", json!({ "slot": bootname }))?;
    boot.mark_bad(&bootname);
    if boot.primary == bootname {
        boot.primary = other;
    }
    // The state comes first: a cut in between must not look like a switch that was cut off.
    let mut state = device.state()?;
    if let Some(pending) = state
        .pending
        .take_if(|pending| pending.bootname == bootname)
    {
        state.fail(pending.image.release);
        device.save_state(&state)?;
    }
    device.save_boot(&boot)?;
    let value = json!({ "bad": bootname, "primary": boot.primary });
    output.result(
        &value,
        format_args!("slot {bootname} is bad, {} starts next", boot.primary),
    )?;
    Ok(Exit::Done)
}
