//! The client workflow of TUF 1.0.34 section 5 as a pure state machine.
//!
//! [`Client::request`] says which file is wanted, [`Client::respond`] takes its bytes, verifies and
//! returns what is to be stored, byte for byte, in this order, before going on. When nothing more is
//! wanted, the repository is verified. The order of requests is the standard's: roots one by one until
//! one is missing, timestamp, snapshot, targets, then delegated roles: that of a product
//! ([`Client::for_product`]), those of all products ([`Client::for_all_products`]) or those that a search
//! for a path visits ([`Client::search`]).

mod delegated;
mod rules;
mod run;
mod stored;
mod workflow;

pub use delegated::Found;
pub use run::run;

use std::collections::BTreeMap;

use delegated::Walk;

use crate::envelope::{ParseError, Verified, VerifyError};
use crate::file_meta::FileMetaError;
use crate::instant::UtcTime;
use crate::name::Name;
use crate::product::{Product, ProductError};
use crate::root::Root;
use crate::snapshot::Snapshot;
use crate::targets::Targets;
use crate::timestamp::Timestamp;

/// Trusted metadata files as they were stored by earlier runs; `None` if never seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The newest trusted root, or root version 1 from the pin.
    pub root: Vec<u8>,
    /// The newest trusted timestamp.
    pub timestamp: Option<Vec<u8>>,
    /// The newest trusted snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// The newest trusted top-level targets.
    pub targets: Option<Vec<u8>>,
    /// The newest trusted delegated roles, by name.
    pub roles: BTreeMap<String, Vec<u8>>,
}

/// A file that the client wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// File name in the repository's metadata folder. Names of delegated roles are the publisher's
    /// choice: encode them before they become a path or a URL (threats M22).
    pub name: String,
    /// The most bytes that may be read.
    pub length_max: u64,
    /// Whether the file may be absent: true for the next root alone. "Absent" means that the source
    /// said so; a source that does not answer is an error of the source (crates.md section 6).
    pub optional: bool,
}

/// What the shell must do with its stored files, in this order, durably, before the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Replace the file (`root.json`, `<role>.json`) atomically with these bytes; encode the name.
    Store(String, Vec<u8>),
    /// Delete the file: its keys were rotated (fast-forward recovery, TUF 5.3.11).
    Delete(String),
}

/// Why the client stops. The trusted files stay as the effects up to now left them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct ClientError {
    /// The file at fault, as named in the repository.
    pub file: String,
    /// The rule it broke.
    pub reason: Reason,
}

/// The rules of the workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The repository does not hold a file it must hold.
    #[error("the repository does not have it")]
    Absent,
    /// More bytes than were asked for.
    #[error("longer than the {limit} bytes allowed")]
    TooLong {
        /// The limit that was given in the request.
        limit: u64,
    },
    /// Not well-formed.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// Signed by too few keys of its role.
    #[error(transparent)]
    Untrusted(#[from] VerifyError),
    /// Length or hash differ from what the signed reference says.
    #[error(transparent)]
    Content(#[from] FileMetaError),
    /// The version is not the one that was asked for, or that is referred to.
    #[error("version {actual}, expected {expected}")]
    Version {
        /// The version referred to.
        expected: u64,
        /// The version found.
        actual: u64,
    },
    /// Older than what this device has already trusted.
    #[error("version {offered} is older than the trusted version {trusted} (rollback)")]
    Rollback {
        /// The trusted version.
        trusted: u64,
        /// The offered version.
        offered: u64,
    },
    /// A role that the trusted snapshot lists is missing from the new one.
    #[error("the role {0} was dropped from the snapshot")]
    RoleDropped(String),
    /// Two validly signed files of one version differ.
    #[error("differs from the trusted file of the same version {0} (equivocation)")]
    Equivocation(u64),
    /// Expired.
    #[error("expired at {expires}, today is {} (stale or frozen source, or wrong clock)", now.to_string().get(..10).unwrap_or_default())]
    Expired {
        /// When it expired.
        expires: UtcTime,
        /// The time given.
        now: UtcTime,
    },
    /// More new roots than are followed in one run; run again to go on.
    #[error("more than {0} new roots in one run; the progress is stored, run again to go on")]
    TooManyRoots(u32),
    /// The top-level targets delegate nothing to the product.
    #[error("no delegation to the product {0}")]
    NotDelegated(Name),
    /// The roles of all products are wanted, and there are hash bins in their place.
    #[error("delegates to hash bins, not to products")]
    Bins,
    /// The role is not a product's.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// The client was given an answer without having asked, or was finished too early.
    #[error("the workflow is not at this step")]
    Order,
}

/// A verified repository, as seen for one product or for all.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The root in force.
    pub root: Verified<Root>,
    /// The newest timestamp.
    pub timestamp: Verified<Timestamp>,
    /// Its snapshot.
    pub snapshot: Verified<Snapshot>,
    /// The top-level targets.
    pub targets: Verified<Targets>,
    /// The products' roles by name: the one that was asked for, or all that there are.
    pub products: BTreeMap<String, Product>,
}

impl Repository {
    /// The role of a product.
    ///
    /// # Errors
    /// [`Reason::NotDelegated`] if it was not asked for, or there is none.
    pub fn product(&self, name: &Name) -> Result<&Product, ClientError> {
        let missing = || rules::at(workflow::TARGETS_FILE, Reason::NotDelegated(name.clone()));
        self.products.get(name.as_str()).ok_or_else(missing)
    }
}

/// The workflow between requests.
#[derive(Debug)]
pub struct Client {
    goal: Goal,
    now: UtcTime,
    step: Step,
    rotations: u32,
    stored: Stored,
    root: Verified<Root>,
    timestamp: Option<Verified<Timestamp>>,
    snapshot: Option<Verified<Snapshot>>,
    targets: Option<Verified<Targets>>,
    products: BTreeMap<String, Product>,
    /// The search under way, or the last one.
    walk: Walk,
    /// Why the run is over without a repository.
    failure: Option<ClientError>,
}

/// What is wanted beyond the top-level roles.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Goal {
    /// Nothing, until a search.
    Refresh,
    /// The role of this product.
    Product(Name),
    /// The role of every product.
    Products,
}

/// What is wanted next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Root,
    Timestamp,
    Snapshot,
    Targets,
    /// A delegated role and who delegates to it.
    Role(String, String),
    Done,
}

#[cfg(test)]
mod tests;
