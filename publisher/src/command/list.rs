//! `streembit-publisher list`: the releases, newest first.

use std::path::Path;

use cli::{CliError, Exit, Output, human};
use manifests::release::Release;
use serde::Serialize;

use crate::repository::{Layout, OWN_CLOCK};
use crate::settings::Settings;

#[derive(Debug, Serialize)]
struct Row {
    version: String,
    release: u64,
    security_version: u64,
    hardware: Vec<String>,
    size: u64,
    deltas: usize,
}

/// Runs `list`.
///
/// # Errors
/// [`CliError`] if the repository does not verify.
pub fn run(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let settings = Settings::load(folder)?;
    let repository = Layout::new(folder).verify(settings.product_name()?, OWN_CLOCK)?;
    let targets = repository.product.targets().values();
    let mut releases: Vec<&Release> = targets
        .filter_map(|target| target.release.as_ref())
        .collect();
    releases.sort_by_key(|release| std::cmp::Reverse(release.release));
    let rows: Vec<Row> = releases.into_iter().map(row).collect();
    let mut text = format!(
        "{:<16} {:>7} {:>8} {:>12} {:>6}  {}",
        "VERSION", "RELEASE", "SECURITY", "SIZE", "DELTAS", "HARDWARE"
    );
    for row in &rows {
        text.push_str(&format!(
            "\n{:<16} {:>7} {:>8} {:>12} {:>6}  {}",
            row.version,
            row.release,
            row.security_version,
            human::bytes(row.size),
            row.deltas,
            row.hardware.join(" ")
        ));
    }
    output.result(&rows, text)?;
    Ok(Exit::Done)
}

fn row(release: &Release) -> Row {
    Row {
        version: release.version.clone(),
        release: release.release,
        security_version: release.security_version,
        hardware: release.hardware.iter().map(ToString::to_string).collect(),
        size: release.image.size,
        deltas: release.deltas.len(),
    }
}
