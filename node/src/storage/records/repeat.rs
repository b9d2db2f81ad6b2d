//! Which stored records are told to the network again, so that they outlive their publisher's absence
//! (threats H68).

use protocol::dht::key::DhtKey;
use protocol::limits::RECORD_TTL_MAX;

use super::{PutError, Records, split_row};
use crate::clock::unix_now;

/// A record that is to be told again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Where it belongs.
    pub key: DhtKey,
    /// Its bytes.
    pub value: Vec<u8>,
}

impl Records {
    /// The record that was heard longest ago, if that is more than `after_s` seconds; `near` says whether
    /// this node is among those that should hold a key. Records that end sooner than they would be
    /// dropped aren't told again.
    pub fn due(&self, after_s: u64, near: impl FnMut(&DhtKey) -> bool) -> Option<Due> {
        self.due_at(unix_now(), after_s, near)
    }

    pub(super) fn due_at(
        &self,
        now: u64,
        after_s: u64,
        mut near: impl FnMut(&DhtKey) -> bool,
    ) -> Option<Due> {
        let ttl = RECORD_TTL_MAX.as_secs();
        // What is dropped later than this was heard lately.
        let latest = now.saturating_add(ttl.saturating_sub(after_s));
        let live = self.index.iter().filter(|(_, entry)| {
            now < entry.drop_at && entry.drop_at <= latest && entry.drop_at < entry.expires
        });
        let mut due: Vec<_> = live.map(|(key, entry)| (entry.drop_at, *key)).collect();
        due.sort_unstable();
        let (_, key) = due.into_iter().find(|(_, key)| near(key))?;
        let value = split_row(&self.row(&key)?)?.1.to_vec();
        Some(Due { key, value })
    }

    /// Keeps a record that was just told again as if it had been heard.
    ///
    /// # Errors
    /// [`PutError`]; nothing changes then.
    pub fn renew(&mut self, due: &Due) -> Result<(), PutError> {
        self.renew_at(due, unix_now())
    }

    pub(super) fn renew_at(&mut self, due: &Due, now: u64) -> Result<(), PutError> {
        let row = self.row(&due.key);
        let stored = row.as_deref().and_then(split_row);
        // A newer one may have come meanwhile.
        let same = stored.is_some_and(|(_, value)| value == due.value);
        let Some(entry) = self.index.get(&due.key).filter(|_| same) else {
            return Ok(());
        };
        let drop_at = entry
            .expires
            .min(now.saturating_add(RECORD_TTL_MAX.as_secs()));
        self.write(&due.key, drop_at, &due.value)?;
        self.index.keep_until(&due.key, drop_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
