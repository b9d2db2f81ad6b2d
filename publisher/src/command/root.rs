//! `streembit-publisher root`: who may sign what. Changes are staged, not published.

use std::path::Path;

use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output, durable, human};
use keys::PublicKey;
use manifests::author::key_id;
use manifests::digest::Sha256;
use manifests::envelope::Metadata as _;
use manifests::root::Role;
use serde_json::json;

use crate::change::Change;
use crate::edit::{self, Place};
use crate::preview::Preview;
use crate::repository::Layout;
use crate::staged::InForce;

/// Bytes of a PEM public key.
const PEM_BYTES_MAX: u64 = 4096;

/// What to do with the root
#[derive(Clone, Debug, clap::Subcommand)]
pub enum RootCommand {
    /// Give a role one more key
    AddKey(KeyArgs),
    /// Stage a root that lives this long from now, such as "in 1 year"
    Expire {
        /// A duration
        life: String,
    },
    /// Create root keys, root and an empty repository without products
    Init(super::init::RootArgs),
    /// Take a key from a role
    RemoveKey {
        /// The key's id, or its first digits
        #[arg(value_name = "KEYID")]
        id: String,
        /// The role
        #[arg(long, default_value = "root")]
        role: String,
    },
    /// Set how many keys of a role must sign
    SetThreshold {
        /// How many
        threshold: u64,
        /// The role
        #[arg(long, default_value = "root")]
        role: String,
    },
    /// Show the root in force
    Show,
    /// Sign the staged change with these keys
    Sign(super::sign::Args),
}

/// A key and the role that gets it
#[derive(Clone, Debug, clap::Args)]
pub struct KeyArgs {
    /// A key URI, or a file with a PEM public key
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The role
    #[arg(long, default_value = "root")]
    pub role: String,
}

/// Runs `root`.
///
/// # Errors
/// [`CliError`]; nothing is staged then.
pub fn run(command: &RootCommand, folder: &Path, output: Output) -> Result<Exit, CliError> {
    match command {
        RootCommand::AddKey(args) => add_key(args, folder, output),
        RootCommand::Expire { life } => {
            let life = human::parse_duration(life)
                .context(Exit::Usage, "expire")
                .map_err(|error| error.hint("such as \"in 6 weeks\""))?;
            stage(folder, output, |change| {
                let expires = change.now.after(life);
                change.edit("root", |signed| edit::set_expires(signed, expires))
            })
        }
        RootCommand::Init(args) => super::init::run_root(args, folder, output),
        RootCommand::RemoveKey { id, role } => remove_key(role, id, folder, output),
        RootCommand::SetThreshold { threshold, role } => {
            set_threshold(role, *threshold, folder, output)
        }
        RootCommand::Show => show(folder, output),
        RootCommand::Sign(args) => super::sign::run(args, folder, output),
    }
}

/// Stages one more key for a role.
///
/// # Errors
/// As [`stage`].
pub fn add_key(args: &KeyArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let key = public_key(&args.key)?;
    let place = Place::of(&args.role);
    stage(folder, output, |change| {
        change.edit(place.document(), |signed| {
            edit::add_key(signed, &place, &key)
        })
    })
}

/// Stages one key less for a role.
///
/// # Errors
/// As [`stage`].
pub fn remove_key(role: &str, id: &str, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let place = Place::of(role);
    stage(folder, output, |change| {
        change.edit(place.document(), |signed| {
            edit::remove_key(signed, &place, id)
        })
    })
}

/// Stages another threshold for a role.
///
/// # Errors
/// As [`stage`].
pub fn set_threshold(
    role: &str,
    threshold: u64,
    folder: &Path,
    output: Output,
) -> Result<Exit, CliError> {
    let place = Place::of(role);
    stage(folder, output, |change| {
        change.edit(place.document(), |signed| {
            edit::set_threshold(signed, &place, threshold)
        })
    })
}

/// The public key of a PEM file or a key URI.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn public_key(text: &str) -> Result<PublicKey, CliError> {
    let path = Path::new(text.strip_prefix("file:").unwrap_or(text));
    if let Ok(bytes) = durable::read(path, PEM_BYTES_MAX)
        && let Ok(pem) = std::str::from_utf8(&bytes)
        && pem.starts_with("-----BEGIN PUBLIC KEY-----")
    {
        return PublicKey::from_pem(pem).context(Exit::Key, text);
    }
    Signer::proven(text)
}

/// Makes a change, stages it and shows what it comes to.
///
/// # Errors
/// [`CliError`]; what was staged before stays.
pub fn stage(
    folder: &Path,
    output: Output,
    make: impl FnOnce(&mut Change) -> Result<(), CliError>,
) -> Result<Exit, CliError> {
    let mut change = Change::open(folder)?;
    make(&mut change)?;
    change.save()?;
    let (preview, lacks) = (change.preview(), change.lacks()?);
    let text = format!(
        "{}\nstaged      next: streembit-publisher sign, then publish",
        Preview::text(&preview)
    );
    output.result(&json!({ "staged": preview, "lacks": lacks }), text)?;
    Ok(Exit::Done)
}

fn show(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let layout = Layout::new(folder);
    let in_force = InForce::load(&layout)?;
    let root = &in_force.repository.root;
    let mut text = format!(
        "version     {}\nexpires     {}",
        root.header().version,
        root.header().expires
    );
    let mut roles = Vec::new();
    for role in Role::ALL {
        let authority = root.role(role);
        let keys: Vec<String> = authority
            .distinct_keys()
            .into_iter()
            .map(edit::short_id)
            .collect();
        text.push_str(&format!(
            "\n{:<11} {} of {}: {}",
            role.name(),
            authority.threshold(),
            keys.len(),
            keys.join(" ")
        ));
        roles
            .push(json!({ "role": role.name(), "threshold": authority.threshold(), "keys": keys }));
    }
    if let Some(account) = root.account() {
        text.push_str(&format!("\naccount     {}", edit::short(&key_id(account))));
    }
    let publisher_id = Sha256::of(&layout.first_root()?).to_string();
    text.push_str(&format!("\npublisher   {publisher_id}"));
    let value = json!({ "publisher_id": publisher_id, "version": root.header().version,
        "expires": root.header().expires.to_string(), "roles": roles });
    output.result(&value, text)?;
    Ok(Exit::Done)
}
