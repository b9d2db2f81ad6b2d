//! Who provides what. Entries live two hours and are announced again, so memory is enough.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::{Error, Result as StoreResult};
use libp2p::kad::{ProviderRecord, RecordKey};

use crate::storage::quota::{
    ADDRESSES_PER_PROVIDER_MAX, KEYS_PER_PROVIDER_MAX, PROVIDER_KEYS_MAX, PROVIDER_TTL_S,
    PROVIDERS_PER_KEY_MAX, PROVIDERS_SETTLED_MAX,
};

#[derive(Clone, Debug)]
struct Entry {
    record: ProviderRecord,
    drop_at: u64,
    /// The number of the announcement by which it came.
    since: u64,
    /// Announced again while it was there.
    renewed: bool,
}

/// Providers by key and peer.
#[derive(Debug)]
pub(super) struct Providers {
    local: PeerId,
    by_key: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Entry>>,
    keys_of: BTreeMap<Vec<u8>, usize>,
    announcements: u64,
}

impl Providers {
    pub(super) fn new(local: PeerId) -> Self {
        Self {
            local,
            by_key: BTreeMap::new(),
            keys_of: BTreeMap::new(),
            announcements: 0,
        }
    }

    pub(super) fn key_count(&self) -> usize {
        self.by_key.len()
    }

    /// Adds or renews an entry. A full key drops a foreign one, see [`evictable`]; a peer over its
    /// quota is refused.
    pub(super) fn add(&mut self, mut record: ProviderRecord, now: u64) -> StoreResult<()> {
        let (key, peer) = (record.key.to_vec(), record.provider.to_bytes());
        let own = record.provider == self.local;
        if key.len() != 32 {
            return Err(Error::ValueTooLarge);
        }
        let known = self
            .by_key
            .get(&key)
            .is_some_and(|providers| providers.contains_key(&peer));
        if !known && !own {
            let keys = self.keys_of.get(&peer).copied().unwrap_or(0);
            let new_key = !self.by_key.contains_key(&key);
            if keys >= KEYS_PER_PROVIDER_MAX || (new_key && self.key_count() >= PROVIDER_KEYS_MAX) {
                return Err(Error::MaxProvidedKeys);
            }
        }
        record.addresses.truncate(ADDRESSES_PER_PROVIDER_MAX);
        let drop_at = if own { u64::MAX } else { now + PROVIDER_TTL_S };
        let providers = self.by_key.entry(key.clone()).or_default();
        let full = !known && providers.len() >= PROVIDERS_PER_KEY_MAX;
        let evicted = full.then(|| evictable(providers)).flatten();
        self.announcements += 1;
        let since = providers.get(&peer).map(|entry| entry.since);
        let entry = Entry {
            record,
            drop_at,
            since: since.unwrap_or(self.announcements),
            renewed: known,
        };
        providers.insert(peer.clone(), entry);
        if !known {
            *self.keys_of.entry(peer).or_default() += 1;
        }
        if let Some(evicted) = evicted {
            self.remove_bytes(&key, &evicted);
        }
        Ok(())
    }

    /// Providers of a key: this node first, the others in an order that nobody can choose, since an
    /// answer takes 20 only.
    pub(super) fn of(&self, key: &RecordKey, now: u64) -> Vec<ProviderRecord> {
        let entries = self
            .by_key
            .get(key.as_ref())
            .into_iter()
            .flat_map(BTreeMap::values);
        let mut alive: Vec<&Entry> = entries.filter(|entry| now < entry.drop_at).collect();
        let order = RandomState::new();
        alive.sort_by_cached_key(|entry| {
            let provider = &entry.record.provider;
            (*provider != self.local, order.hash_one(provider))
        });
        alive
            .into_iter()
            .map(|entry| with_instant(entry, now))
            .collect()
    }

    /// Entries of this node, which Kademlia announces again.
    pub(super) fn local(&self) -> impl Iterator<Item = ProviderRecord> + '_ {
        let local = self.local.to_bytes();
        self.by_key
            .values()
            .filter_map(move |providers| providers.get(&local).map(|entry| entry.record.clone()))
    }

    pub(super) fn remove(&mut self, key: &RecordKey, provider: &PeerId) {
        self.remove_bytes(key.as_ref(), &provider.to_bytes());
    }

    fn remove_bytes(&mut self, key: &[u8], peer: &[u8]) {
        let Some(providers) = self.by_key.get_mut(key) else {
            return;
        };
        if providers.remove(peer).is_none() {
            return;
        }
        if providers.is_empty() {
            self.by_key.remove(key);
        }
        if let Some(count) = self.keys_of.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                self.keys_of.remove(peer);
            }
        }
    }

    pub(super) fn sweep(&mut self, now: u64) {
        let mut expired = Vec::new();
        for (key, providers) in &self.by_key {
            for (peer, entry) in providers {
                if now >= entry.drop_at {
                    expired.push((key.clone(), peer.clone()));
                }
            }
        }
        for (key, peer) in expired {
            self.remove_bytes(&key, &peer);
        }
    }
}

/// Who makes room under a full key: never this node, and not those who were there first and came
/// again, half of the places; a flood of new names so drives out its own. Of the rest, whoever announced
/// longest ago.
fn evictable(providers: &BTreeMap<Vec<u8>, Entry>) -> Option<Vec<u8>> {
    let foreign = providers
        .iter()
        .filter(|(_, entry)| entry.drop_at != u64::MAX);
    let mut foreign: Vec<_> = foreign.collect();
    foreign.sort_by_key(|(_, entry)| (!entry.renewed, entry.since));
    let settled = foreign.iter().take_while(|(_, entry)| entry.renewed);
    let settled = settled.count().min(PROVIDERS_SETTLED_MAX);
    let rest = foreign.into_iter().skip(settled);
    rest.min_by_key(|(_, entry)| (entry.drop_at, entry.since))
        .map(|(peer, _)| peer.clone())
}

fn with_instant(entry: &Entry, now: u64) -> ProviderRecord {
    let left = Duration::from_secs(entry.drop_at - now);
    ProviderRecord {
        expires: Instant::now().checked_add(left),
        ..entry.record.clone()
    }
}

#[cfg(test)]
mod tests;
