//! The key file: one signing key, encrypted by a passcode or plain for unattended devices.
//!
//! Owns the text armour, the binary format, and sealing and opening it. Does not read or write
//! disks, and does not ask for passcodes. Once decoded from its armour:
//!
//! ```text
//! offset        bytes  field
//! 0             4      "STKF"
//! 4             1      version, 1
//! 5             1      algorithm: 1 Ed25519, 2 P-256
//! 6             1      kdf: 0 none, 1 Argon2id version 0x13 (RFC 9106)
//! 7             4      memory in KiB       |
//! 11            4      passes              | big-endian;
//! 15            4      lanes               | all zero if kdf = 0
//! 19            16     salt                |
//! 35            12     nonce               |
//! 47            k      public key: 32 bytes (Ed25519) or 33 (P-256, compressed)
//! 47 + k        1      length of the label, 0..=128
//! 48 + k        n      label, UTF-8
//! 48 + k + n    48     kdf 1: AES-256-GCM(secret) and tag  |  kdf 0: the 32 secret bytes
//! ```
//!
//! `key = Argon2id(passcode, salt, memory, passes, lanes)`, 32 bytes. Associated data is
//! `"streembit/keyfile/1" || everything before the ciphertext`, so no field can be changed. In a
//! plain file only the public key vouches for the secret; its label is whatever its last writer put
//! there.

mod header;
mod kdf;

use std::fmt;

use aes_gcm::Nonce;
use aes_gcm::aead::{Aead as _, Payload};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use self::header::LABEL_BYTES_MAX;
pub use self::kdf::Cost;

use self::header::Header;
use self::kdf::{Kdf, NONCE_BYTES, SALT_BYTES};
use crate::context::Context;
use crate::encoding;
use crate::passcode::{self, PasscodePolicyError};
use crate::secret::Secret;
use crate::signing::{KeyError, PublicKey, SigningKey};

/// Longest text of a key file in bytes; the longest that we make takes 428.
pub const KEY_FILE_BYTES_MAX: usize = 4096;

const ENCRYPTED_LABEL: &str = "STREEMBIT ENCRYPTED KEY";
const PLAIN_LABEL: &str = "STREEMBIT KEY";
const SECRET_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// How the secret is protected in the file.
#[derive(Clone, Copy)]
pub enum Protection<'a> {
    /// Encrypted.
    Passcode {
        /// Must meet the policy of [`passcode::check`].
        passcode: &'a str,
        /// Must be within the bounds of [`Cost`].
        cost: Cost,
    },
    /// In the clear: for devices that start with nobody there. Whoever reads the file has the key.
    Unprotected,
}

impl fmt::Debug for Protection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passcode { .. } => "Passcode([redacted])",
            Self::Unprotected => "Unprotected",
        })
    }
}

