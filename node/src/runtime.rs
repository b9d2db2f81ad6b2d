//! The one loop of a node: swarm events and commands in, swarm calls and answers out.

mod members;
mod queries;
mod reach;
mod repeat;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use keys::SigningKey;
use libp2p::core::ConnectedPoint;
use libp2p::identity::Keypair;
use libp2p::kad::{self, InboundRequest, QueryResult};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identify, mdns};
use tokio::sync::mpsc;
use tokio::time::{Interval, interval};

use crate::blocks::serve;
use crate::blocks::store::BlobStore;
use crate::config::{Mode, NodeConfig, Republish};
use crate::handle::{COMMANDS_MAX, Command, NodeHandle, PeerInfo, Status, Streams};
use crate::identity;
use crate::network::place::PlaceError;
use crate::network::{Network, Opened};
use crate::storage::quota::Subnet;
use crate::storage::records::Records;
use crate::storage::{Storage, StorageError};
use crate::swarm::table::Table;
use crate::swarm::{self, Behaviour, BehaviourEvent, addresses};
use queries::Queries;

/// How often expired records are dropped and the store is made durable.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often lost bootstrap nodes are dialled again.
const BOOTSTRAP_INTERVAL: Duration = Duration::from_secs(15);

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The account key is unfit.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// The store can't be opened.
    #[error("node store")]
    Storage(#[from] StorageError),
    /// The private network's files can't be used.
    #[error("private network")]
    Network(#[from] PlaceError),
    /// The swarm can't be built.
    #[error(transparent)]
    Swarm(#[from] swarm::SwarmError),
    /// An address can't be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// Why.
        source: Box<libp2p::TransportError<std::io::Error>>,
    },
}

/// Starts a node in a task of the current runtime. It stops when all handles are dropped.
///
/// # Errors
/// [`StartError`].
pub fn start(config: &NodeConfig, key: &SigningKey) -> Result<NodeHandle, StartError> {
    start_on(config, key, swarm::build)
}

/// Starts a node that listens on `/memory/…` addresses, for networks of hundreds in one process.
///
/// # Errors
/// [`StartError`].
#[doc(hidden)]
pub fn start_in_memory(config: &NodeConfig, key: &SigningKey) -> Result<NodeHandle, StartError> {
    start_on(config, key, swarm::build_in_memory)
}

type Build = fn(
    &Keypair,
    Records,
    &NodeConfig,
    Option<&Opened>,
) -> Result<Swarm<Behaviour>, swarm::SwarmError>;

fn start_on(config: &NodeConfig, key: &SigningKey, build: Build) -> Result<NodeHandle, StartError> {
    let keypair = identity::keypair(key)?;
    let peer_id = keypair.public().to_peer_id();
    let opened = Opened::of(config)?;
    let (folder, bootstrap) = match &opened {
        Some(opened) => (opened.place.folder(), &opened.bootstrap),
        None => (config.data_directory.as_path(), &config.bootstrap),
    };
    let bootstrap = bootstrap.clone();
    let storage = Storage::open(&folder.join("node"))?;
    let records = Records::open(&storage, peer_id)?;
    let mut swarm = build(&keypair, records, config, opened.as_ref())?;
    for address in &config.listen {
        swarm
            .listen_on(address.clone())
            .map_err(|source| StartError::Listen {
                address: address.clone(),
                source: Box::new(source),
            })?;
    }
    let blobs = BlobStore::default();
    let control = swarm.behaviour().streams.new_control();
    if config.serve {
        tokio::spawn(serve::accept(control.clone(), blobs.clone()));
    }
    let (sender, commands) = mpsc::channel(COMMANDS_MAX);
    let handle = NodeHandle {
        commands: sender,
        streams: Streams(control.clone()),
        blobs: blobs.clone(),
        peer_id,
    };
    let runtime = Runtime {
        swarm,
        commands,
        storage,
        blobs,
        queries: Queries::new(config.clock),
        peers: BTreeMap::new(),
        identified: BTreeSet::new(),
        kad: swarm::kad_protocol(opened.as_ref()),
        network: Network::start(opened, config, key.public(), control),
        table: Table::default(),
        repeat: (config.mode == Mode::Full).then_some(config.republish),
        bootstrap,
        reachable: config.reachable,
        is_settled: false,
    };
    tokio::spawn(runtime.run());
    Ok(handle)
}

struct Runtime {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    storage: Storage,
    blobs: BlobStore,
    queries: Queries,
    /// Where each connected peer was met.
    peers: BTreeMap<PeerId, Multiaddr>,
    /// Connected peers whose addresses were taken.
    identified: BTreeSet<PeerId>,
    kad: StreamProtocol,
    network: Network,
    table: Table,
    /// How records are told again; a leaf holds none.
    repeat: Option<Republish>,
    bootstrap: Vec<Multiaddr>,
    reachable: bool,
    /// The routing table was given: it isn't explored.
    is_settled: bool,
}

impl Runtime {
    async fn run(mut self) {
        let mut sweep = interval(SWEEP_INTERVAL);
        let mut bootstrap: Interval = interval(BOOTSTRAP_INTERVAL);
        let mut repeat = interval(self.repeat.unwrap_or_default().interval);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                () = self.network.changed() => self.on_members(),
                _ = sweep.tick() => self.sweep().await,
                _ = bootstrap.tick() => self.dial_bootstrap(),
                _ = repeat.tick() => self.repeat(),
            }
        }
        if let Err(error) = self.storage.sync() {
            tracing::warn!(%error, "store not synced at the end");
        }
    }

    async fn sweep(&mut self) {
        self.swarm.behaviour_mut().kad.store_mut().sweep();
        let storage = self.storage.clone();
        let synced = tokio::task::spawn_blocking(move || storage.sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::warn!(%error, "store not synced, opened again");
            let records = self.swarm.behaviour_mut().kad.store_mut();
            if let Err(error) = records.recover(&mut self.storage) {
                tracing::warn!(%error, "nothing is stored until the disk takes it");
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial(address) => self.dial(&address),
            Command::Get(key, reply) => {
                self.queries
                    .get(&mut self.swarm.behaviour_mut().kad, key, reply);
            }
            Command::Learn(peers, reply) => {
                self.learn(peers);
                reply.send(()).unwrap_or_default();
            }
            Command::Peers(reply) => {
                let info = |(peer, address): (&PeerId, &Multiaddr)| PeerInfo {
                    peer_id: peer.to_string(),
                    address: address.to_string(),
                };
                // The asker may have given up; then nobody wants the answer.
                drop(reply.send(self.peers.iter().map(info).collect()));
            }
            Command::Provide(key) => {
                let key = kad::RecordKey::new(key.as_bytes());
                if let Err(error) = self.swarm.behaviour_mut().kad.start_providing(key) {
                    tracing::warn!(%error, "not announced");
                }
            }
            Command::Providers(key, reply) => {
                self.queries
                    .providers(&mut self.swarm.behaviour_mut().kad, key, reply);
            }
            Command::Put(key, value, reply) => {
                self.queries
                    .put(&mut self.swarm.behaviour_mut().kad, key, value, reply);
            }
            Command::ReloadNetwork(reply) => self.network.reload(reply),
            Command::Status(reply) => drop(reply.send(self.status())),
            Command::StopProviding(key) => {
                let key = kad::RecordKey::new(key.as_bytes());
                self.swarm.behaviour_mut().kad.stop_providing(&key);
            }
        }
    }

    fn status(&mut self) -> Status {
        let peer_id = *self.swarm.local_peer_id();
        let listening = self
            .swarm
            .listeners()
            .map(|address| format!("{address}/p2p/{peer_id}"));
        let listening = listening.collect();
        let kad = &mut self.swarm.behaviour_mut().kad;
        let known = kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
        Status {
            peer_id: peer_id.to_string(),
            listening,
            peers: self.peers.len(),
            known,
            records: kad.store_mut().record_count(),
            provider_keys: kad.store_mut().provider_key_count(),
            blobs: self.blobs.count(),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
                if self.reachable {
                    self.swarm.add_external_address(address);
                }
            }
            SwarmEvent::ConnectionEstablished {
                peer_id, endpoint, ..
            } => {
                let met = match endpoint {
                    ConnectedPoint::Dialer { address, .. } => {
                        let kad = &mut self.swarm.behaviour_mut().kad;
                        self.table.reached(kad, peer_id, address.clone());
                        address
                    }
                    ConnectedPoint::Listener { send_back_addr, .. } => send_back_addr,
                };
                tracing::debug!(%peer_id, %met, "connected");
                if self.peers.insert(peer_id, met).is_none() {
                    self.network.connected(peer_id);
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                ..
            } => {
                tracing::debug!(%peer_id, "disconnected");
                self.peers.remove(&peer_id);
                self.identified.remove(&peer_id);
                self.network.disconnected(&peer_id);
                self.table.disconnected(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => self.on_dial_error(&peer, &error),
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Kad(kad::Event::InboundRequest { request }) => {
                self.on_inbound(request);
            }
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result: QueryResult::Bootstrap(_),
                ..
            }) if self.is_settled => self.end_query(id),
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id, result, step, ..
            }) => {
                let found = self.queries.progress(
                    &mut self.swarm.behaviour_mut().kad,
                    id,
                    result,
                    step.last,
                );
                // Their addresses are known only while the look-up runs.
                for peer in found {
                    if !self.peers.contains_key(&peer) && peer != *self.swarm.local_peer_id() {
                        drop(self.swarm.dial(peer));
                    }
                }
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                // Once per connection: a peer that pushes list after list fills no memory.
                if !self.identified.insert(peer_id) {
                    return;
                }
                let Some(met) = self.peers.get(&peer_id) else {
                    return;
                };
                if info.protocols.contains(&self.kad) {
                    let believed = addresses::believed(&info.listen_addrs, met);
                    let kad = &mut self.swarm.behaviour_mut().kad;
                    let back = self.table.serves(kad, peer_id, met, believed);
                    self.dial_back(peer_id, back);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    // Others of the local network aren't dialled, so that they fill no log.
                    if !self.peers.contains_key(&peer) && self.swarm.behaviour().gate.allows(&peer)
                    {
                        let options = DialOpts::peer_id(peer).addresses(vec![address]);
                        drop(self.swarm.dial(options.build()));
                    }
                }
            }
            _ => {}
        }
    }

    /// Admission: the same rules for what others store here as for what we believe.
    fn on_inbound(&mut self, request: InboundRequest) {
        match request {
            InboundRequest::PutRecord {
                source,
                record: Some(record),
                ..
            } => {
                let met = self.peers.get(&source).and_then(addresses::ip);
                let subnet = met.and_then(Subnet::of);
                let store = self.swarm.behaviour_mut().kad.store_mut();
                if let Err(error) = store.offer(record.key.as_ref(), &record.value, subnet) {
                    tracing::debug!(%source, %error, "record refused");
                }
            }
            InboundRequest::AddProvider {
                record: Some(mut record),
            } => {
                let Some(met) = self.peers.get(&record.provider) else {
                    return;
                };
                record.addresses = addresses::believed(&record.addresses, met);
                let store = self.swarm.behaviour_mut().kad.store_mut();
                if let Err(error) = kad::store::RecordStore::add_provider(store, record) {
                    tracing::debug!(%error, "provider refused");
                }
            }
            _ => {}
        }
    }
}
