//! Version 1 of every role, signed: what `init` makes.

use std::collections::BTreeMap;
use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use keys::PublicKey;
use manifests::author::{Draft, key_id};
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::envelope::Authority;
use manifests::file_meta::FileMeta;
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::json::Json;
use manifests::root::{Role, Root};
use manifests::snapshot::Snapshot;
use manifests::targets::Targets;
use manifests::timestamp::Timestamp;

use crate::repository::{Files, TIMESTAMP};
use crate::settings::{self, Settings};

/// The metadata of a repository without releases: the top-level targets delegate to each product of the
/// settings, whose role is empty. All thresholds but the root's are 1.
///
/// # Errors
/// [`CliError`]: keys can't be opened, the threshold can't be met.
pub fn first_files(
    folder: &Path,
    settings: &Settings,
    root_threshold: u64,
    now: UtcTime,
) -> Result<Files, CliError> {
    let lives = settings.lives()?;
    let keys = &settings.keys;
    let header = |role: &str| Header {
        version: 1,
        expires: now.after(lives.of(role)),
    };
    let root = root(folder, settings, root_threshold, header("root"))?;
    let (mut files, mut delegations) = (Files::new(), Vec::new());
    for (product, of) in &settings.products {
        delegations.push(Delegation {
            name: product.clone(),
            authority: authority(folder, &of.keys, 1, product)?,
            scope: Scope::Paths(vec![format!("{product}-*")]),
            terminating: true,
        });
        let empty = Targets::new(header(product), BTreeMap::new(), Delegations::default());
        let role = signed(folder, &of.keys, empty.to_signed())?;
        files.insert(format!("1.{product}.json"), role);
    }
    let delegations = Delegations::Roles(delegations);
    let targets = Targets::new(header("targets"), BTreeMap::new(), delegations);
    let targets = signed(folder, &keys.targets, targets.to_signed())?;
    files.insert("1.targets.json".to_owned(), targets);
    let meta = files.iter().map(|(name, bytes)| {
        let role = name.trim_start_matches("1.").to_owned();
        (role, FileMeta::of(1, bytes))
    });
    let snapshot = Snapshot::new(header("snapshot"), meta.collect()).to_signed();
    let snapshot = signed(folder, &keys.snapshot, snapshot)?;
    let timestamp = Timestamp::new(header("timestamp"), FileMeta::of(1, &snapshot));
    let timestamp = draft(folder, &keys.timestamp, timestamp.to_signed())?;
    files.insert(TIMESTAMP.to_owned(), timestamp.encode_compact());
    files.insert("1.snapshot.json".to_owned(), snapshot);
    let root = draft(folder, &keys.root, root.to_signed())?;
    files.insert("1.root.json".to_owned(), root.encode_compact());
    Ok(files)
}

fn root(
    folder: &Path,
    settings: &Settings,
    threshold: u64,
    header: Header,
) -> Result<Root, CliError> {
    let uris = &settings.keys;
    let account = uris.account.first().map_or("", String::as_str);
    let account = cli::keyfile::public(&settings::resolve(folder, account)?)?;
    let mut roles = BTreeMap::new();
    for (role, uris, threshold) in [
        (Role::Root, &uris.root, threshold),
        (Role::Targets, &uris.targets, 1),
        (Role::Snapshot, &uris.snapshot, 1),
        (Role::Timestamp, &uris.timestamp, 1),
    ] {
        let authority = authority(folder, uris, threshold, role.name())?;
        roles.insert(role, authority);
    }
    Root::new(header, roles, Some(account)).context(Exit::No, "1.root.json")
}

fn signed(folder: &Path, uris: &[String], signed: Json) -> Result<Vec<u8>, CliError> {
    Ok(draft(folder, uris, signed)?.encode())
}

/// Signs with all keys of a role.
fn draft(folder: &Path, uris: &[String], signed: Json) -> Result<Draft, CliError> {
    let mut draft = Draft::new(signed);
    let message = draft.message();
    for signer in settings::signers(folder, uris, |_| true)? {
        draft.add(signer.public(), &signer.sign(&message)?);
    }
    Ok(draft)
}

fn authority(
    folder: &Path,
    uris: &[String],
    threshold: u64,
    role: &str,
) -> Result<Authority, CliError> {
    let keys: Vec<PublicKey> = settings::public_all(folder, uris)?;
    let count = keys.len() as u64;
    if threshold > count {
        let message = format!("role {role}: threshold {threshold} with {count} keys");
        return Err(CliError::new(Exit::Usage, message).hint("lower the threshold or add keys"));
    }
    let keys = keys.into_iter().map(|key| (key_id(&key), key.into()));
    Authority::new(keys.collect(), threshold).context(Exit::Usage, format_args!("role {role}"))
}
