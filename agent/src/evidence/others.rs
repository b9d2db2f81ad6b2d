//! What others have seen of the log: devices compare their checkpoints through the network, so that a log which shows one
//! of them another history is found out by both.

mod network;

use cli::{CliError, Exit};
use manifests::evidence::log_view::{Inconsistent, LogView};
use manifests::limits::LOG_VIEW_SIZES_MAX;
use protocol::dht::log_checkpoint::Subject;
use tlog::checkpoint::Checkpoint;
use tlog::note::Note;
use tlog::policy::{Accepted, Refusal};
use tlog::split_view::SplitView;

use self::network::{Network, Ours, keep};
use super::Case;
use super::log::parse_view;
use crate::device::Device;
use crate::source::Sources;
use crate::trust::seen::Ahead;

/// What our source shows of the log, and how it is judged.
pub(super) struct Question<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) view: &'a LogView,
}

impl Question<'_> {
    /// Compares, and tells what we saw to who has seen less.
    ///
    /// # Errors
    /// [`CliError`]: [`Exit::Equivocation`] if witnesses enough cosigned another history than ours, [`Exit::Stale`] if
    /// our source doesn't show for longer than the pin allows what they cosigned for others.
    pub(super) async fn ask(&self, device: &mut Device, sources: &Sources) -> Result<(), CliError> {
        let Some(ours) = self.ours() else {
            return Ok(());
        };
        let heard = match &sources.node {
            Some(node) => Network { node, ours: &ours }.hear(device).await?,
            None => Vec::new(),
        };
        let known = device.trust.seen().ahead()?;
        let known = known.and_then(|ahead| Some((read(&ahead.note)?, ahead.since)));
        let known = known.into_iter().map(|(seen, since)| (seen, Some(since)));
        let mut unshown = Vec::new();
        for (seen, since) in known.chain(heard.into_iter().map(|seen| (seen, None))) {
            if !self.is_shown(device, sources, (&seen, &ours)).await? {
                unshown.push((seen, since));
            }
        }
        let since = unshown.iter().find_map(|(_, since)| *since);
        let unshown = unshown.into_iter().map(|(seen, _)| seen);
        self.wait(
            device,
            (unshown.max_by_key(|(_, seen)| seen.size), since),
            &ours,
        )
    }

    /// Whether what others saw is in our history, or nobody whose word counts vouches for it.
    async fn is_shown(
        &self,
        device: &mut Device,
        sources: &Sources,
        ((note, seen), ours): (&(Note, Checkpoint), &Ours),
    ) -> Result<bool, CliError> {
        let view = self.view_from(device, sources, (seen, ours)).await?;
        // Whoever has the log's key alone can make evidence, but can't stop devices with it.
        let accepted = self.accept(device, (note, seen), ours)?;
        let counts = accepted.is_some();
        let time = accepted.and_then(|accepted| accepted.quorum_time);
        let age = time.map(|time| self.case.latest.saturating_sub(time));
        let is_recent = age.is_none_or(|age| age <= device.pin.max_staleness.as_secs());
        let prefix = match view.check(seen, &ours.checkpoint) {
            Ok(()) => return Ok(true),
            Err(Inconsistent::Forked(_, prefix)) => prefix,
            Err(Inconsistent::Unknown(size)) if is_too_old(&view, size) && !is_recent => {
                return Ok(true);
            }
            Err(_) => return Ok(!counts),
        };
        let notes = [note, &self.view.checkpoint];
        let Ok(found) = SplitView::between(notes, prefix, &ours.log) else {
            return Ok(true);
        };
        let path = keep(device, &found)?;
        if let Some(node) = &sources.node {
            Network { node, ours }.tell_evidence(device, &found).await;
        }
        if counts {
            return Err(equivocation(&path));
        }
        Ok(true)
    }

    /// Whether the policy accepts what others saw. That no witness has cosigned more than we are shown is noted:
    /// somebody signs with the log's key where nobody watches.
    fn accept(
        &self,
        device: &mut Device,
        (note, seen): (&Note, &Checkpoint),
        ours: &Ours,
    ) -> Result<Option<Accepted>, CliError> {
        match self.case.policy.accept(note, self.case.latest) {
            Ok(accepted) => return Ok(Some(accepted)),
            Err(Refusal::Quorum(names)) if names.is_empty() && seen.size > ours.checkpoint.size => {
                let why = "the log has signed a checkpoint for others that no witness cosigned";
                device.record_refusal("log-unwitnessed", why, Exit::Quorum)?;
            }
            Err(_) => {}
        }
        Ok(None)
    }

    /// How our log has grown from what others saw: what comes with a head tells the newest sizes alone.
    async fn view_from(
        &self,
        device: &Device,
        sources: &Sources,
        (seen, ours): (&Checkpoint, &Ours),
    ) -> Result<LogView, CliError> {
        let checked = self.view.check(seen, &ours.checkpoint);
        if matches!(checked, Err(Inconsistent::Unknown(_)))
            && let Some(whole) = self.case.shelf.whole_view(device, sources).await?
        {
            let whole = parse_view(&whole)?;
            if whole.checkpoint.text() == self.view.checkpoint.text() {
                return Ok(whole);
            }
        }
        Ok(self.view.clone())
    }

    fn ours(&self) -> Option<Ours> {
        let (_, checkpoint) = read(&self.view.checkpoint.to_string())?;
        let mut logs = self.case.policy.logs().iter();
        let log = logs.find(|log| log.name == checkpoint.origin)?;
        let witnesses = self.case.policy.witnesses().iter();
        let keys = std::iter::once(log).chain(witnesses);
        Some(Ours {
            log: log.key.clone(),
            subjects: Subject::all(&log.key, &self.case.policy),
            note: self
                .view
                .checkpoint
                .reassembled(keys.map(|party| &party.key)),
            checkpoint,
        })
    }

    /// What others have seen must be shown to us: at once if our log is larger, and in time if it isn't.
    fn wait(
        &self,
        device: &Device,
        (unshown, since): (Option<(Note, Checkpoint)>, Option<u64>),
        ours: &Ours,
    ) -> Result<(), CliError> {
        let (clock, files) = (device.clock()?, device.trust.seen());
        let Some((note, seen)) = unshown else {
            return files.store_ahead(None);
        };
        let since = since.unwrap_or_else(|| clock.now());
        let ahead = Ahead {
            note: note.to_string(),
            since,
        };
        if files.ahead()?.as_ref() != Some(&ahead) {
            files.store_ahead(Some(&ahead))?;
        }
        if seen.size < ours.checkpoint.size {
            let message = format!(
                "refused: log: others saw it with {} entries, and the source doesn't show how it grew from there to {}",
                seen.size, ours.checkpoint.size
            );
            return Err(CliError::new(Exit::Undecided, message)
                .hint("the source is damaged or hostile; use another"));
        }
        let waited = clock.now().saturating_sub(since);
        tracing::warn!(size = seen.size, waited, "others have seen more of the log");
        let most = device.pin.max_staleness.as_secs();
        if clock.is_wrong() || waited <= most {
            return Ok(());
        }
        let message = format!(
            "refused: log: others saw {} entries {} h ago, which our sources don't show; allowed are {} h",
            seen.size,
            waited / 3600,
            most / 3600
        );
        Err(CliError::new(Exit::Stale, message).hint("the source is stale or hostile; use another"))
    }
}

/// Whether a view that has no more room has left a size out because there are newer ones.
fn is_too_old(view: &LogView, size: u64) -> bool {
    let oldest = view.prefixes.first_key_value().map(|(oldest, _)| *oldest);
    view.prefixes.len() >= LOG_VIEW_SIZES_MAX && oldest.is_some_and(|oldest| size < oldest)
}

fn equivocation(path: &str) -> CliError {
    let message = "refused: log: witnesses have cosigned another history for others";
    CliError::new(Exit::Equivocation, message).hint(format_args!(
        "evidence is in {path}; show it: streembit-audit split"
    ))
}

fn read(text: &str) -> Option<(Note, Checkpoint)> {
    let note = Note::parse(text.as_bytes()).ok()?;
    let checkpoint = note.text().parse().ok()?;
    Some((note, checkpoint))
}
