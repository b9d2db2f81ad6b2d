//! `/streembit/network/1`: members tell each other the newest charter and member list.
//!
//! Each side of a connection opens one stream and sends both tokens, now and whenever they change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::multiaddr::Protocol;
use libp2p::{PeerId, Stream, StreamProtocol};
use protocol::limits::{CHARTER_BYTES_MAX, MEMBERS_BYTES_MAX};
use protocol::network::Membership;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::gate::Allowed;
use super::keeper::Heard;
use super::place::Access;
use crate::identity;

/// What members speak among themselves.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/streembit/network/1");
/// A token must be taken, or come whole once begun, within this time.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
/// Before a stream that failed is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two messages taken of one peer.
const PAUSE: Duration = Duration::from_millis(100);
/// In networks of up to so many members the stream keeps the connection open, so that changes arrive at once; in
/// larger ones connections would not suffice.
const KEPT_MEMBERS_MAX: usize = 128;

/// What there is to tell, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Charter and member list, as far as they are here.
    pub(crate) tokens: Arc<Vec<String>>,
    /// Who may connect.
    pub(crate) allowed: Allowed,
}

impl News {
    /// What follows from what a node holds at `now`. Before a member list is here, the nodes that an invitation
    /// names may connect, for they bring it.
    pub(crate) fn of(membership: &Membership, access: &Access, now: u64) -> Self {
        let keys = membership.keys(now);
        let peers = keys.iter().filter_map(|key| identity::peer_id(key).ok());
        let mut allowed: BTreeSet<PeerId> = peers.collect();
        if membership.sequences().1.is_none() {
            let ends = access.multiaddrs();
            let ends = ends.iter().filter_map(|address| address.iter().last());
            allowed.extend(ends.filter_map(|end| match end {
                Protocol::P2p(peer) => Some(peer),
                _ => None,
            }));
        }
        Self {
            tokens: Arc::new(membership.tokens().map(str::to_owned).collect()),
            allowed: Arc::new(allowed),
        }
    }

    fn keep_alive(&self, stream: &mut Stream) {
        if self.allowed.len() > KEPT_MEMBERS_MAX {
            stream.ignore_for_keep_alive();
        }
    }
}

/// Tells `peer` what there is, now and whenever it changes, until aborted.
pub(crate) async fn tell(
    mut streams: libp2p_stream::Control,
    peer: PeerId,
    mut news: watch::Receiver<News>,
) {
    loop {
        match tell_on_a_stream(&mut streams, peer, &mut news).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%peer, %error, "not told"),
        }
        sleep(AGAIN).await;
    }
}

async fn tell_on_a_stream(
    streams: &mut libp2p_stream::Control,
    peer: PeerId,
    news: &mut watch::Receiver<News>,
) -> io::Result<()> {
    let opened = streams.open_stream(peer, PROTOCOL).await;
    let mut stream = opened.map_err(io::Error::other)?;
    let mut told = None;
    loop {
        let current = news.borrow_and_update().clone();
        if !current.allowed.contains(&peer) {
            return Ok(());
        }
        current.keep_alive(&mut stream);
        if told.as_ref() != Some(&current.tokens) {
            timeout(TOKEN_TIMEOUT, write(&mut stream, &current.tokens)).await??;
            told = Some(current.tokens);
        }
        let mut byte = [0];
        tokio::select! {
            changed = news.changed() => if changed.is_err() {
                return Ok(()); // the node stops
            },
            // Nothing is ever said on this side: it is the stream's end.
            _ = stream.read(&mut byte) => return Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

/// Takes streams of members and passes on what they say, until the node stops.
pub(crate) async fn listen(
    mut streams: libp2p_stream::Control,
    heard: mpsc::WeakSender<Heard>,
    news: watch::Receiver<News>,
) {
    let Ok(mut incoming) = streams.accept(PROTOCOL) else {
        return;
    };
    drop(streams); // it would keep `incoming` open beyond the node's end
    let mut readers: BTreeMap<PeerId, AbortHandle> = BTreeMap::new();
    while let Some((peer, mut stream)) = incoming.next().await {
        news.borrow().keep_alive(&mut stream);
        let heard = heard.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = listen_to(peer, stream, &heard).await {
                tracing::debug!(%peer, %error, "stream of the network ended");
            }
        });
        readers.retain(|_, reader| !reader.is_finished());
        // One of each peer: a second one takes the place of the first.
        if let Some(earlier) = readers.insert(peer, task.abort_handle()) {
            earlier.abort();
        }
    }
}

async fn listen_to(
    from: PeerId,
    mut stream: Stream,
    heard: &mpsc::WeakSender<Heard>,
) -> io::Result<()> {
    while let Some(tokens) = read(&mut stream).await? {
        let Some(heard) = heard.upgrade() else {
            return Ok(());
        };
        if heard.send(Heard::Tokens { from, tokens }).await.is_err() {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Bounds of what a message holds, in order.
const BOUNDS: [usize; 2] = [CHARTER_BYTES_MAX, MEMBERS_BYTES_MAX];

/// Writes one message: charter and member list, each behind its length; a length of 0 for one that isn't here.
async fn write(stream: &mut (impl AsyncWrite + Unpin), tokens: &[String]) -> io::Result<()> {
    for index in 0..BOUNDS.len() {
        let token = tokens.get(index).map_or("", String::as_str);
        let length = u32::try_from(token.len()).map_err(io::Error::other)?;
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(token.as_bytes()).await?;
    }
    stream.flush().await
}

/// Reads one message; `None` at a clean end before one.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<String>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let rest = async {
        let mut tokens = Vec::new();
        for (index, bound) in BOUNDS.into_iter().enumerate() {
            if index > 0 {
                stream.read_exact(&mut length).await?;
            }
            let token = read_token(stream, length, bound).await?;
            tokens.extend(Some(token).filter(|token| !token.is_empty()));
        }
        Ok(Some(tokens))
    };
    timeout(TOKEN_TIMEOUT, rest).await?
}

async fn read_token(
    stream: &mut (impl AsyncRead + Unpin),
    length: [u8; 4],
    bound: usize,
) -> io::Result<String> {
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > bound {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // Memory grows with what arrives, not with what is announced.
    let mut bytes = Vec::new();
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    stream.take(limit).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    async fn written(tokens: &[&str]) -> Vec<u8> {
        let tokens: Vec<String> = tokens.iter().copied().map(str::to_owned).collect();
        let mut bytes = Vec::new();
        write(&mut bytes, &tokens).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn message_is_read_as_it_was_written() {
        for tokens in [&[][..], &["charter"], &["charter", "members"]] {
            let bytes = written(tokens).await;
            let read = read(&mut Cursor::new(bytes)).await.unwrap();
            assert_eq!(read.unwrap(), tokens);
        }
        assert_eq!(written(&["ab"]).await, [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0]);
        assert_eq!(read(&mut Cursor::new(Vec::new())).await.unwrap(), None);
    }

    #[tokio::test]
    async fn lengths_beyond_the_bounds_are_refused_before_anything_is_read_p53() {
        let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
        let charter = length(CHARTER_BYTES_MAX + 1).to_vec();
        let members = [[0; 4], length(MEMBERS_BYTES_MAX + 1)].concat();
        for bytes in [charter, members, vec![0xff; 64]] {
            let refused = read(&mut Cursor::new(bytes)).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
        let whole = written(&["charter", "members"]).await;
        for cut in 4..whole.len() {
            let refused = read(&mut Cursor::new(&whole[..cut])).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }
}
