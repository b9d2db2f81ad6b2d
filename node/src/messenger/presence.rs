//! Where we can be reached, for our contacts alone.

use std::time::Duration;

use keys::AgreementPublicKey;
use protocol::contacts::contact::{Contact, Relation};
use protocol::dht::key::DhtKey;
use protocol::dht::presence::{self, Announcement};
use protocol::dht::record::Record;
use protocol::limits::{JWE_RECIPIENTS_MAX, PRESENCE_LIFE_MAX};

use super::Messenger;
use crate::NodeHandle;
use crate::accounts::Account;
use crate::clock::unix_now;

/// An announcement is good for so many intervals: one or two may fail.
const INTERVALS: u64 = 3;

impl Messenger {
    /// Announces our addresses to the contacts: those of the last 64 that were met.
    pub(super) fn announce_presence(&self) {
        let readers = self.book.contacts().iter().rev();
        let readers = readers.filter(|contact| contact.relation == Relation::Accepted);
        let readers: Vec<AgreementPublicKey> = readers
            .filter_map(|contact| contact.agreement.clone())
            .take(JWE_RECIPIENTS_MAX)
            .collect();
        if readers.is_empty() {
            return;
        }
        let life = self.config.presence_interval_s.saturating_mul(INTERVALS);
        let life = Duration::from_secs(life.max(60)).min(PRESENCE_LIFE_MAX);
        let (node, account) = (self.node.clone(), self.account.clone());
        tokio::spawn(async move {
            let addresses = node.told_addresses();
            let now = unix_now();
            let announcement = Announcement {
                name: &account.name,
                seq: now,
                addresses: &addresses,
                readers: &readers,
                life,
            };
            let mut rng = cli::keyfile::os_rng();
            let token = match presence::sign(&account.key, &announcement, now, &mut rng) {
                Ok(token) => token,
                Err(error) => return tracing::debug!(%error, "no presence is announced"),
            };
            let key = DhtKey::presence(&account.node_id);
            if let Ok(Err(error)) = node.put(key, token.into_bytes()).await {
                tracing::debug!(%error, "presence is not put");
            }
        });
    }
}

/// Where a contact says that it is.
pub(super) async fn addresses_of(
    node: &NodeHandle,
    account: &Account,
    contact: &Contact,
) -> Vec<String> {
    let found = node.get(DhtKey::presence(&contact.node_id())).await;
    let Ok(Some((Record::Presence(presence), _))) = found.map(|found| found.best) else {
        return Vec::new();
    };
    presence.open(&account.agreement).unwrap_or_default()
}
