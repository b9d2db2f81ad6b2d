//! The next version of each role, signed.

use std::collections::BTreeMap;
use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use keys::{PublicKey, SigningKey};
use manifests::author::{Draft, key_id, sign};
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::envelope::Authority;
use manifests::file_meta::FileMeta;
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::name::Name;
use manifests::product::ProductTarget;
use manifests::root::{Role, Root};
use manifests::snapshot::Snapshot;
use manifests::targets::Targets;
use manifests::timestamp::Timestamp;

use crate::settings::{self, LifeSpans, Settings};

/// Keys that sign every release, opened.
#[derive(Debug)]
pub struct ReleaseKeys {
    /// Of the product's role.
    pub product: Vec<SigningKey>,
    /// Of the snapshot.
    pub snapshot: Vec<SigningKey>,
    /// Of the timestamp.
    pub timestamp: Vec<SigningKey>,
    /// Of the release head.
    pub account: SigningKey,
}

impl ReleaseKeys {
    /// Opens them.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, CliError> {
        Ok(Self {
            product: settings::open_all(folder, &settings.keys.product)?,
            snapshot: settings::open_all(folder, &settings.keys.snapshot)?,
            timestamp: settings::open_all(folder, &settings.keys.timestamp)?,
            account: cli::keyfile::open(&settings::resolve(folder, &settings.keys.account)?)?,
        })
    }
}

/// Metadata files to be written, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Root version 1 and the top-level targets that delegate to the product.
///
/// # Errors
/// [`CliError`]: keys can't be opened, a threshold can't be met.
pub fn first_files(folder: &Path, settings: &Settings, now: UtcTime) -> Result<Files, CliError> {
    let lives = settings.lives()?;
    let account = cli::keyfile::public(&settings::resolve(folder, &settings.keys.account)?)?;
    let authority = |uris: &[String], threshold: u64, role: &str| {
        authority(settings::public_all(folder, uris)?, threshold, role)
    };
    let (uris, threshold) = (&settings.keys, &settings.threshold);
    let roles = BTreeMap::from([
        (Role::Root, authority(&uris.root, threshold.root, "root")?),
        (
            Role::Targets,
            authority(&uris.targets, threshold.targets, "targets")?,
        ),
        (Role::Snapshot, authority(&uris.snapshot, 1, "snapshot")?),
        (Role::Timestamp, authority(&uris.timestamp, 1, "timestamp")?),
    ]);
    let header = Header {
        version: 1,
        expires: now.after(lives.root),
    };
    let root = Root::new(header, roles, Some(account)).context(Exit::No, "1.root.json")?;
    let product = settings.product_name()?;
    let delegation = Delegation {
        name: product.to_string(),
        authority: authority(&uris.product, threshold.product, &settings.product)?,
        scope: Scope::Paths(vec![format!("{product}-*")]),
        terminating: true,
    };
    let header = Header {
        version: 1,
        expires: now.after(lives.targets),
    };
    let targets = Targets::new(
        header,
        BTreeMap::new(),
        Delegations::Roles(vec![delegation]),
    );
    let signed = |signed, uris: &[String]| {
        let mut draft = Draft::new(signed);
        let message = draft.message();
        for signer in settings::signers(folder, uris, |_| true)? {
            draft.add(signer.public(), &signer.sign(&message)?);
        }
        Ok::<_, CliError>(draft.encode())
    };
    Ok(BTreeMap::from([
        (
            "1.root.json".to_owned(),
            signed(root.to_signed(), &uris.root)?,
        ),
        (
            "1.targets.json".to_owned(),
            signed(targets.to_signed(), &uris.targets)?,
        ),
    ]))
}

fn authority(keys: Vec<PublicKey>, threshold: u64, role: &str) -> Result<Authority, CliError> {
    let count = keys.len() as u64;
    if threshold > count {
        let message = format!("role {role}: threshold {threshold} with {count} keys");
        return Err(CliError::new(Exit::Usage, message).hint("lower the threshold or add keys"));
    }
    let keys = keys
        .into_iter()
        .map(|key| (key_id(&key), key.into()))
        .collect();
    Authority::new(keys, threshold).context(Exit::Usage, format_args!("role {role}"))
}

/// What a release changes.
#[derive(Debug)]
pub struct Next<'a> {
    /// The product.
    pub product: &'a Name,
    /// Version of the product's role and all its targets.
    pub product_version: u64,
    /// All targets, the new one included.
    pub targets: BTreeMap<Name, ProductTarget>,
    /// Version of snapshot and timestamp.
    pub version: u64,
    /// Version and bytes of the top-level targets in force.
    pub top: (u64, &'a [u8]),
}

/// Signs the product's role, snapshot and timestamp.
pub fn next_files(next: &Next<'_>, keys: &ReleaseKeys, lives: &LifeSpans, now: UtcTime) -> Files {
    fn all(keys: &[SigningKey]) -> Vec<&SigningKey> {
        keys.iter().collect()
    }
    let header = Header {
        version: next.product_version,
        expires: now.after(lives.product),
    };
    let targets = next.targets.iter();
    let targets = targets.map(|(name, target)| (name.to_string(), target.to_target()));
    let product = Targets::new(header, targets.collect(), Delegations::default());
    let product_bytes = sign(product.to_signed(), &all(&keys.product));
    let header = Header {
        version: next.version,
        expires: now.after(lives.timestamp),
    };
    let (top_version, top_bytes) = next.top;
    let files = BTreeMap::from([
        (
            "targets.json".to_owned(),
            FileMeta::of(top_version, top_bytes),
        ),
        (
            format!("{}.json", next.product),
            FileMeta::of(next.product_version, &product_bytes),
        ),
    ]);
    let snapshot = sign(
        Snapshot::new(header, files).to_signed(),
        &all(&keys.snapshot),
    );
    let timestamp = Timestamp::new(header, FileMeta::of(next.version, &snapshot));
    let timestamp = sign(timestamp.to_signed(), &all(&keys.timestamp));
    BTreeMap::from([
        (
            format!("{}.{}.json", next.product_version, next.product),
            product_bytes,
        ),
        (format!("{}.snapshot.json", next.version), snapshot),
        (crate::repository::TIMESTAMP.to_owned(), timestamp),
    ])
}
