//! Evidence against logs that came together at this node: `evidence/KEY.json` in the data folder, KEY being where the
//! log's checkpoint lies in the DHT.

use std::path::Path;

use cli::durable::{self, Access, PathError};
use protocol::dht::key::DhtKey;
use tlog::split_view::SplitView;

const FOLDER: &str = "evidence";
/// Files that are kept: anybody may make a log with two histories.
const FILES_MAX: usize = 64;

/// Keeps evidence, the first of each log.
pub(crate) fn keep(data_directory: &Path, key: &[u8], view: &SplitView) {
    let Some(key) = DhtKey::from_slice(key) else {
        return;
    };
    tracing::warn!(%key, "a log shows two histories");
    if let Err(error) = write(&data_directory.join(FOLDER), &key, view) {
        tracing::error!(%key, %error, "what shows it is not kept");
    }
}

fn write(folder: &Path, key: &DhtKey, view: &SplitView) -> Result<(), PathError> {
    let path = folder.join(format!("{key}.json"));
    if path.exists() {
        return Ok(());
    }
    durable::create_folder(folder)?;
    let there = std::fs::read_dir(folder).map_err(|error| PathError::new(folder, error))?;
    if there.count() >= FILES_MAX {
        return Ok(());
    }
    durable::replace(&path, view.encode().as_bytes(), Access::World)
}
