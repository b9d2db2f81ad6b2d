//! Who enters the routing table: peers that serve our DHT and that we reached ourselves, and not too many
//! of one network (threats H62, H67).
//!
//! An id costs nothing, an address in one more network does. Kademlia is told to insert nobody by itself.

use std::collections::BTreeMap;

use libp2p::kad::{self, KBucketRef};
use libp2p::{Multiaddr, PeerId};

use super::addresses::{ip, scope};
use crate::storage::quota::Subnet;
use crate::storage::records::Records;

/// Peers of one subnet in one bucket of 20: a tenth of what a look-up starts from.
pub const PEERS_PER_SUBNET_AND_BUCKET_MAX: usize = 2;
/// Peers of one subnet in the whole table: a data centre full of ids gets into four buckets at most, of
/// the dozen or more that a large network fills.
pub const PEERS_PER_SUBNET_MAX: usize = 8;
/// Addresses at which a peer that connected to us is tried.
pub const DIAL_BACK_ADDRESSES_MAX: usize = 2;

type Kad = kad::Behaviour<Records>;
type Bucket<'a> = KBucketRef<'a, kad::KBucketKey<PeerId>, kad::Addresses>;

/// Whose addresses count as one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Subnet(Subnet),
    /// All names together: a name says nothing of where it leads.
    Name,
}

impl Source {
    /// `None`: not counted.
    fn of(address: &Multiaddr) -> Option<Self> {
        match ip(address) {
            Some(ip) => Subnet::of(ip).map(Self::Subnet),
            None if is_memory(address) => None,
            None => Some(Self::Name),
        }
    }
}

fn is_memory(address: &Multiaddr) -> bool {
    let first = address.iter().next();
    matches!(first, Some(libp2p::multiaddr::Protocol::Memory(_)))
}

/// What is known of a connected peer.
#[derive(Debug, Default)]
struct Candidate {
    /// Where we dialled it.
    reached: Option<Multiaddr>,
    /// Where it may be tried, once it said that it serves the DHT.
    serves: Option<Vec<Multiaddr>>,
    /// It was dialled back.
    is_tried: bool,
}

/// Connected peers on their way into the table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    candidates: BTreeMap<PeerId, Candidate>,
}

impl Table {
    /// We dialled `peer` at `address`, and it is who it should be.
    pub(crate) fn reached(&mut self, kad: &mut Kad, peer: PeerId, address: Multiaddr) {
        self.candidates.entry(peer).or_default().reached = Some(address);
        self.enter(kad, peer);
    }

    /// `peer`, met at `met`, says that it serves the DHT at these believed addresses. Returns where to dial
    /// it back, if it isn't known to be reachable: only where it is already, since it could name others.
    pub(crate) fn serves(
        &mut self,
        kad: &mut Kad,
        peer: PeerId,
        met: &Multiaddr,
        believed: Vec<Multiaddr>,
    ) -> Vec<Multiaddr> {
        let same_place = believed.into_iter().filter(|address| is_same(address, met));
        let candidate = self.candidates.entry(peer).or_default();
        candidate.serves = Some(same_place.take(DIAL_BACK_ADDRESSES_MAX).collect());
        self.enter(kad, peer);
        let Some(candidate) = self.candidates.get_mut(&peer) else {
            return Vec::new();
        };
        let is_known = candidate.reached.is_some() || is_in_table(kad, &peer);
        if is_known || std::mem::replace(&mut candidate.is_tried, true) {
            return Vec::new();
        }
        let addresses = candidate.serves.clone().unwrap_or_default();
        let welcome = |address: &Multiaddr| admits(kad, &peer, address);
        addresses.into_iter().filter(welcome).collect()
    }

    /// Where we dialled a connected peer.
    pub(crate) fn where_reached(&self, peer: &PeerId) -> Option<&Multiaddr> {
        self.candidates.get(peer)?.reached.as_ref()
    }

    /// The last connection to `peer` is closed. It stays in the table until it can't be dialled.
    pub(crate) fn disconnected(&mut self, peer: &PeerId) {
        self.candidates.remove(peer);
    }

    fn enter(&self, kad: &mut Kad, peer: PeerId) {
        let Some(candidate) = self.candidates.get(&peer) else {
            return;
        };
        let (Some(reached), Some(_)) = (&candidate.reached, &candidate.serves) else {
            return;
        };
        if scope(reached).is_some() && admits(kad, &peer, reached) {
            kad.add_address(&peer, reached.clone());
        } else {
            tracing::debug!(%peer, %reached, "not taken into the routing table");
        }
    }
}

/// Whether the table has room for one more peer of the network of `address`.
fn admits(kad: &mut Kad, peer: &PeerId, address: &Multiaddr) -> bool {
    let Some(source) = Source::of(address) else {
        return true;
    };
    let in_bucket = kad
        .kbucket(*peer)
        .map_or(0, |bucket| count(&bucket, peer, source));
    let in_table: usize = kad.kbuckets().map(|b| count(&b, peer, source)).sum();
    in_bucket < PEERS_PER_SUBNET_AND_BUCKET_MAX && in_table < PEERS_PER_SUBNET_MAX
}

fn is_in_table(kad: &mut Kad, peer: &PeerId) -> bool {
    kad.kbucket(*peer)
        .is_some_and(|bucket| bucket.iter().any(|entry| entry.node.key.preimage() == peer))
}

/// Other peers of a bucket with an address of that source.
fn count(bucket: &Bucket<'_>, peer: &PeerId, source: Source) -> usize {
    let others = bucket
        .iter()
        .filter(|entry| entry.node.key.preimage() != peer);
    let of_source = others.filter(|entry| {
        let mut addresses = entry.node.value.iter();
        addresses.any(|address| Source::of(address) == Some(source))
    });
    of_source.count()
}

/// Whether both lead to one host, as far as the addresses tell, or to hosts of one subnet that is counted.
fn is_same(address: &Multiaddr, met: &Multiaddr) -> bool {
    match (ip(address), ip(met)) {
        (Some(one), Some(other)) => {
            let subnet = Subnet::of(one);
            one == other || (subnet.is_some() && subnet == Subnet::of(other))
        }
        _ => is_memory(address) && is_memory(met),
    }
}

#[cfg(test)]
mod tests;
