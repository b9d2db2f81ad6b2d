//! Where metadata and blobs come from: peers first, then HTTP mirrors. Nothing that comes is
//! believed here; the verifier and the chunk level decide.

pub mod metadata;
pub mod mirror;
pub mod shelf;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};
use keys::SigningKey;
use node::NodeHandle;
use node::blocks::fetch::{self, Destination, FetchError, FetchReport, Stopped};
use node::blocks::link::Link;
use node::blocks::partial::Partial;
use node::blocks::store::BlobStore;
use node::holders::find_links;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::download::PeerRole;
use protocol::exchange::tree::Blob;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::Config;
use mirror::Mirror;

/// Links that wait to be used.
const LINKS_WAITING_MAX: usize = 4;

/// Bytes below which a fetch says nothing about the link.
const MEASURED_BYTES_MIN: u64 = 1 << 20;

/// Why a blob was not fetched.
#[derive(Debug)]
pub enum Unfetched {
    /// The disk does not take it.
    Disk(CliError),
    /// The gate refused, or a task died.
    Other(CliError),
    /// No source delivers; what arrived stays for the next run.
    Starved(CliError),
}

impl From<Unfetched> for CliError {
    fn from(unfetched: Unfetched) -> Self {
        match unfetched {
            Unfetched::Disk(error) | Unfetched::Other(error) | Unfetched::Starved(error) => error,
        }
    }
}

/// All sources of one device.
#[derive(Debug)]
pub struct Sources {
    /// The device's node, if peers are used.
    pub node: Option<NodeHandle>,
    /// The mirrors.
    pub mirrors: Vec<Mirror>,
    blobs: BlobStore,
    config: Config,
    /// Bytes per second that the last fetch worth measuring brought; 0 for none.
    link: AtomicU64,
}

impl Sources {
    /// Starts the node and prepares the mirrors.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn start(config: &Config, key: &SigningKey) -> Result<Self, CliError> {
        let node = if config.peers {
            Some(node::runtime::start(&config.node, key).context(Exit::No, "node")?)
        } else {
            None
        };
        let mirrors = config
            .mirrors
            .iter()
            .map(|url| Mirror::new(url))
            .collect::<Result<_, _>>()?;
        let blobs = node
            .as_ref()
            .map(|node| node.blobs.clone())
            .unwrap_or_default();
        Ok(Self {
            node,
            mirrors,
            blobs,
            config: config.clone(),
            link: AtomicU64::new(0),
        })
    }

    /// Bytes per second that the last fetch brought, the search for sources included; `None` if none was
    /// worth measuring.
    pub fn link_speed(&self) -> Option<u64> {
        Some(self.link.load(Ordering::Relaxed)).filter(|speed| *speed > 0)
    }

    fn note_link(&self, report: &FetchReport, time: Duration) {
        let bytes: u64 = report.bytes_by_source.values().sum();
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if bytes >= MEASURED_BYTES_MIN && millis > 0 {
            let speed = bytes.saturating_mul(1000) / millis;
            self.link.store(speed.max(1), Ordering::Relaxed);
        }
    }

    /// The blobs that are served to others.
    pub fn blobs(&self) -> &BlobStore {
        &self.blobs
    }

    /// Fetches a blob into `partial` from every source that has it. `gate` is asked before the first
    /// byte is written.
    ///
    /// # Errors
    /// [`Unfetched`]; what arrived stays for the next run. Those of `gate` are [`Unfetched::Other`].
    pub async fn fetch(
        &self,
        partial: &Partial,
        gate: impl AsyncFnOnce() -> Result<(), CliError>,
        progress: impl FnMut(u64),
    ) -> Result<FetchReport, Unfetched> {
        self.fetch_part(partial, None, gate, progress).await
    }

    /// The same for the chunks in `wanted` alone, if there is one.
    ///
    /// # Errors
    /// Those of [`Self::fetch`].
    pub async fn fetch_part(
        &self,
        partial: &Partial,
        wanted: Option<ChunkMap>,
        gate: impl AsyncFnOnce() -> Result<(), CliError>,
        progress: impl FnMut(u64),
    ) -> Result<FetchReport, Unfetched> {
        let mut refused = None;
        let gate = async || {
            gate().await.map_err(|error| {
                refused = Some(error);
                Stopped
            })
        };
        let (sender, links) = mpsc::channel::<Link>(LINKS_WAITING_MAX);
        let mut finders = JoinSet::new();
        let blob = partial.blob();
        if let Some(node) = self.node.clone() {
            let sender = sender.clone();
            finders.spawn(async move {
                if let Err(error) = find_links(node, blob, sender).await {
                    tracing::warn!(%error, "no peers");
                }
            });
        }
        // Mirrors cost the publisher, so peers are given a moment; without peers there is none to give.
        let role = match self.node {
            Some(_) => PeerRole::Origin,
            None => PeerRole::Peer,
        };
        for mirror in &self.mirrors {
            finders.spawn(mirror.clone().offer(blob, role, sender.clone()));
        }
        drop(sender);
        let patience = self.config.patience;
        let to = Destination {
            partial,
            blobs: &self.blobs,
            wanted,
            gate,
        };
        let started = Instant::now();
        let fetched = fetch::fetch(to, links, patience, progress).await;
        if let Ok(report) = &fetched {
            self.note_link(report, started.elapsed());
        }
        fetched.map_err(|error| match refused {
            Some(refused) => Unfetched::Other(refused),
            None => explain(&blob, &error),
        })
    }
}

fn explain(blob: &Blob, error: &FetchError) -> Unfetched {
    let explained = |exit, fix| {
        CliError::from_error(exit, format_args!("blob {}", blob.name()), error).hint(fix)
    };
    match error {
        FetchError::Starved { .. } => {
            let fix = "run again later: what arrived is kept";
            Unfetched::Starved(explained(Exit::Retry, fix))
        }
        FetchError::Disk(_) => Unfetched::Disk(explained(Exit::No, durable::DISK_FIX)),
        FetchError::Stopped | FetchError::Task(_) => {
            Unfetched::Other(explained(Exit::No, "run again"))
        }
    }
}

/// Adds the sources of one fetch to those of an update.
pub fn add(total: &mut FetchReport, part: FetchReport) {
    let sum = |into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>| {
        for (name, bytes) in from {
            *into.entry(name).or_default() += bytes;
        }
    };
    sum(&mut total.bytes_by_source, part.bytes_by_source);
    for (name, times) in part.liars {
        *total.liars.entry(name).or_default() += times;
    }
    total.resumed_bytes += part.resumed_bytes;
}
