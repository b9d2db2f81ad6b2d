//! The binary header of a key file: everything before the secret. Layout: see [`super`].

use super::KeyFileError;
use super::kdf::{Cost, Kdf, NONCE_BYTES, SALT_BYTES};
use crate::signing::PublicKey;
use crate::suite::Algorithm;

/// Longest label in bytes of UTF-8.
pub const LABEL_BYTES_MAX: usize = 128;

/// `STKF` and the version byte.
const MAGIC: [u8; 5] = *b"STKF\x01";
const ALGORITHM_ED25519: u8 = 1;
const ALGORITHM_P256: u8 = 2;
const KDF_NONE: u8 = 0;
const KDF_ARGON2ID: u8 = 1;

/// What stands where a file without passcode has no key derivation.
const NO_KDF: Kdf = Kdf {
    cost: Cost {
        memory_kib: 0,
        passes: 0,
        lanes: 0,
    },
    salt: [0; SALT_BYTES],
    nonce: [0; NONCE_BYTES],
};

/// A header. A header has one encoding, so `encode` gives back the bytes that were parsed.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) public: PublicKey,
    pub(super) label: String,
    pub(super) kdf: Option<Kdf>,
}

impl Header {
    /// Encodes the header; refuses a label that [`Header::parse`] would refuse.
    pub(super) fn encode(&self) -> Result<Vec<u8>, KeyFileError> {
        let label_length = check_label(&self.label)?;
        let kdf = self.kdf.as_ref().unwrap_or(&NO_KDF);
        let mut bytes = MAGIC.to_vec();
        bytes.push(match self.public.algorithm() {
            Algorithm::Ed25519 => ALGORITHM_ED25519,
            Algorithm::P256 => ALGORITHM_P256,
        });
        bytes.push(if self.kdf.is_some() {
            KDF_ARGON2ID
        } else {
            KDF_NONE
        });
        bytes.extend(kdf.cost.memory_kib.to_be_bytes());
        bytes.extend(kdf.cost.passes.to_be_bytes());
        bytes.extend(kdf.cost.lanes.to_be_bytes());
        bytes.extend(kdf.salt);
        bytes.extend(kdf.nonce);
        bytes.extend(self.public.as_bytes());
        bytes.push(label_length);
        bytes.extend(self.label.bytes());
        Ok(bytes)
    }

    /// Parses a header off the front of `bytes`; returns it and what follows.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), KeyFileError> {
        let mut rest = bytes;
        if take::<5>(&mut rest)? != MAGIC {
            return Err(KeyFileError::Unsupported);
        }
        let [algorithm, kdf_id] = take(&mut rest)?;
        let algorithm = match algorithm {
            ALGORITHM_ED25519 => Algorithm::Ed25519,
            ALGORITHM_P256 => Algorithm::P256,
            _ => return Err(KeyFileError::Unsupported),
        };
        let cost = Cost {
            memory_kib: u32::from_be_bytes(take(&mut rest)?),
            passes: u32::from_be_bytes(take(&mut rest)?),
            lanes: u32::from_be_bytes(take(&mut rest)?),
        };
        let kdf = Kdf {
            cost,
            salt: take(&mut rest)?,
            nonce: take(&mut rest)?,
        };
        let kdf = match kdf_id {
            KDF_ARGON2ID if !cost.is_valid() => return Err(KeyFileError::Cost),
            KDF_ARGON2ID => Some(kdf),
            KDF_NONE if kdf != NO_KDF => return Err(KeyFileError::Malformed),
            KDF_NONE => None,
            _ => return Err(KeyFileError::Unsupported),
        };
        let public = take_slice(&mut rest, algorithm.public_key_bytes())?;
        let public = PublicKey::from_bytes(algorithm, public).map_err(KeyFileError::PublicKey)?;
        let [label_length] = take(&mut rest)?;
        let label = take_slice(&mut rest, usize::from(label_length))?;
        let label = str::from_utf8(label)
            .map_err(|_| KeyFileError::Label)?
            .to_owned();
        check_label(&label)?;
        Ok((Self { public, label, kdf }, rest))
    }
}

/// Returns the length of a valid label.
fn check_label(label: &str) -> Result<u8, KeyFileError> {
    if label.len() > LABEL_BYTES_MAX || label.chars().any(char::is_control) {
        return Err(KeyFileError::Label);
    }
    u8::try_from(label.len()).map_err(|_| KeyFileError::Label)
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], KeyFileError> {
    let (head, tail) = rest.split_first_chunk().ok_or(KeyFileError::Malformed)?;
    *rest = tail;
    Ok(*head)
}

/// Takes `length` bytes off the front.
fn take_slice<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], KeyFileError> {
    let (head, tail) = rest
        .split_at_checked(length)
        .ok_or(KeyFileError::Malformed)?;
    *rest = tail;
    Ok(head)
}
