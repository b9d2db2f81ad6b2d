//! Fetching: the shell of `protocol::exchange::download`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::durable::PathError;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::download::{Download, DropReason, Input, Output, PeerId};
use protocol::exchange::tree::{Blob, ChunkTree};
use protocol::exchange::wire::Frame;
use serde::Serialize;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep_until;

use super::link::Link;
use super::partial::Partial;
use super::store::{BlobStore, Held};

/// Events of all links that wait: bounds memory at 8 chunks, 2 MiB.
const EVENTS_WAITING_MAX: usize = 8;

/// Where a fetched blob came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FetchReport {
    /// Bytes of chunks by holder.
    pub bytes_by_source: BTreeMap<String, u64>,
    /// Holders that lied, and how often.
    pub liars: BTreeMap<String, u32>,
    /// Bytes that were there before the fetch began.
    pub resumed_bytes: u64,
}

/// Why a fetch ends without the blob. What arrived stays for the next run.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The disk refuses.
    #[error(transparent)]
    Disk(#[from] PathError),
    /// No holder delivered for too long.
    #[error("no source delivered for {} s ({held} of {total} chunks are there)", .patience.as_secs())]
    Starved {
        /// How long was waited.
        patience: Duration,
        /// Chunks that are there.
        held: u32,
        /// Chunks of the blob.
        total: u32,
    },
    /// The caller refused the first write.
    #[error("stopped before the first byte was written")]
    Stopped,
    /// A task died.
    #[error("internal: {0}")]
    Task(#[from] tokio::task::JoinError),
}

enum Event {
    Received(PeerId, Frame),
    Left(PeerId),
}

/// Where a blob goes.
#[derive(Debug)]
pub struct Destination<'a, G> {
    /// Its bytes.
    pub partial: &'a Partial,
    /// From where the chunks are served to others as they arrive.
    pub blobs: &'a BlobStore,
    /// The chunks to fetch; `None` for all.
    pub wanted: Option<ChunkMap>,
    /// Asked once, when the first verified chunk is there and before it is written, so that a holder
    /// that lies costs nothing of what is there.
    pub gate: G,
}

struct Fetch<'a, G> {
    partial: &'a Partial,
    gate: Option<G>,
    blobs: &'a BlobStore,
    machine: Download,
    names: BTreeMap<PeerId, String>,
    outgoing: BTreeMap<PeerId, mpsc::Sender<Frame>>,
    /// Holders that lied or broke the protocol: not used again.
    banned: BTreeSet<String>,
    report: FetchReport,
    complete: bool,
    delivered: Instant,
}

/// Answers the question whether a fetch may write: [`Stopped`] ends it.
pub type May = Result<(), Stopped>;

/// The caller does not want the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Stopped;

/// Fetches a blob, or the chunks of it that are wanted, from the holders that come in over `links`; `progress` is told the bytes that are
/// there. The chunks are served to others as they arrive. Dropping the future stops it; what was
/// written stays.
///
/// # Errors
/// [`FetchError`].
pub async fn fetch<G: AsyncFnOnce() -> May>(
    to: Destination<'_, G>,
    mut links: mpsc::Receiver<Link>,
    patience: Duration,
    mut progress: impl FnMut(u64),
) -> Result<FetchReport, FetchError> {
    let Destination {
        partial,
        blobs,
        wanted,
        gate,
    } = to;
    let blob = partial.blob();
    let (tree, map) = resume(partial).await?;
    if let (Some(tree), Some(map)) = (&tree, &map) {
        register(blobs, partial, tree.clone(), map.clone());
    }
    let resumed_bytes = map.as_ref().map_or(0, |map| bytes_held(&blob, map));
    let now = Instant::now();
    let mut machine = Download::new(blob, tree, map, now);
    if let Some(wanted) = wanted {
        machine = machine.only(wanted);
    }
    let mut fetch = Fetch {
        partial,
        gate: Some(gate),
        blobs,
        machine,
        names: BTreeMap::new(),
        outgoing: BTreeMap::new(),
        banned: BTreeSet::new(),
        report: FetchReport {
            resumed_bytes,
            ..FetchReport::default()
        },
        complete: false,
        delivered: now,
    };
    let (events, mut inbox) = mpsc::channel(EVENTS_WAITING_MAX);
    let mut pumps = JoinSet::new();
    let mut next_peer: PeerId = 0;
    loop {
        fetch.carry_out().await?;
        progress(bytes_held(&blob, fetch.machine.have()));
        if fetch.complete {
            fetch.pass_gate().await?;
            let partial = partial.clone();
            spawn_blocking(move || partial.sync()).await??;
            return Ok(fetch.report);
        }
        let starved = fetch.delivered + patience;
        let deadline = fetch.machine.deadline().unwrap_or(starved).min(starved);
        tokio::select! {
            Some(link) = links.recv() => {
                next_peer += 1;
                fetch.join(next_peer, link, &events, &mut pumps);
            }
            Some(event) = inbox.recv() => fetch.take(event),
            () = sleep_until(deadline.into()) => {
                if Instant::now() >= starved {
                    let have = fetch.machine.have();
                    let (held, total) = (have.held(), have.count());
                    return Err(FetchError::Starved { patience, held, total });
                }
                fetch.machine.handle(Instant::now(), Input::Tick);
            }
        }
    }
}

