//! What a timestamp or snapshot says of another metadata file (TUF 1.0.34 section 4.4).

use crate::digest::Sha256;
use crate::hashes::{HashError, Hasher, Hashes};
use crate::json::{Json, JsonError};
use crate::limits::INTEGER_MAX;

/// Version of a metadata file, and length and hash where the signer states them (we always do).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// 1 to 2^53 - 1.
    pub version: u64,
    /// Bytes.
    pub length: Option<u64>,
    /// Digests of the file.
    pub hashes: Option<Hashes>,
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
    /// A digest differs, or can't be checked.
    #[error(transparent)]
    Hash(#[from] HashError),
}

impl FileMeta {
    /// Describes `bytes` of version `version`.
    pub fn of(version: u64, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self {
            version,
            length,
            hashes: Some(Hashes::of_sha256(Sha256::of(bytes))),
        }
    }

    /// Parses one entry of `meta`.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn parse(json: &Json) -> Result<Self, JsonError> {
        let version = json.integer("version", 1)?;
        let length = match json.member("length") {
            Some(_) => Some(json.integer("length", 1)?),
            None => None,
        };
        let hashes = json.member("hashes").map(Hashes::parse).transpose()?;
        Ok(Self {
            version,
            length,
            hashes,
        })
    }

    /// Encodes as an entry of `meta`.
    pub fn to_json(&self) -> Json {
        let mut members = vec![("version", Json::from(self.version))];
        if let Some(length) = self.length {
            members.push(("length", Json::from(length.min(INTEGER_MAX))));
        }
        if let Some(hashes) = &self.hashes {
            members.push(("hashes", hashes.to_json()));
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
        if let Some(hashes) = &self.hashes {
            let mut hasher = Hasher::default();
            hasher.update(bytes);
            hashes.check(hasher)?;
        }
        Ok(())
    }
}
