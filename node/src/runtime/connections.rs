//! Who is connected, and from where.

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use crate::swarm::addresses::is_relayed;

/// Connections by peer.
#[derive(Debug, Default)]
pub(super) struct Connections {
    of: BTreeMap<PeerId, BTreeMap<ConnectionId, Multiaddr>>,
    /// Who waits for a direct connection.
    waiting: Vec<(PeerId, oneshot::Sender<bool>)>,
}

impl Connections {
    /// A connection is there. Returns whether it is the peer's first, and relayed connections that are needed no more.
    pub(super) fn add(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        met: Multiaddr,
    ) -> (bool, Vec<ConnectionId>) {
        let connections = self.of.entry(peer).or_default();
        let is_first = connections.is_empty();
        let is_direct = !is_relayed(&met);
        connections.insert(id, met);
        if !is_direct {
            return (is_first, Vec::new());
        }
        let relayed = connections.iter().filter(|(_, met)| is_relayed(met));
        let relayed = relayed.map(|(id, _)| *id).collect();
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(whom, _)| *whom == peer);
        self.waiting = waiting;
        for (_, reply) in ready {
            // The asker may have given up.
            reply.send(false).unwrap_or_default();
        }
        (is_first, relayed)
    }

    /// A connection is closed. Returns whether it was the peer's last.
    pub(super) fn remove(&mut self, peer: &PeerId, id: ConnectionId) -> bool {
        if let Some(connections) = self.of.get_mut(peer) {
            connections.remove(&id);
            if !connections.is_empty() {
                return false;
            }
        }
        self.of.remove(peer);
        self.waiting
            .retain(|(whom, reply)| whom != peer && !reply.is_closed());
        true
    }

    /// Answers once a connected peer has a direct connection: whether it had one already.
    pub(super) fn wait_for_direct(&mut self, peer: PeerId, reply: oneshot::Sender<bool>) {
        match self.met(&peer) {
            Some(met) if !is_relayed(met) => reply.send(true).unwrap_or_default(),
            Some(_) => {
                self.waiting.retain(|(_, reply)| !reply.is_closed());
                self.waiting.push((peer, reply));
            }
            None => {}
        }
    }

    /// Where a connected peer was met; where it is connected directly, if it is.
    pub(super) fn met(&self, peer: &PeerId) -> Option<&Multiaddr> {
        let connections = self.of.get(peer)?;
        let direct = connections.values().find(|met| !is_relayed(met));
        direct.or_else(|| connections.values().next())
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.of.contains_key(peer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Connected peers.
    pub(super) fn count(&self) -> usize {
        self.of.len()
    }

    /// Connected peers, and where they were met.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PeerId, &Multiaddr)> {
        let met = |peer| Some((peer, self.met(peer)?));
        self.of.keys().filter_map(met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_connection_takes_the_place_of_relayed_ones() {
        let (mut connections, peer) = (Connections::default(), PeerId::random());
        let id = ConnectionId::new_unchecked;
        let relay = PeerId::random();
        let through = format!("/ip4/198.51.100.1/tcp/1/p2p/{relay}/p2p-circuit");
        let (through, direct): (Multiaddr, Multiaddr) = (
            through.parse().unwrap(),
            "/ip4/198.51.100.2/tcp/1".parse().unwrap(),
        );
        assert_eq!(
            connections.add(peer, id(1), through.clone()),
            (true, Vec::new())
        );
        let (reply, mut waits) = oneshot::channel();
        connections.wait_for_direct(peer, reply);
        assert!(waits.try_recv().is_err());
        assert_eq!(
            connections.add(peer, id(2), direct.clone()),
            (false, vec![id(1)])
        );
        assert_eq!(waits.try_recv(), Ok(false));
        assert_eq!(connections.met(&peer), Some(&direct));
        assert!(!connections.remove(&peer, id(2)));
        assert_eq!(connections.met(&peer), Some(&through));
        assert!(connections.remove(&peer, id(1)));
        assert!(connections.is_empty());
    }
}
