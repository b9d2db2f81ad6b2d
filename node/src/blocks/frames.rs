//! Frames on a byte stream.

use std::io;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use protocol::exchange::wire::{self, Frame, PREFIX_BYTES};

/// Reads one frame with a body of at most `body_max` bytes; `None` at a clean end between frames.
///
/// # Errors
/// The I/O error; [`io::ErrorKind::InvalidData`] for a malformed frame or one that is too long,
/// before its body is read.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    body_max: usize,
) -> io::Result<Option<Frame>> {
    let mut prefix = [0; PREFIX_BYTES];
    match stream.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let invalid = |error: wire::WireError| io::Error::new(io::ErrorKind::InvalidData, error);
    let (kind, length) = wire::parse_prefix(prefix).map_err(invalid)?;
    if length > body_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Frame::parse(kind, &body).map(Some).map_err(invalid)
}

/// Writes one frame.
///
/// # Errors
/// The I/O error.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    stream.write_all(&frame.encode()).await?;
    stream.flush().await
}
