//! Admission: the same rules for what others store here as for what we believe.

use libp2p::kad::{self, InboundRequest};

use super::Runtime;
use crate::evidence;
use crate::storage::quota::Subnet;
use crate::storage::records::PutError;
use crate::swarm::addresses;

impl Runtime {
    /// What somebody wants stored.
    pub(super) fn on_inbound(&mut self, request: InboundRequest) {
        match request {
            InboundRequest::PutRecord {
                source,
                record: Some(record),
                ..
            } => {
                let met = self.peers.met(&source).and_then(addresses::ip);
                let subnet = met.and_then(Subnet::of);
                let store = self.swarm.behaviour_mut().kad.store_mut();
                let refused = store
                    .offer(record.key.as_ref(), &record.value, subnet)
                    .err();
                if let Some(PutError::Contradicts(view)) = &refused {
                    evidence::keep(&self.data_directory, record.key.as_ref(), view);
                }
                if let Some(error) = refused {
                    tracing::debug!(%source, %error, "record refused");
                }
            }
            InboundRequest::AddProvider {
                record: Some(mut record),
            } => {
                let Some(met) = self.peers.met(&record.provider) else {
                    return;
                };
                record.addresses = addresses::believed(&record.addresses, met);
                let store = self.swarm.behaviour_mut().kad.store_mut();
                if let Err(error) = kad::store::RecordStore::add_provider(store, record) {
                    tracing::debug!(%error, "provider refused");
                }
            }
            _ => {}
        }
    }
}
