//! `streembit-publisher pin`: what a device of a product trusts from the factory, and what it demands of releases.

use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output, human};
use keys::PublicKey;
use manifests::evidence::grade::Grade;
use manifests::name::Name;
use manifests::pin::requirements::Requirements;
use serde_json::json;

use crate::command::init::STALENESS;
use crate::log::opened::{FOLDER, POLICY, read_policy};
use crate::repository::{Layout, OWN_CLOCK};
use crate::settings::Settings;

/// Bytes of a public key in PEM.
const PEM_BYTES_MAX: u64 = 4096;

/// Options of pin
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The product [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub product: Option<Name>,
    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// How old the newest signed timestamp and cosignatures may be
    #[arg(long, value_name = "DURATION")]
    pub max_staleness: Option<String>,
    /// Ask for no log, though this repository has one
    #[arg(long)]
    pub no_log: bool,
    /// How much must be known of the build: none, B1 (the publisher's builder says so), B3 (rebuilt by others)
    #[arg(long, default_value = "none")]
    pub grade: Grade,
    /// Ask for a list of components (SBOM)
    #[arg(long)]
    pub sbom: bool,
    /// A rebuilder's public key in PEM (repeatable)
    #[arg(long = "rebuilder", value_name = "FILE")]
    pub rebuilders: Vec<PathBuf>,
    /// How many rebuilders must have come to the same bytes
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rebuilds: u64,
}

/// Runs `pin`.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if the demands don't go together.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let repository = layout.verify(OWN_CLOCK)?;
    let product = settings.product(args.product.as_ref(), &repository)?;
    let staleness = args.max_staleness.as_deref().map(human::parse_duration);
    let staleness = staleness
        .transpose()
        .context(Exit::Usage, "--max-staleness")?;
    let staleness = staleness.unwrap_or(STALENESS);
    let mut pin = layout.pin(product.clone(), settings.channel_name()?, staleness)?;
    pin.requirements = requirements(args, folder, &settings)?;
    durable::replace(&args.out, &pin.encode(), Access::World).context(Exit::No, "pin")?;
    let has_log = pin.requirements.log_policy.is_some();
    let value = json!({ "pin": args.out, "product": product.as_str(), "log": has_log,
        "grade": args.grade.to_string(), "sbom": args.sbom, "rebuilds": args.rebuilds });
    let demands = if has_log {
        format!(
            "a log whose witnesses have cosigned, grade {}{}{}",
            args.grade,
            if args.sbom {
                ", a list of components"
            } else {
                ""
            },
            if args.rebuilds > 0 { ", rebuilds" } else { "" },
        )
    } else {
        "signed metadata alone".to_owned()
    };
    let text = format!(
        "pin         {}\nproduct     {product}\ndemands     {demands}",
        args.out.display()
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn requirements(args: &Args, folder: &Path, settings: &Settings) -> Result<Requirements, CliError> {
    let has_log = settings.log.is_some() && !args.no_log;
    let policy = folder.join(FOLDER).join(POLICY);
    let policy = has_log.then(|| read_policy(&policy)).transpose()?;
    let policy = policy
        .map(|(bytes, _)| String::from_utf8(bytes))
        .transpose();
    let rebuilders = args.rebuilders.iter().map(|path| public_key(path));
    let requirements = Requirements {
        log_policy: policy.context(Exit::Usage, "log policy")?,
        grade: args.grade,
        sbom: args.sbom,
        rebuilders: rebuilders.collect::<Result<_, _>>()?,
        rebuilds: args.rebuilds,
    };
    requirements
        .check()
        .context(Exit::Usage, "pin")
        .map_err(|error| {
            error
                .hint("what is demanded needs a log (log init), and as many rebuilders as rebuilds")
        })?;
    Ok(requirements)
}

/// A public key in PEM, or that of a key file.
fn public_key(path: &Path) -> Result<PublicKey, CliError> {
    let bytes = durable::read(path, PEM_BYTES_MAX).context(Exit::Key, "--rebuilder")?;
    match PublicKey::from_pem(&String::from_utf8_lossy(&bytes)) {
        Ok(key) => Ok(key),
        Err(_) => Signer::public_of(&format!("file:{}", path.display())),
    }
}
