//! What an auditor trusts: a device's pin, and what was seen of the log before.
//!
//! ```text
//! DIR/*.pin         the pin, exactly one; or --pin names the file itself
//! DIR/checkpoint    the newest checkpoint that was accepted before, if any
//! DIR/policy        a log policy in the place of the pin's, if any
//! ```

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};
use manifests::limits::PIN_BYTES_MAX;
use manifests::pin::Pin;
use tlog::limits::{NOTE_BYTES_MAX, POLICY_BYTES_MAX};
use tlog::note::Note;
use tlog::policy::Policy;

/// What is trusted.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The pin.
    pub pin: Pin,
    /// Which logs and witnesses count; `None`: the auditor trusts no log.
    pub policy: Option<Policy>,
    /// What was seen of the log before.
    pub seen: Option<Note>,
}

impl Trusted {
    /// Reads a pin, or a folder with one.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] naming file and rule.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let pin_path = if path.is_dir() {
            only_pin(path)?
        } else {
            path.to_owned()
        };
        let bytes = durable::read(&pin_path, PIN_BYTES_MAX).context(Exit::Usage, "pin")?;
        let pin = Pin::parse(&bytes).context(Exit::Usage, pin_path.display())?;
        let beside = |name: &str| path.is_dir().then(|| path.join(name));
        let policy = match beside("policy").filter(|path| path.exists()) {
            Some(path) => {
                let limit = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX);
                let bytes = durable::read(&path, limit).context(Exit::Usage, "policy")?;
                Some(Policy::parse(&bytes).context(Exit::Usage, path.display())?)
            }
            None => pin
                .requirements
                .policy()
                .context(Exit::Usage, pin_path.display())?,
        };
        let seen = match beside("checkpoint") {
            Some(path) => {
                let limit = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
                let bytes =
                    durable::read_if_there(&path, limit).context(Exit::Usage, "checkpoint")?;
                let note = bytes.map(|bytes| Note::parse(&bytes)).transpose();
                note.context(Exit::Usage, path.display())?
            }
            None => None,
        };
        Ok(Self { pin, policy, seen })
    }
}

fn only_pin(folder: &Path) -> Result<PathBuf, CliError> {
    let entries = std::fs::read_dir(folder).context(Exit::Usage, folder.display())?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut pins: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "pin"))
        .collect();
    match (pins.pop(), pins.is_empty()) {
        (Some(pin), true) => Ok(pin),
        (found, _) => {
            let what = if found.is_some() {
                "more than one pin"
            } else {
                "no pin"
            };
            let message = format!("{}: {what}", folder.display());
            Err(CliError::new(Exit::Usage, message)
                .hint("one file NAME.pin, as streembit-publisher pin writes it, or --pin FILE"))
        }
    }
}
