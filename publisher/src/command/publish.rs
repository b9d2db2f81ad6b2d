//! `streembit-publisher publish`, `refresh` and `yank`.

use std::path::Path;
use std::time::SystemTime;

use cli::{CliError, Exit, Output};
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use serde_json::json;

use crate::edit;
use crate::publish::{self, OnlineKeys};
use crate::repository::Layout;
use crate::settings::Settings;
use crate::staged::{InForce, Staged};

/// Options of yank
#[derive(Clone, Debug, clap::Args)]
pub struct YankArgs {
    /// The display version of the release
    pub version: String,
}

/// Runs `publish`.
///
/// # Errors
/// [`CliError`] with [`Exit::Quorum`] if signatures are lacking.
pub fn run(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let _lock = layout.lock()?;
    let in_force = InForce::load(&layout, settings.product_name()?)?;
    let staged = Staged::load(&layout)?;
    if staged.documents.is_empty() {
        return Err(CliError::new(Exit::No, "nothing is staged")
            .hint("streembit-publisher refresh renews snapshot and timestamp"));
    }
    publish::show(&in_force.documents, &staged, output);
    let now = UtcTime::from_system(SystemTime::now());
    let keys = OnlineKeys::open(&layout, &settings)?;
    let next = publish::publish(&layout, &settings, (&in_force, &staged), &keys, now)?;
    report(&next, "published", output)
}

/// Runs `refresh`: a new snapshot and timestamp, for a timer. What is staged stays staged.
///
/// # Errors
/// [`CliError`]; the repository is as before then.
pub fn refresh(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let _lock = layout.lock()?;
    let in_force = InForce::load(&layout, settings.product_name()?)?;
    let now = UtcTime::from_system(SystemTime::now());
    let nothing = Staged::default();
    let keys = OnlineKeys::open(&layout, &settings)?;
    let next = publish::publish(&layout, &settings, (&in_force, &nothing), &keys, now)?;
    report(&next, "refreshed", output)
}

/// Runs `yank`: the release is offered no more. Devices that have it keep it.
///
/// # Errors
/// [`CliError`] if there is no such release; [`Exit::Quorum`] if it is staged and lacks signatures.
pub fn yank(args: &YankArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let _lock = layout.lock()?;
    let product = settings.product_name()?;
    let in_force = InForce::load(&layout, product.clone())?;
    let targets = in_force.repository.product.targets().iter();
    let found = targets
        .filter(|(_, target)| {
            let release = target.release.as_ref();
            release.is_some_and(|release| release.version == args.version)
        })
        .map(|(name, _)| name.to_string())
        .next();
    let name = found.ok_or_else(|| {
        CliError::new(Exit::No, format_args!("no release {}", args.version))
            .hint("streembit-publisher list")
    })?;
    let now = UtcTime::from_system(SystemTime::now());
    let mut staged = Staged::alone(&layout, product.as_str())?;
    let draft = staged.document(product.as_str(), &in_force, (&settings.lives()?, now))?;
    draft.edit(|signed| edit::remove_target(signed, &name))?;
    publish::sign_with_keys_here(&layout, &settings, (&in_force, &mut staged), output)?;
    staged.save(&layout)?;
    publish::show(&in_force.documents, &staged, output);
    let keys = OnlineKeys::open(&layout, &settings)?;
    let next = publish::publish(&layout, &settings, (&in_force, &staged), &keys, now)?;
    report(&next, "yanked", output)
}

fn report(next: &Repository, word: &str, output: Output) -> Result<Exit, CliError> {
    let header = next.timestamp.header();
    let root = next.root.header().version;
    let value = json!({ "result": word, "root": root, "timestamp": header.version,
        "expires": header.expires.to_string() });
    let text = format!(
        "{word:<11} root {root}, timestamp {}\nexpires     {}",
        header.version, header.expires
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}
