//! Who is asked for what: one owner per chunk, a second copy in the endgame.
//!
//! The work per request does not grow with the blob: every peer has a cursor that goes back only to
//! a chunk that was given back.

use super::{Download, Output, PeerId, PeerRole};
use crate::exchange::wire::Frame;
use crate::limits::{ENDGAME_COPIES_MAX, ORIGIN_GRACE, TREE_NODES_MAX};

impl Download {
    /// Gives every peer with room something to do.
    pub(super) fn ask(&mut self) {
        let starved = self.now.saturating_duration_since(self.served) >= ORIGIN_GRACE;
        let ids: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.role == PeerRole::Peer || starved)
            .filter(|(_, peer)| peer.rest_until <= self.now)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if self.tree.is_none() {
                self.ask_tree(id);
            } else {
                self.ask_chunks(id);
            }
        }
    }

    fn ask_tree(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.map.is_some() && peer.level.is_none() {
            peer.level = Some(Vec::new());
            peer.active = self.now;
            self.outputs.push_back(Output::Send(id, get_tree(0)));
        }
    }

    fn ask_chunks(&mut self, id: PeerId) {
        while let Some(chunk) = self.choose(id) {
            let Some(peer) = self.peers.get_mut(&id) else {
                return;
            };
            if !peer.owes() {
                peer.active = self.now;
            }
            peer.in_flight.insert(chunk);
            let copies = self.copies.entry(chunk).or_insert(0);
            *copies = copies.saturating_add(1);
            let request = Frame::Request {
                first: chunk,
                count: 1,
            };
            self.outputs.push_back(Output::Send(id, request));
        }
    }

    /// The next chunk to ask of a peer: the first that nobody owes; else, once every missing chunk
    /// is under way, one that a single other peer owes.
    fn choose(&mut self, id: PeerId) -> Option<u32> {
        let peer = self.peers.get_mut(&id).filter(|peer| peer.has_room())?;
        let map = peer.map.as_ref()?;
        while let Some(chunk) = map.first_not_in(&self.have, peer.next) {
            peer.next = chunk.saturating_add(1);
            if self.wanted.contains(chunk) && !self.copies.contains_key(&chunk) {
                return Some(chunk);
            }
        }
        peer.next = map.count();
        let under_way = u32::try_from(self.copies.len());
        let endgame = under_way.is_ok_and(|under_way| under_way == self.missing);
        if !endgame || !peer.in_flight.is_empty() {
            return None;
        }
        let mut single = self.copies.iter();
        single
            .find(|(chunk, copies)| **copies < ENDGAME_COPIES_MAX && map.contains(**chunk))
            .map(|(chunk, _)| *chunk)
    }

    /// Counts `chunk`, brought by `from`, as held; nobody else needs to bring it.
    pub(super) fn hold(&mut self, chunk: u32, from: PeerId) {
        if !self.have.contains(chunk) && self.wanted.contains(chunk) {
            self.missing = self.missing.saturating_sub(1);
        }
        self.have.insert(chunk);
        self.copies.remove(&chunk);
        for (id, peer) in &mut self.peers {
            if peer.in_flight.remove(&chunk) && *id != from {
                peer.cancelled.insert(chunk);
                self.outputs
                    .push_back(Output::Send(*id, Frame::Cancel { chunk }));
            }
        }
    }

    /// One peer less owes `chunk`, which is not held.
    pub(super) fn release(&mut self, chunk: u32) {
        let left = self.copies.remove(&chunk).unwrap_or(0).saturating_sub(1);
        if left > 0 {
            self.copies.insert(chunk, left);
            return;
        }
        for peer in self.peers.values_mut() {
            peer.next = peer.next.min(chunk);
        }
    }
}

pub(super) fn get_tree(first: u32) -> Frame {
    let count = TREE_NODES_MAX;
    Frame::GetTree { first, count }
}
