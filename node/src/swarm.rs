//! The behaviours of a node.

pub mod addresses;
pub(crate) mod fence;
mod shares;
pub mod table;
mod transport;

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::kad::{self, BucketInserts, StoreInserts};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, Swarm, autonat, dcutr, identify, mdns, noise, ping, relay, swarm};

use crate::config::{
    CONNECTIONS_INCOMING_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_PEER_MAX, HANDSHAKES_MAX, Mode,
    NodeConfig, RELAY_CIRCUIT_BYTES_MAX, RELAY_CIRCUIT_TIME_MAX, RELAY_CIRCUITS_MAX,
    RELAY_RESERVATIONS_MAX,
};
use crate::network::Opened;
use crate::network::gate::{Allowed, Gate};
use crate::storage::quota::PROVIDER_TTL_S;
use crate::storage::records::Records;
use fence::Fence;
use shares::Shares;
use transport::Boxed;

/// Our own Kademlia network; a private one adds its id.
const KAD_PROTOCOL: StreamProtocol = StreamProtocol::new("/streembit/kad/1.0.0");
/// What identify tells others.
const IDENTIFY_PROTOCOL: &str = "/streembit/id/1.0.0";
/// The program, as identify tells it: no version, which would tell strangers what it can be attacked by (P61).
const AGENT: &str = "streembit";
/// A query that takes longer has failed; the caller tries again.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
/// Peers in a bucket of a leaf: all buckets are allocated at the start, 20 each take half a megabyte more.
const LEAF_BUCKET_SIZE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
/// Connections that carry nothing are closed after this; running exchanges keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// All behaviours.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    /// Refuses what is beyond the limits, before anything is negotiated.
    pub(crate) limits: connection_limits::Behaviour,
    /// Refuses what is beyond a subnet's share.
    pub(crate) shares: Shares,
    /// Refuses who isn't a member, before any of the protocols below runs.
    pub(crate) gate: Gate,
    /// The DHT.
    pub(crate) kad: kad::Behaviour<Records>,
    /// Addresses and protocols of peers.
    pub(crate) identify: identify::Behaviour,
    /// Keeps connections honest.
    pub(crate) ping: ping::Behaviour,
    /// Peers of the local network.
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    /// Raw streams for the block exchange.
    pub(crate) streams: libp2p_stream::Behaviour,
    /// Connections through relays, and places at relays for others to reach us (circuit relay v2).
    pub(crate) relays: relay::client::Behaviour,
    /// Relaying for others.
    pub(crate) relay: Toggle<relay::Behaviour>,
    /// Direct connections in place of relayed ones (DCUtR).
    pub(crate) dcutr: dcutr::Behaviour,
    /// Asks others whether they can dial us (AutoNAT v2).
    pub(crate) autonat: Toggle<autonat::v2::client::Behaviour>,
    /// Answers who asks that.
    pub(crate) autonat_server: Toggle<autonat::v2::server::Behaviour>,
}

/// Why the swarm can't be built.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// The Noise handshake can't be set up for this key.
    #[error("noise: {0}")]
    Noise(#[from] noise::Error),
    /// The DNS resolver's configuration can't be read.
    #[error("name resolver: {0}")]
    Dns(std::io::Error),
}

/// Builds the swarm of a node, of a private network if there is one.
///
/// # Errors
/// [`SwarmError`].
pub(crate) fn build(
    keypair: &Keypair,
    records: Records,
    config: &NodeConfig,
    network: Option<&Opened>,
) -> Result<(Swarm<Behaviour>, Fence), SwarmError> {
    let fence = Fence::default();
    let psk = network.and_then(|network| network.psk.as_ref());
    let transport = transport::tcp(keypair, psk, &fence)?;
    let swarm = assemble(keypair, transport, (records, config, network))?;
    Ok((swarm, fence))
}

/// Builds the swarm of a node that other nodes of this process alone can dial.
///
/// # Errors
/// [`SwarmError`].
pub(crate) fn build_in_memory(
    keypair: &Keypair,
    records: Records,
    config: &NodeConfig,
    network: Option<&Opened>,
) -> Result<(Swarm<Behaviour>, Fence), SwarmError> {
    let transport = transport::memory(keypair)?;
    let swarm = assemble(keypair, transport, (records, config, network))?;
    Ok((swarm, Fence::default()))
}

