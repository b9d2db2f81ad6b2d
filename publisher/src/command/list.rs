//! `streembit-publisher list`: the releases of each product, newest first.

use std::cmp::Reverse;
use std::path::Path;

use cli::{CliError, Exit, Output, human};
use manifests::release::Release;
use serde::Serialize;

use crate::repository::{Layout, OWN_CLOCK, releases};

#[derive(Debug, Serialize)]
struct Row {
    product: String,
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
    let repository = Layout::new(folder).verify(OWN_CLOCK)?;
    let mut releases: Vec<&Release> = releases(&repository).collect();
    releases.sort_by_key(|release| (release.product.clone(), Reverse(release.release)));
    let rows: Vec<Row> = releases.into_iter().map(row).collect();
    let mut text = format!(
        "{:<16} {:<16} {:>7} {:>8} {:>12} {:>6}  {}",
        "PRODUCT", "VERSION", "RELEASE", "SECURITY", "SIZE", "DELTAS", "HARDWARE"
    );
    for row in &rows {
        text.push_str(&format!(
            "\n{:<16} {:<16} {:>7} {:>8} {:>12} {:>6}  {}",
            row.product,
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
        product: release.product.to_string(),
        version: release.version.clone(),
        release: release.release,
        security_version: release.security_version,
        hardware: release.hardware.iter().map(ToString::to_string).collect(),
        size: release.image.size,
        deltas: release.deltas.len(),
    }
}
