//! Targets roles: what is published, and who may publish what (TUF 1.0.34 section 4.5).

use std::collections::{BTreeMap, BTreeSet};

use keys::PublicKey;

use crate::digest::Sha256;
use crate::envelope::{Authority, Metadata, ParseError, keys_to_json, parse_keys};
use crate::file_meta::sha256_of;
use crate::header::Header;
use crate::json::{Json, wrong};
use crate::limits::{DELEGATIONS_MAX, IMAGE_BYTES_MAX, NAME_BYTES_MAX, PATHS_MAX, TARGETS_MAX};
use crate::name::Name;
use crate::release::Release;
use crate::root::Role;

/// One published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Bytes.
    pub length: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// The release, for targets that are images of ours.
    pub release: Option<Release>,
}

/// A role that may publish names matching its patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The role's name; its file is `<version>.<name>.json`.
    pub name: Name,
    /// Its keys and threshold.
    pub authority: Authority,
    /// Patterns over flat names; `*` stands for any characters, `?` for one.
    pub paths: Vec<String>,
    /// Whether the search for a matching name ends here.
    pub terminating: bool,
}

impl Delegation {
    /// Says whether the role may publish the flat name `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.paths
            .iter()
            .any(|pattern| glob_matches(pattern.as_bytes(), name.as_bytes()))
    }
}

/// Metadata of `targets` or of a delegated role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    header: Header,
    targets: BTreeMap<Name, Target>,
    delegations: Vec<Delegation>,
}

impl Targets {
    /// Builds targets metadata.
    pub fn new(
        header: Header,
        targets: BTreeMap<Name, Target>,
        delegations: Vec<Delegation>,
    ) -> Self {
        Self {
            header,
            targets,
            delegations,
        }
    }

    /// The published files by name.
    pub fn targets(&self) -> &BTreeMap<Name, Target> {
        &self.targets
    }

    /// The roles it delegates to, in order of priority.
    pub fn delegations(&self) -> &[Delegation] {
        &self.delegations
    }

    /// The delegation to the role `name`.
    pub fn delegation(&self, name: &Name) -> Option<&Delegation> {
        self.delegations
            .iter()
            .find(|delegation| delegation.name == *name)
    }

    /// Encodes the signed part.
    pub fn to_signed(&self) -> Json {
        let targets = self
            .targets
            .iter()
            .map(|(name, target)| (name.to_string(), target_to_json(target)));
        let mut members: BTreeMap<String, Json> = self
            .header
            .members(Self::KIND)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        members.insert("targets".into(), Json::Object(targets.collect()));
        if !self.delegations.is_empty() {
            let keys: BTreeMap<&String, &PublicKey> = self
                .delegations
                .iter()
                .flat_map(|role| role.authority.keys())
                .collect();
            let roles = self.delegations.iter().map(delegation_to_json).collect();
            let delegations =
                Json::object([("keys", keys_to_json(keys)), ("roles", Json::Array(roles))]);
            members.insert("delegations".into(), delegations);
        }
        Json::Object(members)
    }
}

impl Metadata for Targets {
    const KIND: &'static str = "targets";

    fn from_signed(signed: &Json) -> Result<Self, ParseError> {
        let header = Header::parse(signed, Self::KIND)?;
        let mut targets = BTreeMap::new();
        for (name, target) in signed.members("targets", TARGETS_MAX)? {
            targets.insert(Name::parse(name)?, parse_target(target)?);
        }
        let mut delegations = Vec::new();
        if let Some(parent) = signed.member("delegations") {
            let keys = parse_keys(parent)?;
            let mut names = BTreeSet::new();
            for role in parent.items("roles", DELEGATIONS_MAX)? {
                let delegation = parse_delegation(role, &keys)?;
                if !names.insert(delegation.name.clone()) {
                    return Err(wrong("roles", "an array of roles with distinct names").into());
                }
                delegations.push(delegation);
            }
        }
        Ok(Self {
            header,
            targets,
            delegations,
        })
    }

    fn header(&self) -> &Header {
        &self.header
    }
}

fn parse_target(json: &Json) -> Result<Target, ParseError> {
    let length = json.integer("length", 1)?;
    if length > IMAGE_BYTES_MAX {
        return Err(wrong("length", "at most 16 GiB").into());
    }
    let sha256 = sha256_of(json.require("hashes")?)?;
    let release = match json.member("custom") {
        Some(custom) if custom.member("release").is_some() => Some(Release::parse(custom, length)?),
        _ => None,
    };
    Ok(Target {
        length,
        sha256,
        release,
    })
}

fn target_to_json(target: &Target) -> Json {
    let sha256 = Json::from(target.sha256.to_string().as_str());
    let mut members = BTreeMap::from([
        ("length".to_owned(), Json::from(target.length)),
        ("hashes".to_owned(), Json::object([("sha256", sha256)])),
    ]);
    if let Some(release) = &target.release {
        members.insert("custom".to_owned(), release.to_json());
    }
    Json::Object(members)
}

fn parse_delegation(
    role: &Json,
    keys: &BTreeMap<String, PublicKey>,
) -> Result<Delegation, ParseError> {
    let patterns = role.items("paths", PATHS_MAX)?;
    let paths = patterns
        .iter()
        .map(|pattern| pattern.as_str().filter(|text| text.len() <= NAME_BYTES_MAX))
        .map(|pattern| pattern.map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| wrong("paths", "an array of patterns of at most 128 bytes"))?;
    let Json::Bool(terminating) = *role.require("terminating")? else {
        return Err(wrong("terminating", "a boolean").into());
    };
    let name = Name::parse(role.string("name")?)?;
    // Its file would be that of the top-level role; some file systems don't tell case apart (M22).
    let reserved = |role: &Role| name.as_str().eq_ignore_ascii_case(role.name());
    if Role::ALL.iter().any(reserved) {
        return Err(wrong("name", "a name other than those of the top-level roles").into());
    }
    Ok(Delegation {
        name,
        authority: Authority::parse(role, keys)?,
        paths,
        terminating,
    })
}

fn delegation_to_json(delegation: &Delegation) -> Json {
    let mut members = delegation.authority.members();
    members.insert("name".into(), Json::from(delegation.name.as_str()));
    members.insert("paths".into(), Json::strings(&delegation.paths));
    members.insert("terminating".into(), Json::Bool(delegation.terminating));
    Json::Object(members)
}

/// Matches one path segment; linear space, at most pattern × text steps.
fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut rest, mut tail) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest.split_first(), tail.split_first()) {
            (None, None) => return true,
            (Some((b'*', after)), _) => {
                retry = Some((after, tail));
                rest = after;
                continue;
            }
            (Some((wanted, after)), Some((byte, left)))
                if *byte != b'/' && (*wanted == b'?' || wanted == byte) =>
            {
                (rest, tail) = (after, left);
                continue;
            }
            _ => {}
        }
        // A `*` takes one more byte, never a `/`.
        match retry.and_then(|(after, from)| Some((after, from.split_first()?))) {
            Some((after, (byte, left))) if *byte != b'/' => {
                retry = Some((after, left));
                (rest, tail) = (after, left);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_per_segment() {
        for (pattern, name, expected) in [
            ("acme-cam-*", "acme-cam-1.2.bin", true),
            ("acme-cam-*", "acme-cam-", true),
            ("acme-cam-*", "acme-car-1", false),
            ("*", "a/b", false),
            ("*a*b", "xxaxxbxb", true),
            ("*a*b", "xxaxxbx", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                glob_matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern}"
            );
        }
    }
}
