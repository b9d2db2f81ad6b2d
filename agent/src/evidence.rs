//! What a release has to show before it is installed: that its publisher said so in the log which the pin's witnesses
//! watch, that the log has only grown since the device last looked, and what the pin demands of the build.

mod log;
mod others;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::attestation::bundle::Bundle;
use manifests::attestation::dsse::Envelope;
use manifests::attestation::provenance::Provenance;
use manifests::attestation::release::ReleaseStatement;
use manifests::digest::Sha256;
use manifests::evidence::grade::Grade;
use manifests::evidence::{EvidenceError, Expected, names};
use manifests::json;
use manifests::limits::BUNDLE_BYTES_MAX;
use manifests::name::Name;
use manifests::product::{Product, ProductTarget};
use manifests::release::Release;
use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::policy::{Policy, Refusal};

use crate::device::Device;
use crate::source::Sources;
use crate::source::metadata::{Checked, refuse};
use crate::source::shelf::Shelf;
use crate::trust::seen::Stated;

/// Looks at the log if the pin demands one: a source that is frozen or shows this device another history is found out
/// even while it has nothing to install.
///
/// # Errors
/// [`CliError`], as for [`demand`].
pub async fn look<'a>(
    device: &mut Device,
    sources: &'a Sources,
    checked: &'a Checked,
) -> Result<Option<Case<'a>>, CliError> {
    let Some(policy) = log::policy(device)? else {
        return Ok(None);
    };
    let product = checked.repository.product(&device.pin.product);
    let mut case = Case {
        shelf: checked.shelf(sources),
        product: product.map_err(|error| refuse(&error))?,
        policy,
        latest: log::latest(device)?,
    };
    case.follow_log(device, sources).await?;
    Ok(Some(case))
}

/// Refuses a release that doesn't show what the pin demands; without demands every release does.
///
/// # Errors
/// [`CliError`]: [`Exit::Quorum`] if too few witnesses have cosigned, [`Exit::Equivocation`] if the log shows two
/// histories, [`Exit::Stale`] if the newest cosignatures are old, [`Exit::Undecided`] if evidence isn't there.
pub async fn demand(
    device: &mut Device,
    sources: &Sources,
    checked: &Checked,
    release: &Release,
) -> Result<(), CliError> {
    let Some(case) = look(device, sources, checked).await? else {
        return Ok(());
    };
    let (name, target) = target_of(case.product, release)?;
    let (shown, stated) = case.check_release(device, (name, target, release)).await?;
    let seen = device.trust.seen().checkpoint(&case.policy)?;
    let seen = seen.ok_or_else(|| missing("the log's newest checkpoint"))?;
    // The checkpoint of each proof is one that the newest begins with.
    drop(case.follow(device, sources, &shown, Some(&seen)).await?);
    device.trust.seen().store_stated(&stated)?;
    device.record(
        "evidence",
        json!({ "release": release.release, "log": seen.origin,
        "size": seen.size, "root": seen.root.to_string() }),
    )
}

fn target_of<'a>(
    product: &'a Product,
    release: &Release,
) -> Result<(&'a Name, &'a ProductTarget), CliError> {
    let mut targets = product.targets().iter();
    let found = targets.find(|(_, target)| target.release.as_ref() == Some(release));
    found.ok_or_else(|| CliError::new(Exit::No, "the release is no target"))
}

/// One look at the log and at a release's evidence.
#[derive(Debug)]
pub struct Case<'a> {
    shelf: Shelf<'a>,
    product: &'a Product,
    policy: Policy,
    latest: u64,
}

