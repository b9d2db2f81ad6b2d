//! What is kept in memory of the stored records: counts for the quotas, and an order of usefulness.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use libp2p::kad::{KBucketDistance, KBucketKey, RecordKey};
use protocol::dht::key::DhtKey;

use crate::storage::quota::Subnet;

/// A kind and a signer, whom a quota is for, hashed.
pub(super) type Signer = [u8; 32];

/// What is kept in memory of a stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// When it is dropped unless it is heard again, seconds since 1970.
    pub(super) drop_at: u64,
    /// When it ends whoever repeats it.
    pub(super) expires: u64,
    pub(super) signer: Signer,
    /// Where it came from, if that is counted.
    pub(super) subnet: Option<Subnet>,
    pub(super) bytes: usize,
    /// Put by this node itself, in this run: never evicted.
    pub(super) own: bool,
}

/// How dispensable a record is; the greatest goes first. Distance from this node comes first, in
/// powers of two; among those as far, whoever was asked for longest ago; then the exact distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Uselessness {
    magnitude: u32,
    asked: std::cmp::Reverse<u64>,
    distance: KBucketDistance,
}

/// Entries with counts that are never computed by going through all of them.
#[derive(Debug)]
pub(super) struct Index {
    local: KBucketKey<PeerId>,
    entries: BTreeMap<DhtKey, Entry>,
    bytes: usize,
    by_signer: BTreeMap<Signer, usize>,
    by_subnet: BTreeMap<Subnet, usize>,
    /// Foreign entries, most useful first.
    order: BTreeSet<(Uselessness, DhtKey)>,
    /// When each was asked for, as the number of the question; entries never asked for have none.
    asked: BTreeMap<DhtKey, u64>,
    questions: Cell<u64>,
    /// Asked for since the last change: reading goes by a shared reference.
    fresh: RefCell<BTreeMap<DhtKey, u64>>,
}

impl Index {
    /// The empty index of a node.
    pub(super) fn new(local: PeerId) -> Self {
        Self {
            local: KBucketKey::from(local),
            entries: BTreeMap::new(),
            bytes: 0,
            by_signer: BTreeMap::new(),
            by_subnet: BTreeMap::new(),
            order: BTreeSet::new(),
            asked: BTreeMap::new(),
            questions: Cell::new(0),
            fresh: RefCell::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: &DhtKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&DhtKey, &Entry)> {
        self.entries.iter()
    }

    /// Records of one signer and kind under other keys than `key`.
    pub(super) fn of_signer(&self, signer: &Signer, key: &DhtKey) -> usize {
        let same = self.get(key).is_some_and(|entry| entry.signer == *signer);
        self.by_signer.get(signer).copied().unwrap_or(0) - usize::from(same)
    }

    /// Records of one subnet under other keys than `key`.
    pub(super) fn of_subnet(&self, subnet: Subnet, key: &DhtKey) -> usize {
        let same = self
            .get(key)
            .is_some_and(|entry| entry.subnet == Some(subnet));
        self.by_subnet.get(&subnet).copied().unwrap_or(0) - usize::from(same)
    }

    /// Notes that somebody asked for a stored record.
    pub(super) fn note_asked(&self, key: &DhtKey) {
        if self.entries.contains_key(key) {
            self.questions.set(self.questions.get() + 1);
            self.fresh.borrow_mut().insert(*key, self.questions.get());
        }
    }

    /// Puts an entry in, in place of one under the same key.
    pub(super) fn insert(&mut self, key: DhtKey, entry: Entry) {
        self.settle();
        self.take_out(&key);
        self.bytes += entry.bytes;
        *self.by_signer.entry(entry.signer).or_default() += 1;
        if let Some(subnet) = entry.subnet {
            *self.by_subnet.entry(subnet).or_default() += 1;
        }
        if !entry.own {
            self.order.insert((self.uselessness(&key), key));
        }
        self.entries.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: &DhtKey) {
        self.settle();
        self.take_out(key);
        self.asked.remove(key);
    }

    /// Keeps an entry until `drop_at`.
    pub(super) fn keep_until(&mut self, key: &DhtKey, drop_at: u64) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.drop_at = drop_at;
        }
    }

    /// Foreign entries, least useful first. A new record counts as never asked for: with `than`, only
    /// those less useful than it would be.
    pub(super) fn least_useful(
        &mut self,
        than: Option<&DhtKey>,
    ) -> impl Iterator<Item = (DhtKey, usize)> + '_ {
        self.settle();
        let limit = than.map(|key| (self.uselessness(key), *key));
        let less = move |item: &&(Uselessness, DhtKey)| limit.is_none_or(|limit| **item > limit);
        let keys = self.order.iter().rev().take_while(less);
        keys.map(|(_, key)| (*key, self.get(key).map_or(0, |entry| entry.bytes)))
    }

    fn take_out(&mut self, key: &DhtKey) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        self.order.remove(&(self.uselessness(key), *key));
        self.bytes -= entry.bytes;
        count_down(&mut self.by_signer, &entry.signer);
        if let Some(subnet) = entry.subnet {
            count_down(&mut self.by_subnet, &subnet);
        }
    }

    /// Brings the order up to date with what was asked for.
    fn settle(&mut self) {
        for (key, number) in std::mem::take(self.fresh.get_mut()) {
            let before = (self.uselessness(&key), key);
            let foreign = self.order.remove(&before);
            self.asked.insert(key, number);
            if foreign {
                self.order.insert((self.uselessness(&key), key));
            }
        }
    }

    fn uselessness(&self, key: &DhtKey) -> Uselessness {
        let key_at = KBucketKey::new(RecordKey::new(key.as_bytes()));
        let distance = self.local.distance(&key_at);
        Uselessness {
            magnitude: distance.ilog2().unwrap_or(0),
            asked: std::cmp::Reverse(self.asked.get(key).copied().unwrap_or(0)),
            distance,
        }
    }
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
