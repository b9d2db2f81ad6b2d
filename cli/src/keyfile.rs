//! Keys by URI: reading, permissions, passcodes; and writing new key files.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use keys::file::KEY_FILE_BYTES_MAX;
use keys::{Algorithm, Cost, KeyFile, KeyUri, Protection, PublicKey, SigningKey};
use zeroize::Zeroizing;

use crate::durable::{self, Access};
use crate::exit::{CliError, Context as _, Exit};

/// Environment variable that holds the passcode where nobody can be asked.
pub const PASSCODE_VARIABLE: &str = "STREEMBIT_PASSCODE";
/// Environment variable that names a file with the passcode, for CI systems that mount secrets.
pub const PASSCODE_FILE_VARIABLE: &str = "STREEMBIT_PASSCODE_FILE";
/// Environment variable that holds the passcode of what is written anew, where that is another one.
pub const NEW_PASSCODE_VARIABLE: &str = "STREEMBIT_NEW_PASSCODE";
/// Bytes of a passcode file.
const PASSCODE_BYTES_MAX: u64 = 1024;

/// The operating system's randomness, for the cores that take an rng.
pub fn os_rng() -> impl rand_core::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// Opens the signing key that a URI names (`file:PATH`, a bare path, `env:NAME`).
///
/// # Errors
/// [`CliError`] with [`Exit::Key`]: unreadable, readable by others, wrong passcode, malformed.
pub fn open(uri: &str) -> Result<SigningKey, CliError> {
    open_file(&read(uri)?, uri)
}

/// Opens a key file whose text was read from `place`.
///
/// # Errors
/// As [`open`].
pub fn open_text(text: &str, place: &str) -> Result<SigningKey, CliError> {
    open_file(&KeyFile::parse(text).context(Exit::Key, place)?, place)
}

fn open_file(key_file: &KeyFile, uri: &str) -> Result<SigningKey, CliError> {
    if !key_file.is_encrypted() {
        return key_file.open(None).context(Exit::Key, uri);
    }
    let passcode = passcode(&format!("passcode of {uri}"))?;
    key_file
        .open(Some(passcode.as_str()))
        .context(Exit::Key, uri)
        .map_err(|error| {
            error.hint(format!(
                "set {PASSCODE_VARIABLE} or {PASSCODE_FILE_VARIABLE}"
            ))
        })
}

/// The public half of the key that a URI names; needs no passcode.
///
/// # Errors
/// As [`open`].
pub fn public(uri: &str) -> Result<PublicKey, CliError> {
    Ok(read(uri)?.public().clone())
}

fn read(uri: &str) -> Result<KeyFile, CliError> {
    let text = match KeyUri::parse(uri).context(Exit::Key, format_args!("key {uri:?}"))? {
        KeyUri::File(path) => {
            let path = PathBuf::from(path);
            check_private(&path).context(Exit::Key, "key file")?;
            let limit = u64::try_from(KEY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
            let bytes = durable::read(&path, limit).context(Exit::Key, "key file")?;
            String::from_utf8(bytes).context(Exit::Key, path.display())?
        }
        KeyUri::Env(name) => {
            std::env::var(&name).context(Exit::Key, format_args!("environment variable {name}"))?
        }
        KeyUri::Stdin => {
            let limit = u64::try_from(KEY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
            let mut text = String::new();
            let read = io::stdin().lock().take(limit).read_to_string(&mut text);
            read.context(Exit::Key, "standard input")?;
            text
        }
        KeyUri::Exec(_) | KeyUri::Pkcs11(_) => {
            let message =
                format!("{uri}: this program needs the key itself, not one that only signs");
            return Err(CliError::new(Exit::Key, message).hint("use a key file"));
        }
    };
    KeyFile::parse(&text).context(Exit::Key, uri)
}

/// A key file is a regular file that nobody but its owner can read (threats K75).
fn check_private(path: &Path) -> Result<(), durable::PathError> {
    let check = || {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "is not a regular file",
            ));
        }
        if metadata.mode() & 0o077 != 0 {
            let rule = "can be read by group or others; fix: chmod 600";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, rule));
        }
        Ok(())
    };
    check().map_err(|error| durable::PathError::new(path, error))
}

/// Why a token can't be used by a program that was built without them.
#[cfg(not(feature = "pkcs11"))]
pub(crate) fn no_tokens() -> CliError {
    CliError::new(Exit::Key, "pkcs11: this program was built without tokens")
        .hint("use a key file, or streembit-publisher")
}

/// Where the passcode of a new key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKey {
    /// Encrypted under the passcode of the environment or the prompt.
    Encrypted,
    /// Not encrypted: for devices and daemons that start unattended.
    Unprotected,
}