impl Case<'_> {
    /// Whether the release shows what the pin demands; the checkpoints of its proofs, and where it is stated.
    async fn check_release(
        &self,
        device: &Device,
        (name, target, release): (&Name, &ProductTarget, &Release),
    ) -> Result<(Vec<Checkpoint>, Stated), CliError> {
        let demands = &device.pin.requirements;
        let expected = Expected {
            product: self.product,
            image: &target.sha256,
            release,
            policy: &self.policy,
            latest: self.latest,
        };
        let bundle = self
            .bundle(&target.sha256, name.as_str(), names::RELEASE)
            .await?;
        let bundle = bundle.ok_or_else(|| missing("the statement of the release"))?;
        let said = expected
            .check_release(&bundle)
            .map_err(|error| refused(&error))?;
        let (said, logged) = said;
        let stated = Stated {
            origin: logged.accepted.checkpoint.origin.clone(),
            release: release.release,
            index: logged.index,
        };
        check_order(&stated, device.trust.seen().stated()?.as_ref())?;
        let mut shown = vec![logged.accepted.checkpoint];
        let mut built = None;
        if demands.grade >= Grade::B1 || demands.rebuilds > 0 {
            let bundle = self
                .bundle(&target.sha256, name.as_str(), names::PROVENANCE)
                .await?;
            let bundle = bundle.ok_or_else(|| missing("provenance of the build"))?;
            let checked = expected.check_provenance(&bundle, &said);
            let (provenance, logged) = checked.map_err(|error| refused(&error))?;
            shown.push(logged.accepted.checkpoint);
            built = Some(provenance);
        }
        if demands.sbom {
            shown.push(self.check_sbom(&expected, name, &said).await?);
        }
        if let Some(built) = built {
            self.check_rebuilds(device, (&expected, &built), name)
                .await?;
        }
        Ok((shown, stated))
    }

    async fn check_sbom(
        &self,
        expected: &Expected<'_>,
        name: &Name,
        said: &ReleaseStatement,
    ) -> Result<Checkpoint, CliError> {
        let sbom = said.sbom.ok_or_else(|| missing("a list of components"))?;
        let bundle = self
            .bundle(expected.image, name.as_str(), names::SBOM)
            .await?;
        let bundle = bundle.ok_or_else(|| missing("the list of components' proof"))?;
        let logged = expected.check_sbom(&bundle, &sbom, said);
        Ok(logged.map_err(|error| refused(&error))?.accepted.checkpoint)
    }

    /// Counts rebuilders by their keys: what one says twice counts once.
    async fn check_rebuilds(
        &self,
        device: &Device,
        (expected, built): (&Expected<'_>, &Provenance),
        name: &Name,
    ) -> Result<(), CliError> {
        let demands = &device.pin.requirements;
        let mut found = std::collections::BTreeSet::new();
        for file in names::REBUILDS {
            if u64::try_from(found.len()).unwrap_or(u64::MAX) >= demands.rebuilds {
                return Ok(());
            }
            let bytes = self.file(expected.image, name.as_str(), file).await?;
            let Some(bytes) = bytes else { continue };
            let envelope = json::parse(&bytes).and_then(|json| Envelope::from_json(&json));
            let envelope = envelope.context(Exit::No, file)?;
            // One by a stranger is no reason to refuse what others have shown.
            if let Ok(key) = expected.check_rebuild(&envelope, &demands.rebuilders, built) {
                found.insert(key);
            }
        }
        if u64::try_from(found.len()).unwrap_or(u64::MAX) >= demands.rebuilds {
            return Ok(());
        }
        let message = format!("{} of {} rebuilds are shown", found.len(), demands.rebuilds);
        Err(CliError::new(Exit::Undecided, message).hint("wait until they are published"))
    }

    async fn bundle(
        &self,
        image: &Sha256,
        subject: &str,
        file: &str,
    ) -> Result<Option<Bundle>, CliError> {
        let bytes = self.file(image, subject, file).await?;
        let bundle = bytes.map(|bytes| Bundle::parse(&bytes)).transpose();
        bundle.map_err(|error| refused(&error.into()))
    }

    async fn file(
        &self,
        image: &Sha256,
        subject: &str,
        file: &str,
    ) -> Result<Option<Vec<u8>>, CliError> {
        let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
        self.shelf.file(image, subject, file, limit).await
    }
}

/// In a log that only grows, a later release is stated later.
fn check_order(stated: &Stated, before: Option<&Stated>) -> Result<(), CliError> {
    let before = before.filter(|before| before.origin == stated.origin);
    let Some(before) = before else {
        return Ok(());
    };
    if stated.release <= before.release || stated.index > before.index {
        return Ok(());
    }
    let message = format!(
        "refused: release {} is entry {} of the log, before release {}, entry {} (rollback)",
        stated.release, stated.index, before.release, before.index
    );
    Err(CliError::new(Exit::Rollback, message)
        .hint("the publisher's metadata and its log disagree"))
}

fn missing(what: &str) -> CliError {
    CliError::new(Exit::Undecided, format_args!("{what} is not there"))
        .hint("the pin demands it; the source is incomplete, or the publisher keeps no log")
}

fn refused(error: &EvidenceError) -> CliError {
    use manifests::attestation::bundle::BundleError;
    use tlog::log_proof::NotLogged;
    let quorum = matches!(
        error,
        EvidenceError::Bundle(BundleError::NotLogged(NotLogged::Refused(Refusal::Quorum(
            _
        ))))
    );
    let exit = if quorum { Exit::Quorum } else { Exit::No };
    CliError::new(exit, format_args!("refused: {error}"))
        .hint("the source is damaged or hostile; use another")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(origin: &str, release: u64, index: u64) -> Stated {
        Stated {
            origin: origin.to_owned(),
            release,
            index,
        }
    }

    /// provenance.md 4.6, "rollback": the number in the log grows with the release.
    #[test]
    fn later_release_that_was_stated_before_is_refused() {
        let before = stated("log.example", 7, 40);
        let check =
            |release, index| check_order(&stated("log.example", release, index), Some(&before));
        assert!(check(8, 41).is_ok() && check(7, 40).is_ok());
        // Stated again, and one that was withdrawn meanwhile: whether it may be installed is decided elsewhere.
        assert!(check(7, 44).is_ok() && check(6, 30).is_ok());
        for index in [40, 39, 0] {
            let error = check(8, index).unwrap_err();
            assert_eq!(error.exit, Exit::Rollback, "{error}");
        }
        assert!(check_order(&stated("other.example", 8, 1), Some(&before)).is_ok());
        assert!(check_order(&stated("log.example", 8, 1), None).is_ok());
    }
}
