//! `/streembit/witness/1`: one request a stream, with the bytes and the status numbers of HTTP.
//!
//! Request: `length u32 ‖ body of add-checkpoint`. Answer: `status u16 ‖ length u32 ‖ body`. Big endian.
//! `/streembit/mirror/1` is the same for entries: `body of add-entries`, up to where the submitter ends the stream.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::{PeerId, Stream, StreamProtocol};
use tlog::limits::{ADD_CHECKPOINT_BYTES_MAX, NOTE_BYTES_MAX};
use tokio::time::timeout;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;
use tokio_util::io::ReaderStream;

use super::Witness;
use crate::handle::NodeHandle;

/// What witnesses speak.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/streembit/witness/1");
/// What mirrors speak.
pub const MIRROR_PROTOCOL: StreamProtocol = StreamProtocol::new("/streembit/mirror/1");
/// Bytes of entries that are read at once.
const PIECE_BYTES: usize = 16 << 10;
/// A request must have come, and an answer, within this time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Answers those who come, until the node stops.
///
/// # Errors
/// That another witness runs on this node.
pub fn listen(node: &NodeHandle, witness: &Witness) -> io::Result<()> {
    for protocol in [PROTOCOL, MIRROR_PROTOCOL] {
        let incoming = node.accept(protocol.clone());
        let mut incoming = incoming.map_err(io::Error::other)?;
        let witness = witness.clone();
        tokio::spawn(async move {
            while let Some((peer, stream)) = incoming.next().await {
                tokio::spawn(serve(peer, stream, witness.clone(), protocol.clone()));
            }
        });
    }
    Ok(())
}

async fn serve(peer: PeerId, mut stream: Stream, witness: Witness, protocol: StreamProtocol) {
    let answered = timeout(TIMEOUT, answer(&mut stream, &witness, &protocol)).await;
    if let Err(error) = answered.unwrap_or_else(|late| Err(late.into())) {
        tracing::debug!(%peer, %error, "a request to the witness came to nothing");
    }
}

async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    witness: &Witness,
    protocol: &StreamProtocol,
) -> io::Result<()> {
    let answer = if *protocol == MIRROR_PROTOCOL {
        let pieces = ReaderStream::with_capacity((&mut *stream).compat(), PIECE_BYTES);
        witness.add_entries(pieces).await
    } else {
        let body = read_block(stream, ADD_CHECKPOINT_BYTES_MAX).await?;
        witness.add_checkpoint(body).await
    };
    stream.write_all(&answer.status.to_be_bytes()).await?;
    write_block(stream, answer.body.as_bytes()).await?;
    stream.close().await
}

/// Asks the witness at `peer` for a cosignature: status and body of its answer.
///
/// # Errors
/// The I/O error.
pub async fn add_checkpoint(
    node: &NodeHandle,
    peer: PeerId,
    body: &[u8],
) -> io::Result<(u16, String)> {
    ask(node, peer, (PROTOCOL, body)).await
}

/// Brings the mirror at `peer` entries: status and body of its answer.
///
/// # Errors
/// The I/O error.
pub async fn add_entries(
    node: &NodeHandle,
    peer: PeerId,
    body: &[u8],
) -> io::Result<(u16, String)> {
    ask(node, peer, (MIRROR_PROTOCOL, body)).await
}

async fn ask(
    node: &NodeHandle,
    peer: PeerId,
    (protocol, body): (StreamProtocol, &[u8]),
) -> io::Result<(u16, String)> {
    let ends_the_stream = protocol == MIRROR_PROTOCOL;
    let asked = async {
        let stream = node.open_stream(peer, protocol).await;
        let mut stream = stream.map_err(io::Error::other)?;
        if ends_the_stream {
            stream.write_all(body).await?;
            stream.close().await?;
        } else {
            write_block(&mut stream, body).await?;
        }
        read_answer(&mut stream).await
    };
    timeout(TIMEOUT, asked).await?
}

async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u16, String)> {
    let mut status = [0; 2];
    stream.read_exact(&mut status).await?;
    let body = read_block(stream, NOTE_BYTES_MAX).await?;
    let body = String::from_utf8(body).map_err(io::Error::other)?;
    Ok((u16::from_be_bytes(status), body))
}

async fn read_block(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > limit {
        return Err(io::Error::other("longer than may be"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn write_block(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}
