//! The serving machine: one stream, one blob. It answers what is within the blob and within the
//! queue's bound, and ends the stream at anything else. Of a run of chunks the first that is not
//! delivered is rejected, and the rest of the run with it: one frame never makes more than one
//! answer beside the chunks queued.

use std::collections::VecDeque;

use super::chunk_map::ChunkMap;
use super::tree::Blob;
use super::wire::{Frame, Refusal};
use crate::limits::{SERVE_QUEUE_MAX, SERVE_REFUSALS_MAX};

/// Something for the shell to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Look the blob up and answer with [`Serve::opened`].
    Find(Blob),
    /// Send a frame.
    Send(Frame),
    /// Send nodes of the chunk level.
    SendTree {
        /// First node.
        first: u32,
        /// How many at most.
        count: u32,
    },
    /// Read a chunk and send it.
    SendChunk(u32),
    /// End the stream.
    Close,
}

/// One stream of a downloader.
#[derive(Debug, Default)]
pub struct Serve {
    opened: Option<(Blob, ChunkMap)>,
    finding: bool,
    closed: bool,
    /// Requests for what isn't held.
    refused: u32,
    queue: VecDeque<u32>,
    outputs: VecDeque<Output>,
}

impl Serve {
    /// Starts a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a frame of the downloader; after [`Output::Close`], ignores it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a frame is handed over, as to the download machine"
    )]
    pub fn handle(&mut self, frame: Frame) {
        if self.closed {
            return;
        }
        if self.outputs.len() >= SERVE_QUEUE_MAX {
            return self.close(); // asks faster than it takes answers
        }
        let Some((blob, map)) = &self.opened else {
            return match frame {
                Frame::Open(blob) if !self.finding => {
                    self.finding = true;
                    self.outputs.push_back(Output::Find(blob));
                }
                Frame::Open(_)
                | Frame::Have(_)
                | Frame::GetTree { .. }
                | Frame::Tree { .. }
                | Frame::Request { .. }
                | Frame::Data { .. }
                | Frame::Cancel { .. }
                | Frame::Reject { .. } => self.close(),
            };
        };
        match frame {
            Frame::GetTree { first, count } if first < blob.chunk_count() => {
                self.outputs.push_back(Output::SendTree { first, count });
            }
            Frame::Request { first, count } => {
                let end = first.checked_add(u32::from(count));
                let Some(end) = end.filter(|end| *end <= blob.chunk_count()) else {
                    return self.close();
                };
                for chunk in first..end {
                    let code = match () {
                        () if !map.contains(chunk) => Refusal::NotHave,
                        () if self.queue.len() >= SERVE_QUEUE_MAX => Refusal::Busy,
                        () => {
                            self.queue.push_back(chunk);
                            continue;
                        }
                    };
                    return self.refuse(chunk, code);
                }
            }
            Frame::Cancel { chunk } => self.queue.retain(|queued| *queued != chunk),
            Frame::Open(_)
            | Frame::GetTree { .. }
            | Frame::Have(_)
            | Frame::Tree { .. }
            | Frame::Data { .. }
            | Frame::Reject { .. } => self.close(),
        }
    }

    /// Answers [`Output::Find`]: what is held of the blob, `None` for nothing. Also tells the
    /// downloader, later on, of a map that has more.
    pub fn opened(&mut self, blob: Blob, map: Option<ChunkMap>) {
        if self.closed {
            return;
        }
        let Some(map) = map else {
            let reject = Frame::Reject {
                chunk: 0,
                code: Refusal::NotHave,
            };
            self.outputs.push_back(Output::Send(reject));
            return self.close();
        };
        let have = Frame::Have(map.as_bytes().to_vec());
        self.outputs.push_back(Output::Send(have));
        self.opened = Some((blob, map));
    }

    /// The next thing to do; chunks come after everything else, so that a cancel can still reach
    /// them.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs
            .pop_front()
            .or_else(|| self.queue.pop_front().map(Output::SendChunk))
    }

    /// Rejects a chunk, and the rest of its run; ends the stream of one who goes on asking for what isn't held.
    fn refuse(&mut self, chunk: u32, code: Refusal) {
        if code == Refusal::NotHave {
            self.refused = self.refused.saturating_add(1);
        }
        if self.refused > SERVE_REFUSALS_MAX {
            return self.close();
        }
        let reject = Frame::Reject { chunk, code };
        self.outputs.push_back(Output::Send(reject));
    }

    fn close(&mut self) {
        self.closed = true;
        self.queue.clear();
        self.outputs.push_back(Output::Close);
    }
}

#[cfg(test)]
mod tests;
