//! `streembit-agent journal`: every decision, with the chain checked.

use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};

use crate::config::Config;
use crate::journal;

/// Runs `journal`.
///
/// # Errors
/// [`CliError`] with [`Exit::No`] naming the line that was changed.
pub fn run(config: &Path, output: Output) -> Result<Exit, CliError> {
    let config = Config::load(config)?;
    let entries = journal::read(&config.data_directory).context(Exit::No, "journal")?;
    for entry in entries {
        let text = format!("{} {:<14} {}", entry.time, entry.event, entry.data);
        output.result(&entry, text)?;
    }
    Ok(Exit::Done)
}
