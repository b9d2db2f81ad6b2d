//! `streembit-publisher init`: keys, root, an empty repository, the pin file for devices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use keys::{Algorithm, PublicKey};
use manifests::digest::Sha256;
use manifests::instant::UtcTime;
use manifests::name::Name;
use protocol::limits::HEAD_ROOT_BYTES_MAX;
use serde::Serialize;

use crate::command::keys::{new_key, protection};
use crate::command::role::check_role_name;
use crate::metadata;
use crate::repository::{Files, Layout};
use crate::settings::{self, KeyUris, Lives, ProductSettings, Settings, path_in};

/// How old the newest timestamp may be before a device reports that it is cut off.
pub const STALENESS: Duration = Duration::from_secs(14 * 86_400);

/// What root and top-level roles are made of
#[derive(Clone, Debug, clap::Args)]
pub struct RootArgs {
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
    /// Don't encrypt the key files: for trials, or where the disk is the safe
    #[arg(long)]
    pub no_passcode: bool,
    /// How long a timestamp lives, such as 7d; a release or refresh is due before it ends
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub timestamp_life: String,
}

/// Options of init
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The product, such as acme-cam
    #[arg(long, value_name = "NAME")]
    pub product: Name,
    /// Hardware id that releases fit (repeatable)
    #[arg(long, value_name = "ID", required = true)]
    pub hardware: Vec<Name>,
    /// Where to write the device pin [default: PRODUCT.pin in the repository]
    #[arg(long, value_name = "FILE")]
    pub pin: Option<PathBuf>,
    /// Root and top-level roles
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Serialize)]
struct Created {
    publisher_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    channel: String,
    root_threshold: u64,
    root_keys: u64,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
    expires: String,
}

/// Runs `init`.
///
/// # Errors
/// [`CliError`]; an existing repository is never touched.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    check_role_name(args.product.as_str())?;
    let product = NewProduct {
        name: &args.product,
        hardware: &args.hardware,
        pin: args.pin.as_deref(),
    };
    create(&args.root, Some(&product), folder, output)
}

/// Runs `root init`: a repository without products.
///
/// # Errors
/// As [`run`].
pub fn run_root(args: &RootArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    create(args, None, folder, output)
}

struct NewProduct<'a> {
    name: &'a Name,
    hardware: &'a [Name],
    pin: Option<&'a Path>,
}

fn create(
    args: &RootArgs,
    product: Option<&NewProduct<'_>>,
    folder: &Path,
    output: Output,
) -> Result<Exit, CliError> {
    let layout = Layout::new(folder);
    let root_keys = check(args, folder)?;
    layout.create().context(Exit::No, "repository")?;
    let _lock = layout.lock()?;
    let settings = create_keys(args, product, folder)?;
    let now = UtcTime::from_system(SystemTime::now());
    let files = metadata::first_files(folder, &settings, args.root_threshold, now)?;
    check_root_length(&files)?;
    layout.commit(&files)?;
    let repository = layout.verify(now)?;
    let pin = match product {
        Some(product) => Some(write_pin(&layout, &settings, product.name, product.pin)?),
        None => None,
    };
    // The settings come last: with them the repository exists.
    settings.save(folder)?;
    let account = repository.root.account().map(PublicKey::to_hex);
    let created = Created {
        publisher_id: Sha256::of(&layout.first_root()?).to_string(),
        product: product.map(|product| product.name.to_string()),
        channel: settings.channel.clone(),
        root_threshold: args.root_threshold,
        root_keys,
        account: account.unwrap_or_default(),
        pin: pin.map(|path| path.display().to_string()),
        expires: now.after(settings.lives()?.timestamp).to_string(),
    };
    let next = match &created.product {
        Some(_) => "release IMAGE --version 1.0.0",
        None => "product add NAME --hardware ID",
    };
    let mut text = format!("publisher   {}", created.publisher_id);
    for (word, value) in [("product", &created.product), ("pin", &created.pin)] {
        if let Some(value) = value {
            text.push_str(&format!("\n{word:<11} {value}"));
        }
    }
    text.push_str(&format!(
        "\nchannel     {}\nroot        {} of {} keys\nnext        streembit-publisher {next}",
        created.channel, created.root_threshold, created.root_keys
    ));
    output.result(&created, text)?;
    Ok(Exit::Done)
}

