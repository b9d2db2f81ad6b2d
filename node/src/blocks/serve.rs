//! Serving: the shell of `protocol::exchange::serve`, one task per stream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt as _, StreamExt as _};
use libp2p::{Stream, StreamProtocol};
use protocol::exchange::PROTOCOL;
use protocol::exchange::serve::{Output, Serve};
use protocol::exchange::wire::{Frame, Refusal};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::frames;
use super::store::{BlobStore, Held};

/// Streams served at once, each with a chunk in memory: 8 MiB.
const STREAMS_MAX: usize = 32;
/// A downloader that says nothing for this long is let go.
const IDLE_MAX: Duration = Duration::from_secs(120);
/// A downloader must take a frame within this time.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// Frames of the downloader that wait.
const FRAMES_WAITING_MAX: usize = 16;

/// Accepts streams until the node stops.
pub(crate) async fn accept(mut control: libp2p_stream::Control, blobs: BlobStore) {
    let Ok(mut incoming) = control.accept(StreamProtocol::new(PROTOCOL)) else {
        return;
    };
    let slots = Arc::new(Semaphore::new(STREAMS_MAX));
    while let Some((peer, stream)) = incoming.next().await {
        // Beyond the limit the stream is dropped: the downloader sees its end and asks others.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            continue;
        };
        let blobs = blobs.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, blobs).await {
                tracing::debug!(%peer, %error, "stream ended");
            }
            drop(slot);
        });
    }
}

async fn serve(stream: Stream, blobs: BlobStore) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let (sender, mut frames_in) = mpsc::channel(FRAMES_WAITING_MAX);
    let reading = async move {
        while let Some(frame) = frames::read(&mut reader).await? {
            if sender.send(frame).await.is_err() {
                break;
            }
        }
        io::Result::Ok(())
    };
    let writing = async {
        let mut machine = Serve::new();
        let mut held = None;
        loop {
            while let Ok(frame) = frames_in.try_recv() {
                machine.handle(frame);
            }
            let Some(output) = machine.poll() else {
                match timeout(IDLE_MAX, frames_in.recv()).await {
                    Ok(Some(frame)) => machine.handle(frame),
                    Ok(None) | Err(_) => return Ok(()),
                }
                continue;
            };
            let Some(frame) = answer(output, &mut machine, &mut held, &blobs).await? else {
                continue;
            };
            let Some(frame) = frame else { return Ok(()) };
            let written = timeout(WRITE_MAX, frames::write(&mut writer, &frame)).await;
            written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        }
    };
    tokio::select! {
        // The reader's end must not cut off what is still queued.
        biased;
        result = writing => result,
        Err(error) = reading => Err(error),
    }
}

/// Carries an output out. `None`: nothing to send; `Some(None)`: end the stream.
async fn answer(
    output: Output,
    machine: &mut Serve,
    held: &mut Option<Held>,
    blobs: &BlobStore,
) -> io::Result<Option<Option<Frame>>> {
    match output {
        Output::Find(blob) => {
            *held = blobs.find(&blob);
            machine.opened(blob, held.as_ref().map(|held| held.map.clone()));
            Ok(None)
        }
        Output::Send(frame) => Ok(Some(Some(frame))),
        Output::SendTree { first, count } => {
            let nodes = held.as_ref().map(|held| held.tree.nodes(first, count));
            Ok(Some(nodes.map(|nodes| Frame::Tree { first, nodes })))
        }
        Output::SendChunk(chunk) => {
            let Some(held) = held.clone() else {
                return Ok(Some(None));
            };
            let read = tokio::task::spawn_blocking(move || held.read_chunk(chunk)).await;
            match read.map_err(io::Error::other)? {
                Ok(bytes) => Ok(Some(Some(Frame::Data { chunk, bytes }))),
                Err(error) => {
                    tracing::warn!(%error, chunk, "held chunk can't be read");
                    Ok(Some(Some(Frame::Reject {
                        chunk,
                        code: Refusal::NotHave,
                    })))
                }
            }
        }
        Output::Close => Ok(Some(None)),
    }
}
