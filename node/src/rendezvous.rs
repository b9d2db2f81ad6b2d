//! Members find each other by the public network: a node publishes its addresses there once, sealed for members,
//! looks up those of others, and leaves.

use std::time::Duration;

use cli::keyfile::os_rng;
use futures::StreamExt as _;
use keys::{AgreementKey, AgreementPublicKey, PublicKey, SigningKey};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use protocol::dht::key::DhtKey;
use protocol::dht::presence::{self, Announcement};
use protocol::dht::record::Record;
use protocol::limits::{JWE_RECIPIENTS_MAX, PRESENCE_LIFE_MAX};
use protocol::network::Membership;
use protocol::network::members::Member;
use tokio::time::{sleep, timeout};

use crate::config::{Mode, NodeConfig};
use crate::handle::{NodeHandle, Stopped};
use crate::identity;
use crate::network::place::{Place, PlaceError};
use crate::runtime::{self, StartError};
use crate::swarm::addresses::without_peer;

/// How long the whole may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// Before it is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// Between two looks at what a node says of itself.
const LOOK: Duration = Duration::from_millis(100);
/// Look-ups at once.
const LOOKUPS_MAX: usize = 8;

/// Why it didn't work.
#[derive(Debug, thiserror::Error)]
pub enum RendezvousError {
    /// The files of the network can't be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// This account isn't in the member list, or the list isn't here yet.
    #[error("this account is not in the member list")]
    NotMember,
    /// The public node can't start.
    #[error("public node")]
    Start(#[from] Box<StartError>),
    /// One of both nodes has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The presence can't be made or stored.
    #[error("presence: {0}")]
    Presence(String),
    /// It took too long: no bootstrap node of the public network answers.
    #[error("the public network can't be reached")]
    Unreachable,
}

/// Publishes the sealed addresses of `node`, a node of a private network, in the public one, and dials the members
/// found there. Tries until it has worked, then waits for ever; also if there is nothing to do.
pub async fn run(config: &NodeConfig, key: &SigningKey, node: &NodeHandle) {
    while config.network.is_some() && !config.bootstrap.is_empty() {
        match once(config, key, node).await {
            Ok(found) => {
                tracing::info!(
                    found,
                    "addresses published in the public network, which was left"
                );
                break;
            }
            Err(RendezvousError::Stopped(_)) => break,
            Err(error) => tracing::warn!(%error, "addresses not published; tried again"),
        }
        sleep(AGAIN).await;
    }
    std::future::pending().await
}

/// Does it once and returns how many members' addresses were found.
///
/// # Errors
/// [`RendezvousError`].
pub async fn once(
    config: &NodeConfig,
    key: &SigningKey,
    node: &NodeHandle,
) -> Result<usize, RendezvousError> {
    let Some(network) = &config.network else {
        return Ok(0);
    };
    let now = config.clock.now();
    let held = Place::of(&config.data_directory, &network.name).load()?;
    let own = held.member(&key.public(), now);
    let own = own.ok_or(RendezvousError::NotMember)?;
    let public = NodeConfig {
        network: None,
        listen: Vec::new(),
        mdns: false,
        mode: Mode::Leaf,
        serve: false,
        reachable: false,
        ..config.clone()
    };
    let public = runtime::start(&public, key).map_err(Box::new)?;
    let meet = async {
        publish(&public, node, (key, own), &held, now).await?;
        find(&public, node, (key, own), &held, now).await
    };
    let met = timeout(PATIENCE, meet).await;
    met.unwrap_or(Err(RendezvousError::Unreachable))
}

/// Puts the presence until another node of the public network holds it.
async fn publish(
    public: &NodeHandle,
    node: &NodeHandle,
    (key, own): (&SigningKey, &Member),
    held: &Membership,
    now: u64,
) -> Result<(), RendezvousError> {
    let mut told = node.addresses();
    let waited = told.wait_for(|all| !all.is_empty()).await.map(drop);
    waited.map_err(|_| Stopped)?;
    let addresses = node.told_addresses();
    while public.status().await?.known == 0 {
        sleep(LOOK).await;
    }
    let readers = readers(held, &key.public(), now);
    let announcement = Announcement {
        name: &own.name,
        seq: now,
        addresses: &addresses,
        readers: &readers,
        life: PRESENCE_LIFE_MAX,
    };
    let failed = |error: &dyn std::fmt::Display| RendezvousError::Presence(error.to_string());
    let record = presence::sign(key, &announcement, now, &mut os_rng());
    let record = record.map_err(|error| failed(&error))?.into_bytes();
    let node_id = keys::node_id(&own.key, &own.name).map_err(|error| failed(&error))?;
    loop {
        let holders = public
            .put(DhtKey::presence(&node_id), record.clone())
            .await?;
        if holders.map_err(|error| failed(&error))? > 0 {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

/// Looks members up and dials those whose addresses were sealed for this account.
async fn find(
    public: &NodeHandle,
    node: &NodeHandle,
    (key, own): (&SigningKey, &Member),
    held: &Membership,
    now: u64,
) -> Result<usize, RendezvousError> {
    let Ok(reader) = AgreementKey::of_account(key) else {
        return Err(RendezvousError::NotMember);
    };
    let look = async |member: Member| -> Result<Vec<Multiaddr>, Stopped> {
        let Ok(node_id) = keys::node_id(&member.key, &member.name) else {
            return Ok(Vec::new());
        };
        let found = public.get(DhtKey::presence(&node_id)).await?;
        let Some((Record::Presence(presence), _)) = found.best else {
            return Ok(Vec::new());
        };
        let opened = presence.open(&reader).unwrap_or_default();
        Ok(addresses_of(&member.key, &opened))
    };
    let others = before(held, &own.key, now);
    let found = futures::stream::iter(others)
        .map(look)
        .buffer_unordered(LOOKUPS_MAX);
    let found: Vec<_> = found.collect().await;
    let found: Vec<Vec<Multiaddr>> = found.into_iter().collect::<Result<_, _>>()?;
    let found = found.into_iter().filter(|addresses| !addresses.is_empty());
    let dialled = futures::stream::iter(found)
        .map(|addresses| node.connect(addresses))
        .buffer_unordered(LOOKUPS_MAX);
    let dialled: Vec<_> = dialled.collect().await;
    Ok(dialled.len())
}

/// The addresses of a member: hints, with the peer id that follows from its key and no other.
fn addresses_of(member: &PublicKey, opened: &[String]) -> Vec<Multiaddr> {
    let Ok(peer_id) = identity::peer_id(member) else {
        return Vec::new();
    };
    let parsed = opened
        .iter()
        .filter_map(|text| text.parse::<Multiaddr>().ok());
    parsed
        .map(|address| without_peer(address).with(Protocol::P2p(peer_id)))
        .collect()
}

/// For whom a member seals its addresses: itself, and those that follow it by key. In a network of more than 64
/// that is a part, so that every member is found by 63 others.
fn readers(held: &Membership, own: &PublicKey, now: u64) -> Vec<AgreementPublicKey> {
    let ring = ring(held, own, now);
    let readers = ring.iter().take(JWE_RECIPIENTS_MAX);
    readers.map(|member| member.agreement.clone()).collect()
}

/// Whose addresses a member may read: of those before it by key.
fn before(held: &Membership, own: &PublicKey, now: u64) -> Vec<Member> {
    let mut ring = ring(held, own, now);
    ring.reverse();
    ring.retain(|member| member.key != *own);
    ring.truncate(JWE_RECIPIENTS_MAX - 1);
    ring
}

/// All members by key, beginning with `own`.
fn ring(held: &Membership, own: &PublicKey, now: u64) -> Vec<Member> {
    let mut members = held.members(now).to_vec();
    let first = members.iter().position(|member| member.key == *own);
    members.rotate_left(first.unwrap_or(0));
    members
}

#[cfg(test)]
mod tests;
