//! The network of nodes, asked what others have seen of the log and told what we saw.

use cli::exit::Context as _;
use cli::{CliError, Exit, keyfile};
use node::NodeHandle;
use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::{self, Seen, Sightings, Subject};
use tlog::checkpoint::Checkpoint;
use tlog::note::Note;
use tlog::split_view::SplitView;
use tlog::vkey::VerifierKey;

use crate::device::Device;
use crate::receipts::KEY_FILE;

/// Our newest checkpoint.
pub(super) struct Ours {
    pub(super) log: VerifierKey,
    pub(super) checkpoint: Checkpoint,
    /// As it was signed.
    pub(super) note: Note,
    /// Where others are asked about the log.
    pub(super) subjects: Vec<Subject>,
}

/// The network, and what we have seen.
pub(super) struct Network<'a> {
    pub(super) node: &'a NodeHandle,
    pub(super) ours: &'a Ours,
}

impl Network<'_> {
    /// The largest checkpoints that others have seen. Evidence that they found is kept; who has seen less than we is
    /// told.
    pub(super) async fn hear(
        &self,
        device: &mut Device,
    ) -> Result<Vec<(Note, Checkpoint)>, CliError> {
        let subjects = self.ours.subjects.iter();
        let asked = subjects.map(|subject| self.node.get(DhtKey::log_checkpoint(subject)));
        let found = futures::future::join_all(asked).await;
        let mut sightings = Sightings::default();
        for (subject, found) in self.ours.subjects.iter().zip(found) {
            let seen: Vec<Seen> = found.context(Exit::No, "node")?.seen().collect();
            if !seen.iter().any(|seen| self.is_as_much(seen)) {
                self.tell_ours(device, subject).await;
            }
            seen.into_iter().for_each(|seen| sightings.add(seen));
        }
        if let Some(view) = &sightings.split_view {
            keep(device, view)?;
            self.tell_evidence(device, view).await;
        }
        Ok(sightings.checkpoints)
    }

    const fn is_as_much(&self, seen: &Seen) -> bool {
        match seen {
            Seen::Checkpoint { checkpoint, .. } => checkpoint.size >= self.ours.checkpoint.size,
            Seen::SplitView(_) => true,
        }
    }

    async fn tell_ours(&self, device: &Device, subject: &Subject) {
        if let Some(seen) = subject.seen(self.ours.note.clone()) {
            self.tell(device, subject, &seen).await;
        }
    }

    /// Tells that the log has two histories.
    pub(super) async fn tell_evidence(&self, device: &Device, view: &SplitView) {
        let subject = Subject::of(self.ours.log.clone());
        self.tell(device, &subject, &Seen::SplitView(view.clone()))
            .await;
    }

    /// That the network isn't reached is no fault of ours.
    async fn tell(&self, device: &Device, subject: &Subject, seen: &Seen) {
        if let Err(error) = self.try_tell(device, subject, seen).await {
            tracing::debug!(error, "what we saw of the log is not told");
        }
    }

    async fn try_tell(
        &self,
        device: &Device,
        subject: &Subject,
        seen: &Seen,
    ) -> Result<(), String> {
        let clock = device.clock().map_err(|error| error.to_string())?;
        if clock.is_wrong() {
            return Err("the clock is wrong".to_owned());
        }
        let path = device.config.data_directory.join(KEY_FILE);
        let key = keyfile::open(&format!("file:{}", path.display()));
        let key = key.map_err(|error| error.to_string())?;
        let token = log_checkpoint::sign(&key, subject, seen, clock.now());
        let token = token.map_err(|error| error.to_string())?;
        let put = self
            .node
            .put(DhtKey::log_checkpoint(subject), token.into_bytes());
        let told = put.await.map_err(|error| error.to_string())?;
        told.map(|_| ())
    }
}

/// Keeps evidence, and says so once.
pub(super) fn keep(device: &mut Device, view: &SplitView) -> Result<String, CliError> {
    let path = device.trust.seen().keep_evidence(&view.encode())?;
    let why = format!("the log shows two histories: {path}");
    device.record_refusal("split-view", &why, Exit::Equivocation)?;
    Ok(path)
}
