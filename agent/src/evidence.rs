//! What a release has to show before it is installed: that its publisher said so in the log which the pin's witnesses
//! watch, that the log has only grown since the device last looked, and what the pin demands of the build.

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::attestation::bundle::Bundle;
use manifests::attestation::dsse::Envelope;
use manifests::attestation::release::ReleaseStatement;
use manifests::digest::Sha256;
use manifests::evidence::grade::Grade;
use manifests::evidence::log_view::{Inconsistent, LogView};
use manifests::evidence::{EvidenceError, Expected, LogError, check_log, names};
use manifests::json;
use manifests::limits::{BUNDLE_BYTES_MAX, LOG_VIEW_BYTES_MAX};
use manifests::name::Name;
use manifests::product::{Product, ProductTarget};
use manifests::release::Release;
use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::limits::POLICY_BYTES_MAX;
use tlog::policy::{Accepted, Policy, Refusal};
use tlog::split_view::{Prefix, SplitView};

use crate::device::Device;
use crate::source::Sources;
use crate::source::metadata::{Checked, refuse};
use crate::source::shelf::Shelf;
use crate::trust::seen::{Adopted, Seen};

/// How far the clocks of witnesses may be ahead of ours.
const CLOCK_SKEW_S: u64 = 300;

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
    let Some(policy) = policy(device)? else {
        return Ok(());
    };
    let product = checked.repository.product(&device.pin.product);
    let product = product.map_err(|error| refuse(&error))?;
    let mut case = Case {
        shelf: checked.shelf(sources),
        product,
        policy,
        latest: latest(device)?,
    };
    case.follow_log(device, sources).await?;
    let (name, target) = target_of(product, release)?;
    let shown = case.check_release(device, (name, target, release)).await?;
    let seen = device.trust.seen().checkpoint(&case.policy)?;
    let seen = seen.ok_or_else(|| missing("the log's newest checkpoint"))?;
    // The checkpoint of each proof is one that the newest begins with.
    case.follow(device, sources, &shown, Some(&seen)).await?;
    device.record(
        "evidence",
        json!({ "release": release.release, "log": seen.origin,
        "size": seen.size, "root": seen.root.to_string() }),
    )
}

/// The policy in force: the pin's, or the one that a signed change under it has brought.
fn policy(device: &Device) -> Result<Option<Policy>, CliError> {
    if device.pin.requirements.log_policy.is_none() {
        return Ok(None);
    }
    let newer = device.trust.seen().policy()?.map(|adopted| adopted.policy);
    let text = newer.or_else(|| device.pin.requirements.log_policy.clone());
    let policy = text.map(|text| text.parse()).transpose();
    policy.context(Exit::Usage, "log policy")
}

/// Cosignatures later than this count for nothing.
fn latest(device: &Device) -> Result<u64, CliError> {
    let clock = device.clock()?;
    Ok(if clock.is_wrong() {
        u64::MAX
    } else {
        clock.now().saturating_add(CLOCK_SKEW_S)
    })
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
struct Case<'a> {
    shelf: Shelf<'a>,
    product: &'a Product,
    policy: Policy,
    latest: u64,
}

