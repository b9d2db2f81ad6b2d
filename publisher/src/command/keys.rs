//! `streembit-publisher keys`: which key signs what, new keys for old ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::signer::Signer;
use cli::{CliError, Exit, Output, durable};
use keys::{Algorithm, RoleKey};
use manifests::client::Repository;
use manifests::delegations::{Delegation, Delegations};
use manifests::envelope::Authority;
use manifests::root::Role;
use protocol::limits::ACCOUNT_CHANGES_MAX;
use serde_json::json;

use crate::account_changes;
use crate::edit::{self, Place};
use crate::repository::Layout;
use crate::settings::{self, Settings};
use crate::staged::InForce;

/// What to do with keys
#[derive(Clone, Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Make a key file that belongs to no role
    Create(CreateArgs),
    /// List the keys of every role
    List,
    /// Take a key from every role that has it
    Revoke {
        /// The key's id, or its first digits
        #[arg(value_name = "KEYID")]
        id: String,
    },
    /// Replace a key of a role by a new one
    Rotate(RotateArgs),
}

/// What key is made
#[derive(Clone, Debug, clap::Args)]
pub struct CreateArgs {
    /// The file, which must not be there
    pub path: PathBuf,
    /// Algorithm
    #[arg(long, default_value = "ed25519")]
    pub algorithm: Algorithm,
    /// What the key file says of itself
    #[arg(long, default_value = "release")]
    pub label: String,
    /// Don't encrypt it
    #[arg(long)]
    pub no_passcode: bool,
}

/// Which key is replaced by which
#[derive(Clone, Debug, clap::Args)]
pub struct RotateArgs {
    /// The role, or `account`: the key that signs release heads
    pub role: String,
    /// The key that goes: its id, or the first digits [default: the role's only key]
    #[arg(long, value_name = "KEYID")]
    pub old: Option<String>,
    /// The key that comes, a key URI [default: a new key file]
    #[arg(long, value_name = "URI")]
    pub new: Option<String>,
    /// Algorithm of a new key file [default: that of the old key]
    #[arg(long)]
    pub algorithm: Option<Algorithm>,
    /// Don't encrypt a new key file
    #[arg(long)]
    pub no_passcode: bool,
}

/// Runs `keys`.
///
/// # Errors
/// [`CliError`]; nothing is staged then.
pub fn run(command: &KeysCommand, folder: &Path, output: Output) -> Result<Exit, CliError> {
    match command {
        KeysCommand::Create(args) => create(args, output),
        KeysCommand::List => list(folder, output),
        KeysCommand::Revoke { id } => revoke(id, folder, output),
        KeysCommand::Rotate(args) => rotate(args, folder, output),
    }
}

/// Every role, its keys and threshold, in the order of trust.
pub fn roles(repository: &Repository) -> Vec<(String, Authority)> {
    let root = &repository.root;
    let top = [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp];
    let mut roles: Vec<(String, Authority)> = top
        .into_iter()
        .map(|role| (role.name().to_owned(), root.role(role).clone()))
        .collect();
    if let Delegations::Roles(delegated) = repository.targets.delegations() {
        let named = |role: &Delegation| (role.name.clone(), role.authority.clone());
        roles.extend(delegated.iter().map(named));
    }
    roles
}

