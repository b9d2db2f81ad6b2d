//! Who is dialled, and who leaves the routing table because it can't be.

use libp2p::kad::QueryId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};

use super::Runtime;

impl Runtime {
    /// Dials bootstrap nodes that are not connected; with one connected, Kademlia does the rest.
    pub(super) fn dial_bootstrap(&mut self) {
        for address in self.bootstrap.clone() {
            let connected = peer_of(&address).is_some_and(|peer| self.peers.contains_key(&peer));
            if !connected {
                self.dial(&address);
            }
        }
    }

    pub(super) fn dial(&mut self, address: &Multiaddr) {
        if let Err(error) = self.swarm.dial(address.clone()) {
            tracing::debug!(%address, %error, "not dialled");
        }
    }

    /// Takes peers into the table unseen. The exploration that Kademlia begins then, and that can't be
    /// switched off, is ended: in a process of hundreds of nodes it takes minutes.
    pub(super) fn learn(&mut self, peers: Vec<(PeerId, Multiaddr)>) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        for (peer, address) in peers {
            kad.add_address(&peer, address);
        }
        self.is_settled = true;
        if let Ok(id) = kad.bootstrap() {
            self.end_query(id);
        }
    }

    pub(super) fn end_query(&mut self, id: QueryId) {
        if let Some(mut query) = self.swarm.behaviour_mut().kad.query_mut(&id) {
            query.finish();
        }
    }

    /// Dials a peer that connected to us, to see whether others could.
    pub(super) fn dial_back(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        if addresses.is_empty() {
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addresses);
        if let Err(error) = self.swarm.dial(options.build()) {
            tracing::debug!(%peer, %error, "not dialled back");
        }
    }

    /// Who can't be dialled leaves the routing table, unless it is connected, or nobody is: then the
    /// fault may be ours.
    pub(super) fn on_dial_error(&mut self, peer: &PeerId, error: &DialError) {
        tracing::debug!(%peer, %error, "not connected");
        let unreachable = matches!(
            error,
            DialError::Transport(_) | DialError::WrongPeerId { .. } | DialError::NoAddresses
        );
        if unreachable && !self.peers.is_empty() && !self.peers.contains_key(peer) {
            self.swarm.behaviour_mut().kad.remove_peer(peer);
        }
    }
}

/// The peer id at the end of an address.
fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last()? {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    }
}
