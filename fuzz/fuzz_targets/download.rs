//! The download machine: peers that join, answer, lie, fall silent and leave, as the input chooses.
#![no_main]

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use fuzz::choices::Choices;
use fuzz::image;
use libfuzzer_sys::fuzz_target;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::download::{Download, Input, Output, PeerId, PeerRole};
use protocol::exchange::tree::{Blob, ChunkTree, TreeBuilder};
use protocol::exchange::wire::{Frame, Refusal};
use protocol::limits::{
    BLOB_BYTES_MAX, CHUNK_BYTES, DOWNLOAD_PEERS_MAX, REQUESTS_IN_FLIGHT_MAX, TREE_NODES_MAX,
};

/// Inputs of one run.
const STEPS_MAX: usize = 128;
/// Bytes of the blobs that there are: one chunk, and more than one peer may have under way.
const SIZES: [usize; 2] = [5, 10 * CHUNK_BYTES as usize + 5];

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
static BLOBS: LazyLock<Vec<(Vec<u8>, ChunkTree)>> = LazyLock::new(|| {
    let blob = |size: &usize| {
        let data = image::noise(11, *size);
        let mut builder = TreeBuilder::new();
        builder.update(&data);
        (data, builder.finish())
    };
    SIZES.iter().map(blob).collect()
});

struct Net {
    download: Download,
    now: Instant,
    blob: Blob,
    /// Bytes and level; `None` for a blob that nobody has.
    truth: Option<&'static (Vec<u8>, ChunkTree)>,
    peers: BTreeMap<PeerId, VecDeque<Frame>>,
    next_peer: PeerId,
    written: ChunkMap,
    is_complete: bool,
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let truth = BLOBS.get(choices.below(BLOBS.len() + 1));
    let fake = Blob {
        root: [3; 32],
        size: BLOB_BYTES_MAX,
    };
    let blob = truth.map_or(fake, |(_, tree)| tree.blob());
    let mut net = Net {
        download: Download::new(blob, None, None, *EPOCH),
        now: *EPOCH,
        blob,
        truth,
        peers: BTreeMap::new(),
        next_peer: 0,
        written: ChunkMap::empty(blob.chunk_count()),
        is_complete: false,
    };
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        let input = net.choose(&mut choices);
        net.download.handle(net.now, input);
        net.drain();
    }
});

impl Net {
    fn choose(&mut self, choices: &mut Choices<'_>) -> Input {
        let step = choices.byte();
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        // Also ids that are gone: their last frames may still arrive.
        let id = match choices.one_of(&peers) {
            Some(id) if step < 250 => *id,
            _ => choices.number(),
        };
        match step % 8 {
            0 => {
                let role = [PeerRole::Peer, PeerRole::Origin][choices.below(2)];
                self.next_peer += 1;
                self.peers.insert(self.next_peer, VecDeque::new());
                Input::Joined(self.next_peer, role)
            }
            1 => {
                self.now += Duration::from_millis(choices.number() % 100_000);
                Input::Tick
            }
            2 if step > 128 => {
                self.peers.remove(&id);
                Input::Left(id)
            }
            3 => Input::Received(id, self.lie(choices)),
            4 => {
                let (kind, length) = (choices.byte() % 9, choices.below(48));
                let frame = Frame::parse(kind, choices.take(length));
                frame.map_or(Input::Tick, |frame| Input::Received(id, frame))
            }
            _ => {
                let asked = self.peers.get_mut(&id).and_then(VecDeque::pop_front);
                let answer = asked.and_then(|frame| self.answer(&frame));
                answer.map_or(Input::Tick, |frame| Input::Received(id, frame))
            }
        }
    }

    /// A well-formed answer that nobody asked for, or that is wrong.
    fn lie(&self, choices: &mut Choices<'_>) -> Frame {
        let count = self.blob.chunk_count();
        let chunk = choices.number() as u32 % count.saturating_add(2);
        match choices.byte() % 4 {
            0 => {
                let mut map = ChunkMap::empty(count);
                for _ in 0..=choices.byte() % 12 {
                    map.insert(choices.number() as u32 % count);
                }
                Frame::Have(map.as_bytes().to_vec())
            }
            1 => {
                let code = [Refusal::Busy, Refusal::NotHave][choices.below(2)];
                Frame::Reject { chunk, code }
            }
            2 => Frame::Data {
                chunk,
                bytes: choices.take(8).to_vec(),
            },
            _ => self.data(chunk),
        }
    }

    fn data(&self, chunk: u32) -> Frame {
        let data = self.truth.map_or(&[][..], |(data, _)| data);
        let mut chunks = data.chunks(CHUNK_BYTES as usize);
        let bytes = chunks.nth(chunk as usize).unwrap_or_default().to_vec();
        Frame::Data { chunk, bytes }
    }

    /// What an honest peer that has all would say.
    fn answer(&self, asked: &Frame) -> Option<Frame> {
        let count = self.blob.chunk_count();
        match *asked {
            Frame::Open(_) => Some(Frame::Have(ChunkMap::full(count).as_bytes().to_vec())),
            Frame::GetTree {
                first,
                count: wanted,
            } => {
                let made_up = count.saturating_sub(first).min(TREE_NODES_MAX);
                let nodes = self.truth.map_or_else(
                    || vec![0; made_up as usize * 32],
                    |(_, tree)| tree.nodes(first, wanted),
                );
                Some(Frame::Tree { first, nodes })
            }
            Frame::Request { first, .. } => Some(self.data(first)),
            _ => None,
        }
    }

    /// Takes the outputs; checks what must hold after every input.
    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.download.poll() {
            outputs += 1;
            match output {
                Output::Send(id, frame) => self.sent(id, frame),
                Output::KeepTree(level) => {
                    assert_eq!(Some(level), self.truth.map(|(_, tree)| tree.encode()));
                }
                Output::Write { chunk, bytes, .. } => {
                    assert_eq!(self.data(chunk), Frame::Data { chunk, bytes });
                    assert!(!self.written.contains(chunk), "written twice");
                    self.written.insert(chunk);
                }
                Output::Drop(id, _) => drop(self.peers.remove(&id)),
                Output::Complete => assert!(!std::mem::replace(&mut self.is_complete, true)),
            }
        }
        // At most all peers are dropped, or asked for all they may owe and told to cancel as much.
        assert!(outputs <= DOWNLOAD_PEERS_MAX * (2 * REQUESTS_IN_FLIGHT_MAX + 2) + 3);
        assert_eq!(self.download.have(), &self.written);
        assert_eq!(self.is_complete, self.written.is_complete());
        assert!(self.download.peer_count() <= DOWNLOAD_PEERS_MAX);
        assert!(
            self.download.deadline().is_none_or(|due| due > self.now),
            "spins"
        );
    }

    fn sent(&mut self, id: PeerId, frame: Frame) {
        if let Frame::Request { first, count } = frame {
            assert!(count == 1 && first < self.blob.chunk_count());
        }
        if let Some(queue) = self.peers.get_mut(&id) {
            queue.push_back(frame);
        }
    }
}
