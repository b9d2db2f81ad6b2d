//! `streembit-agent check`: is there a release for this device?

use std::path::Path;

use cli::{CliError, Exit, Output, human};

use super::with_sources;
use crate::plan::{self, Base, Way};
use crate::policy::Decision;
use crate::update;

/// Runs `check`.
///
/// # Errors
/// [`CliError`] naming source, file and rule.
pub fn run(config: &Path, output: Output) -> Result<Exit, CliError> {
    let (found, circumstances) = with_sources(config, async |device, sources| {
        let found = update::look(device, sources).await?;
        Ok((found, update::circumstances(device)?))
    })?;
    let running = found.running.as_ref().map(|image| image.version.clone());
    let source = &found.checked.source;
    let (word, release, exit) = match &found.decision {
        Decision::Install(release) => ("available", Some(release), Exit::Done),
        Decision::Pending => ("reboot-pending", None, Exit::No),
        Decision::UpToDate => ("up-to-date", None, Exit::No),
        Decision::Refuse(why) => {
            return Err(update::refused(why));
        }
    };
    let mut text = format!(
        "{word}   running {}",
        running.as_deref().unwrap_or("unknown")
    );
    if let Some(release) = release {
        let base = found.running.as_ref().and_then(|image| {
            let blake3 = manifests::digest::Blake3::parse(&image.blake3).ok()?;
            let size = image.size;
            let image = manifests::release::Content { blake3, size };
            // Whether it was modified takes reading it; install does.
            let modified = 0;
            Some(Base { image, modified })
        });
        let ways = plan::ways(release, base.as_ref(), &circumstances);
        let way = match ways.first() {
            Some(Way::Delta(delta)) if plan::is_repack(delta) => {
                format!("repack of {}", human::bytes(delta.blob.size))
            }
            Some(Way::Delta(delta)) => format!("delta of {}", human::bytes(delta.blob.size)),
            _ => format!("image of {}", human::bytes(release.image.size)),
        };
        text.push_str(&format!(", newest {}, {way}", release.version));
    }
    text.push_str(&format!("   (from {source})"));
    let value = serde_json::json!({ "result": word, "running": running, "source": source,
        "version": release.map(|release| &release.version),
        "release": release.map(|release| release.release) });
    output.result(&value, text)?;
    Ok(exit)
}
