//! Who may publish what (TUF 1.0.34 section 4.5): roles by path patterns or path hashes, and hash bins
//! (TAP 15).

use std::collections::{BTreeMap, BTreeSet};

use keys::RoleKey;

use crate::digest::Sha256;
use crate::envelope::{Authority, ParseError, keys_to_json, parse_keys};
use crate::json::{Json, wrong};
use crate::limits::{
    DELEGATIONS_MAX, HASH_PREFIXES_MAX, PATH_BYTES_MAX, PATHS_MAX, ROLE_BYTES_MAX,
};
use crate::root::Role;

mod pattern;

/// A role that may publish the paths of its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The role's name.
    pub name: String,
    /// Its keys and threshold.
    pub authority: Authority,
    /// What it may publish.
    pub scope: Scope,
    /// Whether the search for a matching path ends here.
    pub terminating: bool,
}

/// What a role may publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Paths by patterns, segment by segment: `*` stands for any characters, `?` for one, neither for
    /// `/`.
    Paths(Vec<String>),
    /// Paths whose SHA-256 in hex starts so.
    HashPrefixes(Vec<String>),
}

/// Delegation to 2^n bins by the first n bits of the path's SHA-256 (TAP 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccinctRoles {
    authority: Authority,
    /// 1 to 32.
    bit_length: u32,
    name_prefix: String,
}

/// The delegations of one targets role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegations {
    /// Roles in order of priority; none if nothing is delegated.
    Roles(Vec<Delegation>),
    /// Hash bins.
    Succinct(SuccinctRoles),
}

impl Default for Delegations {
    fn default() -> Self {
        Self::Roles(Vec::new())
    }
}

impl Delegation {
    /// Says whether the role may publish `path`.
    pub fn matches(&self, path: &str) -> bool {
        match &self.scope {
            Scope::Paths(patterns) => {
                let mut patterns = patterns.iter();
                patterns.any(|it| pattern::matches(it.as_bytes(), path.as_bytes()))
            }
            Scope::HashPrefixes(prefixes) => {
                let hash = Sha256::of(path.as_bytes()).to_string();
                prefixes.iter().any(|prefix| hash.starts_with(prefix))
            }
        }
    }

    fn parse(role: &Json, keys: &BTreeMap<String, RoleKey>) -> Result<Self, ParseError> {
        let Json::Bool(terminating) = *role.require("terminating")? else {
            return Err(wrong("terminating", "a boolean").into());
        };
        let name = role_name(role.string("name")?)?;
        // Its file would be that of the top-level role; some file systems don't tell case apart (M22).
        let reserved = |role: &Role| name.eq_ignore_ascii_case(role.name());
        if Role::ALL.iter().any(reserved) {
            return Err(wrong("name", "a name other than those of the top-level roles").into());
        }
        let texts = |member: &'static str, max| {
            let items = role.items(member, max)?.iter();
            let text = |item: &Json| {
                let text = item.as_str().filter(|text| text.len() <= PATH_BYTES_MAX);
                text.map(str::to_owned)
            };
            let texts: Option<Vec<String>> = items.map(text).collect();
            texts.ok_or_else(|| wrong(member, "an array of texts of at most 1024 bytes"))
        };
        let scope = match (role.member("paths"), role.member("path_hash_prefixes")) {
            (Some(_), None) => {
                let patterns = texts("paths", PATHS_MAX)?;
                // A set for glob(7), itself for TUF 4.5: readers differ, and a terminating role that
                // one of them passes over leaves the path to a lesser one (threats M21).
                if patterns.iter().any(|pattern| pattern.contains('[')) {
                    return Err(wrong("paths", "patterns of `*` and `?` without `[`").into());
                }
                Scope::Paths(patterns)
            }
            (None, Some(_)) => Scope::HashPrefixes(texts("path_hash_prefixes", HASH_PREFIXES_MAX)?),
            _ => return Err(wrong("paths", "one of `paths` and `path_hash_prefixes`").into()),
        };
        Ok(Self {
            authority: Authority::parse(role, keys)?,
            name,
            scope,
            terminating,
        })
    }

    fn to_json(&self) -> Json {
        let mut members = self.authority.members();
        members.insert("name".into(), Json::from(self.name.as_str()));
        let (member, texts) = match &self.scope {
            Scope::Paths(patterns) => ("paths", patterns),
            Scope::HashPrefixes(prefixes) => ("path_hash_prefixes", prefixes),
        };
        members.insert(member.into(), Json::strings(texts));
        members.insert("terminating".into(), Json::Bool(self.terminating));
        Json::Object(members)
    }
}

impl SuccinctRoles {
    /// Makes bins; `bit_length` is 1 to 32.
    ///
    /// # Errors
    /// [`ParseError`] for another number of bits or an odd name.
    pub fn new(
        authority: Authority,
        bit_length: u32,
        name_prefix: &str,
    ) -> Result<Self, ParseError> {
        if !(1..=32).contains(&bit_length) {
            return Err(wrong("bit_length", "1 to 32").into());
        }
        Ok(Self {
            authority,
            bit_length,
            name_prefix: role_name(name_prefix)?,
        })
    }