impl<G: AsyncFnOnce() -> May> Fetch<'_, G> {
    fn join(
        &mut self,
        id: PeerId,
        link: Link,
        events: &mpsc::Sender<Event>,
        pumps: &mut JoinSet<()>,
    ) {
        let Link {
            name,
            role,
            outgoing,
            mut incoming,
        } = link;
        let active = |(other, _): (&PeerId, _)| self.names.get(other) == Some(&name);
        if self.banned.contains(&name) || self.outgoing.iter().any(active) {
            tracing::debug!(peer = %name, "second link ignored");
            return;
        }
        self.names.insert(id, name);
        self.outgoing.insert(id, outgoing);
        let events = events.clone();
        pumps.spawn(async move {
            while let Some(frame) = incoming.recv().await {
                if events.send(Event::Received(id, frame)).await.is_err() {
                    return;
                }
            }
            // The fetch may be over; then nobody minds.
            drop(events.send(Event::Left(id)).await);
        });
        self.machine.handle(Instant::now(), Input::Joined(id, role));
    }

    fn take(&mut self, event: Event) {
        let input = match event {
            Event::Received(id, frame) => Input::Received(id, frame),
            Event::Left(id) => {
                self.outgoing.remove(&id);
                Input::Left(id)
            }
        };
        self.machine.handle(Instant::now(), input);
    }

    async fn carry_out(&mut self) -> Result<(), FetchError> {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(id, frame) => {
                    let sent = self
                        .outgoing
                        .get(&id)
                        .map(|outgoing| outgoing.try_send(frame));
                    // A peer that does not take 64 small frames is as good as gone. One that left
                    // may have sent chunks before: the end of its frames says when.
                    if let Some(Err(TrySendError::Full(_))) = sent {
                        self.outgoing.remove(&id);
                        self.machine.handle(Instant::now(), Input::Left(id));
                    }
                }
                Output::KeepTree(level) => self.keep_tree(level).await?,
                Output::Write { chunk, bytes, from } => self.write(chunk, bytes, from).await?,
                Output::Drop(id, reason) => {
                    self.outgoing.remove(&id);
                    let name = self.names.get(&id).cloned().unwrap_or_default();
                    tracing::debug!(peer = %name, ?reason, "holder dropped");
                    if matches!(reason, DropReason::Lied | DropReason::Unexpected) {
                        self.banned.insert(name.clone());
                    }
                    if reason == DropReason::Lied {
                        tracing::warn!(peer = %name, "sent bytes that are not what was asked for");
                        *self.report.liars.entry(name).or_default() += 1;
                    }
                }
                Output::Complete => self.complete = true,
            }
        }
        Ok(())
    }

    async fn keep_tree(&mut self, level: Vec<u8>) -> Result<(), FetchError> {
        let (partial, blob) = (self.partial.clone(), self.partial.blob());
        let tree = spawn_blocking(move || {
            partial.keep_tree(&level)?;
            Ok::<_, PathError>(ChunkTree::parse(blob, &level).ok())
        });
        if let Some(tree) = tree.await?? {
            register(self.blobs, self.partial, tree, self.machine.have().clone());
        }
        Ok(())
    }

    async fn pass_gate(&mut self) -> Result<(), FetchError> {
        if let Some(gate) = self.gate.take() {
            gate().await.map_err(|Stopped| FetchError::Stopped)?;
            let partial = self.partial.clone();
            spawn_blocking(move || partial.make_room()).await??;
        }
        Ok(())
    }

    async fn write(&mut self, chunk: u32, bytes: Vec<u8>, from: PeerId) -> Result<(), FetchError> {
        self.pass_gate().await?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let partial = self.partial.clone();
        spawn_blocking(move || partial.write(chunk, &bytes)).await??;
        self.blobs.add_chunk(&self.partial.blob(), chunk);
        self.delivered = Instant::now();
        let name = self.names.get(&from).cloned().unwrap_or_default();
        *self.report.bytes_by_source.entry(name).or_default() += length;
        Ok(())
    }
}

/// Finds what earlier runs left.
async fn resume(partial: &Partial) -> Result<(Option<ChunkTree>, Option<ChunkMap>), FetchError> {
    let partial = partial.clone();
    let found = spawn_blocking(move || {
        let tree = partial.stored_tree()?;
        let map = tree.as_ref().map(|tree| partial.scan(tree));
        Ok::<_, PathError>((tree, map))
    });
    Ok(found.await??)
}

fn register(blobs: &BlobStore, partial: &Partial, tree: ChunkTree, map: ChunkMap) {
    blobs.insert(Held {
        tree: Arc::new(tree),
        map,
        path: partial.path().to_owned(),
    });
}

fn bytes_held(blob: &Blob, map: &ChunkMap) -> u64 {
    let chunks = u64::from(map.held()).saturating_mul(protocol::limits::CHUNK_BYTES);
    chunks.min(blob.size)
}

#[cfg(test)]
mod tests;
