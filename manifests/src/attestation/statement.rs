//! in-toto Statement v1: something is said (the predicate) of files, which are known by their digest alone.

use crate::digest::Sha256;
use crate::json::{self, Json, JsonError, wrong};
use crate::limits::{PAYLOAD_BYTES_MAX, SUBJECTS_MAX};

const TYPE: &str = "https://in-toto.io/Statement/v1";
/// What is said of a release.
pub const RELEASE: &str = "https://in-toto.io/attestation/release/v0.1";
/// That a build was done again and came to the same bytes.
pub const REBUILD: &str = "https://streembit.org/attestation/rebuild/v1";
/// That a device runs a release, and that it has proved itself there.
pub const INSTALL: &str = "https://streembit.org/attestation/install/v1";
/// That a release is withdrawn.
pub const YANK: &str = "https://streembit.org/attestation/yank/v1";
/// What is said of a build.
pub const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A file that something is said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What people call it; nothing is looked up by it.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Of what.
    pub subjects: Vec<Subject>,
    /// What kind of thing is said.
    pub predicate_type: String,
    /// What is said.
    pub predicate: Json,
}

impl Statement {
    /// The payload of an envelope of type [`super::dsse::IN_TOTO`].
    pub fn encode(&self) -> Vec<u8> {
        let subject = |subject: &Subject| {
            let digest = Json::object([("sha256", subject.sha256.to_string().as_str().into())]);
            Json::object([("name", subject.name.as_str().into()), ("digest", digest)])
        };
        let statement = Json::object([
            ("_type", TYPE.into()),
            ("subject", self.subjects.iter().map(subject).collect()),
            ("predicateType", self.predicate_type.as_str().into()),
            ("predicate", self.predicate.clone()),
        ]);
        json::encode(&statement)
    }

    /// Reads a statement.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn parse(payload: &[u8]) -> Result<Self, JsonError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(wrong("payload", "of allowed length"));
        }
        let json = json::parse(payload)?;
        if json.string("_type")? != TYPE {
            return Err(wrong("_type", "that of an in-toto Statement v1"));
        }
        let subjects = json.items("subject", SUBJECTS_MAX)?.iter().map(|subject| {
            let digest = subject.require("digest")?.string("sha256")?;
            let sha256 = Sha256::parse(digest);
            let name = match subject.member("name") {
                Some(name) => name.as_str().ok_or_else(|| wrong("name", "a string"))?,
                None => "",
            };
            Ok(Subject {
                name: name.to_owned(),
                sha256: sha256.map_err(|_| wrong("sha256", "64 lower-case hex digits"))?,
            })
        });
        let subjects = subjects.collect::<Result<Vec<_>, JsonError>>()?;
        if subjects.is_empty() {
            return Err(wrong("subject", "at least one"));
        }
        Ok(Self {
            subjects,
            predicate_type: json.string("predicateType")?.to_owned(),
            predicate: json.require("predicate")?.clone(),
        })
    }

    /// Whether it speaks of a file.
    pub fn is_about(&self, sha256: &Sha256) -> bool {
        self.subjects
            .iter()
            .any(|subject| subject.sha256 == *sha256)
    }
}

#[cfg(test)]
mod tests;