/// Generates a key and writes its file; an existing file is never overwritten.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn create(
    path: &Path,
    algorithm: Algorithm,
    label: &str,
    protection: NewKey,
) -> Result<SigningKey, CliError> {
    if path.exists() {
        return Err(
            CliError::new(Exit::Key, format_args!("{} exists already", path.display()))
                .hint("choose another path; a key is never overwritten"),
        );
    }
    let key = SigningKey::generate(algorithm, &mut os_rng());
    let text = seal(&key, label, protection, &path.display().to_string())?;
    durable::replace(path, text.as_bytes(), Access::Owner).context(Exit::Key, "key file")?;
    Ok(key)
}

/// The text of a key file.
///
/// * `what`: for the prompt.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`]: no passcode, or one that breaks the policy.
pub fn seal(
    key: &SigningKey,
    label: &str,
    protection: NewKey,
    what: &str,
) -> Result<String, CliError> {
    let passcode = match protection {
        NewKey::Encrypted => Some(new_passcode(what)?),
        NewKey::Unprotected => None,
    };
    let protection = match &passcode {
        Some(passcode) => Protection::Passcode {
            passcode: passcode.as_str(),
            cost: Cost::default(),
        },
        None => Protection::Unprotected,
    };
    keys::file::seal(key, label, protection, &mut os_rng())
        .context(Exit::Key, format_args!("key {label}"))
}

/// Whether the key file that a URI names is encrypted.
///
/// # Errors
/// As [`open`].
pub fn is_encrypted(uri: &str) -> Result<bool, CliError> {
    Ok(read(uri)?.is_encrypted())
}

/// The passcode of the environment, else asked at the terminal.
fn passcode(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    let file = std::env::var_os(PASSCODE_FILE_VARIABLE).map(PathBuf::from);
    secret(PASSCODE_VARIABLE, file.as_deref(), prompt).map_err(|error| {
        error.hint(format!(
            "set {PASSCODE_VARIABLE} or {PASSCODE_FILE_VARIABLE}"
        ))
    })
}

/// A secret of a file that its owner alone can read, else of an environment variable, else asked at the
/// terminal.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub(crate) fn secret(
    variable: &str,
    file: Option<&Path>,
    prompt: &str,
) -> Result<Zeroizing<String>, CliError> {
    // What is named for this secret goes before what stands for all.
    if let Some(path) = file {
        check_private(path).context(Exit::Key, "passcode file")?;
        let bytes = durable::read(path, PASSCODE_BYTES_MAX).context(Exit::Key, "passcode file")?;
        let text = Zeroizing::new(String::from_utf8(bytes).context(Exit::Key, path.display())?);
        return Ok(Zeroizing::new(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        ));
    }
    if let Ok(secret) = std::env::var(variable) {
        return Ok(Zeroizing::new(secret));
    }
    if !io::stdin().is_terminal() {
        let error = CliError::new(Exit::Key, format_args!("{prompt} is needed"));
        return Err(error.hint(format!("set {variable}")));
    }
    rpassword::prompt_password(format!("{prompt}: "))
        .map(Zeroizing::new)
        .context(Exit::Key, "prompt")
}

/// A passcode for a new key file: that of the environment for new ones, or for all, else asked twice at a terminal.
/// Checked against the policy; what it is worth is told.
fn new_passcode(what: &str) -> Result<Zeroizing<String>, CliError> {
    let variables = [
        NEW_PASSCODE_VARIABLE,
        PASSCODE_VARIABLE,
        PASSCODE_FILE_VARIABLE,
    ];
    let is_asked = variables
        .iter()
        .all(|variable| std::env::var_os(variable).is_none());
    let first = match std::env::var(NEW_PASSCODE_VARIABLE) {
        Ok(passcode) => Zeroizing::new(passcode),
        Err(_) => passcode(&format!("new passcode for {what}"))?,
    };
    let strength = keys::passcode::check(&first).context(Exit::Key, "passcode")?;
    if is_asked {
        tell_strength(strength);
        if passcode("again")? != first {
            return Err(CliError::new(Exit::Key, "the two passcodes differ"));
        }
    }
    Ok(first)
}

/// Says at the terminal what a passcode is worth, if every character was chosen by chance.
fn tell_strength(strength: keys::Strength) {
    use std::io::Write as _;
    let advice = if strength.is_recommended() {
        ""
    } else {
        "; twelve characters or more are recommended"
    };
    let bits = strength.bits();
    // Nobody can be told; the passcode is as good as it was.
    drop(writeln!(
        io::stderr(),
        "worth at most {bits:.0} bits{advice}"
    ));
}
