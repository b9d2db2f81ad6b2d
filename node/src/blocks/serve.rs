//! Serving: the shell of `protocol::exchange::serve`, one task per stream.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt as _, StreamExt as _};
use libp2p::{PeerId, Stream, StreamProtocol};
use protocol::exchange::PROTOCOL;
use protocol::exchange::serve::{Output, Serve};
use protocol::exchange::wire::{Frame, Refusal};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::frames;
use super::pace::Pace;
use super::store::{BlobStore, Held};

/// Streams served at once, each with a chunk in memory: 8 MiB.
const STREAMS_MAX: usize = 32;
/// Of these, those of one peer: it fetches a few blobs at once.
const STREAMS_PER_PEER_MAX: usize = 8;
/// With all streams taken, one that was of no use for this long makes room (P54).
const IDLE_SPARED: Duration = Duration::from_secs(2);
/// A downloader that says nothing for this long is let go.
const IDLE_MAX: Duration = Duration::from_secs(120);
/// How often an idle downloader is told of chunks that arrived here.
const HAVE_INTERVAL: Duration = Duration::from_secs(1);
/// A downloader must take a frame within this time.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// Frames of the downloader that wait.
const FRAMES_WAITING_MAX: usize = 16;
/// Bytes of a downloader's frame: it only asks. An `OPEN` has 41.
const QUESTION_BYTES_MAX: usize = 64;

/// A stream that is served.
struct Slot {
    peer: PeerId,
    used: LastUse,
    task: AbortHandle,
}

/// When a stream last carried something of the blob; its beginning, before.
#[derive(Clone)]
struct LastUse(Arc<Mutex<Instant>>);

impl LastUse {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts streams until the node stops.
pub(crate) async fn accept(mut control: libp2p_stream::Control, blobs: BlobStore) {
    let Ok(mut incoming) = control.accept(StreamProtocol::new(PROTOCOL)) else {
        return;
    };
    drop(control); // it would keep `incoming` open beyond the node's end
    let (mut slots, mut pace): (Vec<Slot>, Pace) = (Vec::new(), Pace::default());
    while let Some((peer, stream)) = incoming.next().await {
        slots.retain(|slot| !slot.task.is_finished());
        // Beyond the limits the stream is dropped: the downloader sees its end and asks others.
        if !make_room(&mut slots, peer) {
            tracing::debug!(%peer, "stream refused: too many");
            continue;
        }
        let (blobs, used) = (blobs.clone(), LastUse::now());
        let (last_use, wait) = (used.clone(), pace.note(peer, Instant::now()));
        let task = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Err(error) = serve(stream, blobs, last_use).await {
                tracing::debug!(%peer, %error, "stream ended");
            }
        });
        let task = task.abort_handle();
        slots.push(Slot { peer, used, task });
    }
}

/// Finds a place for one more stream of `peer`, at need that of the stream idle for longest.
fn make_room(slots: &mut Vec<Slot>, peer: PeerId) -> bool {
    if slots.iter().filter(|slot| slot.peer == peer).count() >= STREAMS_PER_PEER_MAX {
        return false;
    }
    if slots.len() < STREAMS_MAX {
        return true;
    }
    let uses = slots.iter().map(|slot| slot.used.get()).enumerate();
    let Some((idlest, used)) = uses.min_by_key(|(_, used)| *used) else {
        return false;
    };
    let spared = used.elapsed() < IDLE_SPARED;
    if !spared {
        slots.swap_remove(idlest).task.abort();
    }
    !spared
}

async fn serve(stream: Stream, blobs: BlobStore, last_use: LastUse) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let (sender, mut frames_in) = mpsc::channel(FRAMES_WAITING_MAX);
    let reading = async move {
        while let Some(frame) = frames::read(&mut reader, QUESTION_BYTES_MAX).await? {
            if sender.send(frame).await.is_err() {
                break;
            }
        }
        io::Result::Ok(())
    };
    let writing = async {
        let mut machine = Serve::new();
        let mut held = None;
        let mut heard = Instant::now();
        loop {
            while let Ok(frame) = frames_in.try_recv() {
                machine.handle(frame);
            }
            let Some(output) = machine.poll() else {
                match timeout(HAVE_INTERVAL, frames_in.recv()).await {
                    Ok(Some(frame)) => {
                        heard = Instant::now();
                        machine.handle(frame);
                    }
                    Err(_) if heard.elapsed() < IDLE_MAX => {
                        tell_of_more(&mut machine, &mut held, &blobs);
                    }
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
            if matches!(frame, Frame::Tree { .. } | Frame::Data { .. }) {
                last_use.note();
            }
        }
    };
    tokio::select! {
        // The reader's end must not cut off what is still queued.
        biased;
        result = writing => result,
        Err(error) = reading => Err(error),
    }
}

/// Sends the map again if chunks arrived since.
fn tell_of_more(machine: &mut Serve, held: &mut Option<Held>, blobs: &BlobStore) {
    let Some(known) = held else { return };
    let blob = known.tree.blob();
    let more = blobs
        .find(&blob)
        .filter(|fresh| fresh.map.held() > known.map.held());
    if let Some(fresh) = more {
        machine.opened(blob, Some(fresh.map.clone()));
        *held = Some(fresh);
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
                    tracing::debug!(%error, chunk, "held chunk can't be read");
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
