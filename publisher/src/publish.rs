//! Publishing: staged roles, a new snapshot and timestamp, the release head, in one commit.

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit};
use keys::{RoleKey, SigningKey};
use manifests::author::Draft;
use manifests::client::Repository;
use manifests::envelope::{Authority, Metadata as _};
use manifests::file_meta::FileMeta;
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::json::Json;
use manifests::limits::ROOT_BYTES_MAX;
use manifests::name::Name;
use manifests::root::Role;
use manifests::snapshot::Snapshot;
use manifests::targets::Targets;
use manifests::timestamp::Timestamp;

use crate::change::Change;
use crate::evidence::Evidence;
use crate::head;
use crate::log::opened::OpenLog;
use crate::repository::{Files, Layout, TIMESTAMP, verify_with};
use crate::settings::{self, Settings};
use crate::staged::Lack;
use crate::statements;

/// The keys that every publication needs, opened before anything takes time.
#[derive(Debug)]
pub struct OnlineKeys {
    snapshot: Vec<Signer>,
    timestamp: Vec<Signer>,
    account: SigningKey,
}

impl OnlineKeys {
    /// Opens those that are here.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub fn open(change: &Change) -> Result<Self, CliError> {
        let (folder, keys) = (change.layout.folder.as_path(), &change.settings.keys);
        let root = change.staged.root(&change.in_force)?;
        let account = root.account().ok_or_else(|| {
            CliError::new(Exit::Key, "the root names no account")
                .hint("streembit-publisher root show")
        })?;
        let online = |role: Role, uris: &[String]| {
            let signers = settings::signers(folder, uris, |_| true)?;
            let wanted = root.role(role).distinct_keys();
            let public = |signer: &Signer| RoleKey::from(signer.public().clone());
            let here = signers.iter().filter(|it| wanted.contains(&public(it)));
            let (here, threshold) = (here.count(), root.role(role).threshold());
            if here < threshold {
                let role = role.name();
                let message = format!("{here} of {threshold} keys of {role} are here");
                return Err(
                    CliError::new(Exit::Key, message).hint("streembit-publisher keys list, doctor")
                );
            }
            Ok(signers)
        };
        Ok(Self {
            snapshot: online(Role::Snapshot, &keys.snapshot)?,
            timestamp: online(Role::Timestamp, &keys.timestamp)?,
            account: cli::keyfile::open(&change.settings.account_uri(folder, account)?)?,
        })
    }
}

/// Publishes what is staged, or with nothing staged a fresh snapshot and timestamp.
///
/// # Errors
/// [`CliError`] with [`Exit::Quorum`] naming who has not signed; the repository is as before then.
pub fn publish(change: &Change, keys: &OnlineKeys) -> Result<Repository, CliError> {
    let Change {
        layout,
        settings,
        in_force,
        staged,
        now,
        ..
    } = change;
    let lacks = change.lacks()?;
    if !lacks.is_empty() {
        return Err(unsigned(&lacks));
    }
    let mut files = Files::new();
    let mut meta = in_force.repository.snapshot.files().clone();
    for (role, draft) in &staged.documents {
        let version = draft.version().context(Exit::No, role)?;
        let bytes = draft.encode();
        if role != "root" {
            meta.insert(format!("{role}.json"), FileMeta::of(version, &bytes));
        }
        files.insert(format!("{version}.{role}.json"), bytes);
    }
    let open = OpenLog::open(&layout.folder, settings)?;
    if let Some(open) = &open {
        check_stated(change, open)?;
    }
    let root = staged.root(in_force)?;
    let header = Header {
        version: in_force.repository.timestamp.header().version + 1,
        expires: now.after(settings.lives()?.timestamp),
    };
    let old = &in_force.repository.root;
    let online = |role: Role, signers: &[Signer], signed: Json| {
        sign_online(signers, (old.role(role), root.role(role)), signed)
    };
    let snapshot = Snapshot::new(header, meta).to_signed();
    let snapshot = online(Role::Snapshot, &keys.snapshot, snapshot)?.encode();
    let timestamp = Timestamp::new(header, FileMeta::of(header.version, &snapshot));
    let timestamp = online(Role::Timestamp, &keys.timestamp, timestamp.to_signed())?;
    files.insert(format!("{}.snapshot.json", header.version), snapshot);
    files.insert(TIMESTAMP.to_owned(), timestamp.encode_compact());
    let next = verify_with(layout.first_root()?, *now, |request| {
        match files.get(&request.name) {
            Some(bytes) => Ok(Some(bytes.clone())),
            None => layout.read_metadata(request),
        }
    })?;
    if let (Some(open), Some(log)) = (&open, &settings.log) {
        let uri = settings::resolve(&layout.folder, &log.statements)?;
        log_metadata(open, &uri, layout, change)?;
    }
    write_head(layout, settings, (&next, &files), &keys.account, *now)?;
    layout.commit(&files)?;
    if let Err(error) = change.unstage() {
        tracing::warn!(%error, "published, and still staged until the next change");
    }
    Ok(next)
}

