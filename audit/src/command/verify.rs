//! `streembit-audit verify`: one screen that a person understands.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use manifests::digest::Sha256;
use manifests::instant::UtcTime;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::finding::{Finding, Status};
use crate::pack::Pack;
use crate::pin::Trusted;
use crate::sarif::sarif;
use crate::verify::{Case, Outcome, verify};

/// Bytes hashed at a time.
const HASHED_BYTES: usize = 256 << 10;

/// Options of verify
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The evidence pack
    #[arg(value_name = "PACK")]
    pub pack: PathBuf,
    /// Images that are said to be the release
    #[arg(value_name = "FILE")]
    pub images: Vec<PathBuf>,
    /// What is trusted: a device's pin, or a folder with one (and with `checkpoint`, `policy`)
    #[arg(long, value_name = "DIR")]
    pub pin: PathBuf,
    /// Verify as of this time, such as 2026-11-23T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Print SARIF 2.1.0, for code scanning
    #[arg(long, conflicts_with = "json")]
    pub sarif: bool,
}

/// Runs `verify`; its end is that of the worst finding.
///
/// # Errors
/// [`CliError`] if the pack or the pin can't be read.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let (pack, outcome) = look(args)?;
    let name = args.pack.display().to_string();
    if args.sarif {
        let lines = serde_json::to_string_pretty(&sarif(&name, &outcome.findings));
        output.result(&Value::Null, lines.context(Exit::No, "sarif")?)?;
        return Ok(outcome.exit());
    }
    output.result(&value(&pack, &outcome), text(&outcome))?;
    Ok(outcome.exit())
}

/// Reads and verifies.
///
/// # Errors
/// [`CliError`].
pub fn look(args: &Args) -> Result<(Pack, Outcome), CliError> {
    let trusted = Trusted::read(&args.pin)?;
    let pack = open(&args.pack)?;
    let at = match &args.at {
        Some(time) => UtcTime::parse(time).context(Exit::Usage, "--at")?,
        None => UtcTime::from_system(SystemTime::now()),
    };
    let hashed = args
        .images
        .iter()
        .map(|path| Ok((path.display().to_string(), sha256(path)?)));
    let images = hashed.collect::<Result<Vec<_>, CliError>>()?;
    let case = Case {
        pack: &pack,
        trusted: &trusted,
        at,
        images: &images,
    };
    let outcome = verify(&case);
    Ok((pack, outcome))
}

/// Opens a pack.
///
/// # Errors
/// [`CliError`] naming it.
pub fn open(path: &Path) -> Result<Pack, CliError> {
    let pack = Pack::open(path).context(Exit::No, path.display());
    pack.map_err(|error| error.hint("streembit-publisher evidence pack VERSION -o FILE makes one"))
}

/// SHA-256 of a file.
///
/// # Errors
/// [`CliError`] naming it.
pub fn sha256(path: &Path) -> Result<Sha256, CliError> {
    let mut file = File::open(path).context(Exit::Usage, path.display())?;
    let (mut hasher, mut buffer) = (sha2::Sha256::new(), vec![0; HASHED_BYTES]);
    loop {
        let count = file
            .read(&mut buffer)
            .context(Exit::Usage, path.display())?;
        if count == 0 {
            return Ok(Sha256::new(hasher.finalize().into()));
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

fn verdict(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "VERIFIED",
        Exit::Undecided => "NOT DECIDED: something that is demanded is not shown",
        Exit::Stale => "STALE",
        Exit::Rollback => "ROLLBACK",
        Exit::Equivocation => "TWO HISTORIES",
        Exit::Quorum => "TOO FEW WITNESSES",
        _ => "NOT VERIFIED",
    }
}

fn value(pack: &Pack, outcome: &Outcome) -> Value {
    let exit = outcome.exit();
    json!({
        "schema": "streembit-verify/1",
        "verdict": verdict(exit),
        "exit": exit as u8,
        "product": pack.about.product,
        "target": pack.about.target,
        "version": outcome.release.as_ref().map(|release| &release.version),
        "grade": outcome.grade.to_string(),
        "findings": outcome.findings,
    })
}

fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for finding in &outcome.findings {
        text.push_str(&line(finding));
    }
    let exit = outcome.exit();
    text.push_str(&format!(
        "\nverdict     {} (exit {})",
        verdict(exit),
        exit as u8
    ));
    text
}

fn line(finding: &Finding) -> String {
    let mut line = format!(
        "{:<10}{:<19}{}\n",
        finding.status.to_string(),
        finding.rule,
        finding.text
    );
    if finding.status == Status::Ok {
        return line;
    }
    if let Some(file) = &finding.file {
        line.push_str(&format!("{:<29}file: {file}\n", ""));
    }
    if let Some(fix) = finding.fix {
        line.push_str(&format!("{:<29}fix: {fix}\n", ""));
    }
    line
}
