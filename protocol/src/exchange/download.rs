//! The download machine: one blob from many peers.
//!
//! The shell feeds frames, peers coming and going and ticks; it carries out the outputs in order.
//! Chunks are asked for in order of position, one owner each, several peers at once; at the end a
//! second copy may be asked of an idle peer. An origin (a mirror) is asked only when peers do not
//! deliver. A peer that sends one wrong chunk, none for [`CHUNK_TIMEOUT`], or anything that was not
//! asked for is dropped and named. Only verified chunks count as delivered.

mod peer;
mod schedule;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use self::peer::Peer;
use self::schedule::get_tree;

use super::chunk_map::ChunkMap;
use super::tree::{Blob, ChunkTree};
use super::wire::{Frame, Refusal};
use crate::limits::{CHUNK_TIMEOUT, DOWNLOAD_PEERS_MAX, ORIGIN_GRACE, TREE_NODES_MAX};

/// A peer of this download, numbered by the shell; never reused.
pub type PeerId = u64;

/// What a peer is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRole {
    /// Last resort: asked only while peers do not deliver.
    Origin,
    /// Any other holder.
    Peer,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A peer is connected; it is sent `OPEN`.
    Joined(PeerId, PeerRole),
    /// A peer sent a frame.
    Received(PeerId, Frame),
    /// A peer's stream ended.
    Left(PeerId),
    /// Time passed; see [`Download::deadline`].
    Tick,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame.
    Send(PeerId, Frame),
    /// Keep the verified chunk level, for the next run and for serving.
    KeepTree(Vec<u8>),
    /// Write a verified chunk at its place, before anything else is asked of the machine.
    Write {
        /// The chunk's number.
        chunk: u32,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Who sent it.
        from: PeerId,
    },
    /// Close the peer's stream; it won't be used again for this blob.
    Drop(PeerId, DropReason),
    /// All chunks that are wanted are there.
    Complete,
}

/// Why a peer is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// More peers than are useful: a newcomer, or the one that was of no use for longest.
    Crowded,
    /// It sent bytes that are not the chunk (or chunk level) asked for.
    Lied,
    /// It does not have the blob.
    NotHave,
    /// It delivered nothing for too long.
    Stalled,
    /// It sent what nobody asked for, or a map that adds nothing.
    Unexpected,
}

/// One blob on its way in.
#[derive(Debug)]
pub struct Download {
    blob: Blob,
    tree: Option<ChunkTree>,
    have: ChunkMap,
    wanted: ChunkMap,
    /// Chunks that are wanted and not there.
    missing: u32,
    peers: BTreeMap<PeerId, Peer>,
    /// Chunks under way, and from how many peers.
    copies: BTreeMap<u32, usize>,
    outputs: VecDeque<Output>,
    /// When a peer that is no origin last brought a chunk or the level; the start of the download
    /// before.
    served: Instant,
    now: Instant,
    complete: bool,
}

impl Download {
    /// Starts or resumes a download.
    ///
    /// `tree` and `have` are what an earlier run kept; a tree of another blob or a map of another
    /// size starts from nothing.
    pub fn new(blob: Blob, tree: Option<ChunkTree>, have: Option<ChunkMap>, now: Instant) -> Self {
        let count = blob.chunk_count();
        let tree = tree.filter(|tree| tree.blob() == blob);
        let have = have.filter(|map| map.count() == count && tree.is_some());
        let have = have.unwrap_or_else(|| ChunkMap::empty(count));
        let mut download = Self {
            blob,
            tree,
            missing: count.saturating_sub(have.held()),
            have,
            wanted: ChunkMap::full(count),
            peers: BTreeMap::new(),
            copies: BTreeMap::new(),
            outputs: VecDeque::new(),
            served: now,
            now,
            complete: false,
        };
        download.finish_if_complete();
        download
    }

    /// Leaves out all chunks but these; to be called before the first input. A map of another size leaves out
    /// nothing.
    #[must_use]
    pub fn only(mut self, wanted: ChunkMap) -> Self {
        if wanted.count() == self.have.count() && !self.complete {
            let missing = self.have.missing().filter(|chunk| wanted.contains(*chunk));
            self.missing = u32::try_from(missing.count()).unwrap_or(u32::MAX);
            self.wanted = wanted;
            self.finish_if_complete();
        }
        self
    }

    /// The chunks that are there.
    pub fn have(&self) -> &ChunkMap {
        &self.have
    }

