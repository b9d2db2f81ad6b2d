//! The release head: made at release time, announced by whoever seeds.

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::catalog::Catalog;
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use manifests::name::Name;
use protocol::dht::release_head::{self, HeadContent};
use protocol::exchange::tree::Blob;

use crate::account_changes;
use crate::repository::{Files, Layout, names_in_force};

/// Collects what a device needs beside the head into one blob's bytes.
///
/// # Errors
/// [`CliError`] naming the file.
pub fn catalog(
    layout: &Layout,
    repository: &Repository,
    files: &Files,
) -> Result<Vec<u8>, CliError> {
    let names = names_in_force(repository);
    let mut catalog = Catalog::default();
    for name in names {
        let bytes = match files.get(&name) {
            Some(bytes) => bytes.clone(),
            None => {
                let limit = manifests::limits::TARGETS_BYTES_MAX;
                layout.read_file(&name, limit)?
            }
        };
        let name = Name::parse(&name).context(Exit::No, "catalog")?;
        catalog.insert(name, &bytes).context(Exit::No, "catalog")?;
    }
    Ok(catalog.encode())
}

/// Signs the head of a verified repository.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`] if the account is not the one that the root names.
pub fn sign(
    layout: &Layout,
    key: &keys::SigningKey,
    (repository, timestamp): (&Repository, &[u8]),
    (channel, catalog): (&Name, Blob),
    now: UtcTime,
) -> Result<String, CliError> {
    let root = layout.first_root()?;
    let changes = account_changes::chain(layout, &key.public())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let header = repository.timestamp.header();
    let content = HeadContent {
        channel: channel.as_str(),
        seq: header.version,
        expires: header.expires.as_unix(),
        root: &text(&root),
        timestamp: &text(timestamp),
        catalog,
        account_changes: &changes,
    };
    release_head::sign(key, &content, now.as_unix())
        .context(Exit::Key, format_args!("release head of channel {channel}"))
}
