//! The one loop of a node: swarm events and commands in, swarm calls and answers out.

mod admission;
mod connections;
mod members;
mod queries;
mod reach;
mod relays;
mod repeat;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt as _;
use keys::SigningKey;
use libp2p::identity::Keypair;
use libp2p::kad::{self, QueryResult};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identify, mdns, ping, relay};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::interval;

use crate::blocks::serve;
use crate::blocks::store::BlobStore;
use crate::config::{Mode, NodeConfig, Republish};
use crate::handle::{COMMANDS_MAX, Command, NodeHandle, PeerInfo, Status, Streams};
use crate::identity;
use crate::local_names::LocalNames;
use crate::network::place::PlaceError;
use crate::network::{Network, Opened};
use crate::storage::records::Records;
use crate::storage::{Storage, StorageError};
use crate::swarm::fence::Fence;
use crate::swarm::table::Table;
use crate::swarm::{self, Behaviour, BehaviourEvent, addresses};
use connections::Connections;
use queries::Queries;
use reach::Entrance;
use relays::Relays;

/// How often expired records are dropped and the store is made durable.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often it is looked at who is to be dialled again, and whether relays are needed.
const REACH_INTERVAL: Duration = Duration::from_secs(5);

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
) -> Result<(Swarm<Behaviour>, Fence), swarm::SwarmError>;

fn start_on(config: &NodeConfig, key: &SigningKey, build: Build) -> Result<NodeHandle, StartError> {
    let keypair = identity::keypair(key)?;
    let peer_id = keypair.public().to_peer_id();
    let opened = Opened::of(config)?;
    let (folder, bootstrap) = match &opened {
        Some(opened) => (opened.place.folder(), &opened.bootstrap),
        None => (config.data_directory.as_path(), &config.bootstrap),
    };
    let data_directory = folder.to_owned();
    let bootstrap = bootstrap.iter().cloned().map(Entrance::new).collect();
    let storage = Storage::open(&folder.join("node"))?;
    let records = Records::open(&storage, peer_id)?;
    let (mut swarm, fence) = build(&keypair, records, config, opened.as_ref())?;
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
    let (tell_addresses, addresses) = watch::channel(Vec::new());
    let names = LocalNames::new(config.mdns, config.mdns_name.clone());
    tokio::spawn(names.clone().publish(addresses.clone()));
    let handle = NodeHandle {
        commands: sender,
        addresses,
        streams: Streams(control.clone()),
        names,
        blobs: blobs.clone(),
        peer_id,
    };
    let runtime = Runtime {
        swarm,
        commands,
        data_directory,
        storage,
        blobs,
        queries: Queries::new(config.clock),
        peers: Connections::default(),
        relays: Relays::default(),
        dials: BTreeMap::new(),
        addresses: tell_addresses,
        fence,
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
    data_directory: PathBuf,
    storage: Storage,
    blobs: BlobStore,
    queries: Queries,
    peers: Connections,
    relays: Relays,
    /// Connections that somebody waits for.
    dials: BTreeMap<ConnectionId, oneshot::Sender<Result<(), String>>>,
    /// Where we can be dialled.
    addresses: watch::Sender<Vec<String>>,
    fence: Fence,
    /// Connected peers whose addresses were taken.
    identified: BTreeSet<PeerId>,
    kad: StreamProtocol,
    network: Network,
    table: Table,
    /// How records are told again; a leaf holds none.
    repeat: Option<Republish>,
    bootstrap: Vec<Entrance>,
    reachable: bool,
    /// The routing table was given: it isn't explored.
    is_settled: bool,
}

impl Runtime {
    async fn run(mut self) {
        let mut sweep = interval(SWEEP_INTERVAL);
        let mut reach = interval(REACH_INTERVAL);
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
                now = reach.tick() => {
                    self.dial_bootstrap(now);
                    self.seek_relays();
                }
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
            Command::Connect(peer, addresses, reply) => self.connect(peer, addresses, reply),
            Command::Dial(address) => self.dial(&address),
            Command::Direct(peer, reply) => self.peers.wait_for_direct(peer, reply),
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
        let kad = &mut self.swarm.behaviour_mut().kad;
        let known = kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
        Status {
            peer_id: peer_id.to_string(),
            listening: self.addresses.borrow().clone(),
            peers: self.peers.count(),
            known,
            records: kad.store_mut().record_count(),
            provider_keys: kad.store_mut().provider_key_count(),
            blobs: self.blobs.count(),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ExpiredListenAddr { .. } => self.tell_addresses(),
            SwarmEvent::ListenerClosed { listener_id, .. } => self.on_listener_closed(listener_id),
            SwarmEvent::ExternalAddrConfirmed { .. } | SwarmEvent::ExternalAddrExpired { .. } => {
                self.on_external();
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_connected(peer_id, connection_id, endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => self.on_disconnected(peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError {
                peer_id,
                connection_id,
                error,
            } => self.on_dial_error(peer_id, connection_id, &error),
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
                    if !self.peers.is_connected(&peer) && peer != *self.swarm.local_peer_id() {
                        drop(self.swarm.dial(peer));
                    }
                }
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                // Once per connection: a peer that pushes list after list fills no memory.
                if !self.identified.insert(peer_id) {
                    return;
                }
                let Some(met) = self.peers.met(&peer_id) else {
                    return;
                };
                if info.protocols.contains(&self.kad) {
                    let believed = addresses::believed(&info.listen_addrs, met);
                    let kad = &mut self.swarm.behaviour_mut().kad;
                    let back = self.table.serves(kad, peer_id, met, believed);
                    self.dial_back(peer_id, back);
                }
                if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
                    self.on_relay_met(peer_id);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_nearby(found),
            BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(ping::Failure::Timeout | ping::Failure::Other { .. }),
                ..
            }) => {
                // The second failure in a row: whoever was cut off is not silent for a quarter of an hour, as TCP
                // would be. It is seldom a timeout: there a new stream is asked for, which isn't opened in time.
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Relays(event) => self.on_relay_event(&event),
            BehaviourEvent::Dcutr(event) => self.on_punched(&event),
            BehaviourEvent::Autonat(event) => self.on_tried(&event),
            _ => {}
        }
    }
}