/// Why a key file could not be made, parsed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Argon2id parameters outside the bounds of [`Cost`]; nothing was allocated.
    #[error("key file cost out of bounds")]
    Cost,
    /// The label is too long or contains a control character.
    #[error("key file label must be at most {LABEL_BYTES_MAX} bytes without control characters")]
    Label,
    /// Not a key file, or damaged where it shows without the passcode.
    #[error("malformed key file")]
    Malformed,
    /// A passcode was given for a file that isn't encrypted: perhaps not the file that was meant.
    #[error("key file is not encrypted")]
    NotEncrypted,
    /// The memory that the file asks for isn't there.
    #[error("not enough memory to open the key file")]
    OutOfMemory,
    /// The file is encrypted and no passcode was given.
    #[error("key file is encrypted, a passcode is needed")]
    PasscodeNeeded,
    /// The new passcode breaks the policy.
    #[error(transparent)]
    Policy(#[from] PasscodePolicyError),
    /// The public key in the file isn't one.
    #[error("invalid public key in key file")]
    PublicKey(#[source] KeyError),
    /// Wrong passcode, or a file that was changed: which of the two isn't told.
    #[error("wrong passcode or damaged key file")]
    Refused,
    /// A version, algorithm or key derivation that we don't know.
    #[error("unsupported key file version")]
    Unsupported,
}

/// Writes `key` as the text of a key file, at most [`KEY_FILE_BYTES_MAX`] bytes of ASCII.
///
/// * `label`: what people call the key; at most [`LABEL_BYTES_MAX`] bytes, no control characters,
///   may be empty. Readable without the passcode.
/// * `rng`: gives salt and nonce; not used for [`Protection::Unprotected`].
///
/// An unprotected text holds the secret: the caller must treat it as one.
///
/// # Errors
/// [`KeyFileError::Label`], [`KeyFileError::Policy`], [`KeyFileError::Cost`], and
/// [`KeyFileError::OutOfMemory`] if the cost is more than the machine has.
pub fn seal(
    key: &SigningKey,
    label: &str,
    protection: Protection<'_>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<String, KeyFileError> {
    let mut header = Header {
        public: key.public(),
        label: label.to_owned(),
        kdf: None,
    };
    let secret = key.secret_bytes();
    match protection {
        Protection::Unprotected => {
            let bytes = Zeroizing::new([&header.encode()?, secret.expose()].concat());
            Ok(encoding::to_armour(PLAIN_LABEL, &bytes))
        }
        Protection::Passcode { passcode, cost } => {
            passcode::check(passcode)?;
            let mut kdf = Kdf {
                cost,
                salt: [0; SALT_BYTES],
                nonce: [0; NONCE_BYTES],
            };
            rng.fill_bytes(&mut kdf.salt);
            rng.fill_bytes(&mut kdf.nonce);
            let cipher = kdf.cipher(passcode)?;
            let nonce = Nonce::from(kdf.nonce);
            header.kdf = Some(kdf);
            let header = header.encode()?;
            let payload = Payload {
                msg: secret.expose(),
                aad: &associated_data(&header),
            };
            let sealed = cipher
                .encrypt(&nonce, payload)
                .map_err(|_| KeyFileError::Refused)?;
            Ok(encoding::to_armour(
                ENCRYPTED_LABEL,
                &[header, sealed].concat(),
            ))
        }
    }
}

fn associated_data(header: &[u8]) -> Vec<u8> {
    [Context::KeyFile.as_bytes(), header].concat()
}

/// A parsed key file. Its public key and label are a claim until [`KeyFile::open`] succeeds.
#[derive(Debug)]
pub struct KeyFile {
    header: Header,
    /// The secret, encrypted if the header has a key derivation.
    body: Secret,
}

impl KeyFile {
    /// Parses the text of a key file: at most [`KEY_FILE_BYTES_MAX`] bytes, nothing around the
    /// armour but its last newline, which may be missing.
    ///
    /// # Errors
    /// [`KeyFileError::Malformed`], [`KeyFileError::Unsupported`], [`KeyFileError::Cost`],
    /// [`KeyFileError::Label`] or [`KeyFileError::PublicKey`].
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        if text.len() > KEY_FILE_BYTES_MAX {
            return Err(KeyFileError::Malformed);
        }
        let encrypted = encoding::from_armour(ENCRYPTED_LABEL, text);
        let (is_encrypted, body_bytes) = if encrypted.is_some() {
            (true, SECRET_BYTES + TAG_BYTES)
        } else {
            (false, SECRET_BYTES)
        };
        let bytes = encrypted
            .or_else(|| encoding::from_armour(PLAIN_LABEL, text))
            .ok_or(KeyFileError::Malformed)?;
        let (header, body) = Header::parse(&bytes)?;
        if header.kdf.is_some() != is_encrypted || body.len() != body_bytes {
            return Err(KeyFileError::Malformed);
        }
        Ok(Self {
            header,
            body: Secret::new(body.to_vec()),
        })
    }

    /// Returns the public key that the file claims to hold.
    pub const fn public(&self) -> &PublicKey {
        &self.header.public
    }

    /// Returns the label, free of control characters.
    pub fn label(&self) -> &str {
        &self.header.label
    }

    /// Returns whether [`KeyFile::open`] needs a passcode.
    pub const fn is_encrypted(&self) -> bool {
        self.header.kdf.is_some()
    }

    /// Returns what opening costs, `None` if the file isn't encrypted.
    pub fn cost(&self) -> Option<Cost> {
        self.header.kdf.as_ref().map(|kdf| kdf.cost)
    }

    /// Opens the key. An old passcode need not meet today's policy.
    ///
    /// # Errors
    /// [`KeyFileError::PasscodeNeeded`] or [`KeyFileError::NotEncrypted`] if `passcode` doesn't fit
    /// the kind of file; [`KeyFileError::OutOfMemory`]; [`KeyFileError::Refused`] for a wrong
    /// passcode, a changed file, and a secret that doesn't belong to the public key.
    pub fn open(&self, passcode: Option<&str>) -> Result<SigningKey, KeyFileError> {
        match (&self.header.kdf, passcode) {
            (None, None) => self.signing_key(&self.body),
            (None, Some(_)) => Err(KeyFileError::NotEncrypted),
            (Some(_), None) => Err(KeyFileError::PasscodeNeeded),
            (Some(kdf), Some(passcode)) => {
                let aad = associated_data(&self.header.encode()?);
                let payload = Payload {
                    msg: self.body.expose(),
                    aad: &aad,
                };
                let secret = kdf
                    .cipher(passcode)?
                    .decrypt(&Nonce::from(kdf.nonce), payload)
                    .map_err(|_| KeyFileError::Refused)?;
                self.signing_key(&Secret::new(secret))
            }
        }
    }

    fn signing_key(&self, secret: &Secret) -> Result<SigningKey, KeyFileError> {
        let secret = secret
            .expose()
            .try_into()
            .map_err(|_| KeyFileError::Refused)?;
        let key = SigningKey::from_secret(self.header.public.algorithm(), secret)
            .map_err(|_| KeyFileError::Refused)?;
        if key.public() != self.header.public {
            return Err(KeyFileError::Refused);
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests;
