//! Fetching a target: streamed beside its place, hashed on the way, renamed when it is right.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use cli::durable::{self, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::hashes::Hasher;
use manifests::targets::Target;

use super::names;
use crate::source::mirror::Mirror;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// Brings `path` into `folder`, unless the right bytes are there already.
///
/// # Errors
/// [`CliError`] naming URL and rule; nothing wrong stays in the folder.
pub(super) async fn target(
    mirror: &Mirror,
    folder: &Path,
    (path, target): (&str, &Target),
    prefixed: bool,
) -> Result<(), CliError> {
    durable::create_folder(folder).context(Exit::No, "target folder")?;
    let place = folder.join(names::file_name(path));
    if is_there(&place, target).context(Exit::No, "target")? {
        return Ok(());
    }
    let url = url_path(path, target, prefixed)?;
    let beside = folder.join(format!(".{}.part", names::file_name(path)));
    let fetched = fetch(mirror, &url, &beside, target).await;
    let moved = fetched.and_then(|()| {
        fs::rename(&beside, &place)
            .map_err(|error| PathError::new(&place, error))
            .context(Exit::No, "target")
    });
    if moved.is_err() {
        // It may never have been made.
        drop(fs::remove_file(&beside));
    }
    moved
}

/// TUF 5.7.3: where snapshots are consistent, file names start with a digest.
fn url_path(path: &str, target: &Target, prefixed: bool) -> Result<String, CliError> {
    if !prefixed {
        return Ok(names::encode_path(path));
    }
    let digest = target.hashes.file_prefix().ok_or_else(|| {
        CliError::new(
            Exit::No,
            format_args!("target {path}: no hash that we can check"),
        )
        .hint("the publisher must sign a sha256 or sha512 for it")
    })?;
    let (folder, name) = path
        .rsplit_once('/')
        .map_or(("", path), |(folder, name)| (folder, name));
    let separator = if path.contains('/') { "/" } else { "" };
    Ok(names::encode_path(&format!(
        "{folder}{separator}{digest}.{name}"
    )))
}

fn is_there(place: &Path, target: &Target) -> Result<bool, PathError> {
    let at = |error| PathError::new(place, error);
    let mut file = match File::open(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(at)?,
    };
    if file.metadata().map_err(at)?.len() != target.length {
        return Ok(false);
    }
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = file.read(&mut buffer).map_err(at)?;
        let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
            return Ok(target.hashes.check(hasher).is_ok());
        };
        hasher.update(piece);
    }
}

async fn fetch(mirror: &Mirror, url: &str, beside: &Path, target: &Target) -> Result<(), CliError> {
    let disk = |error| PathError::new(beside, error);
    let mut file = File::create(beside)
        .map_err(disk)
        .context(Exit::No, "target")?;
    let mut hasher = Hasher::default();
    let mut length = 0;
    let mut failed = None;
    let sink = |piece: &[u8]| {
        hasher.update(piece);
        length += piece.len() as u64;
        let written = file.write_all(piece);
        written.map_err(|error| {
            let text = error.to_string();
            failed = Some(error);
            text
        })
    };
    let streamed = mirror.stream(url, target.length, sink).await;
    if let Some(error) = failed {
        return Err(disk(error)).context(Exit::No, "target");
    }
    let wrong = |rule: &dyn std::fmt::Display| {
        CliError::new(Exit::No, format_args!("{}/{url}: {rule}", mirror.url()))
            .hint("the source is damaged or hostile; use another")
    };
    if !streamed? {
        return Err(wrong(&"it does not exist"));
    }
    if length != target.length {
        let rule = format_args!("{length} bytes, signed are {}", target.length);
        return Err(wrong(&rule));
    }
    target.hashes.check(hasher).map_err(|error| wrong(&error))?;
    let synced = file.sync_all();
    synced.map_err(disk).context(Exit::No, "target")
}
