//! `streembit-publisher stage` and `approve`: a staged change to signers on other machines and back.

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use serde_json::json;

use crate::change::Change;
use crate::command::keys::roles;
use crate::preview::Preview;
use crate::stage_file::StageFile;
use crate::staged::{Lack, Staged};

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
    if args.discard {
        let mut change = Change::open_unstaged(folder)?;
        Staged::discard(&change.layout)?;
        // Keys and products that were to come with it.
        let repository = &change.in_force.repository;
        let (roles, account) = (roles(repository), repository.root.account());
        for retired in change.settings.retire(folder, &roles, account) {
            output.note(format_args!("retired     {retired}"));
        }
        change.settings.save(folder)?;
        output.result(&json!({ "staged": [] }), "discarded")?;
        return Ok(Exit::Done);
    }
    let change = Change::open_staged(folder)?;
    let (preview, lacks) = (change.preview(), change.lacks()?);
    let mut text = Preview::text(&preview);
    for lack in &lacks {
        text.push_str(&format!("\nlacking     {lack}"));
    }
    if let Some(path) = &args.file {
        StageFile::of(&change)?.save(path)?;
        text.push_str(&format!("\nwritten     {}", path.display()));
    }
    output.result(&json!({ "staged": preview, "lacks": lacks }), text)?;
    Ok(Exit::Done)
}

/// Runs `approve`: takes the signatures of others into the staged change.
///
/// # Errors
/// [`CliError`] naming the file; nothing is taken from any of them then.
pub fn approve(args: &ApproveArgs, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let mut change = Change::open_staged(folder)?;
    let demands = change.staged.demands(&change.in_force)?;
    for path in &args.files {
        let file = StageFile::load(path)?;
        let mut new = 0;
        for (role, draft) in &file.staged.documents {
            let ours = change.staged.documents.get_mut(role).ok_or_else(|| {
                let message = format!("{}: {role} is not staged here", path.display());
                CliError::new(Exit::No, message).hint("it is another change, or an old one")
            })?;
            let authorities = demands.iter().filter(|demand| demand.role == *role);
            let authorities: Vec<_> = authorities.map(|demand| &demand.authority).collect();
            new += ours
                .merge(draft, &authorities)
                .context(Exit::No, format_args!("{}: {role}", path.display()))
                .map_err(|error| error.hint("it is another change, or an old one"))?;
        }
        output.note(format_args!(
            "approved    {}: {new} new signatures",
            path.display()
        ));
    }
    change.save()?;
    let lacks = change.lacks()?;
    output.result(&json!({ "lacks": lacks }), Lack::summary(&lacks))?;
    Ok(Exit::Done)
}
