//! Signatures beside a file, in the forms that stock tools verify. Owns what is signed, what is written
//! and which keys fit; reads no file and holds no key. docs/formats.md says how each is verified.

pub mod minisign;
pub mod signify;
pub mod sshsig;

use blake2::Blake2b512;
use keys::{Algorithm, PublicKey};
use sha2::{Digest as _, Sha512};

/// Bytes of a file that is signed as it is, not by its digest: the signer has all of it in memory.
pub const WHOLE_BYTES_MAX: u64 = 1 << 30;

/// Who verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// minisign 0.8 and newer: Ed25519 over BLAKE2b-512
    Minisign,
    /// openssl: ECDSA P-256 with SHA-256, or Ed25519 over the whole file
    Openssl,
    /// signify: Ed25519 over the whole file
    Signify,
    /// ssh-keygen -Y verify, namespace file: Ed25519 or ECDSA P-256 over SHA-512
    Sshsig,
}

impl Format {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minisign => "minisign",
            Self::Openssl => "openssl",
            Self::Signify => "signify",
            Self::Sshsig => "sshsig",
        }
    }

    /// The key that it needs.
    pub const fn keys(self) -> &'static str {
        match self {
            Self::Minisign | Self::Signify => "an Ed25519 key",
            Self::Openssl | Self::Sshsig => "an Ed25519 or P-256 key",
        }
    }

    /// Whether a key of this algorithm can sign it.
    pub const fn takes(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Minisign | Self::Signify => matches!(algorithm, Algorithm::Ed25519),
            Self::Openssl | Self::Sshsig => true,
        }
    }

    /// Bytes that a file may have.
    pub const fn bytes_max(self) -> u64 {
        match self {
            Self::Minisign | Self::Sshsig => u64::MAX,
            Self::Openssl | Self::Signify => WHOLE_BYTES_MAX,
        }
    }
}

/// What of a file goes into its signature, gathered as the file is read.
#[derive(Clone, Debug)]
pub enum Message {
    /// minisign, "prehashed".
    Blake2b(Box<Blake2b512>),
    /// SSHSIG.
    Sha512(Sha512),
    /// The file itself.
    Whole(Vec<u8>),
}

impl Message {
    /// Of no bytes yet.
    pub fn new(format: Format) -> Self {
        match format {
            Format::Minisign => Self::Blake2b(Box::default()),
            Format::Openssl | Format::Signify => Self::Whole(Vec::new()),
            Format::Sshsig => Self::Sha512(Sha512::new()),
        }
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake2b(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Whole(whole) => whole.extend_from_slice(bytes),
        }
    }

    /// The digest, or the file.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Blake2b(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
            Self::Whole(whole) => whole,
        }
    }
}

/// What is signed, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The product: who signs, where a format asks for that.
    pub product: String,
    /// The display version.
    pub version: String,
    /// The file's name.
    pub file: String,
}

/// What lies beside the signed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    /// The public key: file name and content.
    pub key: (String, Vec<u8>),
    /// The signature: file name and content.
    pub signature: (String, Vec<u8>),
    /// The command that verifies, to be run beside them.
    pub verify: String,
}

/// Makes a signature of what [`Message::finish`] returned. `sign` signs as
/// [`keys::SigningKey::sign`] does, by the other half of `key`.
///
/// # Errors
/// What `sign` returns.
pub fn make<E>(
    format: Format,
    subject: &Subject,
    key: &PublicKey,
    message: &[u8],
    sign: impl Fn(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Detached, E> {
    let Subject { product, file, .. } = subject;
    let (ending, key_name, key_file, signature) = match format {
        Format::Minisign => {
            let comment = minisign::trusted_comment(subject);
            let signature = sign(message)?;
            let global = sign(&minisign::global_message(&signature, &comment))?;
            let text = minisign::signature(key, &signature, &comment, &global);
            ("minisig", "minisign.pub", minisign::public_key(key), text)
        }
        Format::Openssl => {
            let signature = sign(message)?;
            ("openssl", "openssl.pem", key.to_pem(), signature)
        }
        Format::Signify => {
            let text = signify::signature(key, &sign(message)?, product);
            (
                "sig",
                "signify.pub",
                signify::public_key(key, product),
                text,
            )
        }
        Format::Sshsig => {
            let signature = sign(&sshsig::message(message))?;
            let text = sshsig::signature(key, &signature);
            let signers = sshsig::allowed_signers(key, product);
            ("sshsig", "allowed_signers", signers, text)
        }
    };
    Ok(Detached {
        key: (format!("{product}.{key_name}"), key_file.into_bytes()),
        signature: (format!("{file}.{ending}"), signature),
        verify: command(format, subject, key.algorithm()),
    })
}

/// The command that verifies.
fn command(format: Format, subject: &Subject, algorithm: Algorithm) -> String {
    let Subject { product, file, .. } = subject;
    match (format, algorithm) {
        (Format::Minisign, _) => {
            format!("minisign -V -H -p {product}.minisign.pub -x {file}.minisig -m {file}")
        }
        (Format::Openssl, Algorithm::Ed25519) => format!(
            "openssl pkeyutl -verify -pubin -inkey {product}.openssl.pem -rawin -in {file} \
             -sigfile {file}.openssl"
        ),
        (Format::Openssl, Algorithm::P256) => format!(
            "openssl dgst -sha256 -verify {product}.openssl.pem -signature {file}.openssl {file}"
        ),
        (Format::Signify, _) => {
            format!("signify -V -p {product}.signify.pub -x {file}.sig -m {file}")
        }
        (Format::Sshsig, _) => format!(
            "ssh-keygen -Y verify -f {product}.allowed_signers -I {product} -n {} \
             -s {file}.sshsig < {file}",
            sshsig::NAMESPACE
        ),
    }
}

#[cfg(test)]
mod tests;
