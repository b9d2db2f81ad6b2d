//! Proving → Committed | RolledBack: what a restart means, and when a new image counts as good.

use std::process::Stdio;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::device::Device;
use crate::install;
use crate::receipts;
use crate::slot::SlotKind;
use crate::state::Pending;

/// Where an update stands after a start of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is on trial.
    Settled,
    /// A new image is installed and has not started yet.
    RebootPending,
    /// A new image runs and must prove itself.
    Proving(Box<Pending>),
    /// A new image did not prove itself and the old one runs again; this was found just now.
    RolledBack(Box<Pending>),
}

/// Compares what was planned with what runs, finishes a switch that was cut off and notes a fallback.
///
/// # Errors
/// [`CliError`].
pub fn reconcile(device: &mut Device) -> Result<Standing, CliError> {
    let mut state = device.state()?;
    let mut boot = device.boot()?;
    let Some(pending) = state.pending.clone() else {
        return Ok(Standing::Settled);
    };
    if boot.booted == pending.bootname && boot.slot(&boot.booted).is_some_and(|slot| slot.good) {
        // The cut came between boot state and state of a commit: it has proved itself.
        commit(device)?;
        return Ok(Standing::Settled);
    }
    if boot.booted == pending.bootname {
        return Ok(Standing::Proving(Box::new(pending)));
    }
    if boot.primary != pending.bootname {
        return finish_switch(device, &pending);
    }
    let can_start = boot
        .slot(&pending.bootname)
        .is_some_and(|slot| slot.good || slot.tries > 0);
    if can_start {
        return Ok(Standing::RebootPending);
    }
    let data = json!({ "version": pending.image.version, "release": pending.image.release,
        "running": boot.booted, "from": pending.from });
    device.record("rolled-back", data)?;
    // The state comes first: a cut in between must not look like a switch that was cut off, or the
    // release that failed is started again (threats S86).
    state.fail(pending.image.release);
    state.pending = None;
    device.save_state(&state)?;
    boot.primary.clone_from(&boot.booted);
    device.save_boot(&boot)?;
    Ok(Standing::RolledBack(Box::new(pending)))
}

/// The cut came between state and boot state. The slot is read again before it may start.
fn finish_switch(device: &mut Device, pending: &Pending) -> Result<Standing, CliError> {
    let slot = device
        .config
        .slots
        .iter()
        .find(|slot| slot.bootname == pending.bootname);
    let raw = slot
        .filter(|slot| slot.kind == SlotKind::Raw)
        .map(|slot| slot.device.clone());
    let intact = match (raw, pending.image.blob()) {
        (Some(path), Some(blob)) => install::read_back(&path, &blob).is_ok(),
        // A directory takes its slot's place whole, by a rename that came before the state.
        (None, Some(_)) => true,
        (_, None) => false,
    };
    if !intact {
        let mut state = device.state()?;
        state.pending = None;
        state.slots.remove(&pending.bootname);
        device.save_state(&state)?;
        return Ok(Standing::Settled);
    }
    device.record(
        "switching",
        json!({ "resumed": true, "slot": pending.bootname }),
    )?;
    let mut boot = device.boot()?;
    boot.try_next(&pending.bootname, device.config.boot_attempts);
    device.save_boot(&boot)?;
    Ok(Standing::RebootPending)
}

/// Makes the running image count as good; its counters become floors.
///
/// # Errors
/// [`CliError`].
pub fn commit(device: &mut Device) -> Result<(), CliError> {
    let mut state = device.state()?;
    let mut boot = device.boot()?;
    let booted = boot.booted.clone();
    let pending = state
        .pending
        .clone()
        .filter(|pending| pending.bootname == booted);
    let image = pending.as_ref().map(|pending| &pending.image);
    let data = json!({ "slot": booted, "version": image.map(|image| &image.version),
        "release": image.map(|image| image.release) });
    device.record(
        if pending.is_some() {
            "committed"
        } else {
            "marked-good"
        },
        data,
    )?;
    if let Some(pending) = &pending
        && let Err(error) = receipts::write(device, &pending.image)
    {
        tracing::warn!(%error, "no receipt of the installation");
    }
    boot.mark_good(&booted);
    boot.primary.clone_from(&booted);
    device.save_boot(&boot)?;
    if let Some(pending) = pending {
        state.release_floor = state.release_floor.max(pending.image.release);
        state.security_floor = state.security_floor.max(pending.image.security_version);
        state.pending = None;
        device.save_state(&state)?;
    }
    Ok(())
}

/// Asks the health program whether the running system works. Without one, running the agent is proof
/// enough.
///
/// # Errors
/// [`CliError`] with [`Exit::No`] if it fails, hangs or can't be started.
pub async fn check_health(device: &Device, pending: &Pending) -> Result<(), CliError> {
    let Some(program) = &device.config.health else {
        return Ok(());
    };
    let slot = device.running_slot()?;
    let mut command = Command::new(program);
    command
        .env("STREEMBIT_SLOT", &slot.name)
        .env("STREEMBIT_DEVICE", &slot.device)
        .env("STREEMBIT_BOOTNAME", &slot.bootname)
        .env("STREEMBIT_VERSION", &pending.image.version)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let name = program.display();
    let status = command.status();
    let limit = device.config.health_timeout;
    let ended = timeout(limit, status).await.map_err(|_| {
        let seconds = limit.as_secs();
        CliError::new(
            Exit::No,
            format_args!("health check {name} did not end in {seconds} s"),
        )
    })?;
    let status = ended.context(Exit::No, format_args!("health check {name}"))?;
    if status.success() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::No,
        format_args!("health check {name} failed: {status}"),
    ))
}

#[cfg(test)]
mod tests;
