//! Every decision of the agent: one JSON object per line, each with the hash of the line before.
//!
//! The journal is not a log: it is evidence, and every line is durable before the decision is acted
//! upon. A line cut off by a power failure is removed at the next start. A full file is set aside as
//! `journal.1.jsonl` and the chain goes on in a new one, so the disk it takes is bounded.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cli::durable::{self, PathError};
use manifests::digest::Sha256;
use manifests::instant::UtcTime;
use serde::{Deserialize, Serialize};

/// Bytes after which the file is set aside.
const JOURNAL_BYTES_MAX: u64 = 1 << 20;
/// Bytes read of a journal: a full one and its last line.
const READ_BYTES_MAX: u64 = 2 << 20;
/// Bytes of a line's particulars.
const DATA_BYTES_MAX: usize = 16 * 1024;
/// What the first line of a device's life chains to.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts all lines of the device's life.
    pub seq: u64,
    /// When, by the device's clock.
    pub time: String,
    /// The state that was entered or what happened.
    pub event: String,
    /// The particulars.
    pub data: serde_json::Value,
    /// SHA-256 of the line before, without its line feed.
    pub prev: String,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    seq: u64,
    prev: String,
    bytes: u64,
}

impl Journal {
    /// Opens the journal in the data folder and removes a half-written last line.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn open(data: &Path) -> Result<Self, PathError> {
        let path = data.join("journal.jsonl");
        let at = |error| PathError::new(&path, error);
        let bytes = durable::read_if_there(&path, READ_BYTES_MAX)?.unwrap_or_default();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(at)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .and_then(|()| file.sync_all())
                .map_err(at)?;
        }
        let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()).into_owned();
        let mut last = text.lines().last().map(str::to_owned);
        if last.is_none() {
            let older = durable::read_if_there(&aside(&path), READ_BYTES_MAX)?.unwrap_or_default();
            last = String::from_utf8_lossy(&older)
                .lines()
                .last()
                .map(str::to_owned);
        }
        let (seq, prev) = match &last {
            None => (0, GENESIS.to_owned()),
            Some(line) => match serde_json::from_str::<Entry>(line) {
                Ok(entry) => (entry.seq, Sha256::of(line.as_bytes()).to_string()),
                Err(error) => {
                    tracing::warn!(%error, "journal is damaged, set aside");
                    return Self::restart(path);
                }
            },
        };
        Ok(Self {
            path,
            file,
            seq,
            prev,
            bytes: whole as u64,
        })
    }

    /// Sets a damaged journal aside as evidence and begins a new one that says so: evidence must not
    /// keep a device from being updated.
    fn restart(path: PathBuf) -> Result<Self, PathError> {
        let damaged = path.with_file_name("journal.damaged.jsonl");
        let at = |error| PathError::new(&path, error);
        fs::rename(&path, damaged).map_err(at)?;
        match fs::remove_file(aside(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(at)?;
        durable::sync_folder_of(&path).map_err(at)?;
        let mut journal = Self {
            path,
            file,
            seq: 0,
            prev: GENESIS.to_owned(),
            bytes: 0,
        };
        journal.add(
            "journal-restarted",
            serde_json::json!({ "aside": "journal.damaged.jsonl" }),
        )?;
        Ok(journal)
    }

    /// Adds a line, durably.
    ///
    /// # Errors
    /// [`PathError`]; what was to be done must not be done then.
    pub fn add(&mut self, event: &str, data: serde_json::Value) -> Result<(), PathError> {
        if self.bytes >= JOURNAL_BYTES_MAX {
            self.rotate()?;
        }
        let entry = Entry {
            seq: self.seq + 1,
            time: UtcTime::from_system(SystemTime::now()).to_string(),
            event: event.to_owned(),
            data: bounded(data),
            prev: self.prev.clone(),
        };
        let at = |error| PathError::new(&self.path, error);
        let line = serde_json::to_string(&entry)
            .map_err(io::Error::from)
            .map_err(at)?;
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // Half a line must not stay in front of the next whole one.
            drop(self.file.set_len(self.bytes));
            return Err(PathError::new(&self.path, error));
        }
        self.bytes += line.len() as u64 + 1;
        self.seq = entry.seq;
        self.prev = Sha256::of(line.as_bytes()).to_string();
        Ok(())
    }

    /// The number of the last line, and its SHA-256, which the next one holds.
    pub fn head(&self) -> (u64, &str) {
        (self.seq, &self.prev)
    }

    fn rotate(&mut self) -> Result<(), PathError> {
        let at = |error| PathError::new(&self.path, error);
        fs::rename(&self.path, aside(&self.path)).map_err(at)?;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .map_err(at)?;
        durable::sync_folder_of(&self.path).map_err(at)?;
        self.file = file;
        self.bytes = 0;
        Ok(())
    }
}

/// Particulars that quote strangers may be long; a line never is.
fn bounded(data: serde_json::Value) -> serde_json::Value {
    let bytes = data.to_string().len();
    if bytes <= DATA_BYTES_MAX {
        return data;
    }
    let short = |text: &str| text.chars().take(200).collect::<String>();
    let why = data
        .get("why")
        .and_then(serde_json::Value::as_str)
        .map(short);
    serde_json::json!({ "omitted_bytes": bytes, "why": why })
}

fn aside(path: &Path) -> PathBuf {
    path.with_file_name("journal.1.jsonl")
}

/// Why a journal is not what the agent wrote.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The file can't be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A line is no entry.
    #[error("line {0} is malformed")]
    Line(usize),
    /// A line does not follow from the one before.
    #[error("line {0} does not follow from the line before: the journal was changed")]
    Broken(usize),
}

/// Reads the journal and checks its chain; the start of a set-aside one is taken as it is.
///
/// # Errors
/// [`ChainError`] naming the line.
pub fn read(data: &Path) -> Result<Vec<Entry>, ChainError> {
    let path = data.join("journal.jsonl");
    let older = durable::read_if_there(&aside(&path), READ_BYTES_MAX)?;
    let rotated = older.is_some();
    let mut text = older.unwrap_or_default();
    text.extend(durable::read_if_there(&path, READ_BYTES_MAX)?.unwrap_or_default());
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut entries: Vec<Entry> = Vec::new();
    let mut prev: Option<String> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        // A line without its end is being written, or was cut off.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        let entry: Entry = serde_json::from_str(line).map_err(|_| ChainError::Line(index + 1))?;
        let follows = match (&prev, entries.last()) {
            (Some(prev), Some(last)) => entry.prev == *prev && entry.seq == last.seq + 1,
            _ => rotated || (entry.seq == 1 && entry.prev == GENESIS),
        };
        if !follows {
            return Err(ChainError::Broken(index + 1));
        }
        prev = Some(Sha256::of(line.as_bytes()).to_string());
        entries.push(entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
