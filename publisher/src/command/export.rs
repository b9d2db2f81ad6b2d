//! `streembit-publisher export`: a static folder that any web server can host as a mirror, or
//! one image with a signature for other tools (`detached`).

mod detached;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cli::durable::{self, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::name::Name;
use protocol::dht::release_head;
use protocol::exchange::tree::Blob;
use protocol::limits::HEAD_RECORD_BYTES_MAX;

use crate::deltas::blob_of;
use crate::detached::Format;
use crate::evidence;
use crate::log::opened::{FOLDER, POLICY};
use crate::repository::{Layout, OWN_CLOCK, TIMESTAMP, names_in_force, releases};
use crate::settings::Settings;

/// Options of export
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder to write; what is there already is kept or replaced
    pub folder: PathBuf,
    /// Write one image and a signature that this tool verifies, instead of a mirror
    #[arg(long = "as", value_name = "FORMAT", requires = "key")]
    pub format: Option<Format>,
    /// The key that signs, a key URI; one that signs nothing else
    #[arg(long, value_name = "URI", requires = "format")]
    pub key: Option<String>,
    /// The product [default: the only one]
    #[arg(long, value_name = "NAME", requires = "format")]
    pub product: Option<Name>,
    /// The release [default: the newest]
    #[arg(long, requires = "format")]
    pub version: Option<String>,
}

/// Runs `export`: what the verified repository names, in the same layout, and nothing else. The
/// timestamp is copied last, so that a web server never names what it does not have.
///
/// # Errors
/// [`CliError`] naming the file.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    if let (Some(format), Some(key)) = (args.format, &args.key) {
        return detached::run(args, (format, key), folder, output);
    }
    let settings = Settings::load(folder)?;
    let layout = Layout::new(folder);
    let _lock = layout.lock()?;
    let repository = layout.verify(OWN_CLOCK)?;
    let public = Layout::new(&args.folder);
    public.create().context(Exit::No, "export")?;
    let catalog = catalog(&layout, &settings, &repository)?;
    let mut files = blobs(&layout, &public, &repository, catalog);
    files.extend(log(&layout, &public)?);
    let immutable = files.len();
    files.extend(metadata(
        &layout,
        &public,
        &repository,
        (&settings, catalog),
    ));
    let mut bytes = 0;
    for (index, (from, to)) in files.iter().enumerate() {
        let copied = if index < immutable {
            copy_once(from, to)
        } else {
            copy(from, to)
        };
        bytes += copied.context(Exit::No, "export")?;
    }
    let count = files.len();
    let value = serde_json::json!({ "folder": args.folder.display().to_string(),
        "files": count, "bytes": bytes });
    let size = human::bytes(bytes);
    let text = format!(
        "exported    {count} files, {size} to {}",
        args.folder.display()
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

type Copies = Vec<(PathBuf, PathBuf)>;

/// Files of the log that others are shown and that never change; the view comes with the metadata.
fn log(layout: &Layout, public: &Layout) -> Result<Copies, CliError> {
    let (from, to) = (layout.folder.join(FOLDER), public.folder.join(FOLDER));
    let mut copies = Vec::new();
    let mut folders = ["tile", "evidence", "preimages"]
        .map(PathBuf::from)
        .to_vec();
    while let Some(folder) = folders.pop() {
        let paths = evidence::list(&from.join(&folder))?;
        for path in paths {
            let Some(name) = path.file_name() else {
                continue;
            };
            let inner = folder.join(name);
            if path.is_dir() {
                folders.push(inner);
            } else if !inner.to_string_lossy().ends_with(evidence::QUEUED) {
                copies.push((path, to.join(inner)));
            }
        }
    }
    for (_, to) in &copies {
        if let Some(folder) = to.parent() {
            durable::create_folder(folder).context(Exit::No, "export")?;
        }
    }
    Ok(copies)
}

/// Files named by their content: images under both names, deltas, the catalog.
fn blobs(
    layout: &Layout,
    public: &Layout,
    repository: &Repository,
    catalog: Option<Blob>,
) -> Copies {
    let mut copies = Vec::new();
    let mut add = |blob: &Blob| copies.push((layout.blob(blob), public.blob(blob)));
    for release in releases(repository) {
        add(&blob_of(&release.image));
        release
            .deltas
            .iter()
            .for_each(|delta| add(&blob_of(&delta.blob)));
    }
    catalog.iter().for_each(add);
    let roles = repository.products.values();
    for (name, target) in roles.flat_map(|role| role.targets()) {
        let sha256 = &target.sha256;
        copies.push((layout.target(sha256, name), public.target(sha256, name)));
    }
    copies
}

/// The catalog that the newest head names; a repository without a release has none.
fn catalog(
    layout: &Layout,
    settings: &Settings,
    repository: &Repository,
) -> Result<Option<Blob>, CliError> {
    let path = layout.head(repository.timestamp.header().version, &settings.channel);
    let limit = u64::try_from(HEAD_RECORD_BYTES_MAX).unwrap_or(u64::MAX);
    let token = durable::read_if_there(&path, limit).context(Exit::No, "release head")?;
    let Some(token) = token else { return Ok(None) };
    let signed_at = repository
        .timestamp
        .header()
        .expires
        .as_unix()
        .saturating_sub(1);
    let head = release_head::verify(&token, signed_at).context(Exit::No, path.display())?;
    Ok(Some(head.catalog))
}

/// Chunk levels, the head and the metadata in force, the timestamp last.
fn metadata(
    layout: &Layout,
    public: &Layout,
    repository: &Repository,
    (settings, catalog): (&Settings, Option<Blob>),
) -> Copies {
    let version = repository.timestamp.header().version;
    let mut names = names_in_force(repository);
    names.push(TIMESTAMP.to_owned());
    let mut copies = Vec::new();
    // The whole before the newest that it is named by.
    for name in [POLICY, "view", "checkpoint"] {
        let from = layout.folder.join(FOLDER).join(name);
        if from.exists() {
            copies.push((from, public.folder.join(FOLDER).join(name)));
        }
    }
    let mut tree = |blob: &Blob| copies.push((layout.tree(blob), public.tree(blob)));
    for release in releases(repository) {
        tree(&blob_of(&release.image));
        release
            .deltas
            .iter()
            .for_each(|delta| tree(&blob_of(&delta.blob)));
    }
    if let Some(catalog) = catalog {
        tree(&catalog);
        let channel = &settings.channel;
        copies.push((layout.head(version, channel), public.head(version, channel)));
    }
    copies.extend(
        names
            .iter()
            .map(|name| (layout.metadata(name), public.metadata(name))),
    );
    copies
}

/// Copies a file whose name is its content, unless a whole copy is there.
fn copy_once(from: &Path, to: &Path) -> Result<u64, PathError> {
    let length = fs::metadata(from)
        .map_err(|error| PathError::new(from, error))?
        .len();
    match fs::metadata(to) {
        Ok(there) if there.len() == length => Ok(length),
        _ => copy(from, to),
    }
}

/// Copies a file beside its place, makes it durable and renames it.
fn copy(from: &Path, to: &Path) -> Result<u64, PathError> {
    let mut name = to.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let temporary = to.with_file_name(name);
    let copy = || {
        let mut source = File::open(from)?;
        let mut target = File::create(&temporary)?;
        let length = io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        fs::rename(&temporary, to)?;
        durable::sync_folder_of(to)?;
        Ok(length)
    };
    copy().map_err(|error| PathError::new(from, error))
}
