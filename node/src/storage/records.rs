//! The Kademlia record store over sled: records by their rules, quotas, wall-clock expiry.
//!
//! libp2p's store interface is synchronous and runs on the swarm's task; values are small.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result as StoreResult};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use protocol::dht::key::DhtKey;
use protocol::dht::record;
use sha2::{Digest as _, Sha256};
use tlog::split_view::SplitView;

use super::quota::{RECORD_BYTES_TOTAL_MAX, RECORDS_MAX, RECORDS_PER_SUBNET_MAX, Subnet};
use super::{Storage, StorageError};
use crate::clock::unix_now;

mod index;
mod providers;
mod repeat;

use index::{Entry, Index, Signer};
use providers::Providers;
pub use repeat::Due;

/// Why an offered record is not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It breaks the rules of its kind.
    #[error(transparent)]
    Invalid(#[from] record::RecordError),
    /// One of the same or a higher sequence is stored.
    #[error("not newer than the stored one")]
    NotNewer,
    /// It and the stored one show that a log has two histories.
    #[error("with the stored one evidence of two histories")]
    Contradicts(Box<SplitView>),
    /// A quota is used up.
    #[error("quota: {0}")]
    Quota(&'static str),
    /// The disk refuses.
    #[error("store: {0}")]
    Disk(sled::Error),
    /// The disk refused the store, which is closed until it is opened again.
    #[error("store is closed")]
    Closed,
}

/// Records and providers of one node.
#[derive(Debug)]
pub struct Records {
    local: PeerId,
    /// `None` while the disk refuses to open the store again.
    tree: Option<sled::Tree>,
    index: Index,
    providers: Providers,
}

impl Records {
    /// Opens the records of `local`; expired and invalid ones are dropped.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn open(storage: &Storage, local: PeerId) -> Result<Self, StorageError> {
        let mut records = Self {
            local,
            tree: None,
            index: Index::new(local),
            providers: Providers::new(local),
        };
        records.load_all(storage)?;
        Ok(records)
    }

    /// Opens the store again, which refuses everything after a failed write. What had not reached the
    /// disk is lost.
    ///
    /// # Errors
    /// [`StorageError`]; nothing is stored then until this succeeds.
    pub fn recover(&mut self, storage: &mut Storage) -> Result<(), StorageError> {
        self.tree = None;
        let before = std::mem::replace(&mut self.index, Index::new(self.local));
        storage.reopen()?;
        self.load_all(storage)?;
        for (key, known) in before.iter() {
            if let Some(mut entry) = self.index.get(key).cloned() {
                (entry.own, entry.subnet) = (known.own, known.subnet);
                self.index.insert(*key, entry);
            }
        }
        Ok(())
    }

    fn load_all(&mut self, storage: &Storage) -> Result<(), StorageError> {
        let tree = storage.tree("records")?;
        let now = unix_now();
        for row in &tree {
            let (key, row) = row.map_err(|source| storage.error(source))?;
            let parts = DhtKey::from_slice(&key).zip(split_row(&row));
            let valid = parts
                .filter(|(_, (drop_at, _))| now < *drop_at)
                .and_then(|(key, (_, value))| record::verify(&key, value, now).ok());
            let (Some((key, (drop_at, value))), Some(valid)) = (parts, valid) else {
                drop(tree.remove(key).map_err(|source| storage.error(source))?);
                continue;
            };
            let entry = Entry {
                drop_at,
                expires: valid.drop_at(u64::MAX),
                signer: signer_of(&valid),
                subnet: None,
                bytes: value.len(),
                own: false,
            };
            self.index.insert(key, entry);
        }
        self.tree = Some(tree);
        Ok(())
    }

    /// Stores a record that came from `subnet` (`None`: not counted), if its rules, the merge rule
    /// and the quotas allow. Hearing the stored one again keeps it for longer.
    ///
    /// # Errors
    /// [`PutError`] naming the rule; nothing changes then.
    pub fn offer(
        &mut self,
        key: &[u8],
        value: &[u8],
        subnet: Option<Subnet>,
    ) -> Result<record::Record, PutError> {
        self.store((key, value), subnet, false, unix_now())
    }

    fn store(
        &mut self,
        (key, value): (&[u8], &[u8]),
        subnet: Option<Subnet>,
        own: bool,
        now: u64,
    ) -> Result<record::Record, PutError> {
        let key = DhtKey::from_slice(key).ok_or(record::RecordError::Key)?;
        let offered = record::verify(&key, value, now)?;
        let known = self.index.get(&key);
        let own = own || known.is_some_and(|entry| entry.own);
        let mut subnet = subnet.filter(|_| !own);
        match self.valid(&key, now) {
            Some((_, bytes)) if bytes == value => {
                subnet = known.map_or(subnet, |entry| entry.subnet);
            }
            Some((stored, _)) if !offered.replaces(&stored) => {
                let evidence = offered.contradicts(&stored).map(Box::new);
                return Err(evidence.map_or(PutError::NotNewer, PutError::Contradicts));
            }
            _ => {}
        }
        let signer = signer_of(&offered);
        if !own {
            let most = usize::try_from(offered.rule().per_signer_max).unwrap_or_default();
            self.check_quota(&key, (&signer, most), subnet)?;
        }
        self.make_room(&key, value.len(), own)?;
        let drop_at = offered.drop_at(now);
        self.write(&key, drop_at, value)?;
        let entry = Entry {
            drop_at,
            expires: offered.drop_at(u64::MAX),
            signer,
            subnet,
            bytes: value.len(),
            own,
        };
        self.index.insert(key, entry);
        Ok(offered)
    }

    fn write(&self, key: &DhtKey, drop_at: u64, value: &[u8]) -> Result<(), PutError> {
        let row = [&drop_at.to_be_bytes()[..], value].concat();
        let tree = self.tree.as_ref().ok_or(PutError::Closed)?;
        drop(tree.insert(key.as_bytes(), row).map_err(PutError::Disk)?);
        Ok(())
    }

    /// How many records are stored.
    pub fn record_count(&self) -> usize {
        self.index.len()
    }

    /// How many keys have providers.
    pub fn provider_key_count(&self) -> usize {
        self.providers.key_count()
    }

    /// Drops what is expired.
    pub fn sweep(&mut self) {
        self.sweep_at(unix_now());
    }

    fn sweep_at(&mut self, now: u64) {
        let expired: Vec<DhtKey> = self
            .index
            .iter()
            .filter(|(_, entry)| now >= entry.drop_at)
            .map(|(key, _)| *key)
            .collect();
        for key in expired {
            self.delete(&key);
        }
        self.providers.sweep(now);
    }

    fn check_quota(
        &self,
        key: &DhtKey,
        (signer, most): (&Signer, usize),
        subnet: Option<Subnet>,
    ) -> Result<(), PutError> {
        if self.index.of_signer(signer, key) >= most {
            return Err(PutError::Quota("records of one signer"));
        }
        let of_subnet = subnet.map_or(0, |subnet| self.index.of_subnet(subnet, key));
        if of_subnet >= RECORDS_PER_SUBNET_MAX {
            return Err(PutError::Quota("records of one subnet"));
        }
        Ok(())
    }

    /// Evicts the least useful records until `bytes` more fit under `key`; refuses when the new one
    /// would be the least useful itself. What this node put itself stays and always fits.
    fn make_room(&mut self, key: &DhtKey, bytes: usize, own: bool) -> Result<(), PutError> {
        let replaced = self.index.get(key).map(|entry| entry.bytes);
        let mut count = self.index.len() + usize::from(replaced.is_none());
        let mut total = self.index.bytes() - replaced.unwrap_or(0) + bytes;
        let fits =
            |count: usize, total: usize| count <= RECORDS_MAX && total <= RECORD_BYTES_TOTAL_MAX;
        if fits(count, total) {
            return Ok(());
        }
        let mut evicted = Vec::new();
        let mut candidates = self.index.least_useful((!own).then_some(key));
        while !fits(count, total) {
            match candidates.next() {
                Some((candidate, _)) if candidate == *key => {}
                Some((candidate, bytes)) => {
                    evicted.push(candidate);
                    count -= 1;
                    total -= bytes;
                }
                None => return Err(PutError::Quota("store is full of closer records")),
            }
        }
        drop(candidates);
        for key in evicted {
            self.delete(&key);
        }
        Ok(())
    }

    fn valid(&self, key: &DhtKey, now: u64) -> Option<(record::Record, Vec<u8>)> {
        self.index.get(key).filter(|entry| now < entry.drop_at)?;
        let row = self.row(key)?;
        let (_, value) = split_row(&row)?;
        let record = record::verify(key, value, now).ok()?;
        Some((record, value.to_vec()))
    }

    fn row(&self, key: &DhtKey) -> Option<sled::IVec> {
        self.tree.as_ref()?.get(key.as_bytes()).ok()?
    }

    fn delete(&mut self, key: &DhtKey) {
        self.index.remove(key);
        let removed = self.tree.as_ref().map(|tree| tree.remove(key.as_bytes()));
        if let Some(Err(error)) = removed {
            tracing::warn!(%error, "record not removed");
        }
    }

    fn load(&self, key: &DhtKey, now: u64) -> Option<Record> {
        let entry = self.index.get(key)?;
        if now >= entry.drop_at {
            return None;
        }
        let row = self.row(key)?;
        let (_, value) = split_row(&row)?;
        let left = Duration::from_secs(entry.drop_at - now);
        Some(Record {
            key: RecordKey::new(key.as_bytes()),
            value: value.to_vec(),
            publisher: None,
            expires: Instant::now().checked_add(left),
        })
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = std::vec::IntoIter<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::vec::IntoIter<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let key = DhtKey::from_slice(key.as_ref())?;
        self.index.note_asked(&key);
        self.load(&key, unix_now()).map(Cow::Owned)
    }

    fn put(&mut self, record: Record) -> StoreResult<()> {
        // Kademlia calls this for our own records alone; what others put is filtered.
        let offered = (record.key.as_ref(), record.value.as_slice());
        match self.store(offered, None, true, unix_now()) {
            Ok(_) | Err(PutError::NotNewer) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "record not stored");
                Err(Error::MaxRecords)
            }
        }
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(key) = DhtKey::from_slice(key.as_ref()) {
            self.delete(&key);
        }
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        let now = unix_now();
        let keys = self.index.iter().map(|(key, _)| key);
        let loaded = keys.filter_map(|key| self.load(key, now).map(Cow::Owned));
        loaded.collect::<Vec<_>>().into_iter()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> StoreResult<()> {
        self.providers.add(record, unix_now())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.providers.of(key, unix_now())
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.providers
            .local()
            .map(Cow::Owned)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        self.providers.remove(key, provider);
    }
}

/// Rows are `u64 drop_at (big endian) || value`.
fn split_row(row: &[u8]) -> Option<(u64, &[u8])> {
    let (drop_at, value) = row.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*drop_at), value))
}

fn signer_of(record: &record::Record) -> [u8; 32] {
    let hash = Sha256::new().chain_update(record.rule().typ);
    hash.chain_update(record.signer().as_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests;