/// Root version 1 never changes, so it must fit the heads of all releases.
fn check_root_length(files: &Files) -> Result<(), CliError> {
    let length = files.get("1.root.json").map_or(0, Vec::len);
    if length <= HEAD_ROOT_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "root version 1 has {length} bytes, and release heads, which carry it, allow {HEAD_ROOT_BYTES_MAX}"
    );
    Err(CliError::new(Exit::Usage, message)
        .hint("start with three root keys and give it more later: root add-key"))
}

/// Writes the pin that devices of a product get.
///
/// # Errors
/// [`CliError`].
pub fn write_pin(
    layout: &Layout,
    settings: &Settings,
    product: &Name,
    path: Option<&Path>,
) -> Result<PathBuf, CliError> {
    let pin = layout.pin(product.clone(), settings.channel_name()?, STALENESS)?;
    let default = || layout.folder.join(format!("{product}.pin"));
    let path = path.map_or_else(default, Path::to_owned);
    durable::replace(&path, &pin.encode(), Access::World).context(Exit::No, "pin")?;
    Ok(path)
}

/// Refuses what would not become a repository; returns how many root keys there will be.
fn check(args: &RootArgs, folder: &Path) -> Result<u64, CliError> {
    if path_in(folder).exists() {
        let message = format!("{} is a repository already", folder.display());
        return Err(CliError::new(Exit::Usage, message).hint("choose another --repository"));
    }
    human::parse_duration(&args.timestamp_life)
        .context(Exit::Usage, "--timestamp-life")
        .map_err(|error| error.hint("such as 7d"))?;
    if folder.join("keys").exists() {
        let message = format!("{} holds keys and no settings", folder.display());
        return Err(CliError::new(Exit::Usage, message)
            .hint("an init was cut off there: remove the folder, or choose another --repository"));
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

fn create_keys(
    args: &RootArgs,
    product: Option<&NewProduct<'_>>,
    folder: &Path,
) -> Result<Settings, CliError> {
    let protection = protection(args.no_passcode);
    let create = |name: &str, algorithm: Algorithm| new_key(folder, name, algorithm, protection);
    let given = args.root_key.iter().map(|uri| settings::given(folder, uri));
    let mut root = given.collect::<Result<Vec<_>, _>>()?;
    let created = if root.is_empty() { args.root_keys } else { 0 };
    for number in 1..=created {
        let algorithm = if number % 2 == 1 {
            Algorithm::Ed25519
        } else {
            Algorithm::P256
        };
        root.push(create(&format!("root-{number}"), algorithm)?);
    }
    let keys = KeyUris {
        root,
        targets: vec![create("targets", Algorithm::Ed25519)?],
        snapshot: vec![create("snapshot", Algorithm::Ed25519)?],
        timestamp: vec![create("timestamp", Algorithm::Ed25519)?],
        account: vec![create("account", Algorithm::P256)?],
    };
    let mut products = BTreeMap::new();
    if let Some(product) = product {
        let of = ProductSettings {
            hardware: product.hardware.iter().map(Name::to_string).collect(),
            keys: vec![create(product.name.as_str(), Algorithm::P256)?],
        };
        products.insert(product.name.to_string(), of);
    }
    Ok(Settings {
        channel: args.channel.to_string(),
        deltas: 3,
        keys,
        life: Lives {
            timestamp: args.timestamp_life.clone(),
            ..Lives::default()
        },
        log: None,
        products,
    })
}
