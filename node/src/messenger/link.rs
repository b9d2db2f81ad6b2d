//! A session with another account on a stream: `u32 length ‖ bytes`, handshake first, then frames.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use keys::{AgreementPublicKey, PublicKey};
use libp2p::{Stream, StreamProtocol};
use protocol::limits::SESSION_FRAME_BYTES_MAX;
use protocol::session::channel::{Channel, Receiving, Sending};
use protocol::session::handshake::{
    ANSWER_BYTES_MAX, FINISH_BYTES_MAX, HELLO_BYTES, HandshakeError, Initiator, Ourselves, Peer,
    Responder,
};
use tokio::sync::mpsc;

use crate::accounts::Account;
use crate::clock::unix_now;

/// Sessions between accounts.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/streembit/session/1");
/// Messages that wait to be sent; who doesn't take so many is not listening.
const MESSAGES_WAITING_MAX: usize = 512;
/// Pieces of files that wait to be sent.
const PIECES_WAITING_MAX: usize = 8;
/// Frames that came and wait.
const CAME_WAITING_MAX: usize = 16;
/// A handshake takes three messages.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The stream.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// It took too long.
    #[error("no handshake within {} s", HANDSHAKE_TIMEOUT.as_secs())]
    Timeout,
}

impl Account {
    fn ourselves(&self) -> Ourselves<'_> {
        Ourselves {
            key: &self.key,
            agreement: &self.agreement,
            name: &self.name,
        }
    }
}

/// Begins a session with the account that is meant.
///
/// # Errors
/// [`LinkError`]; the other side has not learnt who called unless it is that account.
pub(super) async fn call(
    stream: &mut Stream,
    account: &Account,
    (meant, agreement): (&PublicKey, &AgreementPublicKey),
) -> Result<(Channel, Peer), LinkError> {
    let handshake = async {
        let (initiator, hello) = Initiator::new(agreement, &mut cli::keyfile::os_rng());
        write(stream, &hello).await?;
        let answer = read(stream, ANSWER_BYTES_MAX).await?;
        let (channel, peer, finish) =
            initiator.finish(&account.ourselves(), meant, &answer, unix_now())?;
        write(stream, &finish).await?;
        Ok((channel, peer))
    };
    within_time(handshake).await
}

/// Answers whoever begins a session. Whether it is welcome is the caller's to say.
///
/// # Errors
/// [`LinkError`].
pub(super) async fn answer(
    stream: &mut Stream,
    account: &Account,
) -> Result<(Channel, Peer), LinkError> {
    let handshake = async {
        let hello = read(stream, HELLO_BYTES).await?;
        let mut rng = cli::keyfile::os_rng();
        let (responder, answer) =
            Responder::new(&account.ourselves(), &hello, (unix_now(), &mut rng))?;
        write(stream, &answer).await?;
        let finish = read(stream, FINISH_BYTES_MAX).await?;
        Ok(responder.finish(&finish, unix_now())?)
    };
    within_time(handshake).await
}

async fn within_time<T>(
    handshake: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    let result = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await;
    result.unwrap_or(Err(LinkError::Timeout))
}

/// The two ends of a session, for whoever speaks through it.
#[derive(Debug)]
pub(super) struct Ends {
    /// To the other side. Dropped, it says that nothing more will come.
    pub(super) outgoing: Outgoing,
    /// Plain frames from the other side; its end is the session's end.
    pub(super) incoming: mpsc::Receiver<Vec<u8>>,
}

/// Plain frames to the other side; messages go before pieces of files.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) messages: mpsc::Sender<Vec<u8>>,
    pub(super) pieces: mpsc::Sender<Vec<u8>>,
}

/// Puts a session behind queues. The future carries the frames until the other side has ended, or is not
/// understood.
pub(super) fn carry(stream: Stream, channel: Channel) -> (Ends, impl Future<Output = ()>) {
    let (messages, messages_to_peer) = mpsc::channel(MESSAGES_WAITING_MAX);
    let (pieces, pieces_to_peer) = mpsc::channel(PIECES_WAITING_MAX);
    let to_peer = (messages_to_peer, pieces_to_peer);
    let (from_peer, incoming) = mpsc::channel(CAME_WAITING_MAX);
    let (reader, writer) = stream.split();
    let Channel { sending, receiving } = channel;
    let run = async move {
        let mut read = Box::pin(receive(reader, receiving, from_peer));
        tokio::select! {
            () = &mut read => {}
            // What the other side says before it ends too still counts.
            true = send(writer, sending, to_peer) => read.await,
        }
    };
    let outgoing = Outgoing { messages, pieces };
    (Ends { outgoing, incoming }, run)
}

/// Seals and writes until nobody sends any more; says whether all was written.
async fn send(
    mut writer: impl AsyncWrite + Unpin,
    mut sending: Sending,
    (mut messages, mut pieces): (mpsc::Receiver<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
) -> bool {
    loop {
        let plain = tokio::select! {
            biased;
            Some(message) = messages.recv() => message,
            Some(piece) = pieces.recv() => piece,
            else => break,
        };
        let Ok(sealed) = sending.seal(&plain, unix_now()) else {
            return false;
        };
        if write(&mut writer, &sealed).await.is_err() {
            return false;
        }
    }
    writer.close().await.is_ok()
}

/// Reads and opens until the other side ends, sends something else, or nobody listens.
async fn receive(
    mut reader: impl AsyncRead + Unpin,
    mut receiving: Receiving,
    frames: mpsc::Sender<Vec<u8>>,
) {
    while let Ok(sealed) = read(&mut reader, SESSION_FRAME_BYTES_MAX).await {
        // A stream neither reorders nor changes anything: somebody did.
        let Ok(plain) = receiving.open(&sealed) else {
            tracing::warn!("a frame does not belong to its session, which ends");
            return;
        };
        if frames.send(plain).await.is_err() {
            return;
        }
    }
}

/// Reads what has a length before it, bounded before it is allocated.
async fn read(stream: &mut (impl AsyncRead + Unpin), length_max: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > length_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Writes the length, then the bytes.
async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}
