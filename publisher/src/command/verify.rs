//! `streembit-publisher verify`: the repository as a device sees it, and every byte of it.

use std::path::Path;
use std::time::SystemTime;

use cli::{CliError, Exit, Output};
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;

use crate::deltas::blob_of;
use crate::repository::Layout;

/// Runs `verify`.
///
/// # Errors
/// [`CliError`] naming file and rule.
pub fn run(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let layout = Layout::new(folder);
    let now = UtcTime::from_system(SystemTime::now());
    let repository = layout.verify(now)?;
    let (mut images, mut deltas) = (0u64, 0u64);
    let roles = repository.products.values();
    for target in roles.flat_map(|role| role.targets().values()) {
        let Some(release) = &target.release else {
            continue;
        };
        layout.check_blob(&blob_of(&release.image), Some(&target.sha256))?;
        images += 1;
        for delta in &release.deltas {
            layout.check_blob(&blob_of(&delta.blob), None)?;
            deltas += 1;
        }
    }
    let header = repository.timestamp.header();
    let root = repository.root.header().version;
    let value = serde_json::json!({ "verdict": "verified", "root": root,
        "timestamp": header.version, "expires": header.expires.to_string(),
        "images": images, "deltas": deltas });
    let text = format!(
        "verified    root {root}, timestamp {}, {images} images, {deltas} deltas\nexpires     {}",
        header.version, header.expires
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}
