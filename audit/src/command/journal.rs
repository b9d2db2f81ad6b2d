//! `streembit-audit journal`: whether a device's journal is whole (each line holds the hash of the one before), and
//! whether its receipts of installations are the device's and fit the journal.

mod receipts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, durable};
use manifests::digest::Sha256;
use serde::Deserialize;
use serde_json::json;

/// Bytes of a file: a full one and its last line.
const JOURNAL_BYTES_MAX: u64 = 2 << 20;
/// What the first line of a device's life chains to.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Options of journal
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A device's data folder, or the files: `journal.1.jsonl` before `journal.jsonl`
    #[arg(value_name = "DIR|FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Show the lines
    #[arg(long)]
    pub list: bool,
    /// Receipts to compare with it [default: receipts.jsonl in DIR]
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// The device's account key, as `streembit-agent init` prints it, or a file in PEM: receipts have to be signed by it
    #[arg(long, value_name = "KEY")]
    pub account: Option<String>,
}

/// What is read of a line (docs/formats.md, journal.jsonl).
#[derive(Debug, Deserialize)]
struct Line {
    seq: u64,
    time: String,
    event: String,
    prev: String,
    #[serde(default)]
    data: serde_json::Value,
}

/// Runs `journal`: 1 if a line is missing or changed.
///
/// # Errors
/// [`CliError`] naming file and line.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let files = match args.files.as_slice() {
        [folder] if folder.is_dir() => ["journal.1.jsonl", "journal.jsonl"]
            .map(|name| folder.join(name))
            .into_iter()
            .filter(|path| path.exists())
            .collect(),
        files => files.to_vec(),
    };
    let mut hashes: BTreeMap<u64, String> = BTreeMap::new();
    let mut before: Option<(u64, String)> = None;
    let (mut first, mut count, mut listed) = (None, 0_u64, String::new());
    for path in &files {
        let bytes = durable::read(path, JOURNAL_BYTES_MAX).context(Exit::Undecided, "journal")?;
        let text = String::from_utf8(bytes).context(Exit::No, path.display())?;
        for (number, written) in text.lines().enumerate() {
            let at = format!("{}:{}", path.display(), number + 1);
            let line = follow(written, before.as_ref(), &at)?;
            first = first.or(Some(line.seq));
            count += 1;
            if args.list {
                listed.push_str(&format!(
                    "{:>6} {} {:<16} {}\n",
                    line.seq, line.time, line.event, line.data
                ));
            }
            let hash = Sha256::of(written.as_bytes()).to_string();
            hashes.insert(line.seq, hash.clone());
            before = Some((line.seq, hash));
        }
    }
    let (last, hash) = before.ok_or_else(|| {
        CliError::new(Exit::Undecided, "there is no line").hint("name a device's data folder")
    })?;
    let receipts = receipts::check(args, &hashes)?;
    let value = json!({ "result": "whole", "receipts": receipts, "first": first, "last": last, "lines": count, "hash": hash });
    let begins = match first {
        Some(1) => "from the first of the device's life".to_owned(),
        first => format!(
            "from line {}: older ones are not here",
            first.unwrap_or_default()
        ),
    };
    let text = format!(
        "{listed}journal     {count} lines, whole {begins}\nlast        {last}, sha256 {hash}\n{}",
        receipts::words(&receipts)
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// Whether a line follows from the one before.
fn follow(written: &str, before: Option<&(u64, String)>, at: &str) -> Result<Line, CliError> {
    let broken = |why: &str| {
        CliError::new(Exit::No, format_args!("{at}: {why}"))
            .hint("the journal was changed after it was written, or files are missing or in the wrong order")
    };
    let line: Line = serde_json::from_str(written).map_err(|error| broken(&error.to_string()))?;
    match before {
        Some((seq, hash)) => {
            if line.prev != *hash {
                return Err(broken("it does not hold the hash of the line before"));
            }
            if line.seq != seq + 1 {
                return Err(broken("its number does not follow"));
            }
        }
        None if line.seq == 1 && line.prev != GENESIS => {
            return Err(broken("the first line has a predecessor"));
        }
        None => {}
    }
    Ok(line)
}
