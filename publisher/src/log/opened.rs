//! The log of a repository with its key and its policy: what commands work on.

use std::path::Path;

use cli::durable;
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use tlog::limits::POLICY_BYTES_MAX;
use tlog::note::{Line, Note};
use tlog::policy::{Accepted, Policy, Refusal};
use tlog::vkey::{Scheme, VerifierKey};

use super::witnesses::{self, Asked};
use super::{Log, LogError};
use crate::settings::{self, Settings};

/// Folder of the log, and its policy in it.
pub const FOLDER: &str = "log";
/// The policy's file.
pub const POLICY: &str = "policy";

/// The log; whoever writes holds the repository's lock.
#[derive(Clone, Debug)]
pub struct OpenLog {
    /// Its files.
    pub log: Log,
    /// Its key.
    pub key: VerifierKey,
    /// Where the private key is.
    pub(super) uri: String,
    /// Which witnesses count.
    pub policy: Policy,
}

impl From<LogError> for CliError {
    fn from(error: LogError) -> Self {
        let (exit, hint) = match &error {
            LogError::Refused(Refusal::Quorum(_)) => (
                Exit::Quorum,
                "streembit-publisher log witness, then log publish",
            ),
            LogError::Unsigned => (Exit::No, "streembit-publisher log update"),
            LogError::NoEntry(_) => (Exit::No, "streembit-publisher log show"),
            LogError::Forked(_) => (
                Exit::Equivocation,
                "sign nothing but the newest copy of the log: bring that back",
            ),
            _ => (Exit::No, "streembit-publisher log verify"),
        };
        Self::from_error(exit, "log", &error).hint(hint)
    }
}

/// The log's key under its name.
///
/// # Errors
/// [`CliError`].
pub fn verifier_key(folder: &Path, origin: &str, uri: &str) -> Result<VerifierKey, CliError> {
    check_origin(origin)?;
    let public = Signer::public_of(&settings::resolve(folder, uri)?)?;
    let key = VerifierKey::new(origin, Scheme::Note(public));
    let key = key.context(Exit::Usage, format_args!("log {origin:?}"));
    key.map_err(|error| error.hint("a host name without a path, and an Ed25519 key"))
}

/// Whether a log may have this name: cosign knows logs by their host alone.
///
/// # Errors
/// [`CliError`].
pub fn check_origin(origin: &str) -> Result<(), CliError> {
    if !origin.contains('/') {
        return Ok(());
    }
    let message = format!("log {origin:?}: not a host name without a path");
    Err(CliError::new(Exit::Usage, message).hint("such as fwlog.example.com"))
}

/// A policy's bytes, and what they say.
///
/// # Errors
/// [`CliError`] naming the line.
pub fn read_policy(path: &Path) -> Result<(Vec<u8>, Policy), CliError> {
    let limit = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read(path, limit).context(Exit::Usage, "policy")?;
    let policy = Policy::parse(&bytes).context(Exit::Usage, path.display())?;
    Ok((bytes, policy))
}

impl OpenLog {
    /// Opens the log; `None` if the repository has none.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn open(folder: &Path, settings: &Settings) -> Result<Option<Self>, CliError> {
        let Some(log) = &settings.log else {
            return Ok(None);
        };
        let place = folder.join(FOLDER);
        Ok(Some(Self {
            key: verifier_key(folder, &log.origin, &log.key)?,
            uri: settings::resolve(folder, &log.key)?,
            policy: read_policy(&place.join(POLICY))?.1,
            log: Log::new(&place, &log.origin),
        }))
    }

    /// Takes what is queued into the tree; entries of it.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn integrate(&self) -> Result<u64, CliError> {
        Ok(self.log.integrate()?.size)
    }

    /// Signs a checkpoint of the tree.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn sign(&self) -> Result<Note, CliError> {
        let signer = Signer::open(&self.uri)?;
        self.log.sign(&self.key, |text| signer.sign(text))
    }

    /// Asks the witnesses that have an address to cosign.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn witness(&self, output: Output) -> Result<(), CliError> {
        let known = self.log.checkpoint()?;
        let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
        let asked = witnesses::ask(&self.log, self.policy.witnesses(), known.as_ref());
        let asked: Vec<Asked> = runtime.block_on(asked)?;
        let mut lines: Vec<Line> = Vec::new();
        for Asked { name, answer } in asked {
            match answer {
                Ok(line) => lines.push(line),
                Err(why) => output.note(format_args!("witness     {name}: {why}")),
            }
        }
        let witnesses = self.policy.witnesses().iter().map(|party| &party.key);
        let keys = std::iter::once(&self.key).chain(witnesses);
        self.log.add_cosignatures(lines, keys)?;
        Ok(())
    }

    /// Shows the newest checkpoint to others.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Quorum`] if too few witnesses have cosigned.
    pub fn publish(&self) -> Result<Accepted, CliError> {
        Ok(self.log.publish(&self.policy, node::clock::unix_now())?)
    }

    /// All of these.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn update(&self, output: Output) -> Result<(), CliError> {
        self.integrate()?;
        self.sign()?;
        self.witness(output)?;
        self.publish()?;
        Ok(())
    }
}
