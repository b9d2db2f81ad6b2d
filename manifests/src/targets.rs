//! Targets roles: what is published, and who may publish what (TUF 1.0.34 section 4.5).

use std::collections::BTreeMap;

use crate::delegations::Delegations;
use crate::envelope::{Metadata, ParseError};
use crate::hashes::Hashes;
use crate::header::Header;
use crate::json::{Json, wrong};
use crate::limits::{IMAGE_BYTES_MAX, PATH_BYTES_MAX, TARGETS_MAX};
use crate::statement_keys::{self, StatementKeys};

/// One published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Bytes, at most [`IMAGE_BYTES_MAX`].
    pub length: u64,
    /// Its digests.
    pub hashes: Hashes,
    /// What the publisher says of it; ours describe releases ([`crate::product`]).
    pub custom: Option<Json>,
}

/// Metadata of `targets` or of a delegated role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    header: Header,
    targets: BTreeMap<String, Target>,
    delegations: Delegations,
    statement_keys: StatementKeys,
}

impl Targets {
    /// Builds targets metadata.
    pub fn new(
        header: Header,
        targets: BTreeMap<String, Target>,
        delegations: Delegations,
    ) -> Self {
        Self {
            header,
            targets,
            delegations,
            statement_keys: StatementKeys::default(),
        }
    }

    /// The published files by path.
    pub fn targets(&self) -> &BTreeMap<String, Target> {
        &self.targets
    }

    /// Whose statements count.
    pub fn statement_keys(&self) -> &StatementKeys {
        &self.statement_keys
    }

    /// What it delegates.
    pub fn delegations(&self) -> &Delegations {
        &self.delegations
    }

    /// Encodes the signed part.
    pub fn to_signed(&self) -> Json {
        let targets = self.targets.iter();
        let targets = targets.map(|(path, target)| (path.clone(), target.to_json()));
        let mut members: BTreeMap<String, Json> = self
            .header
            .members(Self::KIND)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        members.insert("targets".into(), Json::Object(targets.collect()));
        if !self.delegations.is_empty() {
            members.insert("delegations".into(), self.delegations.to_json());
        }
        if self.statement_keys != StatementKeys::default() {
            let keys = self.statement_keys.to_json();
            members.insert(statement_keys::MEMBER.into(), keys);
        }
        Json::Object(members)
    }
}

impl Metadata for Targets {
    const KIND: &'static str = "targets";

    fn from_signed(signed: &Json) -> Result<Self, ParseError> {
        let header = Header::parse(signed, Self::KIND)?;
        let mut targets = BTreeMap::new();
        for (path, target) in signed.members("targets", TARGETS_MAX)? {
            if path.len() > PATH_BYTES_MAX {
                return Err(wrong("targets", "an object of paths of at most 1024 bytes").into());
            }
            targets.insert(path.clone(), Target::parse(target)?);
        }
        Ok(Self {
            header,
            targets,
            delegations: Delegations::parse(signed)?,
            statement_keys: StatementKeys::parse(signed)?,
        })
    }

    fn header(&self) -> &Header {
        &self.header
    }
}

impl Target {
    fn parse(json: &Json) -> Result<Self, ParseError> {
        let length = json.integer("length", 0)?;
        if length > IMAGE_BYTES_MAX {
            return Err(wrong("length", "at most 16 GiB").into());
        }
        Ok(Self {
            length,
            hashes: Hashes::parse(json.require("hashes")?)?,
            custom: json.member("custom").cloned(),
        })
    }

    /// Encodes as an entry of `targets`.
    pub fn to_json(&self) -> Json {
        let mut members = BTreeMap::from([
            ("length".to_owned(), Json::from(self.length)),
            ("hashes".to_owned(), self.hashes.to_json()),
        ]);
        if let Some(custom) = &self.custom {
            members.insert("custom".to_owned(), custom.clone());
        }
        Json::Object(members)
    }
}

#[cfg(test)]
mod tests;
