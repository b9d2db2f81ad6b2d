//! `streembit-agent status`: slots, versions, trust.

use std::path::Path;
use std::time::Duration;

use cli::{CliError, Exit, Output, human};
use node::clock::unix_now;
use serde_json::json;

use crate::boot::{BootFile, BootState};
use crate::config::Config;
use crate::slot::Slot;
use crate::state::{State, StateFile};
use crate::trust::TrustStore;

/// A slot as it is shown.
struct Row<'a> {
    slot: &'a Slot,
    word: String,
    version: Option<&'a str>,
    booted: bool,
    primary: bool,
}

/// Runs `status`; needs no lock, so it works beside a running agent.
///
/// # Errors
/// [`CliError`] if the device is not initialised.
pub fn run(config: &Path, output: Output) -> Result<Exit, CliError> {
    let config = Config::load(config)?;
    let data = config.data_directory.as_path();
    let pin = TrustStore::new(data).pin()?;
    let boot = BootFile::new(data).load(&config.slots)?;
    let state = StateFile::new(data).load()?;
    let rows: Vec<Row<'_>> = config
        .slots
        .iter()
        .map(|slot| row(slot, &boot, &state))
        .collect();
    let silence = state
        .newest_seen
        .map(|(_, at)| unix_now().saturating_sub(at));
    let stale = silence.is_some_and(|seconds| seconds > pin.max_staleness.as_secs());
    let slots: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            json!({ "name": row.slot.name, "bootname": row.slot.bootname, "state": row.word,
                "version": row.version, "device": row.slot.device.display().to_string(),
                "booted": row.booted, "primary": row.primary })
        })
        .collect();
    let value = json!({ "product": pin.product.to_string(), "channel": pin.channel.to_string(),
        "publisher_id": pin.publisher_id.to_string(), "compatible": config.hardware.to_string(),
        "slots": slots, "pending": state.pending.as_ref().map(|it| &it.image.version),
        "release_floor": state.release_floor, "security_floor": state.security_floor,
        "failed": state.failed, "silence_s": silence, "stale": stale });
    let mut text = format!(
        "product     {} for {}, channel {}\npublisher   {}",
        pin.product, config.hardware, pin.channel, pin.publisher_id
    );
    for row in &rows {
        text.push_str(&line(row));
    }
    text.push_str(&format!(
        "\nfloors      release {}, security version {}",
        state.release_floor, state.security_floor
    ));
    if let Some(seconds) = silence {
        let age = human::duration(Duration::from_secs(seconds));
        let warning = if stale {
            ": cut off? no news for longer than the pin allows"
        } else {
            ""
        };
        text.push_str(&format!("\nlast news   {age} ago{warning}"));
    }
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn row<'a>(slot: &'a Slot, boot: &BootState, state: &'a State) -> Row<'a> {
    let entry = boot.slot(&slot.bootname);
    let word = match entry.map(|entry| (entry.good, entry.tries)) {
        Some((true, _)) => "good".to_owned(),
        Some((false, tries)) if tries > 0 => format!("{tries} tries"),
        _ => "bad".to_owned(),
    };
    Row {
        slot,
        word,
        version: state
            .slots
            .get(&slot.bootname)
            .map(|image| image.version.as_str()),
        booted: slot.bootname == boot.booted,
        primary: slot.bootname == boot.primary,
    }
}

fn line(row: &Row<'_>) -> String {
    let Row {
        slot,
        word,
        version,
        booted,
        primary,
    } = row;
    let booted = if *booted { " booted" } else { "" };
    let primary = if *primary { " primary" } else { "" };
    let version = version.unwrap_or("unknown");
    format!(
        "\nslot        {} {} {version} {word}{booted}{primary}",
        slot.name, slot.bootname
    )
}
