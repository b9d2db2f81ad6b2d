//! Evidence of releases and of changes: signed, logged, and put together as bundles once witnesses have cosigned.
//!
//! ```text
//! log/evidence/<subject>/<name>.queued           signed, and in no tree that others are shown
//! log/evidence/<subject>/<name>.sigstore.json    the bundle with its proof
//! log/preimages/<sha256>                         what was signed: the entry in the log shows its digest alone
//! ```
//!
//! A subject is a target, `metadata` or `policy`. What is queued is written before it is appended, and gets its number
//! afterwards: a cut between them appends the same entry again, which says nothing new.

mod queued;

use std::fs;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use manifests::attestation::bundle::{Bundle, Content};
use manifests::attestation::dsse::{Envelope, IN_TOTO, pae};
use manifests::attestation::statement::Statement;
use manifests::digest::Sha256;
use manifests::limits::BUNDLE_BYTES_MAX;
use manifests::name::Name;
use tlog::checkpoint::Checkpoint;
use tlog::note::Note;

use crate::log::opened::OpenLog;
use queued::Queued;

const EVIDENCE: &str = "evidence";
const PREIMAGES: &str = "preimages";
/// What names end with of what isn't in a tree that others are shown.
pub const QUEUED: &str = ".queued";
/// What names of bundles end with.
pub const BUNDLE: &str = ".sigstore.json";

/// Evidence of one subject.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    open: &'a OpenLog,
    folder: PathBuf,
}

impl<'a> Evidence<'a> {
    /// The evidence of a subject.
    pub fn of(open: &'a OpenLog, subject: &Name) -> Self {
        Self {
            folder: open.log.folder().join(EVIDENCE).join(subject.as_str()),
            open,
        }
    }

    /// Where a file of it is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether there is evidence of this name, in the log or on its way there.
    pub fn has(&self, name: &str) -> bool {
        let ends = [BUNDLE, QUEUED].into_iter();
        ends.map(|end| self.path(&format!("{name}{end}")))
            .any(|path| path.exists())
    }

    /// Signs a file.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn sign_file(
        &self,
        name: &str,
        (path, sha256): (&Path, &Sha256),
        signer: &Signer,
    ) -> Result<(), CliError> {
        let content = Content::File {
            sha256: *sha256,
            signature: signer.sign_file(path, sha256.as_bytes())?,
        };
        self.log(name, content, signer.public())
    }

    /// Signs bytes, which are kept among the preimages.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn sign_bytes(&self, name: &str, bytes: &[u8], signer: &Signer) -> Result<(), CliError> {
        let sha256 = Sha256::of(bytes);
        self.keep_preimage(&sha256, bytes)?;
        let signature = signer.sign(bytes)?;
        self.log(name, Content::File { sha256, signature }, signer.public())
    }

    /// Signs a statement; the digest that the log shows of it.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn sign_statement(
        &self,
        name: &str,
        statement: &Statement,
        signer: &Signer,
    ) -> Result<Sha256, CliError> {
        let envelope = sign(statement, signer)?;
        let digest = envelope.digest();
        self.log(name, Content::Envelope(envelope), signer.public())?;
        Ok(digest)
    }

    /// Takes what another key has signed.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn take(
        &self,
        name: &str,
        envelope: Envelope,
        key: &keys::PublicKey,
    ) -> Result<(), CliError> {
        envelope.verify(key).context(Exit::Key, name)?;
        self.log(name, Content::Envelope(envelope), key)
    }

    /// Keeps a file that goes with it, as it is.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), CliError> {
        durable::create_folder(&self.folder).context(Exit::No, "evidence")?;
        durable::replace(&self.path(name), bytes, Access::World).context(Exit::No, "evidence")
    }

    fn keep_preimage(&self, digest: &Sha256, bytes: &[u8]) -> Result<(), CliError> {
        let preimages = self.open.log.folder().join(PREIMAGES);
        durable::create_folder(&preimages).context(Exit::No, "evidence")?;
        let path = preimages.join(digest.to_string());
        durable::replace(&path, bytes, Access::World).context(Exit::No, "evidence")
    }

    fn log(&self, name: &str, content: Content, key: &keys::PublicKey) -> Result<(), CliError> {
        if let Content::Envelope(envelope) = &content {
            self.keep_preimage(&envelope.digest(), &envelope.message())?;
        }
        let entry = content.entry(key).ok_or_else(|| {
            CliError::new(Exit::Key, "logs take signatures of P-256 keys alone")
                .hint("streembit-publisher log init makes such a key")
        })?;
        let mut queued = Queued {
            content,
            key: key.clone(),
            index: None,
        };
        let file = format!("{name}{QUEUED}");
        self.keep(&file, &queued.encode())?;
        queued.index = Some(self.open.log.append([entry.as_slice()])?);
        self.keep(&file, &queued.encode())
    }
}

