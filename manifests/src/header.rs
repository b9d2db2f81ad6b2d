//! The members that every TUF role starts with (TUF 1.0.34 section 4.3).

use crate::instant::{TimeError, UtcTime};
use crate::json::{Json, JsonError, wrong};

/// Version and expiry of one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 to 2^53 - 1.
    pub version: u64,
    /// The first second in which the document is no longer valid.
    pub expires: UtcTime,
}

/// Why a document's common members are not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A member is missing or malformed.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// `_type` names another role: a signature never moves between roles.
    #[error("document is of type {actual:?}, expected {expected:?}")]
    Kind {
        /// The role that was asked for.
        expected: &'static str,
        /// What the document calls itself.
        actual: String,
    },
    /// `spec_version` has another major version than 1.
    #[error("spec_version {0:?} is not 1.x")]
    Spec(String),
    /// `expires` is malformed.
    #[error("`expires`: {0}")]
    Expires(#[from] TimeError),
}

impl Header {
    /// Reads the common members of `signed`, which must be of type `kind`.
    ///
    /// # Errors
    /// [`HeaderError`] naming the member.
    pub fn parse(signed: &Json, kind: &'static str) -> Result<Self, HeaderError> {
        let actual = signed.string("_type")?;
        if actual != kind {
            let actual = actual.chars().take(40).collect();
            return Err(HeaderError::Kind {
                expected: kind,
                actual,
            });
        }
        let spec = signed.string("spec_version")?;
        let mut parts = spec.split('.');
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if parts.next() != Some("1") || !parts.all(numeric) {
            return Err(HeaderError::Spec(spec.chars().take(40).collect()));
        }
        let version = signed.integer("version", 1)?;
        let expires = UtcTime::parse(signed.string("expires")?)?;
        Ok(Self { version, expires })
    }

    /// Says whether the document is expired at `now`; equal counts as expired.
    pub fn is_expired(&self, now: UtcTime) -> bool {
        now >= self.expires
    }

    /// The members as JSON, for a document of type `kind`.
    pub fn members(&self, kind: &str) -> [(&'static str, Json); 4] {
        [
            ("_type", Json::from(kind)),
            ("spec_version", Json::from("1.0.34")),
            ("version", Json::from(self.version)),
            ("expires", Json::from(self.expires.to_string().as_str())),
        ]
    }
}

/// Builds the error for a version that does not fit its file name or its reference.
pub fn wrong_version() -> HeaderError {
    HeaderError::Json(wrong("version", "the version asked for"))
}

#[cfg(test)]
mod tests;
