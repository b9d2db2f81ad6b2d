//! Finding a contact: what its account says, where it is, whether it answers.

use keys::{AccountName, NodeId};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use protocol::contacts::contact::Contact;
use protocol::dht::key::DhtKey;
use protocol::dht::record::Record;
use protocol::identity::account::{AccountRecord, Status};
use protocol::session::handshake::HandshakeError;

use super::link::{self, LinkError};
use super::reach::Caller;
use crate::accounts::Account;
use crate::swarm::addresses::without_peer;
use crate::{NodeHandle, identity};

/// Changes of key that are followed in one go.
const MOVES_MAX: usize = 8;

/// Looks up what a contact's account says and where it is, and calls it.
pub(super) async fn find_and_call(
    node: &NodeHandle,
    account: &Account,
    mut contact: Contact,
) -> Result<(Caller, impl Future<Output = ()> + Send + use<>), String> {
    let records = records_of(node, contact.node_id(), &contact.name).await;
    if let Some(newest) = records.last().filter(|record| record.follows(&contact.key)) {
        contact.key = newest.public_key.clone();
        if let Status::Live { agreement, .. } = &newest.status {
            contact.agreement = Some(agreement.clone());
        }
    }
    let peer = identity::peer_id(&contact.key).map_err(|error| error.to_string())?;
    let mut addresses = contact.addresses.clone();
    addresses.extend(super::presence::addresses_of(node, account, &contact).await);
    let parsed = addresses.iter().filter_map(|text| text.parse().ok());
    let at_peer = |address| without_peer(address).with(Protocol::P2p(peer));
    let addresses: Vec<Multiaddr> = parsed.map(at_peer).collect();
    // Without an address the DHT may know one.
    if !addresses.is_empty() {
        let connected = node.connect(addresses).await;
        connected.map_err(|error| error.to_string())??;
    }
    let agreement = contact
        .agreement
        .as_ref()
        .ok_or("its account was not found")?;
    let stream = node.open_stream(peer, link::PROTOCOL).await;
    let mut stream = stream.map_err(|error| error.to_string())?;
    let meant = (&contact.key, agreement);
    let (channel, peer) = match link::call(&mut stream, account, meant).await {
        Err(LinkError::Handshake(error @ HandshakeError::Peer)) => {
            tracing::error!(contact = %contact.id, "another account answers in its place: refused");
            return Err(error.to_string());
        }
        result => result.map_err(|error| error.to_string())?,
    };
    let (ends, run) = link::carry(stream, channel);
    let records = Some(records);
    Ok((
        Caller {
            peer,
            ends,
            records,
        },
        run,
    ))
}

/// What an account says, and those that it has moved to, in order.
pub(super) async fn records_of(
    node: &NodeHandle,
    mut id: NodeId,
    name: &AccountName,
) -> Vec<AccountRecord> {
    let mut records = Vec::new();
    for _ in 0..MOVES_MAX {
        let found = node.get(DhtKey::account(&id)).await;
        let Ok(Some((Record::Account(record), _))) = found.map(|found| found.best) else {
            break;
        };
        let successor = match &record.status {
            Status::Moved { successor } => Some(keys::node_id(successor, name)),
            Status::Live { .. } | Status::Deleted => None,
        };
        records.push(record);
        match successor {
            Some(Ok(next)) => id = next,
            _ => break,
        }
    }
    records
}