fn create(args: &CreateArgs, output: Output) -> Result<Exit, CliError> {
    let protection = protection(args.no_passcode);
    let key = keyfile::create(&args.path, args.algorithm, &args.label, protection)?;
    let (path, algorithm) = (args.path.display().to_string(), args.algorithm.name());
    let id = RoleKey::from(key.public()).id();
    let text = format!("created     {path} ({algorithm})\nkey id      {id}");
    let value = json!({ "path": path, "algorithm": algorithm, "keyid": id });
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// How a new key file is kept.
pub const fn protection(no_passcode: bool) -> NewKey {
    if no_passcode {
        NewKey::Unprotected
    } else {
        NewKey::Encrypted
    }
}

fn list(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let in_force = InForce::load(&layout)?;
    let places = places(&layout, &settings);
    let (mut text, mut rows) = (String::new(), Vec::new());
    for (role, authority) in roles(&in_force.repository) {
        let keys = authority.distinct_keys();
        let threshold = authority.threshold();
        text.push_str(&format!("{role:<11} {threshold} of {}\n", keys.len()));
        for key in keys {
            let place = places.iter().find(|(known, _)| known == key);
            let place = place.map_or("elsewhere", |(_, uri)| uri.as_str());
            let kind = key.ours().map_or("rsa", |key| key.algorithm().name());
            let id = edit::short_id(key);
            text.push_str(&format!("            {id} {kind:<8} {place}\n"));
            rows.push(
                json!({ "role": role, "threshold": threshold, "keyid": key.id(),
                "algorithm": kind, "uri": place }),
            );
        }
    }
    output.result(&rows, text.trim_end())?;
    Ok(Exit::Done)
}

/// The keys that are here, by their URIs; one that can't be read is elsewhere.
pub fn places(layout: &Layout, settings: &Settings) -> Vec<(RoleKey, String)> {
    let uris = [
        settings.uris(),
        settings.keys.snapshot.clone(),
        settings.keys.timestamp.clone(),
    ]
    .concat();
    let read = |uri: &String| {
        let resolved = settings::resolve(&layout.folder, uri).ok()?;
        Some((Signer::public_of(&resolved).ok()?.into(), uri.clone()))
    };
    uris.iter().filter_map(read).collect()
}

fn revoke(id: &str, folder: &Path, output: Output) -> Result<Exit, CliError> {
    super::root::stage(folder, output, |change| {
        let holds = |authority: &Authority| authority.keys().keys().any(|key| key.starts_with(id));
        let mut roles = roles(&change.in_force.repository);
        roles.retain(|(_, authority)| holds(authority));
        if roles.is_empty() || id.is_empty() {
            let message = format!("no role has the key {id}");
            return Err(CliError::new(Exit::Usage, message).hint("streembit-publisher keys list"));
        }
        for (role, _) in roles {
            let place = Place::of(&role);
            change.edit(place.document(), |signed| {
                edit::remove_key(signed, &place, id)
            })?;
        }
        Ok(())
    })
}

/// The old account signs for the new one; the root that names it is staged.
fn rotate_account(args: &RotateArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    super::root::stage(folder, output, |change| {
        change.check_unstaged("root")?;
        if args.old.is_some() || args.algorithm.is_some_and(|it| it != Algorithm::P256) {
            let message = "there is one account, and its key is P-256";
            return Err(CliError::new(Exit::Usage, message).hint("leave --old and --algorithm out"));
        }
        let in_force = change.in_force.repository.root.account();
        let old = in_force.ok_or_else(|| {
            CliError::new(Exit::Key, "the root names no account")
                .hint("streembit-publisher root show")
        })?;
        if account_changes::chain(&change.layout, old)?.len() >= ACCOUNT_CHANGES_MAX {
            let message = format!("the account has changed {ACCOUNT_CHANGES_MAX} times");
            return Err(CliError::new(Exit::No, message)
                .hint("heads carry no more changes: devices need a new pin, of a new root 1"));
        }
        let old = keyfile::open(&change.settings.account_uri(folder, old)?)?;
        let uri = match &args.new {
            Some(uri) => settings::given(folder, uri)?,
            None => {
                let name = free_name(folder, "account")?;
                new_key(folder, &name, Algorithm::P256, protection(args.no_passcode))?
            }
        };
        let new = keyfile::public(&settings::resolve(folder, &uri)?)?;
        account_changes::add(&change.layout, &old, &new, change.now)?;
        let mut settings = change.settings.clone();
        if !settings.keys.account.contains(&uri) {
            settings.keys.account.push(uri);
            settings.save(folder)?;
        }
        change.settings = settings;
        change.edit("root", |signed| edit::set_account(signed, &new))
    })
}

fn rotate(args: &RotateArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    if args.role == "account" {
        return rotate_account(args, folder, output);
    }
    super::root::stage(folder, output, |change| {
        let roles = roles(&change.in_force.repository);
        let authority = roles.iter().find(|(role, _)| *role == args.role);
        let (_, authority) = authority.ok_or_else(|| {
            CliError::new(Exit::Usage, format_args!("there is no role {}", args.role))
                .hint("streembit-publisher keys list")
        })?;
        let keys: Vec<&String> = authority.keys().keys().collect();
        let old = match (&args.old, keys.as_slice()) {
            (Some(id), _) => id.clone(),
            (None, [only]) => (*only).clone(),
            (None, keys) => {
                let message = format!("role {} has {} keys", args.role, keys.len());
                return Err(
                    CliError::new(Exit::Usage, message).hint("name the one that goes: --old")
                );
            }
        };
        let place = Place::of(&args.role);
        // Before a key is made that nobody could use.
        change.edit(place.document(), |signed| {
            edit::check_key(signed, &place, &old)
        })?;
        let uri = match &args.new {
            Some(uri) => settings::given(folder, uri)?,
            None => {
                let mut keys = authority.keys().iter();
                let same = keys.find(|(id, _)| id.starts_with(&old));
                let same = same.and_then(|(_, key)| Some(key.ours()?.algorithm()));
                let algorithm = args.algorithm.or(same).unwrap_or(Algorithm::Ed25519);
                let name = free_name(folder, &args.role)?;
                new_key(folder, &name, algorithm, protection(args.no_passcode))?
            }
        };
        let key = Signer::proven(&settings::resolve(folder, &uri)?)?;
        // First, so that a change which is staged can be signed whatever happens now. The old key
        // stays listed: it signs until the change is published.
        let mut settings = change.settings.clone();
        if let Some(uris) = settings.keys_of_mut(&args.role)
            && !uris.contains(&uri)
        {
            uris.push(uri);
            settings.save(folder)?;
        }
        change.edit(place.document(), |signed| {
            edit::add_key(signed, &place, &key)?;
            edit::remove_key(signed, &place, &old)
        })
    })
}

/// Makes the key file `keys/NAME.key` of the repository and returns its URI.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`] if there is one.
pub fn new_key(
    folder: &Path,
    name: &str,
    algorithm: Algorithm,
    protection: NewKey,
) -> Result<String, CliError> {
    let keys = folder.join("keys");
    durable::create_folder(&keys).context(Exit::Key, "keys")?;
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700))
        .context(Exit::Key, keys.display())?;
    keyfile::create(
        &keys.join(format!("{name}.key")),
        algorithm,
        name,
        protection,
    )?;
    Ok(format!("file:keys/{name}.key"))
}

/// The first of `role-2`, `role-3` … that no key file is called.
fn free_name(folder: &Path, role: &str) -> Result<String, CliError> {
    let mut numbered = (2..1000).map(|number| format!("{role}-{number}"));
    let free = |name: &String| !folder.join("keys").join(format!("{name}.key")).exists();
    let name = numbered.find(free);
    name.ok_or_else(|| CliError::new(Exit::Key, format_args!("a thousand keys of {role}")))
}
