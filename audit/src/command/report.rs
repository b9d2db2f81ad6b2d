//! `streembit-audit report`: a publisher's history as a page that needs nothing else.

use std::path::PathBuf;
use std::time::SystemTime;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use manifests::instant::UtcTime;
use serde_json::json;

use crate::command::Published;
use crate::pin::Trusted;
use crate::report::{gather, page};
use crate::source::Source;

/// Options of report
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Whose log is read
    #[command(flatten)]
    pub published: Published,
    /// The page
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
}

/// Runs `report`. The page is written even if it shows alarms; the exit code is that of the worst.
///
/// # Errors
/// [`CliError`] if the mirror can't be read.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let trusted = Trusted::read(&args.published.pin)?;
    let source = Source::open(&args.published.mirror)?;
    let now = UtcTime::from_system(SystemTime::now());
    let history = gather(&source, trusted, now)?;
    let page = page::render(&history);
    durable::replace(&args.out, page.as_bytes(), Access::World).context(Exit::No, "report")?;
    let size = history.log.as_ref().map(|log| log.size);
    let value = json!({ "file": args.out, "alarms": history.alarms, "size": size,
        "roots": history.roots.len(), "exit": history.exit as u8 });
    let text = format!(
        "report      {}, {} alarms",
        args.out.display(),
        history.alarms.len()
    );
    output.result(&value, text)?;
    Ok(history.exit)
}