impl Case<'_> {
    /// Takes the log's newest checkpoint, and a changed policy before it.
    async fn follow_log(&mut self, device: &mut Device, sources: &Sources) -> Result<(), CliError> {
        let name = names::policy_target(device.pin.product.as_str());
        let target = Name::parse(&name).ok();
        let target = target.and_then(|name| self.product.targets().get(&name));
        if let Some(target) = target {
            self.change_policy(device, &target.sha256).await?;
        }
        let before = device.trust.seen().checkpoint(&self.policy)?;
        self.follow(device, sources, &[], before.as_ref()).await
    }

    /// A policy changes by a target of the product. Those between the one in force and that target are believed only
    /// if they lead to it, each logged under the one before.
    async fn change_policy(&mut self, device: &mut Device, to: &Sha256) -> Result<(), CliError> {
        let in_force = device.trust.seen().policy()?;
        let pinned = device.pin.requirements.log_policy.as_deref();
        let text = in_force.as_ref().map(|adopted| adopted.policy.as_str());
        let text = text.or(pinned).unwrap_or_default();
        if Sha256::of(text.as_bytes()) == *to {
            return Ok(());
        }
        let (mut after, mut policy) = (in_force.map(|adopted| adopted.index), self.policy.clone());
        for number in 1..=names::POLICIES_MAX {
            let Some(next) = self.next_policy(to, number, (&policy, after)).await? else {
                continue;
            };
            policy = next.policy.parse().context(Exit::No, "log policy")?;
            after = Some(next.index);
            if Sha256::of(next.policy.as_bytes()) == *to {
                self.policy = policy;
                device.record(
                    "log-policy",
                    json!({ "sha256": to.to_string(), "index": next.index }),
                )?;
                return device.trust.seen().store_policy(&next);
            }
        }
        Err(missing("a log policy that follows from the one in force"))
    }

    /// A changed policy, if it was logged under the one in force and after it.
    async fn next_policy(
        &self,
        to: &Sha256,
        number: u64,
        (policy, after): (&Policy, Option<u64>),
    ) -> Result<Option<Adopted>, CliError> {
        let [text, proof] = names::policy_files(number);
        let limit = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX);
        let text = self
            .shelf
            .file(to, names::POLICY_SUBJECT, &text, limit)
            .await?;
        let (Some(text), Some(bundle)) =
            (text, self.bundle(to, names::POLICY_SUBJECT, &proof).await?)
        else {
            return Ok(None);
        };
        let key = self.product.statement_keys().release.as_ref();
        let key = key.ok_or_else(|| refused(&EvidenceError::NoKey("log policies")))?;
        let logged = bundle.verify_file(&Sha256::of(&text), key, (policy, self.latest));
        let index = bundle.proof.index;
        if logged.is_err() || after.is_some_and(|after| index <= after) {
            return Ok(None);
        }
        let policy = String::from_utf8(text).context(Exit::No, "log policy")?;
        Ok(Some(Adopted { index, policy }))
    }

    /// Whether the log's newest checkpoint counts and continues what was seen and shown; what is newest is remembered.
    async fn follow(
        &self,
        device: &mut Device,
        sources: &Sources,
        shown: &[Checkpoint],
        before: Option<&Checkpoint>,
    ) -> Result<(), CliError> {
        let limit = u64::try_from(LOG_VIEW_BYTES_MAX).unwrap_or(u64::MAX);
        let view = self.shelf.view(limit).await?;
        let mut view = parse_view(&view.ok_or_else(|| missing("the log's newest checkpoint"))?)?;
        let counts = (&self.policy, self.latest);
        let mut checked = check_log(&view, counts, before, shown);
        if matches!(
            checked,
            Err(LogError::Inconsistent(Inconsistent::Unknown(_)))
        ) && let Some(whole) = self.shelf.whole_view(device, sources).await?
        {
            view = parse_view(&whole)?;
            checked = check_log(&view, counts, before, shown);
        }
        let accepted = match checked {
            Ok(accepted) => accepted,
            Err(error) => return Err(keep_evidence(device, &self.policy, &view, error)),
        };
        check_fresh(device, &accepted)?;
        let mut state = device.state()?;
        if let Some(time) = accepted.quorum_time.filter(|time| *time > state.time_floor) {
            state.time_floor = time;
            device.save_state(&state)?;
        }
        device.trust.seen().store(&view.checkpoint)
    }

    /// Whether the release shows what the pin demands; the checkpoints of its proofs.
    async fn check_release(
        &self,
        device: &Device,
        (name, target, release): (&Name, &ProductTarget, &Release),
    ) -> Result<Vec<Checkpoint>, CliError> {
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
        let mut shown = vec![logged.accepted.checkpoint];
        if demands.grade >= Grade::B1 {
            let bundle = self
                .bundle(&target.sha256, name.as_str(), names::PROVENANCE)
                .await?;
            let bundle = bundle.ok_or_else(|| missing("provenance of the build"))?;
            let checked = expected.check_provenance(&bundle, &said);
            let (_, logged) = checked.map_err(|error| refused(&error))?;
            shown.push(logged.accepted.checkpoint);
        }
        if demands.sbom {
            shown.push(self.check_sbom(&expected, name, &said).await?);
        }
        self.check_rebuilds(device, &expected, name).await?;
        Ok(shown)
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
        expected: &Expected<'_>,
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
            if let Ok(key) = expected.check_rebuild(&envelope, &demands.rebuilders) {
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

fn parse_view(bytes: &[u8]) -> Result<LogView, CliError> {
    LogView::parse(bytes).context(Exit::No, names::VIEW_ON_MIRROR)
}

/// The newest cosignatures are no older than the pin allows: a source that is frozen can't get new ones (M18).
fn check_fresh(device: &Device, accepted: &Accepted) -> Result<(), CliError> {
    let clock = device.clock()?;
    let (Some(time), false) = (accepted.quorum_time, clock.is_wrong()) else {
        return Ok(());
    };
    let age = clock.now().saturating_sub(time);
    let most = device.pin.max_staleness.as_secs();
    if age <= most {
        return Ok(());
    }
    let message = format!(
        "refused: witnesses last cosigned the log {} h ago, allowed are {} h",
        age / 3600,
        most / 3600
    );
    Err(CliError::new(Exit::Stale, message).hint("the source is stale, or the clock is wrong"))
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

/// Gives a refusal of the log its exit code. What shows two histories is kept.
fn keep_evidence(device: &Device, policy: &Policy, view: &LogView, error: LogError) -> CliError {
    let exit = match &error {
        LogError::Refused(Refusal::Quorum(_)) => Exit::Quorum,
        LogError::Refused(_) | LogError::OtherLog(..) => Exit::No,
        LogError::Inconsistent(Inconsistent::Shrunk { .. }) => Exit::Rollback,
        LogError::Inconsistent(Inconsistent::Forked(..)) => Exit::Equivocation,
        LogError::Inconsistent(_) => Exit::Undecided,
    };
    let refusal = CliError::new(exit, format_args!("refused: log: {error}"));
    let LogError::Inconsistent(Inconsistent::Forked(_, prefix)) = error else {
        return refusal.hint("the source is stale, damaged or hostile; use another");
    };
    let kept = split_view(&device.trust.seen(), policy, view, prefix.as_ref());
    match kept {
        Ok(path) => refusal.hint(format_args!(
            "evidence is in {path}; show it: streembit-audit split"
        )),
        Err(error) => {
            tracing::error!(%error, "evidence of two histories is not kept");
            refusal
        }
    }
}

fn split_view(
    seen: &Seen,
    policy: &Policy,
    view: &LogView,
    prefix: Option<&Prefix>,
) -> Result<String, CliError> {
    let before = seen
        .note()?
        .ok_or_else(|| missing("the checkpoint before"))?;
    let notes = [&before, &view.checkpoint];
    let mut logs = policy.logs().iter();
    let found = logs.find_map(|log| SplitView::between(notes, prefix.cloned(), &log.key).ok());
    let found =
        found.ok_or_else(|| CliError::new(Exit::No, "the two checkpoints prove nothing"))?;
    seen.keep_evidence(&found.encode())
}
