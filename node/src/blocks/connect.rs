//! Finding holders of a blob and opening streams to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::AsyncReadExt as _;
use libp2p::{PeerId, Stream, StreamProtocol};
use protocol::dht::key::DhtKey;
use protocol::exchange::PROTOCOL;
use protocol::exchange::download::PeerRole;
use protocol::exchange::tree::Blob;
use protocol::exchange::wire::Frame;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::frames;
use crate::handle::{NodeHandle, Stopped};

/// Between two looks for more holders.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);
/// A holder that left, refused or could not be reached is tried again after this time.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// A holder must accept a stream within this time.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// Frames to a holder that wait: requests, a few bytes each.
pub const FRAMES_WAITING_MAX: usize = 64;
/// Frames from a holder that wait: each may be a whole chunk.
const CHUNKS_WAITING_MAX: usize = 2;
/// Bytes of a holder's frame: the wire's bounds say it.
const ANSWER_BYTES_MAX: usize = usize::MAX;

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

/// The last try with a holder.
struct Try {
    began: Instant,
    /// Lives as long as the link.
    link: AbortHandle,
}

/// Holders tried so far.
type Tries = BTreeMap<PeerId, Try>;

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
    let mut tried = Tries::new();
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
    tried: &mut Tries,
    links: &mpsc::Sender<Link>,
) {
    for peer in peers.filter(|peer| *peer != node.peer_id) {
        let again = |last: &Try| last.link.is_finished() && last.began.elapsed() >= RETRY_INTERVAL;
        if !tried.get(&peer).is_none_or(again) {
            continue;
        }
        let mut control = node.streams.0.clone();
        let links = links.clone();
        let task = tokio::spawn(async move {
            let opening = control.open_stream(peer, StreamProtocol::new(PROTOCOL));
            match timeout(OPEN_MAX, opening).await {
                Ok(Ok(stream)) => {
                    let (link, run) = link(peer.to_string(), stream);
                    // Nobody waits for links once the blob is complete.
                    if links.send(link).await.is_ok() {
                        run.await;
                    }
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no stream"),
                Err(_) => tracing::debug!(%peer, root = %blob.name(), "no stream in time"),
            }
        });
        let (began, link) = (Instant::now(), task.abort_handle());
        tried.insert(peer, Try { began, link });
    }
}

/// Puts a stream behind two channels; the future carries the frames until the link is dropped or the
/// stream ends.
fn link(name: String, stream: Stream) -> (Link, impl Future<Output = ()>) {
    let (outgoing, mut to_peer) = mpsc::channel::<Frame>(FRAMES_WAITING_MAX);
    let (from_peer, incoming) = mpsc::channel(CHUNKS_WAITING_MAX);
    let (mut reader, mut writer) = stream.split();
    let run = async move {
        let write = async {
            while let Some(frame) = to_peer.recv().await {
                if frames::write(&mut writer, &frame).await.is_err() {
                    break;
                }
            }
        };
        let read = async {
            while let Ok(Some(frame)) = frames::read(&mut reader, ANSWER_BYTES_MAX).await {
                if from_peer.send(frame).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = write => {}
            () = read => {}
        }
    };
    let link = Link {
        name,
        role: PeerRole::Peer,
        outgoing,
        incoming,
    };
    (link, run)
}
