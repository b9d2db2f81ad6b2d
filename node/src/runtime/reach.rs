//! Who is dialled, who is connected, and who leaves the routing table because it can't be reached.

use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::kad::QueryId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Runtime;
use crate::swarm::addresses::{is_relayed, peer_of, scope};

/// How long a lost bootstrap node is left alone at first; twice as long each time.
const RETRY_MIN: Duration = Duration::from_secs(5);
/// And at last.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// A bootstrap node.
#[derive(Clone, Debug)]
pub(super) struct Entrance {
    address: Multiaddr,
    next: Option<Instant>,
    wait: Duration,
}

impl Entrance {
    pub(super) const fn new(address: Multiaddr) -> Self {
        let (next, wait) = (None, RETRY_MIN);
        Self {
            address,
            next,
            wait,
        }
    }

    /// Whether it is to be dialled now; if so, it is left alone for a while.
    fn is_due(&mut self, is_connected: bool, now: Instant) -> bool {
        if is_connected {
            *self = Self::new(self.address.clone());
            return false;
        }
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.next = Some(now + self.wait);
        self.wait = (self.wait * 2).min(RETRY_MAX);
        true
    }
}

impl Runtime {
    /// Dials bootstrap nodes that are not connected; with one connected, Kademlia does the rest.
    pub(super) fn dial_bootstrap(&mut self, now: Instant) {
        let peers = &self.peers;
        let mut due = Vec::new();
        for entrance in &mut self.bootstrap {
            let peer = peer_of(&entrance.address);
            if entrance.is_due(peer.is_some_and(|peer| peers.is_connected(&peer)), now) {
                due.push(entrance.address.clone());
            }
        }
        for address in due {
            self.dial(&address);
        }
    }

    /// Dials what we were told to dial by whoever runs this node.
    pub(super) fn dial(&mut self, address: &Multiaddr) {
        self.fence.ask(address);
        if let Err(error) = self.swarm.dial(address.clone()) {
            tracing::debug!(%address, %error, "not dialled");
        }
    }

    /// Connects to a peer at any of these addresses, and says whether it did.
    pub(super) fn connect(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        reply: oneshot::Sender<Result<(), String>>,
    ) {
        // Who asked may have given up, here and below.
        if self.peers.is_connected(&peer) {
            return reply.send(Ok(())).unwrap_or_default();
        }
        if addresses.is_empty() {
            return drop(reply.send(Err("no address is known".to_owned())));
        }
        for address in &addresses {
            self.fence.ask(address);
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Disconnected)
            .addresses(addresses)
            .build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => drop(self.dials.insert(id, reply)),
            Err(error) => drop(reply.send(Err(error.to_string()))),
        }
    }

    /// Dials peers of the local network.
    pub(super) fn on_nearby(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in found {
            // Those of other networks aren't dialled, so that they fill no log.
            if !self.peers.is_connected(&peer) && self.swarm.behaviour().gate.allows(&peer) {
                self.fence.ask(&address);
                let options = DialOpts::peer_id(peer).addresses(vec![address]);
                drop(self.swarm.dial(options.build()));
            }
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

    pub(super) fn on_connected(&mut self, peer: PeerId, id: ConnectionId, end: ConnectedPoint) {
        if let Some(reply) = self.dials.remove(&id) {
            drop(reply.send(Ok(())));
        }
        let met = match end {
            ConnectedPoint::Dialer { address, .. } => {
                if !is_relayed(&address) {
                    let kad = &mut self.swarm.behaviour_mut().kad;
                    self.table.reached(kad, peer, address.clone());
                }
                address
            }
            ConnectedPoint::Listener {
                local_addr,
                send_back_addr,
            } if is_relayed(&local_addr) => {
                tracing::debug!(%send_back_addr, "called through a relay");
                local_addr
            }
            ConnectedPoint::Listener { send_back_addr, .. } => send_back_addr,
        };
        tracing::debug!(%peer, %met, "connected");
        let (is_first, needless) = self.peers.add(peer, id, met);
        if is_first {
            self.network.connected(peer);
        }
        for relayed in needless {
            self.swarm.close_connection(relayed);
        }
        if let Some(scope) = self.peers.met(&peer).and_then(scope) {
            self.fence.met(peer, scope);
        }
    }

    pub(super) fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId) {
        if !self.peers.remove(&peer, id) {
            return;
        }
        tracing::debug!(%peer, "disconnected");
        self.identified.remove(&peer);
        self.network.disconnected(&peer);
        self.table.disconnected(&peer);
        self.fence.left(&peer);
        self.on_relay_left(&peer);
    }

    /// Who can't be dialled leaves the routing table, unless it is connected, or nobody is: then the
    /// fault may be ours.
    pub(super) fn on_dial_error(
        &mut self,
        peer: Option<PeerId>,
        id: ConnectionId,
        error: &DialError,
    ) {
        if let Some(reply) = self.dials.remove(&id) {
            drop(reply.send(Err(error.to_string())));
        }
        let Some(peer) = peer else {
            return;
        };
        tracing::debug!(%peer, %error, "not connected");
        let unreachable = matches!(
            error,
            DialError::Transport(_) | DialError::WrongPeerId { .. } | DialError::NoAddresses
        );
        if unreachable && !self.peers.is_empty() && !self.peers.is_connected(&peer) {
            self.swarm.behaviour_mut().kad.remove_peer(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_bootstrap_node_is_dialled_less_and_less_often() {
        let mut entrance = Entrance::new(Multiaddr::empty());
        let start = Instant::now();
        let tried = |entrance: &mut Entrance, seconds: u64| {
            let times = (0..seconds).map(|second| start + Duration::from_secs(second));
            times.filter(|now| entrance.is_due(false, *now)).count()
        };
        assert_eq!(tried(&mut entrance, 3600), 6 + 11);
        assert!(!entrance.is_due(true, start));
        assert!(entrance.is_due(false, start));
    }
}
