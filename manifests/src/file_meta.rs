//! What a timestamp or snapshot says of another metadata file (TUF 1.0.34 section 4.4).

use crate::digest::{DigestError, Sha256};
use crate::json::{Json, JsonError, wrong};
use crate::limits::INTEGER_MAX;

/// Version of a metadata file, and length and hash where the signer states them (we always do).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// 1 to 2^53 - 1.
    pub version: u64,
    /// Bytes.
    pub length: Option<u64>,
    /// SHA-256 of the file.
    pub sha256: Option<Sha256>,
}

/// Why a file is not the one referred to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileMetaError {
    /// The length differs.
    #[error("length is {actual} bytes, signed length is {expected}")]
    Length {
        /// The signed length in bytes.
        expected: u64,
        /// The file's length in bytes.
        actual: u64,
    },
    /// The SHA-256 digest differs.
    #[error("sha256 is {actual}, signed sha256 is {expected}")]
    Hash {
        /// The signed digest.
        expected: Sha256,
        /// The file's digest.
        actual: Sha256,
    },
}

impl FileMeta {
    /// Describes `bytes` of version `version`.
    pub fn of(version: u64, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self {
            version,
            length,
            sha256: Some(Sha256::of(bytes)),
        }
    }

    /// Parses one entry of `meta`.
    ///
    /// # Errors
    /// [`JsonError`] naming the member; a `hashes` without SHA-256 is an error, since what can't be
    /// checked must not be trusted (M25).
    pub fn parse(json: &Json) -> Result<Self, JsonError> {
        let version = json.integer("version", 1)?;
        let length = match json.member("length") {
            Some(_) => Some(json.integer("length", 1)?),
            None => None,
        };
        let sha256 = match json.member("hashes") {
            Some(hashes) => Some(sha256_of(hashes)?),
            None => None,
        };
        Ok(Self {
            version,
            length,
            sha256,
        })
    }

    /// Encodes as an entry of `meta`.
    pub fn to_json(&self) -> Json {
        let mut members = vec![("version", Json::from(self.version))];
        if let Some(length) = self.length {
            members.push(("length", Json::from(length.min(INTEGER_MAX))));
        }
        if let Some(sha256) = self.sha256 {
            let digest = Json::from(sha256.to_string().as_str());
            members.push(("hashes", Json::object([("sha256", digest)])));
        }
        Json::Object(
            members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// Checks length and hash of `bytes`, before anything in them is parsed.
    ///
    /// # Errors
    /// [`FileMetaError`] with both values.
    pub fn check(&self, bytes: &[u8]) -> Result<(), FileMetaError> {
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(expected) = self.length.filter(|expected| *expected != actual) {
            return Err(FileMetaError::Length { expected, actual });
        }
        let actual = Sha256::of(bytes);
        match self.sha256 {
            Some(expected) if expected != actual => Err(FileMetaError::Hash { expected, actual }),
            _ => Ok(()),
        }
    }
}

/// Reads the SHA-256 member of a `hashes` object, which must be its only one: every stated hash has to
/// match, and what can't be checked must not be trusted (M25).
///
/// # Errors
/// [`JsonError`] if it is absent or malformed, or stands beside another.
pub fn sha256_of(hashes: &Json) -> Result<Sha256, JsonError> {
    if matches!(hashes, Json::Object(members) if members.len() > 1) {
        return Err(wrong("hashes", "`sha256` alone"));
    }
    Sha256::parse(hashes.string("sha256")?)
        .map_err(|DigestError| wrong("sha256", "64 lower-case hex digits"))
}
