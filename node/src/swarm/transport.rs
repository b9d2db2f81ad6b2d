//! How bytes travel: TCP, behind a fence and a resolver of names, with a network's pre-shared key if there is one; Noise
//! says who is there, yamux makes many streams of one. The same within circuits of relays.

use std::time::Duration;

use libp2p::core::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{self, MemoryTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::{PeerId, dns, noise, relay, tcp, yamux};
use protocol::network::invitation::PresharedKey;

use super::SwarmError;
use super::fence::{Fence, Fenced};

/// Streams on one connection: exchanges of 20 blobs, kad, identify, ping.
const STREAMS_MAX: usize = 64;
/// A connection must be there, with all that is negotiated, within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Any transport that says who is there and carries streams.
pub(super) type Boxed = transport::Boxed<(PeerId, StreamMuxerBox)>;

/// TCP.
pub(super) fn tcp(
    keypair: &Keypair,
    psk: Option<&PresharedKey>,
    fence: &Fence,
) -> Result<Boxed, SwarmError> {
    let fenced = Fenced {
        inner: tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)),
        fence: fence.clone(),
    };
    let named = dns::tokio::Transport::system(fenced).map_err(SwarmError::Dns)?;
    let noise = noise::Config::new(keypair)?;
    let Some(psk) = psk else {
        let secured = named.upgrade(Version::V1Lazy).authenticate(noise);
        return Ok(secured.multiplex(yamux_config()).boxed());
    };
    let psk = PnetConfig::new(PreSharedKey::new(*psk.expose()));
    let secluded = named.and_then(move |socket, _| psk.handshake(socket));
    let secured = secluded.upgrade(Version::V1Lazy).authenticate(noise);
    Ok(secured.multiplex(yamux_config()).boxed())
}

/// Within this process.
pub(super) fn memory(keypair: &Keypair) -> Result<Boxed, SwarmError> {
    let noise = noise::Config::new(keypair)?;
    let secured = MemoryTransport::new()
        .upgrade(Version::V1)
        .authenticate(noise);
    Ok(secured.multiplex(yamux_config()).boxed())
}

/// Adds circuits through relays.
pub(super) fn with_relays(
    keypair: &Keypair,
    transport: Boxed,
) -> Result<(Boxed, relay::client::Behaviour), SwarmError> {
    let (circuits, behaviour) = relay::client::new(keypair.public().to_peer_id());
    let secured = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?);
    let circuits = secured.multiplex(yamux_config());
    let both = circuits
        .or_transport(transport)
        .map(|either, _| match either {
            futures::future::Either::Left((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
            futures::future::Either::Right(connected) => connected,
        });
    Ok((
        TransportTimeout::new(both, CONNECT_TIMEOUT).boxed(),
        behaviour,
    ))
}

fn yamux_config() -> yamux::Config {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    yamux
}
