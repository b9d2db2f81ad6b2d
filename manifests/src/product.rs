//! The delegated role of one product, as our devices read it: flat names, SHA-256 alone, releases.

use std::collections::{BTreeMap, BTreeSet};

use keys::RoleKey;

use crate::delegations::Delegation;
use crate::digest::Sha256;
use crate::envelope::{Metadata as _, ParseError, Verified};
use crate::hashes::Hashes;
use crate::header::Header;
use crate::json::wrong;
use crate::name::Name;
use crate::release::Release;
use crate::statement_keys::StatementKeys;
use crate::targets::{Target, Targets};

/// A file of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductTarget {
    /// Bytes, at least 1.
    pub length: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// The release, for targets that are images of ours.
    pub release: Option<Release>,
}

/// A verified product role: every target in it is allowed by the delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    header: Header,
    targets: BTreeMap<Name, ProductTarget>,
    signers: BTreeSet<RoleKey>,
    statement_keys: StatementKeys,
}

/// Why a role that is validly signed is not a product's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// A name, hash or release is malformed.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// A name that the role may not publish.
    #[error("the role may not publish {0}")]
    NotAllowed(Name),
}

impl ProductTarget {
    /// As it stands in metadata.
    pub fn to_target(&self) -> Target {
        Target {
            length: self.length,
            hashes: Hashes::of_sha256(self.sha256),
            custom: self.release.as_ref().map(Release::to_json),
        }
    }

    fn parse(target: &Target) -> Result<Self, ParseError> {
        if target.length == 0 {
            return Err(wrong("length", "at least 1").into());
        }
        let release = target.custom.as_ref();
        let release = release.filter(|custom| custom.member("release").is_some());
        let release = release.map(|custom| Release::parse(custom, target.length));
        Ok(Self {
            length: target.length,
            sha256: target.hashes.sha256_alone()?,
            release: release.transpose()?,
        })
    }
}

impl Product {
    /// Reads a role that was verified against `delegation`.
    ///
    /// # Errors
    /// [`ProductError`] naming the member or the target.
    pub fn of(role: &Verified<Targets>, delegation: &Delegation) -> Result<Self, ProductError> {
        let mut targets = BTreeMap::new();
        for (path, target) in role.targets() {
            let name = Name::parse(path).map_err(ParseError::from)?;
            if !delegation.matches(path) {
                return Err(ProductError::NotAllowed(name));
            }
            targets.insert(name, ProductTarget::parse(target)?);
        }
        Ok(Self {
            header: *role.header(),
            targets,
            signers: role.signers().clone(),
            statement_keys: role.statement_keys().clone(),
        })
    }

    /// Version and expiry.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its files by name.
    pub fn targets(&self) -> &BTreeMap<Name, ProductTarget> {
        &self.targets
    }

    /// The releases among its files.
    pub fn releases(&self) -> impl Iterator<Item = &Release> {
        let targets = self.targets.values();
        targets.filter_map(|target| target.release.as_ref())
    }

    /// The release with the highest counter.
    pub fn newest(&self) -> Option<(&Name, &Release)> {
        let releases = self.targets.iter();
        let releases = releases.filter_map(|(name, target)| Some((name, target.release.as_ref()?)));
        releases.max_by_key(|(_, release)| release.release)
    }

    /// Whose statements of its releases count.
    pub fn statement_keys(&self) -> &StatementKeys {
        &self.statement_keys
    }

    /// The keys whose signatures are valid.
    pub fn signers(&self) -> &BTreeSet<RoleKey> {
        &self.signers
    }
}
