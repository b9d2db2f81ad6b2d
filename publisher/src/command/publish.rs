//! `streembit-publisher publish`, `refresh` and `yank`.

use std::path::Path;

use cli::{CliError, Exit, Output};
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::name::Name;
use serde_json::json;

use crate::change::Change;
use crate::command::keys::roles;
use crate::edit;
use crate::evidence;
use crate::log::opened::OpenLog;
use crate::preview::Preview;
use crate::publish::{OnlineKeys, publish};
use crate::repository::product_of;
use crate::statements;

/// Options of yank
#[derive(Clone, Debug, clap::Args)]
pub struct YankArgs {
    /// The display version of the release
    pub version: String,
    /// The product [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub product: Option<Name>,
}

/// Runs `publish`.
///
/// # Errors
/// [`CliError`] with [`Exit::Quorum`] if signatures are lacking.
pub fn run(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let mut change = Change::open_staged(folder)?;
    output.note(Preview::text(&change.preview()));
    let keys = OnlineKeys::open(&change)?;
    update_log(&change, output)?;
    let next = publish(&change, &keys)?;
    update_log(&change, output)?;
    for retired in change
        .settings
        .retire(folder, &roles(&next), next.root.account())
    {
        output.note(format_args!("retired     {retired}"));
    }
    change.settings.save(folder)?;
    report(&next, "published", output)
}

/// Runs `refresh`: a new snapshot and timestamp, for a timer. What is staged stays staged.
///
/// # Errors
/// [`CliError`]; the repository is as before then.
pub fn refresh(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let change = Change::open_unstaged(folder)?;
    let keys = OnlineKeys::open(&change)?;
    update_log(&change, output)?;
    report(&publish(&change, &keys)?, "refreshed", output)
}

/// Runs `yank`: the release is offered no more. Devices that have it keep it.
///
/// # Errors
/// [`CliError`] if there is no such release; [`Exit::Quorum`] if it is staged and lacks signatures.
pub fn yank(args: &YankArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (mut change, product) = Change::open_product(folder, args.product.as_ref())?;
    let keys = OnlineKeys::open(&change)?;
    let role = product_of(&change.in_force.repository, &product)?;
    let mut targets = role.targets().iter();
    let found = targets.find(|(_, target)| {
        let release = target.release.as_ref();
        release.is_some_and(|release| release.version == args.version)
    });
    let (name, target) = found.ok_or_else(|| {
        CliError::new(Exit::No, format_args!("no release {}", args.version))
            .hint("streembit-publisher list")
    })?;
    let (name, target) = (name.clone(), target.clone());
    change.edit(product.as_str(), |signed| {
        edit::remove_target(signed, name.as_str())
    })?;
    let open = OpenLog::open(folder, &change.settings)?;
    if let (Some(open), Some(log), Some(release)) = (&open, &change.settings.log, &target.release) {
        statements::withdraw((open, log), folder, (&name, &target.sha256), release)?;
    }
    output.note(Preview::text(&change.preview()));
    change.sign_with_keys_here(output)?;
    if !change.lacks()?.is_empty() {
        change.save()?;
    }
    let next = publish(&change, &keys)?;
    update_log(&change, output)?;
    report(&next, "yanked", output)
}

/// Brings the log up to what was done, if there is one. That witnesses are away stops nothing but releases, which
/// [`publish`] asks for itself.
fn update_log(change: &Change, output: Output) -> Result<(), CliError> {
    let Some(open) = OpenLog::open(&change.layout.folder, &change.settings)? else {
        return Ok(());
    };
    match evidence::update(&open, output) {
        Err(error) if error.exit == Exit::Quorum => {
            output.note(format_args!(
                "log         {error}: streembit-publisher log update"
            ));
            Ok(())
        }
        result => result,
    }
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
