//! A download, its peers' inboxes and a clock. Checks on every step what must always hold.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::exchange::chunk_map::ChunkMap;
use crate::exchange::download::{Download, DropReason, Input, Output, PeerId, PeerRole};
use crate::exchange::tree::{ChunkTree, TreeBuilder};
use crate::exchange::wire::Frame;

pub(super) const CHUNK: usize = 256 * 1024;

/// The clock's start: there is no other way to make an [`Instant`].
#[expect(clippy::disallowed_methods, reason = "a base for fake time")]
pub(super) fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Bytes of a blob; no two chunks are alike.
pub(super) fn data_of(size: usize) -> &'static [u8] {
    static DATA: OnceLock<Vec<u8>> = OnceLock::new();
    let data = DATA.get_or_init(|| {
        let words = 0u64..(40 * CHUNK / 8) as u64;
        words
            .flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect()
    });
    &data[..size]
}

pub(super) fn blob_of(size: usize) -> (&'static [u8], ChunkTree) {
    let mut builder = TreeBuilder::new();
    builder.update(data_of(size));
    (data_of(size), builder.finish())
}

pub(super) fn map_of(count: u32, chunks: &[u32]) -> ChunkMap {
    let mut map = ChunkMap::empty(count);
    for chunk in chunks {
        map.insert(*chunk);
    }
    map
}

/// The chunk that a frame asks for.
pub(super) fn request_of(frame: &Frame) -> Option<u32> {
    let Frame::Request { first, .. } = frame else {
        return None;
    };
    Some(*first)
}

fn cancel_of(frame: &Frame) -> Option<u32> {
    let Frame::Cancel { chunk } = frame else {
        return None;
    };
    Some(*chunk)
}

pub(super) struct Net {
    pub(super) download: Download,
    pub(super) now: Instant,
    pub(super) data: &'static [u8],
    pub(super) tree: ChunkTree,
    /// Frames sent to each peer and not yet handled.
    pub(super) queues: BTreeMap<PeerId, VecDeque<Frame>>,
    /// What peers hold who do not hold all.
    pub(super) maps: BTreeMap<PeerId, ChunkMap>,
    /// How often each chunk was asked for, and of whom.
    pub(super) requests: BTreeMap<u32, usize>,
    asked: BTreeMap<PeerId, usize>,
    /// The chunks that are wanted, if not all.
    wanted: Option<ChunkMap>,
    pub(super) written: BTreeMap<u32, Vec<u8>>,
    pub(super) from: Vec<PeerId>,
    pub(super) dropped: Vec<(PeerId, DropReason)>,
    pub(super) kept: Option<Vec<u8>>,
    pub(super) complete: bool,
}

impl Net {
    pub(super) fn new(size: usize) -> Self {
        Self::resumed(size, None, None)
    }

    pub(super) fn resumed(size: usize, tree: Option<ChunkTree>, have: Option<ChunkMap>) -> Self {
        let (data, own) = blob_of(size);
        // Room to go back in time.
        let now = epoch() + Duration::from_secs(3600);
        let mut net = Self {
            download: Download::new(own.blob(), tree, have, now),
            now,
            data,
            tree: own,
            queues: BTreeMap::new(),
            maps: BTreeMap::new(),
            requests: BTreeMap::new(),
            asked: BTreeMap::new(),
            wanted: None,
            written: BTreeMap::new(),
            from: Vec::new(),
            dropped: Vec::new(),
            kept: None,
            complete: false,
        };
        net.drain();
        net
    }

    /// Leaves out all chunks but these.
    pub(super) fn wanting(mut self, chunks: &[u32]) -> Self {
        let map = map_of(self.count(), chunks);
        self.wanted = Some(map.clone());
        self.download = self.download.only(map);
        self.drain();
        self
    }

    /// Carries out the outputs; checks every write, and that the machine would not spin.
    pub(super) fn drain(&mut self) {
        while let Some(output) = self.download.poll() {
            match output {
                Output::Send(id, frame) => self.send(id, frame),
                Output::KeepTree(level) => assert_eq!(self.kept.replace(level), None),
                Output::Write { chunk, bytes, from } => {
                    assert_eq!(bytes, self.chunk(chunk), "chunk {chunk} of {from}");
                    self.from.push(from);
                    assert_eq!(self.written.insert(chunk, bytes), None, "written twice");
                }
                Output::Drop(id, reason) => {
                    self.queues.remove(&id);
                    self.dropped.push((id, reason));
                }
                Output::Complete => assert!(!std::mem::replace(&mut self.complete, true)),
            }
        }
        let missing: Vec<u32> = self.download.have().missing().collect();
        let wanted = |chunk: &u32| self.wanted.as_ref().is_none_or(|map| map.contains(*chunk));
        assert_eq!(self.complete, !missing.iter().any(wanted));
        let deadline = self.download.deadline();
        assert!(deadline.is_none_or(|due| due > self.now), "spins");
    }

    fn send(&mut self, id: PeerId, frame: Frame) {
        if let Frame::Request { first, count } = frame {
            assert_eq!(count, 1);
            assert!(!self.download.have().contains(first), "{first} is there");
            *self.requests.entry(first).or_default() += 1;
            *self.asked.entry(id).or_default() += 1;
        }
        if matches!(frame, Frame::GetTree { .. }) {
            *self.asked.entry(id).or_default() += 1;
        }
        self.queues.entry(id).or_default().push_back(frame);
    }

