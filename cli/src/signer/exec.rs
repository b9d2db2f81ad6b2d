//! `exec:` keys: a program that signs, for any KMS.
//!
//! `PROGRAM … public` prints the public key as PEM. `PROGRAM … sign ALGORITHM` reads from standard input
//! what is to be signed, 32 bytes of SHA-256 for p256 and the message itself for ed25519, and prints
//! the signature: its bytes, or in base64 on one line.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::{Algorithm, PublicKey};
use sha2::{Digest as _, Sha256};

use super::PIN_VARIABLE;
use crate::exit::{CliError, Context as _, Exit};
use crate::keyfile;

/// Bytes of what the program prints.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024;

/// The program and its first arguments.
#[derive(Debug)]
pub(super) struct Program {
    words: Vec<String>,
}

impl Program {
    pub(super) fn new(words: Vec<String>) -> Self {
        Self { words }
    }

    /// Asks for the public key.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub(super) fn public(&self) -> Result<PublicKey, CliError> {
        let output = self.ask(&["public"], &[])?;
        let text = String::from_utf8(output).context(Exit::Key, self.name())?;
        PublicKey::from_pem(&text)
            .context(Exit::Key, format_args!("{} public", self.name()))
            .map_err(|error| error.hint("it must print a PEM public key, P-256 or Ed25519"))
    }

    /// Asks for a signature; it is not verified here.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub(super) fn sign(&self, public: &PublicKey, message: &[u8]) -> Result<Vec<u8>, CliError> {
        let algorithm = public.algorithm();
        let output = match algorithm {
            Algorithm::P256 => self.ask(&["sign", algorithm.name()], &Sha256::digest(message))?,
            Algorithm::Ed25519 => self.ask(&["sign", algorithm.name()], message)?,
        };
        let text = std::str::from_utf8(&output).ok();
        let decoded = text.and_then(|text| STANDARD.decode(text.trim_end()).ok());
        Ok(decoded.unwrap_or(output))
    }

    fn name(&self) -> &str {
        self.words.first().map_or("exec:", String::as_str)
    }

    fn ask(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, CliError> {
        let mut command = Command::new(self.name());
        command
            .args(self.words.iter().skip(1))
            .args(arguments)
            // What unlocks other keys is not its business.
            .env_remove(keyfile::PASSCODE_VARIABLE)
            .env_remove(keyfile::PASSCODE_FILE_VARIABLE)
            .env_remove(PIN_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context(Exit::Key, self.name())?;
        let talked = talk(&mut child, input);
        let status = child.wait().context(Exit::Key, self.name())?;
        if !status.success() {
            let message = format!("{} {}: {status}", self.name(), arguments.join(" "));
            return Err(CliError::new(Exit::Key, message).hint("its own words are above"));
        }
        talked.context(Exit::Key, self.name())
    }
}

/// Gives the input from a thread of its own: a program may answer before it has read all.
fn talk(child: &mut Child, input: &[u8]) -> std::io::Result<Vec<u8>> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not read shows in its exit code or its signature.
            drop(stdin.map(|mut stdin| stdin.write_all(input)));
        });
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(OUTPUT_BYTES_MAX).read_to_end(&mut output)?;
        }
        Ok(output)
    })
}
