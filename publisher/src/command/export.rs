//! `streembit-publisher export`: a static folder that any web server can host as a mirror.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cli::durable::{self, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use manifests::instant::UtcTime;

use crate::repository::{Layout, TIMESTAMP};
use crate::settings::Settings;

/// Options of export
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder to write; what is there already is kept or replaced
    pub folder: PathBuf,
}

/// Runs `export`: the same layout without settings and keys. The timestamp is copied last, so that a
/// web server never names what it does not have.
///
/// # Errors
/// [`CliError`] naming the file.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let settings = Settings::load(folder)?;
    let layout = Layout::new(folder);
    let _lock = layout.lock()?;
    let now = UtcTime::from_system(SystemTime::now());
    layout.verify(settings.product_name()?, now)?;
    Layout::new(&args.folder)
        .create()
        .context(Exit::No, "export")?;
    let (mut files, mut bytes) = (0u64, 0u64);
    for name in ["blobs", "trees", "targets", "heads", "metadata"] {
        let (from, to) = (folder.join(name), args.folder.join(name));
        let exported = export(&from, &to).context(Exit::No, "export")?;
        files += exported.0;
        bytes += exported.1;
    }
    let timestamp = args.folder.join("metadata").join(TIMESTAMP);
    copy(&layout.metadata(TIMESTAMP), &timestamp).context(Exit::No, "export")?;
    let value = serde_json::json!({ "folder": args.folder.display().to_string(),
        "files": files + 1, "bytes": bytes });
    let text = format!(
        "exported    {} files, {} to {}",
        files + 1,
        human::bytes(bytes),
        args.folder.display()
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// Copies the files of one folder, those with one content for ever only once.
fn export(from: &Path, to: &Path) -> Result<(u64, u64), PathError> {
    let at = |error| PathError::new(from, error);
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(from).map_err(at)? {
        let entry = entry.map_err(at)?;
        let (path, name) = (entry.path(), entry.file_name());
        let temporary = path.extension().is_some_and(|end| end == "tmp");
        if temporary || name == TIMESTAMP {
            continue;
        }
        let target = to.join(name);
        let length = entry.metadata().map_err(at)?.len();
        let same = fs::metadata(&target).is_ok_and(|there| there.len() == length);
        // Files of one name never change, but an earlier export may have been cut off.
        if !same {
            copy(&path, &target)?;
        }
        files += 1;
        bytes += length;
    }
    Ok((files, bytes))
}

/// Links a file if it is on the same disk, else copies it beside and renames it.
fn copy(from: &Path, to: &Path) -> Result<(), PathError> {
    let temporary = to.with_extension("tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(PathError::new(&temporary, error));
        }
        _ => {}
    }
    fs::hard_link(from, &temporary)
        .or_else(|_| fs::copy(from, &temporary).map(|_| ()))
        .and_then(|()| fs::rename(&temporary, to))
        .and_then(|()| durable::sync_folder_of(to))
        .map_err(|error| PathError::new(to, error))
}
