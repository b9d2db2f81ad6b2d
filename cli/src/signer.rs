//! Keys that sign, wherever they are: in a file, behind a program, in a token.

mod exec;
#[cfg(feature = "pkcs11")]
mod token;

use std::path::Path;

use keys::context::Context as Purpose;
use keys::{Algorithm, KeyUri, PublicKey, SigningKey};

use crate::exit::{CliError, Context as _, Exit};
use crate::{durable, keyfile};
use exec::Program;

/// Bytes of a file that is signed elsewhere: it is in memory then.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// The PIN of tokens, where nobody can be asked.
const PIN_VARIABLE: &str = "STREEMBIT_PKCS11_PIN";

/// A key that signs.
#[derive(Debug)]
pub struct Signer {
    uri: String,
    public: PublicKey,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Here(Box<SigningKey>),
    Program(Program),
    #[cfg(feature = "pkcs11")]
    Token(token::Token),
}

impl Signer {
    /// Opens the key that a URI names. A passcode or PIN is asked for once, here.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub fn open(uri: &str) -> Result<Self, CliError> {
        let (public, place) = match parse(uri)? {
            KeyUri::Exec(words) => {
                let program = Program::new(words);
                (program.public()?, Place::Program(program))
            }
            KeyUri::Pkcs11(key) => open_token(&key)?,
            KeyUri::Env(_) | KeyUri::File(_) | KeyUri::Stdin => {
                let key = keyfile::open(uri)?;
                (key.public(), Place::Here(Box::new(key)))
            }
        };
        Ok(Self {
            uri: uri.to_owned(),
            public,
            place,
        })
    }

    /// The public half of the key that a URI names; needs neither passcode nor PIN where the key store
    /// lets it be read without.
    ///
    /// # Errors
    /// As [`Signer::open`].
    pub fn public_of(uri: &str) -> Result<PublicKey, CliError> {
        match parse(uri)? {
            KeyUri::Exec(words) => Program::new(words).public(),
            KeyUri::Pkcs11(key) => public_in_token(&key),
            KeyUri::Env(_) | KeyUri::File(_) | KeyUri::Stdin => keyfile::public(uri),
        }
    }

    /// The public half of a key that is about to be trusted. What a token or a program says of it is not
    /// enough, since public objects can be written without a PIN: the key has to sign.
    ///
    /// # Errors
    /// As [`Signer::open`] and [`Signer::sign`].
    pub fn proven(uri: &str) -> Result<PublicKey, CliError> {
        match parse(uri)? {
            KeyUri::Exec(_) | KeyUri::Pkcs11(_) => {
                let signer = Self::open(uri)?;
                signer.sign(Purpose::Possession.as_bytes())?;
                Ok(signer.public)
            }
            KeyUri::Env(_) | KeyUri::File(_) | KeyUri::Stdin => Self::public_of(uri),
        }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The URI it was opened by.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Signs in the form that [`PublicKey::verify`] takes. What comes from elsewhere is verified first.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`] naming the key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CliError> {
        let signature = match &self.place {
            Place::Here(key) => return Ok(key.sign(message)),
            Place::Program(program) => program.sign(&self.public, message)?,
            #[cfg(feature = "pkcs11")]
            Place::Token(token) => token.sign(&self.public, message)?,
        };
        let adopted = self.public.adopt(message, &signature);
        adopted
            .context(Exit::Key, format_args!("{} signed wrongly", self.uri))
            .map_err(|error| error.hint("the public key and the key that signs must be a pair"))
    }
}

impl Signer {
    /// Signs a file as [`Signer::sign`] signs its bytes. A P-256 key that is here needs the digest alone; programs,
    /// tokens and Ed25519 are given the file, of at most [`FILE_BYTES_MAX`].
    ///
    /// * `sha256`: of the file.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`] naming the key, or the file.
    pub fn sign_file(&self, path: &Path, sha256: &[u8; 32]) -> Result<Vec<u8>, CliError> {
        if let Place::Here(key) = &self.place
            && let Some(signature) = key.sign_sha256(sha256)
        {
            return Ok(signature);
        }
        let bytes = durable::read(path, FILE_BYTES_MAX).context(Exit::Key, "file to sign")?;
        let signature = self.sign(&bytes)?;
        let verified = self.public.verify_sha256(sha256, &signature);
        if self.public.algorithm() == Algorithm::P256 && verified.is_err() {
            let message = format!("{} changed while it was signed", path.display());
            return Err(CliError::new(Exit::Key, message).hint("run again"));
        }
        Ok(signature)
    }
}

fn parse(uri: &str) -> Result<KeyUri, CliError> {
    KeyUri::parse(uri).context(Exit::Key, format_args!("key {uri:?}"))
}

#[cfg(feature = "pkcs11")]
fn open_token(key: &keys::Pkcs11Uri) -> Result<(PublicKey, Place), CliError> {
    let token = token::Token::open(key)?;
    Ok((token.public()?, Place::Token(token)))
}

#[cfg(feature = "pkcs11")]
fn public_in_token(key: &keys::Pkcs11Uri) -> Result<PublicKey, CliError> {
    token::Token::look(key)?.public()
}

#[cfg(not(feature = "pkcs11"))]
fn open_token(_: &keys::Pkcs11Uri) -> Result<(PublicKey, Place), CliError> {
    Err(keyfile::no_tokens())
}

#[cfg(not(feature = "pkcs11"))]
fn public_in_token(_: &keys::Pkcs11Uri) -> Result<PublicKey, CliError> {
    Err(keyfile::no_tokens())
}

#[cfg(test)]
mod tests;
