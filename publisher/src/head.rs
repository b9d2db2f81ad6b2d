//! The release head: made at release time, announced by whoever seeds.

use cli::durable;
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::catalog::Catalog;
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::evidence::names;
use manifests::instant::UtcTime;
use manifests::limits::{BUNDLE_BYTES_MAX, CATALOG_BYTES_MAX, LOG_VIEW_SIZES_NEWEST};
use manifests::name::Name;
use manifests::product::Product;
use protocol::dht::release_head::{self, HeadContent};
use protocol::exchange::tree::Blob;

use crate::account_changes;
use crate::evidence::Evidence;
use crate::log::opened::OpenLog;
use crate::repository::{Files, Layout, names_in_force};
use crate::settings::Settings;

/// Collects what a device needs beside the head into one blob's bytes.
///
/// # Errors
/// [`CliError`] naming the file.
pub fn catalog(
    layout: &Layout,
    repository: &Repository,
    files: &Files,
) -> Result<Catalog, CliError> {
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
    Ok(catalog)
}

/// Adds what devices ask of the newest release of each product: its evidence, and the log's newest checkpoint.
///
/// # Errors
/// [`CliError`] naming the file.
pub fn add_evidence(
    catalog: &mut Catalog,
    layout: &Layout,
    settings: &Settings,
    repository: &Repository,
) -> Result<(), CliError> {
    let Some(open) = OpenLog::open(&layout.folder, settings)? else {
        return Ok(());
    };
    let Some(view) = open.log.view()? else {
        return Ok(());
    };
    let mut add = |name: &str, bytes: &[u8]| {
        let name = Name::parse(name).context(Exit::No, "catalog")?;
        catalog.insert(name, bytes).context(Exit::No, "catalog")
    };
    let whole = view.to_string();
    let newest = view.newest(LOG_VIEW_SIZES_NEWEST).to_string();
    if newest != whole {
        let blob = layout.store_blob(&mut whole.as_bytes(), |_| {});
        let blob = blob.context(Exit::No, "view of the log")?.blob;
        add(names::WHOLE_VIEW, blob.address().as_bytes())?;
    }
    add(names::VIEW, newest.as_bytes())?;
    for (name, product) in &repository.products {
        add_policies(&mut add, &open, (name, product))?;
        let releases = product.targets().iter();
        let releases =
            releases.filter_map(|(name, target)| Some((name, target, target.release.as_ref()?)));
        let Some((name, target, _)) = releases.max_by_key(|(_, _, release)| release.release) else {
            continue;
        };
        let evidence = Evidence::of(&open, name);
        for file in names::OF_RELEASE {
            let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
            let bytes = durable::read_if_there(&evidence.path(file), limit);
            if let Some(bytes) = bytes.context(Exit::No, "evidence")? {
                add(&names::in_catalog(&target.sha256, file), &bytes)?;
            }
        }
    }
    Ok(())
}

/// Adds the log policies that came after the pins', each with the proof that it was logged under the one before.
fn add_policies(
    add: &mut impl FnMut(&str, &[u8]) -> Result<(), CliError>,
    open: &OpenLog,
    (product, role): (&str, &Product),
) -> Result<(), CliError> {
    let target = Name::parse(&names::policy_target(product)).ok();
    let Some(target) = target.and_then(|name| role.targets().get(&name)) else {
        return Ok(());
    };
    let subject = Name::parse(names::POLICY_SUBJECT).context(Exit::No, "evidence")?;
    let evidence = Evidence::of(open, &subject);
    for file in (1..=names::POLICIES_MAX).flat_map(names::policy_files) {
        let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read_if_there(&evidence.path(&file), limit);
        if let Some(bytes) = bytes.context(Exit::No, "evidence")? {
            add(&names::in_catalog(&target.sha256, &file), &bytes)?;
        }
    }
    Ok(())
}

/// The blob with the whole view of the log, if the catalog names one.
///
/// # Errors
/// [`CliError`] if the catalog can't be read.
pub fn whole_view(layout: &Layout, catalog: &Blob) -> Result<Option<Blob>, CliError> {
    let bytes = durable::read(&layout.blob(catalog), CATALOG_BYTES_MAX);
    let catalog =
        Catalog::parse(&bytes.context(Exit::No, "catalog")?).context(Exit::No, "catalog")?;
    let name = catalog
        .file(names::WHOLE_VIEW)
        .and_then(|name| str::from_utf8(name).ok());
    Ok(name.and_then(Blob::from_address))
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
