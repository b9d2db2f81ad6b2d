//! The log once more for Sigsum's tools: entry by entry the leaf that those read, in a tree of its own, with the same
//! key and the same witnesses.
//!
//! ```text
//! log/sigsum/    as log/, with entries of 128 bytes
//! ```
//!
//! It is made when somebody asks for it, and then as far as the log is shown to others.

use std::fs;

use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use keys::PublicKey;
use manifests::attestation::log_entry::LogEntry;
use manifests::digest::Sha256;
use tlog::checkpoint::Checkpoint;
use tlog::sigsum::{self, Leaf, SigsumError};
use tlog::vkey::{Scheme, VerifierKey};

use super::opened::{OpenLog, POLICY};
use super::{Log, LogError};

const FOLDER: &str = "sigsum";
/// Entries that are signed before they are written.
const BATCH: u64 = 256;

/// What `sigsum-verify` is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// That the entry is in the log.
    pub proof: String,
    /// Log, witnesses and quorum.
    pub policy: String,
    /// The key that vouches for the entry, which is the log's.
    pub key: PublicKey,
}

/// Brings the log for Sigsum's tools up to date, and proves an entry to them.
///
/// # Errors
/// [`CliError`]; with [`Exit::Quorum`] if too few witnesses have cosigned that log.
pub fn export(open: &OpenLog, index: u64, output: Output) -> Result<Exported, CliError> {
    let shown = open.log.checkpoint()?.ok_or(LogError::Unsigned)?;
    let shown: Checkpoint = shown.text().parse().map_err(|_| LogError::Unsigned)?;
    if index >= shown.size {
        return Err(LogError::NoEntry(index).into());
    }
    let key = public(open)?;
    let path = open.log.folder().join(POLICY);
    let policy = fs::read_to_string(&path).context(Exit::Usage, path.display())?;
    let policy = sigsum::policy(&policy, key).map_err(|error| refused(&error))?;
    let leaves = log_of_leaves(open, key)?;
    take_over(&leaves, open, shown.size)?;
    leaves.sign()?;
    leaves.witness(output)?;
    let published = leaves.publish();
    published.map_err(|error| {
        if error.exit != Exit::Quorum {
            return error;
        }
        let watch = format_args!("streembit witness add-log {}", leaves.key);
        error.hint(format!("its witnesses have to know this log: {watch}"))
    })?;
    let checkpoint = leaves.log.checkpoint()?.ok_or(LogError::Unsigned)?;
    let leaf = Leaf::decode(&leaves.log.entry(index)?).ok_or(LogError::NoEntry(index))?;
    let witnesses = open.policy.witnesses().iter().map(|party| &party.key);
    let proof = leaf.proof(
        &leaves.log.prove(index, checkpoint)?,
        &leaves.key,
        witnesses,
    );
    Ok(Exported {
        proof: proof.map_err(|error| refused(&error))?,
        policy,
        key: key.clone(),
    })
}

/// Takes the entries up to `size` over, as leaves.
fn take_over(to: &OpenLog, open: &OpenLog, size: u64) -> Result<(), CliError> {
    let signer = Signer::open(&open.uri)?;
    let key = public(open)?;
    let mut next = to.integrate()?;
    while next < size {
        let mut leaves = Vec::new();
        for index in next..size.min(next.saturating_add(BATCH)) {
            let entry = open.log.entry(index)?;
            let file =
                LogEntry::parse(&entry).map_or_else(|| Sha256::of(&entry), |read| read.digest);
            let signature = signer.sign(&sigsum::message(file.as_bytes()))?;
            let leaf =
                Leaf::new(file.as_bytes(), &signature, key).map_err(|error| refused(&error))?;
            leaves.push(leaf.encode());
        }
        to.log.append(leaves.iter().map(<[u8; _]>::as_slice))?;
        next = to.integrate()?;
    }
    Ok(())
}

/// The log that Sigsum's tools read: its name follows from its key.
fn log_of_leaves(open: &OpenLog, key: &PublicKey) -> Result<OpenLog, CliError> {
    let origin = sigsum::origin(key);
    let name = VerifierKey::new(&origin, Scheme::Note(key.clone()));
    let name = name.context(Exit::No, "log")?;
    Ok(OpenLog {
        log: Log::new(&open.log.folder().join(FOLDER), &origin),
        policy: open.policy.of_log(name.clone()),
        key: name,
        uri: open.uri.clone(),
    })
}

fn public(open: &OpenLog) -> Result<&PublicKey, CliError> {
    match open.key.scheme() {
        Scheme::Note(key) => Ok(key),
        Scheme::Cosignature(_) | Scheme::Unknown { .. } => Err(LogError::Unsigned.into()),
    }
}

fn refused(error: &SigsumError) -> CliError {
    CliError::from_error(Exit::Usage, "log", error)
}
