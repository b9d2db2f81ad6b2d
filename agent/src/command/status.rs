//! `streembit-agent status`: slots, versions, trust.

use std::path::Path;
use std::time::Duration;

use cli::{CliError, Exit, Output, human};
use node::storage::records::unix_now;
use serde_json::json;

use crate::boot::BootFile;
use crate::config::Config;
use crate::slot::Slot;
use crate::state::StateFile;
use crate::trust::TrustStore;

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
    let rows = config.slots.iter().map(|slot| {
        let boot_slot = boot.slot(&slot.bootname);
        let good = boot_slot.is_some_and(|slot| slot.good);
        let tries = boot_slot.map_or(0, |slot| slot.tries);
        let word = match (good, tries) {
            (true, _) => "good".to_owned(),
            (false, 0) => "bad".to_owned(),
            (false, tries) => format!("{tries} tries"),
        };
        let version = state
            .slots
            .get(&slot.bootname)
            .map(|image| image.version.clone());
        (slot, word, version)
    });
    let rows: Vec<(&Slot, String, Option<String>)> = rows.collect();
    let silence = state
        .newest_seen
        .map(|(_, at)| unix_now().saturating_sub(at));
    let stale = silence.is_some_and(|seconds| seconds > pin.max_staleness.as_secs());
    let slots: Vec<serde_json::Value> = rows
        .iter()
        .map(|(slot, word, version)| {
            json!({ "name": slot.name, "bootname": slot.bootname, "state": word,
                "version": version, "device": slot.device.display().to_string(),
                "booted": slot.bootname == boot.booted, "primary": slot.bootname == boot.primary })
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
    for (slot, word, version) in &rows {
        let booted = if slot.bootname == boot.booted {
            " booted"
        } else {
            ""
        };
        let primary = if slot.bootname == boot.primary {
            " primary"
        } else {
            ""
        };
        let version = version.as_deref().unwrap_or("unknown");
        text.push_str(&format!(
            "\nslot        {} {} {version} {word}{booted}{primary}",
            slot.name, slot.bootname
        ));
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
