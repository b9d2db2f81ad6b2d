//! Finding holders of a blob and opening streams to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::{PeerId, StreamProtocol};
use protocol::dht::key::DhtKey;
use protocol::exchange::PROTOCOL;
use protocol::exchange::tree::Blob;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::blocks::link::{Link, carry};
use crate::handle::{NodeHandle, Stopped};

/// Between two looks for more holders.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);
/// A holder that left, refused or could not be reached is tried again after this time.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// A holder must accept a stream within this time.
const OPEN_MAX: Duration = Duration::from_secs(10);

/// The last try with a holder.
struct Try {
    began: Instant,
    /// Lives as long as the link.
    link: AbortHandle,
}

impl Try {
    fn is_due(&self) -> bool {
        self.link.is_finished() && self.began.elapsed() >= RETRY_INTERVAL
    }
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
        if !tried.get(&peer).is_none_or(Try::is_due) {
            continue;
        }
        let mut control = node.streams.0.clone();
        let links = links.clone();
        let node = node.clone();
        let task = tokio::spawn(async move {
            let opening = async {
                let protocol = StreamProtocol::new(PROTOCOL);
                let stream = control.open_stream(peer, protocol.clone()).await?;
                // Relays carry no firmware: who is reached through one is waited for.
                if node.direct(peer).await.unwrap_or(true) {
                    return Ok(stream);
                }
                control.open_stream(peer, protocol).await
            };
            match timeout(OPEN_MAX, opening).await {
                Ok(Ok(stream)) => {
                    let (link, run) = carry(peer.to_string(), stream);
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

#[cfg(test)]
mod tests;
