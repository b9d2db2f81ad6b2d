//! `streembit-publisher init`: keys, root, an empty repository, the pin file for devices.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit, Output};
use keys::Algorithm;
use manifests::instant::UtcTime;
use manifests::name::Name;
use serde::Serialize;

use crate::metadata;
use crate::repository::Layout;
use crate::settings::{KeyUris, Lives, Settings, Thresholds, path_in};

/// How old the newest timestamp may be before a device reports that it is cut off.
const STALENESS: Duration = Duration::from_secs(14 * 86_400);

/// Options of init
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The product, such as acme-cam
    #[arg(long, value_name = "NAME")]
    pub product: Name,
    /// Hardware id that releases fit (repeatable)
    #[arg(long, value_name = "ID", required = true)]
    pub hardware: Vec<Name>,
    /// The channel
    #[arg(long, value_name = "NAME", default_value = "stable")]
    pub channel: Name,
    /// A root key that is there already, such as one in a token (repeatable): none is created then
    #[arg(long, value_name = "URI", conflicts_with = "root_keys")]
    pub root_key: Vec<String>,
    /// How many root keys to create; Ed25519 and P-256 by turns
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10))]
    pub root_keys: u64,
    /// How many of them must sign a root
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=10))]
    pub root_threshold: u64,
    /// Where to write the device pin [default: PRODUCT.pin in the repository]
    #[arg(long, value_name = "FILE")]
    pub pin: Option<PathBuf>,
    /// Don't encrypt the key files: for trials, or where the disk is the safe
    #[arg(long)]
    pub no_passcode: bool,
    /// How long a timestamp lives, such as 7d; a release is due before it ends
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub timestamp_life: String,
}

#[derive(Debug, Serialize)]
struct Created {
    publisher_id: String,
    product: String,
    channel: String,
    root_threshold: u64,
    root_keys: u64,
    account: String,
    pin: String,
    expires: String,
}

/// Runs `init`.
///
/// # Errors
/// [`CliError`]; an existing repository is never touched.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let layout = Layout::new(folder);
    let root_keys = check(args, folder)?;
    layout.create().context(Exit::No, "repository")?;
    let _lock = layout.lock()?;
    let settings = create_keys(args, folder)?;
    let now = UtcTime::from_system(SystemTime::now());
    let files = metadata::first_files(folder, &settings, now)?;
    layout.commit(&files)?;
    let product = settings.product_name()?;
    layout.verify(product.clone(), now)?;
    let pin = layout.pin(product, settings.channel_name()?, STALENESS)?;
    let pin_path = args
        .pin
        .clone()
        .unwrap_or_else(|| folder.join(format!("{}.pin", settings.product)));
    durable::replace(&pin_path, &pin.encode(), Access::World).context(Exit::No, "pin")?;
    // The settings come last: with them the repository exists.
    durable::replace(
        &path_in(folder),
        settings.encode()?.as_bytes(),
        Access::World,
    )
    .context(Exit::No, "settings")?;
    let created = Created {
        publisher_id: pin.publisher_id.to_string(),
        product: settings.product.clone(),
        channel: settings.channel.clone(),
        root_threshold: args.root_threshold,
        root_keys,
        account: pin.account.to_hex(),
        pin: pin_path.display().to_string(),
        expires: now.after(settings.lives()?.timestamp).to_string(),
    };
    let text = format!(
        "publisher   {}\nproduct     {}\nchannel     {}\nroot        {} of {} keys\npin         {}\nnext        \
         streembit-publisher release IMAGE --version 1.0.0",
        created.publisher_id,
        created.product,
        created.channel,
        created.root_threshold,
        created.root_keys,
        created.pin
    );
    output.result(&created, text)?;
    Ok(Exit::Done)
}

/// Refuses what would not become a repository; returns how many root keys there will be.
fn check(args: &Args, folder: &Path) -> Result<u64, CliError> {
    if path_in(folder).exists() {
        let message = format!("{} is a repository already", folder.display());
        return Err(CliError::new(Exit::Usage, message).hint("choose another --repository"));
    }
    let root_keys = match args.root_key.len() {
        0 => args.root_keys,
        given => given as u64,
    };
    if args.root_threshold > root_keys {
        let message = format!(
            "threshold {} with {root_keys} root keys",
            args.root_threshold
        );
        return Err(CliError::new(Exit::Usage, message).hint("lower --root-threshold"));
    }
    Ok(root_keys)
}

fn create_keys(args: &Args, folder: &Path) -> Result<Settings, CliError> {
    let key_folder = folder.join("keys");
    durable::create_folder(&key_folder).context(Exit::Key, "keys")?;
    fs::set_permissions(&key_folder, fs::Permissions::from_mode(0o700))
        .context(Exit::Key, key_folder.display())?;
    let protection = if args.no_passcode {
        NewKey::Unprotected
    } else {
        NewKey::Encrypted
    };
    let create = |name: &str, algorithm: Algorithm| {
        let path = key_folder.join(format!("{name}.key"));
        keyfile::create(
            &path,
            algorithm,
            &format!("{} {name}", args.product),
            protection,
        )?;
        Ok::<_, CliError>(format!("file:keys/{name}.key"))
    };
    let mut root = args.root_key.clone();
    let created = if root.is_empty() { args.root_keys } else { 0 };
    for number in 1..=created {
        let algorithm = if number % 2 == 1 {
            Algorithm::Ed25519
        } else {
            Algorithm::P256
        };
        root.push(create(&format!("root-{number}"), algorithm)?);
    }
    Ok(Settings {
        product: args.product.to_string(),
        channel: args.channel.to_string(),
        hardware: args.hardware.iter().map(Name::to_string).collect(),
        deltas: 3,
        keys: KeyUris {
            root,
            targets: vec![create("targets", Algorithm::Ed25519)?],
            product: vec![create("product", Algorithm::P256)?],
            snapshot: vec![create("snapshot", Algorithm::Ed25519)?],
            timestamp: vec![create("timestamp", Algorithm::Ed25519)?],
            account: create("account", Algorithm::P256)?,
        },
        threshold: Thresholds {
            root: args.root_threshold,
            targets: 1,
            product: 1,
        },
        life: Lives {
            timestamp: args.timestamp_life.clone(),
            ..Lives::default()
        },
    })
}
