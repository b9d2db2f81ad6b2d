//! The serving machine: frames of a downloader, in any order, answered at any pace.
#![no_main]

use fuzz::choices::Choices;
use libfuzzer_sys::fuzz_target;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::serve::{Output, Serve};
use protocol::exchange::tree::Blob;
use protocol::exchange::wire::Frame;
use protocol::limits::SERVE_QUEUE_MAX;

/// Frames and answers of one run.
const STEPS_MAX: usize = 512;
/// Chunks of the blobs served: more than the queue holds, few enough to hit.
const CHUNKS_MAX: u32 = 200;

/// The shell around the machine.
struct Shell {
    serve: Serve,
    finding: Option<Blob>,
    opened: Option<(Blob, ChunkMap)>,
    is_closed: bool,
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut shell = Shell {
        serve: Serve::new(),
        finding: None,
        opened: None,
        is_closed: false,
    };
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        shell.step(&mut choices);
    }
    let mut left = 0;
    while shell.poll() {
        left += 1;
    }
    assert!(left <= 2 * SERVE_QUEUE_MAX + 2, "{left} answers wait");
});

impl Shell {
    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 8 {
            0 | 1 => {
                self.poll();
            }
            2 => self.open(choices),
            3 => {
                let (kind, length) = (choices.byte() % 9, choices.below(48));
                if let Ok(frame) = Frame::parse(kind, choices.take(length)) {
                    self.serve.handle(frame);
                }
            }
            4 => self.serve.handle(Frame::Cancel {
                chunk: choices.byte().into(),
            }),
            5 => self.serve.handle(Frame::GetTree {
                first: choices.byte().into(),
                count: u32::from(choices.byte()) + 1,
            }),
            6 => self.serve.handle(Frame::Request {
                first: choices.byte().into(),
                count: u16::from(choices.byte()) + 1,
            }),
            _ => {
                let size = u64::from(choices.byte()) * 256 * 1024 + 1;
                self.serve.handle(Frame::Open(Blob {
                    root: [1; 32],
                    size,
                }));
            }
        }
    }

    /// Answers a search, or tells of more chunks of the blob that is open. The node does the second
    /// only when nothing is left to send, so maps can't pile up.
    fn open(&mut self, choices: &mut Choices<'_>) {
        let (blob, mut map) = if let Some(blob) = self.finding.take() {
            (blob, ChunkMap::empty(blob.chunk_count()))
        } else if self.poll() {
            return;
        } else if let Some(opened) = self.opened.clone() {
            opened
        } else {
            return;
        };
        for _ in 0..choices.byte() {
            map.insert(u32::from(choices.byte()) % CHUNKS_MAX);
        }
        let is_held = self.opened.is_some() || choices.byte() > 32;
        self.serve.opened(blob, is_held.then(|| map.clone()));
        self.opened = is_held.then_some((blob, map));
    }

    /// Carries one output out; says whether there was one.
    fn poll(&mut self) -> bool {
        let Some(output) = self.serve.poll() else {
            return false;
        };
        assert!(!self.is_closed, "{output:?} after the end");
        match output {
            Output::Find(blob) => assert!(self.finding.replace(blob).is_none()),
            Output::Send(frame) => {
                assert!(matches!(frame, Frame::Have(_) | Frame::Reject { .. }));
            }
            Output::SendTree { first, .. } => {
                assert!(
                    self.opened
                        .as_ref()
                        .is_some_and(|(blob, _)| first < blob.chunk_count())
                );
            }
            Output::SendChunk(chunk) => {
                assert!(
                    self.opened
                        .as_ref()
                        .is_some_and(|(_, map)| map.contains(chunk))
                );
            }
            Output::Close => self.is_closed = true,
        }
        true
    }
}