/// Refuses releases that devices with a policy would refuse: those whose statement isn't logged.
fn check_stated(change: &Change, open: &OpenLog) -> Result<(), CliError> {
    for (role, draft) in &change.staged.documents {
        let before = change.in_force.repository.products.get(role);
        let Ok(targets) = Targets::from_signed(draft.signed()) else {
            continue;
        };
        for (path, target) in targets.targets() {
            let Ok(name) = Name::parse(path) else {
                continue;
            };
            let is_new = before.is_none_or(|before| !before.targets().contains_key(&name));
            let custom = target.custom.as_ref();
            let is_release = custom.is_some_and(|custom| custom.member("release").is_some());
            let image = target.hashes.sha256_alone();
            let is_stated = image.is_ok_and(|image| statements::is_stated(open, &name, &image));
            if is_new && is_release && !is_stated {
                let message = format!("{name} is not in the log that witnesses have cosigned");
                return Err(CliError::new(Exit::Quorum, message)
                    .hint("streembit-publisher log update, then publish"));
            }
        }
    }
    Ok(())
}

/// Puts the roles that change into the log.
fn log_metadata(
    open: &OpenLog,
    uri: &str,
    layout: &Layout,
    change: &Change,
) -> Result<(), CliError> {
    if change.staged.documents.is_empty() {
        return Ok(());
    }
    let signer = Signer::open(uri)?;
    let subject = Name::parse("metadata").context(Exit::No, "evidence")?;
    let evidence = Evidence::of(open, &subject);
    log_roots(&evidence, layout, change, &signer)?;
    for (role, draft) in &change.staged.documents {
        let version = draft.version().context(Exit::No, role)?;
        evidence.sign_bytes(&format!("{version}.{role}"), &draft.encode(), &signer)?;
    }
    Ok(())
}

/// The roots that were there before the log.
fn log_roots(
    evidence: &Evidence<'_>,
    layout: &Layout,
    change: &Change,
    signer: &Signer,
) -> Result<(), CliError> {
    for version in 1..=change.in_force.repository.root.header().version {
        let name = format!("{version}.root");
        if !evidence.has(&name) {
            let path = layout.metadata(&format!("{name}.json"));
            let bytes = durable::read(&path, ROOT_BYTES_MAX).context(Exit::No, "metadata")?;
            evidence.sign_bytes(&name, &bytes, signer)?;
        }
    }
    Ok(())
}

/// Signs with the keys at hand that the role has, and with those that it had: a device that has not
/// seen the new root yet follows all the same.
fn sign_online(
    signers: &[Signer],
    (old, new): (&Authority, &Authority),
    signed: Json,
) -> Result<Draft, CliError> {
    let mut draft = Draft::new(signed);
    let message = draft.message();
    for signer in signers {
        let key = RoleKey::from(signer.public().clone());
        if new.distinct_keys().contains(&key) || old.distinct_keys().contains(&key) {
            draft.add(signer.public(), &signer.sign(&message)?);
        }
    }
    Ok(draft)
}

fn unsigned(lacks: &[Lack]) -> CliError {
    let lines: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    CliError::new(Exit::Quorum, lines.join("; "))
        .hint("streembit-publisher sign, or stage FILE for signers elsewhere and approve what they signed")
}

fn write_head(
    layout: &Layout,
    settings: &Settings,
    (next, files): (&Repository, &Files),
    account: &SigningKey,
    now: UtcTime,
) -> Result<(), CliError> {
    let channel = settings.channel_name()?;
    let mut catalog = head::catalog(layout, next, files)?;
    head::add_evidence(&mut catalog, layout, settings, next)?;
    let catalog = catalog.encode();
    let catalog = layout
        .store_blob(&mut catalog.as_slice(), |_| {})
        .context(Exit::No, "catalog")?;
    let timestamp = files.get(TIMESTAMP).map(Vec::as_slice).unwrap_or_default();
    let token = head::sign(
        layout,
        account,
        (next, timestamp),
        (&channel, catalog.blob),
        now,
    )?;
    let path = layout.head(next.timestamp.header().version, channel.as_str());
    durable::replace(&path, token.as_bytes(), Access::World).context(Exit::No, "release head")
}
