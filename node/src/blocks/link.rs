//! A conversation with one holder of a blob.

use futures::AsyncReadExt as _;
use libp2p::Stream;
use protocol::exchange::download::PeerRole;
use protocol::exchange::wire::Frame;
use tokio::sync::mpsc;

use super::frames;

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

/// Puts a stream behind two channels; the future carries the frames until the link is dropped or the
/// stream ends.
pub(crate) fn carry(name: String, stream: Stream) -> (Link, impl Future<Output = ()>) {
    let (outgoing, mut to_peer) = mpsc::channel::<Frame>(FRAMES_WAITING_MAX);
    let (from_peer, incoming) = mpsc::channel(CHUNKS_WAITING_MAX);
    let (mut reader, mut writer) = stream.split();
    let run = async move {
        let write = async {
            let mut alive = true;
            while let Some(frame) = to_peer.recv().await {
                // What the holder sent before it left still counts: the reader finds the end.
                alive = alive && frames::write(&mut writer, &frame).await.is_ok();
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
