//! Telling the network again what this node stores, so that a record is found until its `exp` although
//! its publisher is silent (threats H68).
//!
//! Not Kademlia's own job: that remembers every key it is sent and puts all records at once.

use libp2p::PeerId;
use libp2p::kad::{K_VALUE, KBucketKey, RecordKey};
use protocol::dht::key::DhtKey;

use super::Runtime;

impl Runtime {
    /// Tells one record: the one that was heard longest ago of those that belong here.
    pub(super) fn repeat(&mut self) {
        let Some(republish) = self.repeat.filter(|_| !self.peers.is_empty()) else {
            return;
        };
        let local = KBucketKey::from(*self.swarm.local_peer_id());
        let kad = &mut self.swarm.behaviour_mut().kad;
        let known: Vec<KBucketKey<PeerId>> = kad
            .kbuckets()
            .flat_map(|bucket| {
                bucket
                    .iter()
                    .map(|entry| *entry.node.key)
                    .collect::<Vec<_>>()
            })
            .collect();
        let near = |key: &DhtKey| is_near(&local, &known, key);
        let Some(due) = kad.store_mut().due(republish.after.as_secs(), near) else {
            return;
        };
        if let Err(error) = kad.store_mut().renew(&due) {
            tracing::warn!(%error, "record not kept");
        }
        tracing::debug!(key = %due.key, "record told again");
        self.queries.repeat(kad, due);
    }
}

/// Whether this node is among the nodes that should hold `key`, as far as it knows.
fn is_near(local: &KBucketKey<PeerId>, known: &[KBucketKey<PeerId>], key: &DhtKey) -> bool {
    let key = KBucketKey::new(RecordKey::new(key.as_bytes()));
    let ours = local.distance(&key);
    let nearer = known.iter().filter(|peer| peer.distance(&key) < ours);
    nearer.take(K_VALUE.get()).count() < K_VALUE.get()
}
