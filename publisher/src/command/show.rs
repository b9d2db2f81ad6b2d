//! `streembit-publisher show`: one release as it is signed.

use std::path::Path;

use cli::{CliError, Exit, Output, human};
use manifests::json;
use manifests::name::Name;
use manifests::release::Content;

use crate::repository::{Layout, OWN_CLOCK, product_of};
use crate::settings::Settings;

/// Options of show
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The version
    pub version: String,
    /// The product [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub product: Option<Name>,
}

/// Runs `show`.
///
/// # Errors
/// [`CliError`] with [`Exit::No`] if there is no such release.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let settings = Settings::load(folder)?;
    let repository = Layout::new(folder).verify(OWN_CLOCK)?;
    let role = product_of(
        &repository,
        &settings.product(args.product.as_ref(), &repository)?,
    )?;
    let mut targets = role.targets().iter();
    let found = targets.find_map(|(name, target)| {
        let release = target
            .release
            .as_ref()
            .filter(|release| release.version == args.version)?;
        Some((name, target, release))
    });
    let Some((name, target, release)) = found else {
        return Err(
            CliError::new(Exit::No, format_args!("no release {}", args.version))
                .hint("streembit-publisher list"),
        );
    };
    let custom: serde_json::Value =
        serde_json::from_slice(&json::encode(&release.to_json())).unwrap_or_default();
    let signers: Vec<String> = role.signers().iter().map(short_id).collect();
    let value = serde_json::json!({ "name": name.to_string(), "length": target.length,
        "sha256": target.sha256.to_string(), "custom": custom, "signed_by": signers });
    let hardware: Vec<String> = release.hardware.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "name        {name}\nversion     {}\nrelease     {}\nsecurity    {}\nhardware    {}\nformat      {}\n\
         size        {} ({} bytes)\nsha256      {}\nblake3      {}\nsigned by   {}",
        release.version,
        release.release,
        release.security_version,
        hardware.join(" "),
        release.format.name(),
        human::bytes(target.length),
        target.length,
        target.sha256,
        release.image.blake3,
        signers.join(" ")
    );
    for delta in &release.deltas {
        let size = human::bytes(delta.blob.size);
        let from = if delta.base == Content::NOTHING {
            "nothing".to_owned()
        } else {
            delta.base.blake3.to_string()
        };
        text.push_str(&format!("\ndelta       {size} from {from}"));
    }
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// The first 16 digits of a key's TUF id.
fn short_id(key: &keys::RoleKey) -> String {
    key.id().chars().take(16).collect()
}
