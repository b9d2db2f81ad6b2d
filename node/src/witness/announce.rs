//! Tells the network of nodes what was cosigned, so that devices hear of it whatever the log's publisher shows them.

use keys::SigningKey;
use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::{self, Subject};
use tlog::note::Note;
use tlog::vkey::VerifierKey;
use tokio::sync::broadcast::error::RecvError;

use super::Witness;
use crate::clock::unix_now;
use crate::handle::NodeHandle;

impl Witness {
    /// Tells what was cosigned before, and then what is cosigned, until the node stops. `key` signs that it was
    /// brought, which anybody may do.
    pub async fn announce(&self, node: &NodeHandle, key: &SigningKey) {
        let opened = self.run(|core| {
            let cosigned = core.cosigned.subscribe();
            (cosigned, core.key.clone(), core.before())
        });
        let Ok((mut cosigned, witness, before)) = opened.await else {
            return std::future::pending().await;
        };
        for (log, note) in before {
            tell(node, key, (log, &witness, note)).await;
        }
        loop {
            match cosigned.recv().await {
                Ok((log, note)) => tell(node, key, (log, &witness, note)).await,
                Err(RecvError::Lagged(count)) => {
                    tracing::debug!(count, "cosigned checkpoints are not told");
                }
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

async fn tell(
    node: &NodeHandle,
    key: &SigningKey,
    (log, witness, note): (VerifierKey, &VerifierKey, Note),
) {
    let witness = Some(witness.clone());
    let subject = Subject { log, witness };
    let Some(seen) = subject.seen(note) else {
        return;
    };
    let token = match log_checkpoint::sign(key, &subject, &seen, unix_now()) {
        Ok(token) => token,
        Err(error) => return tracing::warn!(%error, "a cosigned checkpoint is not told"),
    };
    let told = node.put(DhtKey::log_checkpoint(&subject), token.into_bytes());
    if let Ok(Err(error)) = told.await {
        tracing::debug!(error, "a cosigned checkpoint is not told");
    }
}
