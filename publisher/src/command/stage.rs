//! `streembit-publisher stage` and `approve`: a staged change to signers on other machines and back.

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use serde_json::json;

use crate::publish;
use crate::repository::Layout;
use crate::settings::Settings;
use crate::stage_file::StageFile;
use crate::staged::{InForce, Staged};

/// Options of stage
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Write the staged change to this file, for signers elsewhere [default: show it]
    pub file: Option<PathBuf>,
    /// Forget the staged change
    #[arg(long, conflicts_with = "file")]
    pub discard: bool,
}

/// Options of approve
#[derive(Clone, Debug, clap::Args)]
pub struct ApproveArgs {
    /// Files that came back from signers
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// Runs `stage`.
///
/// # Errors
/// [`CliError`] if nothing is staged.
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let _lock = layout.lock()?;
    if args.discard {
        Staged::load(&layout)?.discard(&layout)?;
        output.result(&json!({ "staged": [] }), "discarded")?;
        return Ok(Exit::Done);
    }
    let (in_force, staged) = load(&layout, &settings)?;
    publish::show(&in_force.documents, &staged, output);
    let lacks = staged.lacks(&in_force)?;
    let roles: Vec<String> = staged.documents.keys().cloned().collect();
    let mut text = format!("staged      {}", roles.join(" "));
    for lack in &lacks {
        text.push_str(&format!(
            "\nlacking     {}: {} of {} by its {} keys, not yet: {}",
            lack.role,
            lack.valid,
            lack.threshold,
            lack.keys,
            lack.missing.join(" ")
        ));
    }
    if let Some(path) = &args.file {
        StageFile::of(&layout, &in_force, staged)?.save(path)?;
        text.push_str(&format!("\nwritten     {}", path.display()));
    }
    output.result(&json!({ "staged": roles, "lacks": lacks }), text)?;
    Ok(Exit::Done)
}

/// Runs `approve`: takes the signatures of others into the staged change.
///
/// # Errors
/// [`CliError`] naming the file; nothing is taken from any of them then.
pub fn approve(args: &ApproveArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let _lock = layout.lock()?;
    let (in_force, mut staged) = load(&layout, &settings)?;
    let before = staged.lacks(&in_force)?.len();
    for path in &args.files {
        let file = StageFile::load(path)?;
        for (role, draft) in &file.staged.documents {
            let ours = staged.documents.get_mut(role).ok_or_else(|| {
                let message = format!("{}: {role} is not staged here", path.display());
                CliError::new(Exit::No, message).hint("it is another change, or an old one")
            })?;
            ours.merge(draft)
                .context(Exit::No, format_args!("{}: {role}", path.display()))
                .map_err(|error| error.hint("it is another change, or an old one"))?;
        }
    }
    staged.save(&layout)?;
    let lacks = staged.lacks(&in_force)?;
    let text = match lacks.as_slice() {
        [] => "complete    next: streembit-publisher publish".to_owned(),
        lacks => format!(
            "lacking     {} of {before} signatures; see stage",
            lacks.len()
        ),
    };
    output.result(&json!({ "lacks": lacks }), text)?;
    Ok(Exit::Done)
}

fn load(layout: &Layout, settings: &Settings) -> Result<(InForce, Staged), CliError> {
    let in_force = InForce::load(layout, settings.product_name()?)?;
    let staged = Staged::load(layout)?;
    if staged.documents.is_empty() {
        return Err(CliError::new(Exit::No, "nothing is staged")
            .hint("streembit-publisher root, role, keys or release stage a change"));
    }
    Ok((in_force, staged))
}