fn assemble(
    keypair: &Keypair,
    transport: Boxed,
    (records, config, network): (Records, &NodeConfig, Option<&Opened>),
) -> Result<Swarm<Behaviour>, SwarmError> {
    let (transport, relays) = transport::with_relays(keypair, transport)?;
    let protocol = kad_protocol(network);
    let allowed = network.map(|network| network.allowed());
    let behaviour = behaviour(keypair, (records, config), (protocol, allowed), relays);
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    let local = keypair.public().to_peer_id();
    Ok(Swarm::new(transport, behaviour, local, settings))
}

/// What the DHT speaks: a private network's is its own, so that they never mix.
pub(crate) fn kad_protocol(network: Option<&Opened>) -> StreamProtocol {
    let Some(network) = network else {
        return KAD_PROTOCOL;
    };
    let name = format!("{KAD_PROTOCOL}/{}", network.id);
    StreamProtocol::try_from_owned(name).unwrap_or(KAD_PROTOCOL)
}

fn behaviour(
    keypair: &Keypair,
    (records, config): (Records, &NodeConfig),
    (protocol, allowed): (StreamProtocol, Option<Allowed>),
    relays: relay::client::Behaviour,
) -> Behaviour {
    let local = keypair.public().to_peer_id();
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(HANDSHAKES_MAX))
        .with_max_pending_outgoing(Some(HANDSHAKES_MAX))
        .with_max_established(Some(CONNECTIONS_MAX))
        .with_max_established_incoming(Some(CONNECTIONS_INCOMING_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let kad_config = kad_config(protocol, config.mode);
    let mut kad = kad::Behaviour::with_config(local, records, kad_config);
    kad.set_mode(Some(match config.mode {
        Mode::Full => kad::Mode::Server,
        Mode::Leaf => kad::Mode::Client,
    }));
    let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), keypair.public())
        .with_agent_version(AGENT.to_owned())
        .with_push_listen_addr_updates(true);
    let mdns = config
        .mdns
        .then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), local));
    let mdns = mdns.and_then(|started| {
        started
            .inspect_err(|error| tracing::warn!(%error, "mDNS is not available"))
            .ok()
    });
    // Who says that it can be dialled helps those who can't.
    let helps = config.mode == Mode::Full && config.reachable;
    let relay = helps.then(|| {
        let mut relay = relay::Behaviour::new(local, relay_config());
        relay.set_status(Some(relay::Status::Enable));
        relay
    });
    let autonat_server = (config.mode == Mode::Full).then(autonat::v2::server::Behaviour::default);
    let autonat = (config.reachable).then(autonat::v2::client::Behaviour::default);
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        shares: Shares::default(),
        gate: Gate::new(allowed),
        kad,
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::default(),
        mdns: Toggle::from(mdns),
        streams: libp2p_stream::Behaviour::new(),
        relays,
        relay: Toggle::from(relay),
        dcutr: dcutr::Behaviour::new(local),
        autonat: Toggle::from(autonat),
        autonat_server: Toggle::from(autonat_server),
    }
}

fn relay_config() -> relay::Config {
    relay::Config {
        max_reservations: RELAY_RESERVATIONS_MAX,
        max_circuits: RELAY_CIRCUITS_MAX,
        max_circuit_duration: RELAY_CIRCUIT_TIME_MAX,
        max_circuit_bytes: RELAY_CIRCUIT_BYTES_MAX,
        ..relay::Config::default()
    }
}

fn kad_config(protocol: StreamProtocol, mode: Mode) -> kad::Config {
    let mut config = kad::Config::new(protocol);
    let provider_ttl = Duration::from_secs(PROVIDER_TTL_S);
    config
        .set_record_filtering(StoreInserts::FilterBoth)
        // Who enters the table: see `table`.
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_query_timeout(QUERY_TIMEOUT)
        .set_parallelism(NonZeroUsize::MIN.saturating_add(2))
        .disjoint_query_paths(true)
        // Kademlia's own job remembers every key it is sent, stored or not, and puts all records of
        // others again every hour: a stranger's lever. Whoever has a record announces it.
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_record_ttl(Some(provider_ttl))
        .set_provider_publication_interval(Some(provider_ttl / 3))
        // A release head of 8 KiB and 20 peers' addresses.
        .set_max_packet_size(24 * 1024);
    if mode == Mode::Leaf {
        config.set_kbucket_size(LEAF_BUCKET_SIZE);
    }
    config
}
