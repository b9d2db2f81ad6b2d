//! What the mirror shows, held against what the network of nodes has: the newest head, and what others have seen of the
//! log. A publisher, or whoever has its keys, may show the mirror something else.

use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::digest::Sha256;
use manifests::envelope::{Envelope, Metadata as _, Verified};
use manifests::evidence::log_view::LogView;
use manifests::limits::TIMESTAMP_BYTES_MAX;
use manifests::root::{Role, Root};
use manifests::timestamp::Timestamp;
use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::{Sightings, Subject};
use protocol::dht::record::Record;
use protocol::dht::release_head::ReleaseHead;
use tlog::checkpoint::Checkpoint;
use tlog::limits::CLOCK_SKEW_S;
use tlog::note::Note;
use tlog::policy::{Party, Policy, Refusal};
use tlog::split_view::SplitView;

use super::{Event, Place, view};
use crate::network::Network;
use crate::pin::Trusted;
use crate::roots;
use crate::source::Source;

/// A file of the mirror, in which its age can be seen.
const TIMESTAMP: &str = "metadata/timestamp.json";

/// A mirror, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Others<'a> {
    /// The mirror.
    pub source: &'a Source,
    /// What was seen before.
    pub place: &'a Place,
    /// What is trusted.
    pub trusted: &'a Trusted,
    /// Seconds since 1970.
    pub now: u64,
}

