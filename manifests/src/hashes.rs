//! The `hashes` of a file: every one that is stated has to match (TUF 1.0.34 section 4.4).

use std::collections::BTreeMap;

use sha2::Digest as _;

use crate::digest::{DigestError, Sha256};
use crate::json::{Json, JsonError, wrong};
use crate::limits::HASHES_MAX;

/// Hashes of one file by algorithm, lower-case hex. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes(BTreeMap<String, String>);

/// A file is not the one that was hashed, or it can't be told (threats M25).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// A digest differs.
    #[error("{algorithm} is {actual}, signed {algorithm} is {expected}")]
    Differs {
        /// `sha256` or `sha512`.
        algorithm: &'static str,
        /// The signed digest.
        expected: String,
        /// The file's digest.
        actual: String,
    },
    /// An algorithm that we don't have: what can't be checked is not trusted.
    #[error("hash algorithm {0} is not supported")]
    Unsupported(String),
}

/// Hashes a stream by every algorithm that is known.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    sha256: sha2::Sha256,
    sha512: sha2::Sha512,
}

impl Hasher {
    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.sha512.update(bytes);
    }
}

impl Hashes {
    /// The SHA-256 digest alone.
    pub fn of_sha256(digest: Sha256) -> Self {
        Self(BTreeMap::from([("sha256".to_owned(), digest.to_string())]))
    }

    /// Parses a `hashes` object.
    ///
    /// # Errors
    /// [`JsonError`] if it is empty, has too many members or one that is no string.
    pub fn parse(hashes: &Json) -> Result<Self, JsonError> {
        let bad = || wrong("hashes", "an object of digests");
        let Json::Object(members) = hashes else {
            return Err(bad());
        };
        if members.is_empty() || members.len() > HASHES_MAX {
            return Err(bad());
        }
        let text = |(algorithm, digest): (&String, &Json)| {
            Some((algorithm.clone(), digest.as_str()?.to_owned()))
        };
        let parsed: Option<BTreeMap<_, _>> = members.iter().map(text).collect();
        parsed.map(Self).ok_or_else(bad)
    }

    /// The SHA-256 digest if it is the only one: our own repositories state no other.
    ///
    /// # Errors
    /// [`JsonError`] if it is absent, malformed or beside another.
    pub fn sha256_alone(&self) -> Result<Sha256, JsonError> {
        let digest = self.0.get("sha256").filter(|_| self.0.len() == 1);
        let digest = digest.ok_or_else(|| wrong("hashes", "`sha256` alone"))?;
        Sha256::parse(digest).map_err(|DigestError| wrong("sha256", "64 lower-case hex digits"))
    }

    /// Checks a file that was hashed.
    ///
    /// # Errors
    /// [`HashError`] unless every stated digest is known and equal.
    pub fn check(&self, file: Hasher) -> Result<(), HashError> {
        let sha256 = hex::encode(file.sha256.finalize());
        let sha512 = hex::encode(file.sha512.finalize());
        for (algorithm, expected) in &self.0 {
            let (algorithm, actual) = match algorithm.as_str() {
                "sha256" => ("sha256", &sha256),
                "sha512" => ("sha512", &sha512),
                other => return Err(HashError::Unsupported(other.chars().take(40).collect())),
            };
            if actual != expected {
                let (expected, actual) = (expected.chars().take(128).collect(), actual.clone());
                return Err(HashError::Differs {
                    algorithm,
                    expected,
                    actual,
                });
            }
        }
        Ok(())
    }

    /// The digest that names the file where names carry hashes, hex; `None` if no known one is there.
    pub fn file_prefix(&self) -> Option<&str> {
        let digits = |digest: &&String| digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let known = ["sha256", "sha512"].iter();
        known
            .filter_map(|algorithm| self.0.get(*algorithm))
            .find(digits)
            .map(String::as_str)
    }

    /// Encodes as a `hashes` object.
    pub fn to_json(&self) -> Json {
        let member = |(algorithm, digest): (&String, &String)| {
            (algorithm.clone(), Json::from(digest.as_str()))
        };
        Json::Object(self.0.iter().map(member).collect())
    }
}

#[cfg(test)]
mod tests;