    pub(super) fn input(&mut self, input: Input) {
        self.download.handle(self.now, input);
        self.drain();
    }

    pub(super) fn receive(&mut self, id: PeerId, frame: Frame) {
        self.input(Input::Received(id, frame));
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.input(Input::Tick);
    }

    pub(super) fn join(&mut self, id: PeerId) {
        self.join_as(id, PeerRole::Peer);
    }

    pub(super) fn join_as(&mut self, id: PeerId, role: PeerRole) {
        self.input(Input::Joined(id, role));
    }

    /// Joins with a map of `chunks`.
    pub(super) fn join_holding(&mut self, id: PeerId, chunks: &[u32]) {
        self.maps.insert(id, map_of(self.count(), chunks));
        self.join(id);
        self.serve_one(id);
    }

    /// Joins, says that it has all, and brings the chunk level if it is asked.
    pub(super) fn join_with_tree(&mut self, id: PeerId) {
        self.join(id);
        self.serve_one(id);
        if self.queues[&id]
            .iter()
            .any(|frame| matches!(frame, Frame::GetTree { .. }))
        {
            self.serve_one(id);
        }
    }

    pub(super) fn leave(&mut self, id: PeerId) {
        self.queues.remove(&id);
        self.input(Input::Left(id));
    }

    pub(super) fn have(&mut self, id: PeerId, chunks: &[u32]) {
        let map = map_of(self.count(), chunks);
        self.receive(id, Frame::Have(map.as_bytes().to_vec()));
        self.maps.insert(id, map);
        // It was OPEN that is answered by this, if it is still there.
        let queue = self.queues.entry(id).or_default();
        queue.retain(|frame| !matches!(frame, Frame::Open(_)));
    }

    /// Lets an honest peer answer its next frame.
    pub(super) fn serve_one(&mut self, id: PeerId) {
        let queue = self.queues.get_mut(&id);
        let Some(frame) = queue.and_then(VecDeque::pop_front) else {
            return;
        };
        if let Frame::Cancel { chunk } = frame {
            let request = Frame::Request {
                first: chunk,
                count: 1,
            };
            let queue = self.queues.entry(id).or_default();
            queue.retain(|frame| *frame != request);
        }
        if let Some(answer) = self.answer(id, &frame) {
            self.receive(id, answer);
        }
    }

    pub(super) fn serve(&mut self, id: PeerId) {
        while self.queues.get(&id).is_some_and(|queue| !queue.is_empty()) {
            self.serve_one(id);
        }
    }

    /// All peers in turn, honestly, until nobody is asked for anything.
    pub(super) fn serve_all(&mut self) {
        while self.queues.values().any(|queue| !queue.is_empty()) {
            for id in self.queues.keys().copied().collect::<Vec<_>>() {
                self.serve_one(id);
            }
        }
    }

    pub(super) fn answer(&self, id: PeerId, frame: &Frame) -> Option<Frame> {
        if let Some(chunk) = request_of(frame) {
            return Some(self.data_frame(chunk));
        }
        if let Frame::GetTree { first, count } = *frame {
            let nodes = self.tree.nodes(first, count);
            return Some(Frame::Tree { first, nodes });
        }
        matches!(frame, Frame::Open(_)).then(|| {
            let full = ChunkMap::full(self.count());
            let map = self.maps.get(&id).unwrap_or(&full);
            Frame::Have(map.as_bytes().to_vec())
        })
    }

    pub(super) fn deliver(&mut self, id: PeerId, chunk: u32) {
        let frame = self.data_frame(chunk);
        self.receive(id, frame);
    }

    pub(super) fn data_frame(&self, chunk: u32) -> Frame {
        let bytes = self.chunk(chunk).to_vec();
        Frame::Data { chunk, bytes }
    }

    pub(super) fn chunk(&self, chunk: u32) -> &'static [u8] {
        let start = chunk as usize * CHUNK;
        &self.data[start..self.data.len().min(start + CHUNK)]
    }

    pub(super) fn count(&self) -> u32 {
        self.tree.blob().chunk_count()
    }

    /// Takes the chunks asked of a peer out of its inbox.
    pub(super) fn take_requests(&mut self, id: PeerId) -> Vec<u32> {
        self.take(id, request_of)
    }

    pub(super) fn take_cancels(&mut self, id: PeerId) -> Vec<u32> {
        self.take(id, cancel_of)
    }

    fn take(&mut self, id: PeerId, chunk_of: impl Fn(&Frame) -> Option<u32>) -> Vec<u32> {
        let queue = self.queues.entry(id).or_default();
        let taken = queue.iter().filter_map(&chunk_of).collect();
        queue.retain(|frame| chunk_of(frame).is_none());
        taken
    }

    /// How many frames asked something of a peer so far.
    pub(super) fn asked_of(&self, id: PeerId) -> usize {
        self.asked.get(&id).copied().unwrap_or(0)
    }

    pub(super) fn brought_by(&self, id: PeerId) -> usize {
        self.from.iter().filter(|from| **from == id).count()
    }

    /// The written chunks in order.
    pub(super) fn bytes(&self) -> Vec<u8> {
        assert!(self.complete);
        self.written.values().flatten().copied().collect()
    }
}
