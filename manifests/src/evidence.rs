//! What a release has to show beyond its metadata: that its publisher said so in a log which witnesses watch, and what
//! is known of how it was built. Device and auditor run the same checks over the same bytes.
//!
//! * [`log_view`]: a log's newest checkpoint, and how the log has grown
//! * [`grade`]: how much is known of a build
//! * [`names`]: what the files are called
//! * [`pack`]: all of it in one file
//!
//! The metadata ([`crate::client`]) comes first: it names the image and the keys whose statements count.

pub mod grade;
pub mod log_view;
pub mod names;
pub mod pack;

use keys::PublicKey;
use tlog::checkpoint::Checkpoint;
use tlog::policy::{Accepted, Policy, Refusal};

use crate::attestation::bundle::{Bundle, BundleError};
use crate::attestation::dsse::{Envelope, IN_TOTO};
use crate::attestation::provenance::Provenance;
use crate::attestation::release::ReleaseStatement;
use crate::attestation::statement::{self, Statement};
use crate::digest::Sha256;
use crate::json::{Json, JsonError};
use crate::product::{Product, ProductTarget};
use crate::release::Release;

use log_view::{Inconsistent, LogView};

/// What is checked against: the image and its release as the signed metadata has them, and the policy.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The product's role.
    pub product: &'a Product,
    /// SHA-256 of the image.
    pub image: &'a Sha256,
    /// The release.
    pub release: &'a Release,
    /// Which log and which witnesses count.
    pub policy: &'a Policy,
    /// See [`Policy::accept`].
    pub latest: u64,
}

impl<'a> Expected<'a> {
    /// What a target has to show; `None` if it is no release.
    pub fn of(
        product: &'a Product,
        target: &'a ProductTarget,
        policy: &'a Policy,
        latest: u64,
    ) -> Option<Self> {
        Some(Self {
            product,
            image: &target.sha256,
            release: target.release.as_ref()?,
            policy,
            latest,
        })
    }
}

/// Why evidence shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The bundle is no good.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The role names no key that may say this.
    #[error("the product's role names no key for {0}")]
    NoKey(&'static str),
    /// The statement is malformed.
    #[error("statement: {0}")]
    Statement(#[from] JsonError),
    /// It is of another kind.
    #[error("the statement is of type {0}")]
    Kind(String),
    /// It speaks of another image.
    #[error("the statement is not about the image with SHA-256 {0}")]
    OtherImage(Sha256),
    /// It says something else than the metadata.
    #[error("the statement and the signed metadata say different things of the release")]
    Disagrees,
    /// What it says came before it came later.
    #[error("the release before it is entry {0} of the log, which is not before its own")]
    Order(u64),
    /// The builder isn't one of the product's.
    #[error("{0} is no builder of this product")]
    Builder(String),
    /// It built something else than the product's role expects of it.
    #[error("the builder may not build this product from {0}")]
    Unexpected(String),
    /// The statement of the release names another one.
    #[error("the release was published with another {0}")]
    Exchanged(&'static str),
    /// Built again from something else than the provenance names.
    #[error("the rebuild is of other sources than the provenance names")]
    OtherSources,
}

/// What was logged, and by which checkpoint that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The entry's number.
    pub index: u64,
    /// The checkpoint of its proof.
    pub accepted: Accepted,
}

impl Expected<'_> {
    /// The key that signs images and release statements.
    ///
    /// # Errors
    /// [`EvidenceError::NoKey`].
    pub fn release_key(&self) -> Result<&PublicKey, EvidenceError> {
        let key = self.product.statement_keys().release.as_ref();
        key.ok_or(EvidenceError::NoKey("statements of releases"))
    }

    /// Whether the publisher has signed the image, in the log.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check_image(&self, bundle: &Bundle) -> Result<Logged, EvidenceError> {
        let key = self.release_key()?;
        let accepted = bundle.verify_file(self.image, key, (self.policy, self.latest))?;
        Ok(logged(bundle, accepted))
    }

    /// Whether the publisher has said in the log that this is the release.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check_release(
        &self,
        bundle: &Bundle,
    ) -> Result<(ReleaseStatement, Logged), EvidenceError> {
        let key = self.release_key()?;
        let (statement, logged) = self.check_statement(bundle, key, statement::RELEASE)?;
        let said = ReleaseStatement::from_json(&statement.predicate)?;
        let version = self.product.header().version;
        // A statement is made before the metadata is signed, which may have changed since.
        let is_later = |stated: u64| stated > version;
        if !said.agrees_with(self.release) || said.metadata_version.is_some_and(is_later) {
            return Err(EvidenceError::Disagrees);
        }
        match said.previous {
            Some(previous) if previous >= logged.index => Err(EvidenceError::Order(previous)),
            _ => Ok((said, logged)),
        }
    }

    /// Whether a builder of the product has said in the log what it built the image from.
    ///
    /// * `said`: of the release, by the publisher: it names the provenance.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check_provenance(
        &self,
        bundle: &Bundle,
        said: &ReleaseStatement,
    ) -> Result<(Provenance, Logged), EvidenceError> {
        // Which key it has to be follows from the builder that the statement names: read before it is verified.
        let claimed = claimed_builder(bundle)?;
        let builder = self.product.statement_keys().builder(&claimed);
        let builder = builder.ok_or(EvidenceError::Builder(claimed))?;
        let checked = self.check_statement(bundle, &builder.key, statement::SLSA_PROVENANCE);
        let (statement, logged) = checked?;
        if said.provenance != digest(bundle) {
            return Err(EvidenceError::Exchanged("provenance"));
        }
        let provenance = Provenance::from_json(&statement.predicate)?;
        match builder.expects.unmet(&provenance) {
            Some(unmet) => Err(EvidenceError::Unexpected(unmet)),
            None => Ok((provenance, logged)),
        }
    }

    /// Whether the publisher has signed a list of components, in the log, that belongs to the release.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check_sbom(
        &self,
        bundle: &Bundle,
        sbom: &Sha256,
        said: &ReleaseStatement,
    ) -> Result<Logged, EvidenceError> {
        if said.sbom.as_ref() != Some(sbom) {
            return Err(EvidenceError::Exchanged("list of components"));
        }
        let key = self.release_key()?;
        let accepted = bundle.verify_file(sbom, key, (self.policy, self.latest))?;
        Ok(logged(bundle, accepted))
    }

    /// Whose rebuild came to the image: one of these keys.
    ///
    /// * `provenance`: that was checked: whoever built the same bytes from something else has confirmed nothing of it.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check_rebuild<'k>(
        &self,
        envelope: &Envelope,
        rebuilders: &'k [PublicKey],
        provenance: &Provenance,
    ) -> Result<&'k PublicKey, EvidenceError> {
        let signed = |key: &&PublicKey| envelope.verify(key).is_ok();
        let key = rebuilders.iter().find(signed);
        let key = key.ok_or(EvidenceError::NoKey("this rebuild"))?;
        let statement = Statement::parse(&envelope.payload)?;
        if envelope.payload_type != IN_TOTO || statement.predicate_type != statement::REBUILD {
            return Err(EvidenceError::Kind(statement.predicate_type));
        }
        if !statement.is_about(self.image) {
            return Err(EvidenceError::OtherImage(*self.image));
        }
        let rebuilt = statement.predicate.member("commit").and_then(Json::as_str);
        let built = provenance.source().map(|(_, commit)| commit);
        if rebuilt.is_none() || rebuilt != built {
            return Err(EvidenceError::OtherSources);
        }
        Ok(key)
    }

    /// A statement about the image, by a key, in the log.
    fn check_statement(
        &self,
        bundle: &Bundle,
        key: &PublicKey,
        kind: &str,
    ) -> Result<(Statement, Logged), EvidenceError> {
        let (envelope, accepted) = bundle.verify_envelope(key, (self.policy, self.latest))?;
        if envelope.payload_type != IN_TOTO {
            return Err(EvidenceError::Kind(envelope.payload_type.clone()));
        }
        let statement = Statement::parse(&envelope.payload)?;
        if statement.predicate_type != kind {
            return Err(EvidenceError::Kind(statement.predicate_type));
        }
        if !statement.is_about(self.image) {
            return Err(EvidenceError::OtherImage(*self.image));
        }
        Ok((statement, logged(bundle, accepted)))
    }
}

