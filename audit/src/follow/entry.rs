//! What an entry of a log is of.

use manifests::attestation::dsse::IN_TOTO;
use manifests::attestation::release::ReleaseStatement;
use manifests::attestation::statement::{RELEASE, SLSA_PROVENANCE, Statement, YANK};
use manifests::digest::Sha256;
use manifests::json;
use serde::Serialize;

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Said {
    /// That something is released.
    Release {
        /// The product.
        product: String,
        /// The version.
        version: String,
    },
    /// That a release is withdrawn.
    Withdrawal {
        /// The product.
        product: String,
        /// The version.
        version: String,
    },
    /// What something was built from.
    Provenance,
    /// A role of the repository.
    Role {
        /// `root`, `targets` or `snapshot`.
        role: String,
        /// Its version.
        version: u64,
    },
    /// Something else that was shown.
    Other,
}

/// What a signed content is, and the files that it speaks of.
pub(super) fn said(preimage: &[u8]) -> (Said, Vec<Sha256>) {
    let statement = payload(preimage).and_then(|payload| Statement::parse(payload).ok());
    let Some(statement) = statement else {
        return (role(preimage).unwrap_or(Said::Other), Vec::new());
    };
    let mut about: Vec<Sha256> = statement
        .subjects
        .iter()
        .map(|subject| subject.sha256)
        .collect();
    let release = ReleaseStatement::from_json(&statement.predicate);
    let said = match (statement.predicate_type.as_str(), release) {
        (RELEASE, Ok(release)) => {
            about.extend(release.sbom);
            Said::Release {
                product: release.product.to_string(),
                version: release.version,
            }
        }
        (YANK, Ok(release)) => Said::Withdrawal {
            product: release.product.to_string(),
            version: release.version,
        },
        (SLSA_PROVENANCE, _) => Said::Provenance,
        _ => Said::Other,
    };
    (said, about)
}

/// The payload within the encoding that DSSE signs.
fn payload(preimage: &[u8]) -> Option<&[u8]> {
    let head = format!("DSSEv1 {} {IN_TOTO} ", IN_TOTO.len());
    let rest = preimage.strip_prefix(head.as_bytes())?;
    let space = rest.iter().position(|byte| *byte == b' ')?;
    rest.get(space.checked_add(1)?..)
}

/// A document of the repository.
fn role(preimage: &[u8]) -> Option<Said> {
    let json = json::parse(preimage).ok()?;
    let signed = json.member("signed")?;
    Some(Said::Role {
        role: signed.string("_type").ok()?.to_owned(),
        version: signed.integer("version", 1).ok()?,
    })
}
