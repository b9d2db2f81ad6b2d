//! The root role: which keys sign which role (TUF 1.0.34 section 4.3).

use std::collections::BTreeMap;

use keys::{PublicKey, RoleKey};

use crate::envelope::{
    Authority, Envelope, Metadata, ParseError, Verified, VerifyError, keys_to_json, parse_keys,
};
use crate::header::Header;
use crate::json::{Json, JsonError, wrong};

/// Member of version 1 that names the publisher's account key (33-byte SEC1, hex). It lies in the
/// signed part; TUF clients keep unknown members.
/// The member of ours that names the account which signs release heads, 66 hex digits.
pub const ACCOUNT: &str = "x-streembit-account";

/// The top-level roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Signs roots.
    Root,
    /// Signs `snapshot.json`.
    Snapshot,
    /// Signs `targets.json`.
    Targets,
    /// Signs `timestamp.json`.
    Timestamp,
}

impl Role {
    /// All four, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Root, Self::Snapshot, Self::Targets, Self::Timestamp];

    /// The role's name in metadata and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Timestamp => "timestamp",
        }
    }
}

/// Root metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    header: Header,
    root: Authority,
    snapshot: Authority,
    targets: Authority,
    timestamp: Authority,
    consistent_snapshot: bool,
    account: Option<PublicKey>,
}

impl Root {
    /// Builds a root from its parts; consistent snapshots are always on.
    ///
    /// # Errors
    /// [`JsonError`] if a role is missing.
    pub fn new(
        header: Header,
        mut roles: BTreeMap<Role, Authority>,
        account: Option<PublicKey>,
    ) -> Result<Self, JsonError> {
        let mut take = |role: Role| {
            roles
                .remove(&role)
                .ok_or_else(|| JsonError::Missing(role.name()))
        };
        Ok(Self {
            header,
            root: take(Role::Root)?,
            snapshot: take(Role::Snapshot)?,
            targets: take(Role::Targets)?,
            timestamp: take(Role::Timestamp)?,
            consistent_snapshot: true,
            account,
        })
    }

    /// The keys and threshold of a role.
    pub fn role(&self, role: Role) -> &Authority {
        match role {
            Role::Root => &self.root,
            Role::Snapshot => &self.snapshot,
            Role::Targets => &self.targets,
            Role::Timestamp => &self.timestamp,
        }
    }

    /// Whether file names carry versions and hashes (TUF section 6.2).
    pub fn consistent_snapshot(&self) -> bool {
        self.consistent_snapshot
    }

    /// The publisher's account key, in version 1 of our publishers.
    pub fn account(&self) -> Option<&PublicKey> {
        self.account.as_ref()
    }

    /// Encodes the signed part.
    pub fn to_signed(&self) -> Json {
        let authorities = [&self.root, &self.snapshot, &self.targets, &self.timestamp];
        let keys: BTreeMap<&String, &RoleKey> =
            authorities.iter().flat_map(|role| role.keys()).collect();
        let roles = Role::ALL
            .iter()
            .map(|role| (role.name().to_owned(), self.role(*role).to_json()));
        let mut members: BTreeMap<String, Json> = self
            .header
            .members(Self::KIND)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        members.insert(
            "consistent_snapshot".into(),
            Json::Bool(self.consistent_snapshot),
        );
        members.insert("keys".into(), keys_to_json(keys));
        members.insert("roles".into(), Json::Object(roles.collect()));
        if let Some(account) = &self.account {
            members.insert(ACCOUNT.into(), Json::from(account.to_hex().as_str()));
        }
        Json::Object(members)
    }
}

impl Metadata for Root {
    const KIND: &'static str = "root";

    fn from_signed(signed: &Json) -> Result<Self, ParseError> {
        let header = Header::parse(signed, Self::KIND)?;
        let keys = parse_keys(signed)?;
        let roles = signed.require("roles")?;
        let mut authorities = BTreeMap::new();
        for role in Role::ALL {
            authorities.insert(role, Authority::parse(roles.require(role.name())?, &keys)?);
        }
        let mut root = Self::new(header, authorities, parse_account(signed)?)?;
        root.consistent_snapshot = match signed.member("consistent_snapshot") {
            None => false,
            Some(Json::Bool(flag)) => *flag,
            Some(_) => return Err(wrong("consistent_snapshot", "a boolean").into()),
        };
        Ok(root)
    }

    fn header(&self) -> &Header {
        &self.header
    }
}

impl Envelope<Root> {
    /// Verifies a root by its own keys, for a root that is trusted by its bytes (a pin).
    ///
    /// # Errors
    /// [`VerifyError`] if the root is not signed by its own threshold.
    pub fn verify_self(self) -> Result<Verified<Root>, VerifyError> {
        let own = self.unverified().root.clone();
        self.verify(&own)
    }

    /// Verifies a root that follows a trusted one: signed by the threshold of both (TUF 5.3.4).
    ///
    /// # Errors
    /// [`VerifyError`] if either threshold is not met.
    pub fn verify_successor(self, trusted: &Root) -> Result<Verified<Root>, VerifyError> {
        let by_old = self.clone().verify(&trusted.root)?;
        Ok(self.verify_self()?.with_signers(by_old.signers()))
    }
}

fn parse_account(signed: &Json) -> Result<Option<PublicKey>, ParseError> {
    if signed.member(ACCOUNT).is_none() {
        return Ok(None);
    }
    let text = signed.string(ACCOUNT)?;
    let key = PublicKey::from_p256_hex(text)
        .map_err(|_| wrong(ACCOUNT, "66 hex digits of a P-256 public key"))?;
    Ok(Some(key))
}