/// Signs a statement.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn sign(statement: &Statement, signer: &Signer) -> Result<Envelope, CliError> {
    let payload = statement.encode();
    let signature = signer.sign(&pae(IN_TOTO, &payload))?;
    Ok(Envelope::new(IN_TOTO, payload, signer.public(), signature))
}

/// Brings all that is queued into the log, to the witnesses and before others, and puts the bundles together.
///
/// # Errors
/// [`CliError`] with [`Exit::Quorum`] if too few witnesses have cosigned: it can be run again.
pub fn update(open: &OpenLog, output: Output) -> Result<(), CliError> {
    open.update(output)?;
    complete(open)
}

/// Puts all bundles together whose entries are in the published tree. What was cut off before its entry had a number
/// is appended again, for the next time.
///
/// # Errors
/// [`CliError`].
pub fn complete(open: &OpenLog) -> Result<(), CliError> {
    let Some(note) = open.log.checkpoint()? else {
        return Ok(());
    };
    let checkpoint: Checkpoint = note.text().parse().context(Exit::No, "checkpoint")?;
    for path in queued_files(open)? {
        let limit = u64::try_from(2 * BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = durable::read(&path, limit).context(Exit::No, "evidence")?;
        let mut queued = Queued::parse(&bytes).context(Exit::No, path.display())?;
        let Some(index) = queued.index else {
            let entry = queued.content.entry(&queued.key);
            let index = open.log.append(entry.iter().map(Vec::as_slice))?;
            queued.index = Some(index);
            durable::replace(&path, &queued.encode(), Access::World)
                .context(Exit::No, "evidence")?;
            continue;
        };
        if index < checkpoint.size {
            let bundle = bundle(open, queued, (index, note.clone()))?;
            finish(&path, &bundle)?;
        }
    }
    Ok(())
}

fn finish(queued: &Path, bundle: &Bundle) -> Result<(), CliError> {
    let name = queued
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let stem = name.strip_suffix(QUEUED).unwrap_or(&name);
    let to = queued.with_file_name(format!("{stem}{BUNDLE}"));
    durable::replace(&to, &bundle.encode(), Access::World).context(Exit::No, "evidence")?;
    let proof = queued.with_file_name(format!("{stem}.tlog-proof"));
    let text = bundle.proof.to_string();
    durable::replace(&proof, text.as_bytes(), Access::World).context(Exit::No, "evidence")?;
    durable::remove(queued).context(Exit::No, "evidence")
}

fn bundle(open: &OpenLog, queued: Queued, (index, note): (u64, Note)) -> Result<Bundle, CliError> {
    let entry = queued.content.entry(&queued.key);
    Ok(Bundle {
        key_hint: queued.key.ssh_fingerprint(),
        entry: entry.unwrap_or_default(),
        content: queued.content,
        proof: open.log.prove(index, note)?,
        log_id: open.key.long_id(),
    })
}

/// What waits, in the order of its entries.
fn queued_files(open: &OpenLog) -> Result<Vec<PathBuf>, CliError> {
    let folder = open.log.folder().join(EVIDENCE);
    let mut found = Vec::new();
    for subject in list(&folder)? {
        let files = list(&subject)?.into_iter();
        let is_queued = |path: &PathBuf| path.to_string_lossy().ends_with(QUEUED);
        found.extend(files.filter(is_queued));
    }
    found.sort();
    Ok(found)
}

/// The paths in a folder; none if there is no such folder.
///
/// # Errors
/// [`CliError`].
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(PathError::new(folder, error)).context(Exit::No, "evidence"),
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = paths
        .collect::<std::io::Result<_>>()
        .context(Exit::No, folder.display())?;
    paths.sort();
    Ok(paths)
}
