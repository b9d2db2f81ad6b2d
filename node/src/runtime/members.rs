//! What a change of members means for connections.

use std::collections::BTreeSet;

use libp2p::PeerId;
use tokio::time::Instant;

use super::Runtime;

impl Runtime {
    /// Cuts off who is no member any more, and looks for who is one now.
    pub(super) fn on_members(&mut self) {
        let Some(allowed) = self.network.allowed() else {
            return;
        };
        let behaviour = self.swarm.behaviour_mut();
        for peer in behaviour.gate.allow(allowed) {
            tracing::warn!(%peer, "disconnected: no member of this network any more");
            behaviour.kad.remove_peer(&peer);
        }
        let nearby = behaviour.mdns.as_ref();
        let nearby = nearby.into_iter().flat_map(|mdns| mdns.discovered_nodes());
        let nearby: BTreeSet<PeerId> = nearby
            .filter(|peer| behaviour.gate.allows(peer) && !self.peers.is_connected(peer))
            .copied()
            .collect();
        for peer in nearby {
            drop(self.swarm.dial(peer));
        }
        self.dial_bootstrap(Instant::now());
    }
}