    /// How many peers are in use.
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Applies one input. `now` never goes back.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Joined(id, role) => self.join(id, role),
            Input::Received(id, frame) => self.receive(id, frame),
            Input::Left(id) => {
                self.remove(id);
            }
            Input::Tick => {}
        }
        if !self.complete {
            self.drop_stalled();
            self.ask();
        }
    }

    /// The next thing to do; call until `None` after each [`Self::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest; always after the last [`Self::handle`].
    pub fn deadline(&self) -> Option<Instant> {
        if self.complete || self.peers.is_empty() {
            return None;
        }
        let stalls = self.peers.values().filter_map(Peer::stalls_at);
        let rests = self.peers.values().map(|peer| peer.rest_until);
        let origin = self.served.checked_add(ORIGIN_GRACE);
        let due = stalls.chain(rests).chain(origin);
        due.filter(|due| *due > self.now).min()
    }

    fn join(&mut self, id: PeerId, role: PeerRole) {
        let crowded = self.peers.len() >= DOWNLOAD_PEERS_MAX;
        let useless = self.useless_peer().filter(|_| crowded);
        if self.complete || (crowded && useless.is_none()) {
            let refused = Output::Drop(id, DropReason::Crowded);
            return self.outputs.push_back(refused);
        }
        if let Some(useless) = useless {
            self.drop_peer(useless, DropReason::Crowded);
        }
        self.peers.insert(id, Peer::new(role, self.now));
        self.outputs
            .push_back(Output::Send(id, Frame::Open(self.blob)));
    }

    /// Who brought nothing for longest, and for too long; origins wait by design.
    fn useless_peer(&self) -> Option<PeerId> {
        let idle = |peer: &Peer| self.now.saturating_duration_since(peer.useful);
        self.peers
            .iter()
            .filter(|(_, peer)| peer.role == PeerRole::Peer && idle(peer) >= CHUNK_TIMEOUT)
            .min_by_key(|(_, peer)| peer.useful)
            .map(|(id, _)| *id)
    }

    fn drop_peer(&mut self, id: PeerId, reason: DropReason) {
        if self.remove(id) {
            self.outputs.push_back(Output::Drop(id, reason));
        }
    }

    fn remove(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peers.remove(&id) else {
            return false;
        };
        for chunk in peer.in_flight {
            self.release(chunk);
        }
        true
    }

    fn receive(&mut self, id: PeerId, frame: Frame) {
        if self.complete || !self.peers.contains_key(&id) {
            return;
        }
        match frame {
            Frame::Have(bytes) => self.receive_map(id, &bytes),
            Frame::Tree { first, nodes } => self.receive_tree(id, first, &nodes),
            Frame::Data { chunk, bytes } => self.receive_chunk(id, chunk, bytes),
            Frame::Reject { chunk, code } => match code {
                Refusal::Busy => self.receive_busy(id, chunk),
                Refusal::NotHave => self.drop_peer(id, DropReason::NotHave),
            },
            Frame::Open(_)
            | Frame::GetTree { .. }
            | Frame::Request { .. }
            | Frame::Cancel { .. } => self.drop_peer(id, DropReason::Unexpected),
        }
    }

    /// Takes a map. Each has more chunks than the one before, so there is an end to them.
    fn receive_map(&mut self, id: PeerId, bytes: &[u8]) {
        let Some(map) = ChunkMap::parse(self.blob.chunk_count(), bytes) else {
            return self.drop_peer(id, DropReason::Lied);
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer
            .map
            .as_ref()
            .is_some_and(|old| map.held() <= old.held())
        {
            return self.drop_peer(id, DropReason::Unexpected);
        }
        peer.map = Some(map);
        peer.next = 0;
    }

    /// Lets a peer rest. It gains no time for what it still owes.
    fn receive_busy(&mut self, id: PeerId, chunk: u32) {
        let rest_until = self.now.checked_add(ORIGIN_GRACE).unwrap_or(self.now);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.rest_until = rest_until;
        // Busy with the blob: its stream ends. Busy with the level: that is asked for before any
        // chunk, and answers come in order.
        if chunk == 0 && (peer.map.is_none() || peer.level.take().is_some()) {
            return;
        }
        if peer.in_flight.remove(&chunk) {
            self.release(chunk);
        } else if !peer.cancelled.remove(&chunk) {
            self.drop_peer(id, DropReason::Unexpected);
        }
    }

    /// Collects one peer's chunk level; only the whole can be checked, so it comes from one peer.
    fn receive_tree(&mut self, id: PeerId, first: u32, nodes: &[u8]) {
        let bytes_of = |nodes: u32| {
            let nodes = usize::try_from(nodes).unwrap_or(usize::MAX);
            nodes.saturating_mul(32)
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(mut level) = peer.level.take() else {
            return self.drop_peer(id, DropReason::Unexpected);
        };
        if self.tree.is_some() {
            return; // another peer was faster
        }
        let count = self.blob.chunk_count();
        let wanted = count.saturating_sub(first).min(TREE_NODES_MAX);
        if level.len() != bytes_of(first) || nodes.len() != bytes_of(wanted) {
            return self.drop_peer(id, DropReason::Lied);
        }
        level.extend_from_slice(nodes);
        peer.active = self.now;
        let role = peer.role;
        let next = first.saturating_add(wanted);
        if next < count {
            peer.level = Some(level);
            self.outputs.push_back(Output::Send(id, get_tree(next)));
            return;
        }
        match ChunkTree::parse(self.blob, &level) {
            Ok(tree) => {
                self.tree = Some(tree);
                self.note_service(role);
                self.outputs.push_back(Output::KeepTree(level));
            }
            Err(_) => self.drop_peer(id, DropReason::Lied),
        }
    }

    fn receive_chunk(&mut self, id: PeerId, chunk: u32, bytes: Vec<u8>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.in_flight.contains(&chunk) {
            if !peer.cancelled.remove(&chunk) {
                self.drop_peer(id, DropReason::Unexpected);
            }
            return;
        }
        let tree = self.tree.as_ref();
        if !tree.is_some_and(|tree| tree.verify(chunk, &bytes)) {
            return self.drop_peer(id, DropReason::Lied);
        }
        peer.active = self.now;
        peer.useful = self.now;
        let role = peer.role;
        self.note_service(role);
        let write = Output::Write {
            chunk,
            bytes,
            from: id,
        };
        self.outputs.push_back(write);
        self.hold(chunk, id);
        self.finish_if_complete();
    }

    fn note_service(&mut self, role: PeerRole) {
        if role == PeerRole::Peer {
            self.served = self.now;
        }
    }

    fn finish_if_complete(&mut self) {
        if self.missing == 0 && !self.complete {
            self.complete = true;
            self.outputs.push_back(Output::Complete);
        }
    }

    fn drop_stalled(&mut self) {
        let stalled = |peer: &Peer| peer.stalls_at().is_some_and(|due| due <= self.now);
        let ids: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| stalled(peer))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.drop_peer(id, DropReason::Stalled);
        }
    }
}

#[cfg(test)]
mod tests;
