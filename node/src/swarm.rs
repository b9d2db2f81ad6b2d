//! Transports (TCP, Noise, yamux) and the behaviours of a node.

pub mod addresses;
pub mod table;

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::Transport as _;
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::kad::{self, BucketInserts, StoreInserts};
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, identify, mdns, noise, ping, swarm, tcp, yamux};

use crate::config::{
    CONNECTIONS_INCOMING_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_PEER_MAX, HANDSHAKES_MAX, Mode,
    NodeConfig,
};
use crate::network::Opened;
use crate::network::gate::{Allowed, Gate};
use crate::storage::quota::PROVIDER_TTL_S;
use crate::storage::records::Records;

/// Our own Kademlia network; a private one adds its id.
const KAD_PROTOCOL: StreamProtocol = StreamProtocol::new("/streembit/kad/1.0.0");
/// What identify tells others.
const IDENTIFY_PROTOCOL: &str = "/streembit/id/1.0.0";
/// Streams on one connection: exchanges of 20 blobs, kad, identify, ping.
const STREAMS_MAX: usize = 64;
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
) -> Result<Swarm<Behaviour>, SwarmError> {
    let tcp = tcp::Config::default().nodelay(true);
    let builder = SwarmBuilder::with_existing_identity(keypair.clone()).with_tokio();
    let kad = kad_protocol(network);
    let allowed = network.map(|network| network.allowed());
    let behaviour = |keypair: &Keypair| behaviour(keypair, records, config, (kad, allowed));
    let tune = |config: swarm::Config| config.with_idle_connection_timeout(IDLE_TIMEOUT);
    let Some(psk) = network.and_then(|network| network.psk.as_ref()) else {
        let builder = builder.with_tcp(tcp, noise::Config::new, yamux_config)?;
        let builder = builder.with_dns().map_err(SwarmError::Dns)?;
        let Ok(builder) = builder.with_behaviour(behaviour);
        return Ok(builder.with_swarm_config(tune).build());
    };
    let noise = noise::Config::new(keypair)?;
    let psk = PnetConfig::new(PreSharedKey::new(*psk.expose()));
    let secluded = tcp::tokio::Transport::new(tcp)
        .and_then(move |socket, _| psk.handshake(socket))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux_config());
    let Ok(builder) = builder.with_other_transport(|_| secluded);
    let builder = builder.with_dns().map_err(SwarmError::Dns)?;
    let Ok(builder) = builder.with_behaviour(behaviour);
    Ok(builder.with_swarm_config(tune).build())
}

/// What the DHT speaks: a private network's is its own, so that they never mix.
pub(crate) fn kad_protocol(network: Option<&Opened>) -> StreamProtocol {
    let Some(network) = network else {
        return KAD_PROTOCOL;
    };
    let name = format!("{KAD_PROTOCOL}/{}", network.id);
    StreamProtocol::try_from_owned(name).unwrap_or(KAD_PROTOCOL)
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
) -> Result<Swarm<Behaviour>, SwarmError> {
    let noise = noise::Config::new(keypair)?;
    let transport = MemoryTransport::new()
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux_config());
    let builder = SwarmBuilder::with_existing_identity(keypair.clone()).with_tokio();
    let Ok(builder) = builder.with_other_transport(|_| transport);
    let allowed = network.map(|network| network.allowed());
    let kad = kad_protocol(network);
    let behaviour = |keypair: &Keypair| behaviour(keypair, records, config, (kad, allowed));
    let Ok(builder) = builder.with_behaviour(behaviour);
    Ok(builder
        .with_swarm_config(|c| c.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build())
}

fn yamux_config() -> yamux::Config {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    yamux
}

fn behaviour(
    keypair: &Keypair,
    records: Records,
    config: &NodeConfig,
    (protocol, allowed): (StreamProtocol, Option<Allowed>),
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
        .with_push_listen_addr_updates(true);
    let mdns = config
        .mdns
        .then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), local));
    let mdns = mdns.and_then(|started| {
        started
            .inspect_err(|error| tracing::warn!(%error, "mDNS is not available"))
            .ok()
    });
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        gate: Gate::new(allowed),
        kad,
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::default(),
        mdns: Toggle::from(mdns),
        streams: libp2p_stream::Behaviour::new(),
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
