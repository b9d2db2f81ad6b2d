//! A connection on which Noise and yamux were agreed: what follows are frames, good or bad, as a test writes them.
//!
//! The protocol's text is hashicorp/yamux `spec.md`: `version u8 ‖ type u8 ‖ flags u16 ‖ stream u32 ‖ length u32`.

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use node::libp2p::core::Endpoint;
use node::libp2p::core::transport::{DialOpts, PortUse, Transport as _};
use node::libp2p::core::upgrade::OutboundConnectionUpgrade as _;
use node::libp2p::identity::Keypair;
use node::libp2p::{noise, tcp};

use super::TestNode;

const MULTISTREAM: &[u8] = b"\x13/multistream/1.0.0\n";
const NOISE: &[u8] = b"\x07/noise\n";
const YAMUX: &[u8] = b"\x0d/yamux/1.0.0\n";

/// Opens a stream.
pub const SYN: u16 = 1;
/// Closes a stream, one way.
pub const FIN: u16 = 4;
/// Ends a stream.
pub const RST: u16 = 8;
/// Bytes of a stream follow.
pub const DATA: u8 = 0;
/// More bytes may be sent.
pub const WINDOW_UPDATE: u8 = 1;
/// Is it there?
pub const PING: u8 = 2;
/// The connection ends.
pub const GO_AWAY: u8 = 3;

/// The head of a frame.
pub fn frame(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    let mut head = vec![0, kind];
    head.extend(flags.to_be_bytes());
    head.extend(stream.to_be_bytes());
    head.extend(length.to_be_bytes());
    head
}

/// Connects to a node under a key of the moment.
pub async fn connect(node: &TestNode) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
    let mut transport = tcp::tokio::Transport::new(tcp::Config::default());
    let address = node.address.iter().take(2).collect();
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::New,
    };
    let mut socket = transport.dial(address, options).unwrap().await.unwrap();
    agree(&mut socket, NOISE).await;
    let noise = noise::Config::new(&Keypair::generate_ed25519()).unwrap();
    let (_, mut secured) = noise.upgrade_outbound(socket, "/noise").await.unwrap();
    agree(&mut secured, YAMUX).await;
    secured
}

/// Reads until the node ends the connection, or says that it is over.
pub async fn until_refused(connection: &mut (impl AsyncRead + Unpin)) {
    let mut head = [0; 12];
    while connection.read_exact(&mut head).await.is_ok() {
        let [_, kind, _, _, _, _, _, _, length @ ..] = head;
        let length = u64::from(u32::from_be_bytes(length));
        match kind {
            GO_AWAY => return,
            DATA => {
                let mut body = connection.take(length);
                drop(futures::io::copy(&mut body, &mut futures::io::sink()).await);
            }
            _ => {}
        }
    }
}

/// Proposes a protocol, which the node accepts by saying the same.
async fn agree(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), protocol: &[u8]) {
    let said = [MULTISTREAM, protocol].concat();
    socket.write_all(&said).await.unwrap();
    socket.flush().await.unwrap();
    let mut answer = vec![0; said.len()];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, said);
}
