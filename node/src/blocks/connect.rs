//! Finding holders of a blob and opening streams to them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::AsyncReadExt as _;
use libp2p::{PeerId, Stream, StreamProtocol};
use protocol::dht::key::DhtKey;
use protocol::exchange::PROTOCOL;
use protocol::exchange::download::PeerRole;
use protocol::exchange::tree::Blob;
use protocol::exchange::wire::Frame;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::frames;
use crate::handle::{NodeHandle, Stopped};

/// Between two looks for more holders.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);
/// A holder must accept a stream within this time.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// Frames to a holder that wait: requests, a few bytes each.
pub const FRAMES_WAITING_MAX: usize = 64;
/// Frames from a holder that wait: each may be a whole chunk.
const CHUNKS_WAITING_MAX: usize = 2;

/// A conversation with one holder, whatever carries it: a libp2p stream or an HTTP mirror.
#[derive(Debug)]
pub struct Link {
    /// Who it is, for reports.
    pub name: String,
    /// What it is to us.
    pub role: PeerRole,
    /// To the holder.
    pub outgoing: mpsc::Sender<Frame>,
    /// From the holder; its end is the link's end.
    pub incoming: mpsc::Receiver<Frame>,
}

/// Looks for holders of `blob` until `links` is closed: connected peers first (those of the local
/// network are among them), then the providers that the DHT names.
///
/// # Errors
/// [`Stopped`] if the node stops.
pub async fn find_links(
    node: NodeHandle,
    blob: Blob,
    links: mpsc::Sender<Link>,
) -> Result<(), Stopped> {
    let mut tried: BTreeSet<PeerId> = BTreeSet::from([node.peer_id]);
    while !links.is_closed() {
        let connected = node.peers().await?;
        let connected = connected
            .iter()
            .filter_map(|peer| peer.peer_id.parse().ok());
        open_links(&node, blob, connected, &mut tried, &links);
        let providers = node.providers(DhtKey::blob(&blob.root)).await?;
        open_links(&node, blob, providers.into_iter(), &mut tried, &links);
        tokio::select! {
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
            () = links.closed() => {}
        }
    }
    Ok(())
}

fn open_links(
    node: &NodeHandle,
    blob: Blob,
    peers: impl Iterator<Item = PeerId>,
    tried: &mut BTreeSet<PeerId>,
    links: &mpsc::Sender<Link>,
) {
    for peer in peers {
        if !tried.insert(peer) {
            continue;
        }
        let mut control = node.streams.0.clone();
        let links = links.clone();
        tokio::spawn(async move {
            let opening = control.open_stream(peer, StreamProtocol::new(PROTOCOL));
            match timeout(OPEN_MAX, opening).await {
                Ok(Ok(stream)) => {
                    // Nobody waits for links once the blob is complete.
                    drop(links.send(link(peer.to_string(), stream)).await);
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no stream"),
                Err(_) => tracing::debug!(%peer, root = %blob.name(), "no stream in time"),
            }
        });
    }
}

/// Puts a stream behind two channels; the stream is closed when the link is dropped.
fn link(name: String, stream: Stream) -> Link {
    let (outgoing, mut to_peer) = mpsc::channel::<Frame>(FRAMES_WAITING_MAX);
    let (from_peer, incoming) = mpsc::channel(CHUNKS_WAITING_MAX);
    let (mut reader, mut writer) = stream.split();
    tokio::spawn(async move {
        let write = async {
            while let Some(frame) = to_peer.recv().await {
                if frames::write(&mut writer, &frame).await.is_err() {
                    break;
                }
            }
        };
        let read = async {
            while let Ok(Some(frame)) = frames::read(&mut reader).await {
                if from_peer.send(frame).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = write => {}
            () = read => {}
        }
    });
    Link {
        name,
        role: PeerRole::Peer,
        outgoing,
        incoming,
    }
}