impl Others<'_> {
    /// Asks the network.
    ///
    /// # Errors
    /// [`CliError`] if mirror, folder or network can't be read. That they differ is an event.
    pub fn ask(&self, network: &Network, policy: &Policy) -> Result<Vec<Event>, CliError> {
        let pin = &self.trusted.pin;
        let key = DhtKey::release_head(pin.publisher_id.as_bytes(), pin.channel.as_str());
        let mut events = match network.get(key)?.best {
            Some((Record::ReleaseHead(head), token)) => self.head(&head, &token)?,
            _ => {
                let text = "no node has a head of this publisher and channel: does streembit-publisher seed run?";
                vec![Event::alert("head/none", text, Exit::Undecided)]
            }
        };
        let view = view(self.source)?;
        let read = self.place.checkpoint()?;
        // If its entries weren't read whole, there is an alarm already.
        let Some(view) = view.filter(|view| read.as_ref() == Some(&view.checkpoint)) else {
            return Ok(events);
        };
        let ours: Checkpoint = view.checkpoint.text().parse().context(Exit::No, "log")?;
        let mut logs = policy.logs().iter();
        if let Some(log) = logs.find(|log| log.name == ours.origin) {
            let mut sightings = Sightings::default();
            for subject in Subject::all(&log.key, policy) {
                let found = network.get(DhtKey::log_checkpoint(&subject))?;
                found.seen().for_each(|seen| sightings.add(seen));
            }
            if let Some(found) = &sightings.split_view {
                events.push(self.two_histories(found)?);
            }
            for seen in &sightings.checkpoints {
                events.extend(self.log(seen, (&view, &ours), (policy, log))?);
            }
        }
        Ok(events)
    }

    /// The newest head is compared with the one before, and with the mirror's timestamp.
    fn head(&self, head: &ReleaseHead, token: &[u8]) -> Result<Vec<Event>, CliError> {
        let root = roots::follow(self.source, &self.trusted.pin, |_| {})?;
        let Some(timestamp) = timestamp(&head.timestamp, &root) else {
            let text = format!(
                "the head's timestamp {} is not signed by the keys of root {} on the mirror",
                head.seq,
                root.header().version
            );
            return Ok(vec![Event::alert("head/timestamp", text, Exit::Undecided)]);
        };
        let (version, digest) = (
            timestamp.header().version,
            Sha256::of(timestamp.canonical()),
        );
        let mut events = Vec::new();
        let seen = self.place.head()?;
        match seen {
            Some((before, _)) if version < before => {
                let text = format!("the network's head is {version}, and was {before}");
                events.push(Event::alert("head/rollback", text, Exit::Rollback));
            }
            Some((before, other)) if version == before && other != digest => {
                events.push(self.two_heads(version, token)?);
            }
            Some((before, _)) if version == before => {}
            _ => {
                self.place.keep_head(version, &digest)?;
                let expires = timestamp.header().expires.to_string();
                events.push(Event::Head { version, expires });
            }
        }
        if timestamp.header().expires.as_unix() <= self.now {
            let text = format!(
                "the newest head, {version}, expired {}",
                timestamp.header().expires
            );
            events.push(Event::alert("head/expired", text, Exit::Stale));
        }
        events.extend(self.mirror(head, (version, &digest), (&root, token))?);
        Ok(events)
    }

    /// The mirror's timestamp beside the head's.
    fn mirror(
        &self,
        head: &ReleaseHead,
        (version, digest): (u64, &Sha256),
        (root, token): (&Verified<Root>, &[u8]),
    ) -> Result<Option<Event>, CliError> {
        let bytes = self.source.file(TIMESTAMP, TIMESTAMP_BYTES_MAX)?;
        let shown = bytes.and_then(|bytes| timestamp(&bytes, root));
        let Some(shown) = shown else {
            let text = format!("{TIMESTAMP} is missing, or not signed by the newest root's keys");
            return Ok(Some(Event::alert("mirror/timestamp", text, Exit::No)));
        };
        let there = shown.header().version;
        if there == version && Sha256::of(shown.canonical()) != *digest {
            return self.two_heads(version, token).map(Some);
        }
        if shown.header().expires.as_unix() <= self.now {
            let text = format!("{TIMESTAMP} expired {}", shown.header().expires);
            return Ok(Some(Event::alert("mirror/expired", text, Exit::Stale)));
        }
        let waited = self.now.saturating_sub(head.issued);
        if there < version && waited > self.trusted.pin.max_staleness.as_secs() {
            let text = format!(
                "the mirror has timestamp {there}; the network has {version} since {} h",
                waited / 3600
            );
            return Ok(Some(Event::alert("mirror/stale", text, Exit::Stale)));
        }
        Ok(None)
    }

    fn two_heads(&self, version: u64, token: &[u8]) -> Result<Event, CliError> {
        let path = self.place.keep_other_head(token)?;
        let text = format!("two timestamps have version {version}; the network's head: {path}");
        Ok(Event::alert("head/fork", text, Exit::Equivocation))
    }

    /// What others have seen of the log is compared with what the mirror shows.
    fn log(
        &self,
        (note, theirs): &(Note, Checkpoint),
        (view, ours): (&LogView, &Checkpoint),
        (policy, log): (&Policy, &Party),
    ) -> Result<Option<Event>, CliError> {
        if theirs.size <= ours.size {
            // All entries were read: whatever the mirror says of the log's growth, this is what it was.
            let prefix = self.place.prefix(theirs, ours)?;
            let found = SplitView::between([note, &view.checkpoint], prefix, &log.key);
            return found
                .ok()
                .map(|found| self.two_histories(&found))
                .transpose();
        }
        let latest = self.now.saturating_add(CLOCK_SKEW_S);
        let accepted = match policy.accept(note, latest) {
            Ok(accepted) => accepted,
            // Witnesses tell at once what they cosigned; a quorum may be on its way.
            Err(Refusal::Quorum(names)) if !names.is_empty() => {
                return Ok(Some(Event::Ahead { size: theirs.size }));
            }
            Err(_) => {
                let text = format!(
                    "the log has signed {} entries for others, and no witness has cosigned them",
                    theirs.size
                );
                return Ok(Some(Event::alert("log/unwitnessed", text, Exit::No)));
            }
        };
        let since = accepted.quorum_time.unwrap_or(self.now);
        let waited = self.now.saturating_sub(since);
        if waited > self.trusted.pin.max_staleness.as_secs() {
            let text = format!(
                "others have seen {} entries since {} h, and the mirror shows {}",
                theirs.size,
                waited / 3600,
                ours.size
            );
            return Ok(Some(Event::alert("mirror/behind", text, Exit::Stale)));
        }
        Ok(Some(Event::Ahead { size: theirs.size }))
    }

    fn two_histories(&self, found: &SplitView) -> Result<Event, CliError> {
        let path = self.place.keep_evidence(&found.encode())?;
        let text = format!("others have seen another history of the log; evidence: {path}");
        Ok(Event::alert("log/split-view", text, Exit::Equivocation))
    }
}

fn timestamp(bytes: &[u8], root: &Verified<Root>) -> Option<Verified<Timestamp>> {
    let envelope = Envelope::<Timestamp>::parse(bytes).ok()?;
    envelope.verify(root.role(Role::Timestamp)).ok()
}
