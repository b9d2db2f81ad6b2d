//! The log that a pin demands: its newest checkpoint, the policy in force, and what the device and others saw of it
//! before.

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::digest::Sha256;
use manifests::evidence::log_view::{Inconsistent, LogView};
use manifests::evidence::{EvidenceError, LogError, check_log, names};
use manifests::limits::LOG_VIEW_BYTES_MAX;
use manifests::name::Name;
use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::limits::CLOCK_SKEW_S;
use tlog::limits::POLICY_BYTES_MAX;
use tlog::policy::{Accepted, Policy, Refusal};
use tlog::split_view::{Prefix, SplitView};

use super::{Case, missing, others, refused};
use crate::device::Device;
use crate::source::Sources;
use crate::trust::seen::{Adopted, Seen};

/// The policy in force: the pin's, or the one that a signed change under it has brought.
pub(super) fn policy(device: &Device) -> Result<Option<Policy>, CliError> {
    if device.pin.requirements.log_policy.is_none() {
        return Ok(None);
    }
    let newer = device.trust.seen().policy()?.map(|adopted| adopted.policy);
    let text = newer.or_else(|| device.pin.requirements.log_policy.clone());
    let policy = text.map(|text| text.parse()).transpose();
    policy.context(Exit::Usage, "log policy")
}

/// Cosignatures later than this count for nothing.
pub(super) fn latest(device: &Device) -> Result<u64, CliError> {
    let clock = device.clock()?;
    Ok(if clock.is_wrong() {
        u64::MAX
    } else {
        clock.now().saturating_add(CLOCK_SKEW_S)
    })
}

impl Case<'_> {
    /// Takes the log's newest checkpoint, and a changed policy before it.
    pub(super) async fn follow_log(
        &mut self,
        device: &mut Device,
        sources: &Sources,
    ) -> Result<(), CliError> {
        let name = names::policy_target(device.pin.product.as_str());
        let target = Name::parse(&name).ok();
        let target = target.and_then(|name| self.product.targets().get(&name));
        if let Some(target) = target {
            self.change_policy(device, &target.sha256).await?;
        }
        let before = device.trust.seen().checkpoint(&self.policy)?;
        let view = self.follow(device, sources, &[], before.as_ref()).await?;
        let asked = others::Question {
            case: self,
            view: &view,
        };
        asked.ask(device, sources).await
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
    pub(super) async fn follow(
        &self,
        device: &mut Device,
        sources: &Sources,
        shown: &[Checkpoint],
        before: Option<&Checkpoint>,
    ) -> Result<LogView, CliError> {
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
        device.trust.seen().store(&view.checkpoint)?;
        Ok(view)
    }
}

pub(super) fn parse_view(bytes: &[u8]) -> Result<LogView, CliError> {
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
