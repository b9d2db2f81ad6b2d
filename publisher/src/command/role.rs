//! `streembit-publisher role` and `product add`: who may publish what. Changes are staged, not published.

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use keys::{Algorithm, PublicKey};
use manifests::author::key_id;
use manifests::delegations::{Delegation, Scope};
use manifests::envelope::Authority;
use manifests::name::Name;
use manifests::root::Role;

use crate::command::init::write_pin;
use crate::command::keys::{new_key, protection};
use crate::command::root::{KeyArgs, add_key, public_key, remove_key, set_threshold, stage};
use crate::edit;
use crate::settings::{self, ProductSettings};

/// What to do with delegated roles
#[derive(Clone, Debug, clap::Subcommand)]
pub enum RoleCommand {
    /// Delegate paths to a new role
    Add(AddArgs),
    /// Give a role one more key
    AddKey {
        /// The role
        role: String,
        /// A key URI, or a file with a PEM public key
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Delegate to a role no more: nothing that it published is offered any longer
    Remove {
        /// The role
        role: String,
    },
    /// Take a key from a role
    RemoveKey {
        /// The role
        role: String,
        /// The key's id, or its first digits
        #[arg(value_name = "KEYID")]
        id: String,
    },
    /// Stage the next version of a role with a new expiry and nothing else
    Renew {
        /// The role
        role: String,
    },
    /// Set how many keys of a role must sign
    SetThreshold {
        /// The role
        role: String,
        /// How many
        threshold: u64,
    },
}

/// A new delegated role
#[derive(Clone, Debug, clap::Args)]
pub struct AddArgs {
    /// The role
    pub role: Name,
    /// A key of it: a key URI, or a file with a PEM public key (repeatable)
    #[arg(long, value_name = "KEY", required = true)]
    pub key: Vec<String>,
    /// How many of its keys must sign [default: 1 where there is one key]
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    /// What it may publish: `*` and `?` stand for characters (repeatable) [default: ROLE-*]
    #[arg(long, value_name = "PATTERN")]
    pub path: Vec<String>,
}

/// What to do with products
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ProductCommand {
    /// Delegate to a new product and write the pin for its devices
    Add(ProductArgs),
}

/// A new product
#[derive(Clone, Debug, clap::Args)]
pub struct ProductArgs {
    /// The product, such as acme-cam
    pub product: Name,
    /// Hardware id that releases fit (repeatable)
    #[arg(long, value_name = "ID", required = true)]
    pub hardware: Vec<Name>,
    /// A key of its role: a key URI (repeatable) [default: a new key file]
    #[arg(long, value_name = "URI")]
    pub key: Vec<String>,
    /// How many of its keys must sign [default: 1 where there is one key]
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    /// Where to write the device pin [default: PRODUCT.pin in the repository]
    #[arg(long, value_name = "FILE")]
    pub pin: Option<PathBuf>,
    /// Don't encrypt a new key file
    #[arg(long)]
    pub no_passcode: bool,
}

/// Runs `role`.
///
/// # Errors
/// [`CliError`]; nothing is staged then.
pub fn run(command: &RoleCommand, folder: &Path, output: Output) -> Result<Exit, CliError> {
    match command {
        RoleCommand::Add(args) => {
            let keys = args.key.iter().map(|key| public_key(key));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            let role = delegation(&args.role, &args.path, &keys, args.threshold)?;
            stage(folder, output, |change| {
                change.begin(&role.name)?;
                change.edit("targets", |signed| edit::add_role(signed, &role))
            })
        }
        RoleCommand::AddKey { role, key } => {
            let (role, key) = (role.clone(), key.clone());
            add_key(&KeyArgs { key, role }, folder, output)
        }
        RoleCommand::Remove { role } => stage(folder, output, |change| {
            change.check_unstaged(role)?;
            change.edit("targets", |signed| edit::remove_role(signed, role))
        }),
        RoleCommand::RemoveKey { role, id } => remove_key(role, id, folder, output),
        RoleCommand::Renew { role } => {
            stage(folder, output, |change| change.edit(role, |_| Ok(())))
        }
        RoleCommand::SetThreshold { role, threshold } => {
            set_threshold(role, *threshold, folder, output)
        }
    }
}

/// Runs `product add`.
///
/// # Errors
/// As [`run`].
pub fn run_product(
    command: &ProductCommand,
    folder: &Path,
    output: Output,
) -> Result<Exit, CliError> {
    let ProductCommand::Add(args) = command;
    let name = args.product.as_str();
    check_role_name(name)?;
    stage(folder, output, |change| {
        change.begin(name)?;
        let patterns = [format!("{name}-*")];
        change.edit("targets", |signed| {
            edit::check_new_role(signed, name, &patterns)
        })?;
        let given = args.key.iter().map(|uri| settings::given(folder, uri));
        let mut uris = given.collect::<Result<Vec<_>, _>>()?;
        threshold_of(name, uris.len().max(1), args.threshold)?;
        if uris.is_empty() {
            let protection = protection(args.no_passcode);
            uris.push(new_key(folder, name, Algorithm::P256, protection)?);
        }
        let resolved = uris.iter().map(|uri| settings::resolve(folder, uri));
        let keys = resolved.map(|uri| Signer::proven(&uri?));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let role = delegation(&args.product, &patterns, &keys, args.threshold)?;
        change.edit("targets", |signed| edit::add_role(signed, &role))?;
        let mut settings = change.settings.clone();
        let pin = write_pin(
            &change.layout,
            &settings,
            &args.product,
            args.pin.as_deref(),
        )?;
        output.note(format_args!("pin         {}", pin.display()));
        let hardware = args.hardware.iter().map(Name::to_string).collect();
        let product = ProductSettings {
            hardware,
            keys: uris,
        };
        settings.products.insert(name.to_owned(), product);
        settings.save(folder)
    })
}

fn delegation(
    name: &Name,
    patterns: &[String],
    keys: &[PublicKey],
    threshold: Option<u64>,
) -> Result<Delegation, CliError> {
    check_role_name(name.as_str())?;
    let threshold = threshold_of(name.as_str(), keys.len(), threshold)?;
    let keys = keys.iter().map(|key| (key_id(key), key.clone().into()));
    let authority = Authority::new(keys.collect(), threshold)
        .context(Exit::Usage, format_args!("role {name}"))?;
    let mut patterns = patterns.to_vec();
    if patterns.is_empty() {
        patterns.push(format!("{name}-*"));
    }
    Ok(Delegation {
        name: name.to_string(),
        authority,
        scope: Scope::Paths(patterns),
        terminating: true,
    })
}

/// The threshold of a role with `count` keys, which has to be said where there are several.
fn threshold_of(name: &str, count: usize, threshold: Option<u64>) -> Result<u64, CliError> {
    let usage = |message: String| CliError::new(Exit::Usage, message);
    match threshold {
        None if count == 1 => Ok(1),
        None => Err(
            usage(format!("{name} has {count} keys and no threshold")).hint(format_args!(
                "--threshold N: how many of the {count} must sign"
            )),
        ),
        Some(threshold) if threshold > count as u64 => {
            let message = format!("role {name}: threshold {threshold} with {count} keys");
            Err(usage(message).hint("name more keys: --key"))
        }
        Some(threshold) => Ok(threshold),
    }
}

/// Refuses names whose files would be those of top-level roles, where file names have no case too, and
/// what `keys rotate` calls the account.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`].
pub fn check_role_name(name: &str) -> Result<(), CliError> {
    let mut taken = Role::ALL.iter().map(|role| role.name()).chain(["account"]);
    if taken.any(|taken| name.eq_ignore_ascii_case(taken)) {
        let message = format!("{name} is the name of something else");
        return Err(CliError::new(Exit::Usage, message).hint("choose another name"));
    }
    Ok(())
}
