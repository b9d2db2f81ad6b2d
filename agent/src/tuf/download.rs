//! Fetching a target: streamed beside its place, hashed on the way, renamed when it is right.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
    let (beside, file) = open_beside(folder, &names::file_name(path))
        .map_err(|error| PathError::new(folder, error))
        .context(Exit::No, "target folder")?;
    let fetched = fetch(mirror, &url, (&beside, file), target).await;
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
    let place = if prefixed {
        let digest = target.hashes.file_prefix().ok_or_else(|| {
            let message = format!("target {path}: no hash that we can check");
            CliError::new(Exit::No, message)
                .hint("the publisher must sign a sha256 or sha512 for it")
        })?;
        match path.rsplit_once('/') {
            Some((folder, name)) => format!("{folder}/{digest}.{name}"),
            None => format!("{digest}.{path}"),
        }
    } else {
        path.to_owned()
    };
    if place.split('/').any(|part| matches!(part, "." | "..")) {
        let message = format!("target {path}: its path leaves the folder of targets");
        return Err(CliError::new(Exit::No, message).hint("the publisher must rename it"));
    }
    Ok(names::encode_path(&place))
}

/// An empty file beside the target that is this process's alone: two processes may share a folder, and
/// what one has not verified must not go into a file that the other puts in place (threats S88). One that
/// a kill left behind is taken again.
fn open_beside(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let process = std::process::id();
    for end in ["part".to_owned(), format!("{process}.part")] {
        let path = folder.join(format!(".{name}.{end}"));
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        if file.try_lock().is_err() {
            continue;
        }
        // Its holder may have put it in place before the lock was free.
        let same = fs::metadata(&path).is_ok_and(|there| {
            file.metadata()
                .is_ok_and(|held| (held.dev(), held.ino()) == (there.dev(), there.ino()))
        });
        if same {
            let emptied = match file.metadata()?.len() {
                0 => Ok(()),
                _ => file.set_len(0),
            };
            return emptied.map(|()| (path, file));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!("{name} is being fetched by other processes"),
    ))
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

async fn fetch(
    mirror: &Mirror,
    url: &str,
    (beside, mut file): (&Path, File),
    target: &Target,
) -> Result<(), CliError> {
    let disk = |error| PathError::new(beside, error);
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

#[cfg(test)]
mod tests;
