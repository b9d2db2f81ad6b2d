//! `streembit-agent install`: once, now.

use std::path::Path;

use cli::{CliError, Exit, Output, human};

use super::with_sources;
use crate::prove::{Standing, reconcile};
use crate::update::{self, Outcome, Report};

/// Options of install
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Show progress even where no terminal is
    #[arg(long)]
    pub progress: bool,
}

/// Runs `install`.
///
/// # Errors
/// [`CliError`]; the running slot is untouched.
pub fn run(args: &Args, config: &Path, output: Output) -> Result<Exit, CliError> {
    let quiet =
        output.quiet || !(args.progress || std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let progress = Output { quiet, ..output };
    let outcome = with_sources(config, async |device, sources| {
        // A release on trial is not overwritten by the next before it has had its chance.
        match reconcile(device)? {
            Standing::RebootPending => return Ok(Outcome::RebootPending),
            Standing::Proving(pending) => {
                let message = format!("{} runs and has not proved itself", pending.image.version);
                return Err(CliError::new(Exit::Retry, message).hint("streembit-agent mark-good"));
            }
            Standing::Settled | Standing::RolledBack(_) => {}
        }
        Ok(update::update(device, sources, progress).await?)
    })?;
    match outcome {
        Outcome::UpToDate => {
            output.result(&serde_json::json!({ "result": "up-to-date" }), "up to date")?;
            Ok(Exit::Done)
        }
        Outcome::RebootPending => {
            let value = serde_json::json!({ "result": "reboot-pending" });
            output.result(&value, "installed before; reboot to use it")?;
            Ok(Exit::Reboot)
        }
        Outcome::Installed(report) => {
            output.result(&report, describe(&report))?;
            Ok(Exit::Reboot)
        }
    }
}

/// The report for people.
pub fn describe(report: &Report) -> String {
    let mut text = format!(
        "installed   {} into {} (was {}), by {}\nfetched     {} of {}\nverified by {}",
        report.to,
        report.slot,
        report.from.as_deref().unwrap_or("unknown"),
        report.way,
        human::bytes(report.fetched_bytes),
        human::bytes(report.image_bytes),
        report.verified_by.join(" ")
    );
    for (source, bytes) in &report.sources.bytes_by_source {
        text.push_str(&format!(
            "\nsource      {} from {source}",
            human::bytes(*bytes)
        ));
    }
    for (source, times) in &report.sources.liars {
        text.push_str(&format!("\nrefused     {source} lied {times} times"));
    }
    text.push_str("\nreboot to use it");
    text
}