    /// The bin of `path`: the prefix, `-`, and the bits in hex, as many digits as the last bin has.
    pub fn role_of(&self, path: &str) -> String {
        let digest = Sha256::of(path.as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        let shift = u32::BITS.saturating_sub(self.bit_length);
        let bin = u32::from_be_bytes([a, b, c, d])
            .checked_shr(shift)
            .unwrap_or(0);
        let digits = usize::try_from(self.bit_length.div_ceil(4)).unwrap_or(8);
        format!("{}-{bin:0digits$x}", self.name_prefix)
    }

    /// Whether `role` is one of the bins.
    pub fn is_bin(&self, role: &str) -> bool {
        let digits = usize::try_from(self.bit_length.div_ceil(4)).unwrap_or(8);
        let bin = role
            .strip_prefix(&self.name_prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .filter(|bin| bin.len() == digits && !bin.bytes().any(|byte| !is_lower_hex(byte)))
            .and_then(|bin| u64::from_str_radix(bin, 16).ok());
        bin.is_some_and(|bin| bin.checked_shr(self.bit_length) == Some(0))
    }
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn role_name(name: &str) -> Result<String, ParseError> {
    if name.is_empty() || name.len() > ROLE_BYTES_MAX {
        return Err(wrong("name", "1 to 256 bytes").into());
    }
    Ok(name.to_owned())
}

impl Delegations {
    /// Reads the member `delegations` of a targets role, which may be absent.
    ///
    /// # Errors
    /// [`ParseError`] naming the member.
    pub fn parse(signed: &Json) -> Result<Self, ParseError> {
        let Some(parent) = signed.member("delegations") else {
            return Ok(Self::default());
        };
        let keys = parse_keys(parent)?;
        match (parent.member("roles"), parent.member("succinct_roles")) {
            (Some(_), None) => {
                let mut names = BTreeSet::new();
                let mut roles = Vec::new();
                for role in parent.items("roles", DELEGATIONS_MAX)? {
                    let delegation = Delegation::parse(role, &keys)?;
                    if !names.insert(delegation.name.clone()) {
                        let rule = "an array of roles with distinct names";
                        return Err(wrong("roles", rule).into());
                    }
                    roles.push(delegation);
                }
                Ok(Self::Roles(roles))
            }
            (None, Some(bins)) => {
                let bits = u32::try_from(bins.integer("bit_length", 1)?).unwrap_or(u32::MAX);
                let authority = Authority::parse(bins, &keys)?;
                SuccinctRoles::new(authority, bits, bins.string("name_prefix")?).map(Self::Succinct)
            }
            _ => Err(wrong("delegations", "one of `roles` and `succinct_roles`").into()),
        }
    }

    /// Whether nothing is delegated.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Roles(roles) if roles.is_empty())
    }

    /// The delegation to `name` where roles are listed one by one.
    pub fn role(&self, name: &str) -> Option<&Delegation> {
        match self {
            Self::Roles(roles) => roles.iter().find(|role| role.name == name),
            Self::Succinct(_) => None,
        }
    }

    /// The keys and threshold of the delegated role `name`.
    pub fn authority(&self, name: &str) -> Option<&Authority> {
        match self {
            Self::Roles(_) => self.role(name).map(|role| &role.authority),
            Self::Succinct(bins) => bins.is_bin(name).then_some(&bins.authority),
        }
    }

    /// The roles to ask for `path`, in order, and whether the search ends with the last of them.
    pub fn roles_for(&self, path: &str) -> (Vec<String>, bool) {
        match self {
            Self::Roles(roles) => {
                let mut found = Vec::new();
                for role in roles.iter().filter(|role| role.matches(path)) {
                    found.push(role.name.clone());
                    if role.terminating {
                        return (found, true);
                    }
                }
                (found, false)
            }
            Self::Succinct(bins) => (vec![bins.role_of(path)], true),
        }
    }

    /// Encodes as the member `delegations`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Roles(roles) => {
                let keys: BTreeMap<&String, &RoleKey> = roles
                    .iter()
                    .flat_map(|role| role.authority.keys())
                    .collect();
                let roles = roles.iter().map(Delegation::to_json).collect();
                Json::object([("keys", keys_to_json(keys)), ("roles", Json::Array(roles))])
            }
            Self::Succinct(bins) => {
                let mut members = bins.authority.members();
                members.insert("bit_length".into(), Json::from(u64::from(bins.bit_length)));
                members.insert("name_prefix".into(), Json::from(bins.name_prefix.as_str()));
                let keys = keys_to_json(bins.authority.keys());
                Json::object([("keys", keys), ("succinct_roles", Json::Object(members))])
            }
        }
    }
}

#[cfg(test)]
mod tests;