/// Whether a log's newest checkpoint counts, continues what was seen before, and holds what evidence showed.
///
/// * `latest`: see [`Policy::accept`].
/// * `seen`: the newest checkpoint that was accepted before.
/// * `shown`: checkpoints of evidence.
///
/// # Errors
/// [`LogError`].
pub fn check_log<'a>(
    view: &LogView,
    (policy, latest): (&Policy, u64),
    seen: Option<&'a Checkpoint>,
    shown: impl IntoIterator<Item = &'a Checkpoint>,
) -> Result<Accepted, LogError> {
    let accepted = policy.accept(&view.checkpoint, latest)?;
    let newest = &accepted.checkpoint;
    let earlier = seen.into_iter().chain(shown);
    for earlier in earlier {
        // Of several logs one is followed: evidence in another would be of a history that nobody compares.
        if earlier.origin != newest.origin {
            let (before, now) = (earlier.origin.clone(), newest.origin.clone());
            return Err(LogError::OtherLog(before, now));
        }
        view.check(earlier, newest)?;
    }
    Ok(accepted)
}

/// Why a log's newest checkpoint isn't taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The policy doesn't accept it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is of another log than what was seen or shown.
    #[error("the checkpoint is of the log {1}, what was seen or shown of {0}")]
    OtherLog(String, String),
    /// It doesn't continue what was seen.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistent),
}

fn logged(bundle: &Bundle, accepted: Accepted) -> Logged {
    Logged {
        index: bundle.proof.index,
        accepted,
    }
}

/// The digest of what a bundle's statement signs.
fn digest(bundle: &Bundle) -> Option<Sha256> {
    bundle.envelope().map(Envelope::digest)
}

/// The builder that a statement names; nobody has verified it.
fn claimed_builder(bundle: &Bundle) -> Result<String, EvidenceError> {
    let envelope = bundle
        .envelope()
        .ok_or_else(|| EvidenceError::Kind("a signature of a file".to_owned()))?;
    let statement = Statement::parse(&envelope.payload)?;
    Ok(Provenance::from_json(&statement.predicate)?.builder)
}

#[cfg(test)]
mod tests;
