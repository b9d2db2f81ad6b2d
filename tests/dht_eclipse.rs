//! Who sits between a node and what it looks for: hostile neighbours, dead ones, wrong clocks, silent
//! publishers (threats P60, H62, H67, H68); and leaves, which answer nobody.

use std::time::Duration;

use node::clock::Clock;
use node::config::{Mode, Republish};
use node::libp2p::kad::KBucketKey;
use node::{Multiaddr, PeerId};
use protocol::dht::key::DhtKey;
use support::network::{HostilePeer, TestNode, account, got, network, now, put, until};

/// Nodes that a record is stored on.
const NEAREST: usize = 20;

/// Whether a peer lies in the same half of the key space as `key`: those are nearer than all others.
fn is_near(peer: PeerId, key: &DhtKey) -> bool {
    let key = KBucketKey::new(key.as_bytes().to_vec());
    KBucketKey::from(peer).distance(&key).ilog2() < Some(255)
}

async fn far_node(key: &DhtKey) -> TestNode {
    loop {
        let node = TestNode::start(&[]).await;
        if !is_near(node.handle.peer_id, key) {
            return node;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_whose_20_nearest_nodes_lie_is_not_found_there_but_on_a_second_path_h62() {
    let (key, value) = account(3, 1);
    let (holder, asker) = (far_node(&key).await, far_node(&key).await);
    let mut hostile = Vec::new();
    while hostile.len() < NEAREST {
        let peer = HostilePeer::start().await;
        if is_near(peer.peer_id, &key) {
            hostile.push(peer);
        }
    }
    let ring: Vec<(PeerId, Multiaddr)> = hostile
        .iter()
        .map(|peer| (peer.peer_id, peer.address.clone()))
        .collect();
    for peer in &hostile {
        peer.name_peers(ring.clone()).await;
        holder.dial(&peer.address).await;
        asker.dial(&peer.address).await;
    }
    holder.until_known(NEAREST).await;
    asker.until_known(NEAREST).await;
    // They take what they are given, and say what they like: junk, an older one of someone else, nothing.
    holder
        .handle
        .put(key, value.clone())
        .await
        .unwrap()
        .unwrap();
    let (_, other) = account(9, 7);
    for (number, peer) in hostile.iter().enumerate() {
        match number % 3 {
            0 => peer.answer(&key, b"junk".to_vec()).await,
            1 => peer.answer(&key, other.clone()).await,
            _ => peer.forget(&key).await,
        }
    }
    let found = asker.handle.get(key).await.unwrap();
    assert!(found.best.is_none(), "nothing rather than something wrong");
    assert!(
        found.valid == 0 && found.invalid > 0,
        "and it shows that others lied"
    );
    // By an honest node of the bootstrap list it is found, though that names the liars as nearer.
    let newcomer = TestNode::start(&[&holder]).await;
    newcomer.until_known(1).await;
    let found = newcomer.handle.get(key).await.unwrap();
    assert_eq!(found.best.map(|(_, bytes)| bytes), Some(value));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_id_named_by_a_stranger_is_not_dialled_and_not_learnt_p60() {
    let node = TestNode::start(&[]).await;
    let hostile = HostilePeer::start().await;
    let (local, own) = (node.handle.peer_id, node.address.clone());
    hostile
        .name_peers(vec![(local, own), (local, hostile.address.clone())])
        .await;
    let (key, _) = account(1, 1);
    hostile.name_as_provider(&key, local).await;
    node.dial(&hostile.address).await;
    node.until_known(1).await;
    assert!(node.handle.get(key).await.unwrap().best.is_none());
    drop(node.handle.providers(key).await.unwrap());
    let peers = node.handle.peers().await.unwrap();
    assert!(
        peers.iter().all(|peer| peer.peer_id != local.to_string()),
        "{peers:?}"
    );
    assert_eq!(peers.len(), 1);
    assert_eq!(node.handle.status().await.unwrap().known, 1);
}

fn nowhere() -> (PeerId, Multiaddr) {
    // Port 9 is nobody's on the machines that run tests.
    (PeerId::random(), "/ip4/127.0.0.1/tcp/9".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_peers_leave_the_table_and_hide_nothing_h67() {
    let nodes = network(3).await;
    let (key, value) = account(1, 1);
    put(&nodes[1], &key, &value).await;
    let asker = TestNode::start(&[]).await;
    asker
        .handle
        .learn((0..200).map(|_| nowhere()).collect())
        .await
        .unwrap();
    let stuffed = asker.handle.status().await.unwrap().known;
    asker.dial(&nodes[0].address).await;
    asker.until_peers(1).await;
    // A look-up starts from the 20 nearest that are known; as long as all of those are dead it fails.
    let found = async || got(&asker, &key).await;
    assert_eq!(until("the record is found", found).await, 1);
    let left = async || {
        drop(asker.handle.get(DhtKey::blob(&[7; 32])).await);
        drop(asker.handle.get(key).await);
        (asker.handle.status().await.unwrap().known < stuffed).then_some(())
    };
    until("who can't be dialled leaves", left).await;
    assert_eq!(got(&asker, &key).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table_survives_a_node_that_is_cut_off_itself_h67() {
    let asker = TestNode::start(&[]).await;
    asker
        .handle
        .learn((0..10).map(|_| nowhere()).collect())
        .await
        .unwrap();
    let known = asker.handle.status().await.unwrap().known;
    assert!(got(&asker, &account(1, 1).0).await.is_none());
    assert_eq!(asker.handle.status().await.unwrap().known, known);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bootstrap_node_delays_and_nothing_more_h67() {
    let nodes = network(2).await;
    let (key, value) = account(1, 1);
    put(&nodes[0], &key, &value).await;
    let hostile = HostilePeer::start().await;
    hostile.answer(&key, b"junk".to_vec()).await;
    hostile
        .name_peers((0..20).map(|_| nowhere()).collect())
        .await;
    let asker = TestNode::start(&[]).await;
    asker.dial(&hostile.address).await;
    asker.until_known(1).await;
    let found = asker.handle.get(key).await.unwrap();
    assert!(found.best.is_none() && found.invalid == 1);
    asker.dial(&nodes[1].address).await;
    asker.until_known(2).await;
    assert_eq!(got(&asker, &key).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fresh_device_whose_clock_is_behind_finds_records_h67() {
    let nodes = network(2).await;
    let (key, value) = account(1, 1);
    put(&nodes[0], &key, &value).await;
    let clock = Clock::not_before(now() + 3600);
    assert!(clock.is_wrong());
    let device = TestNode::start_as(&[&nodes[0]], |config| {
        config.clock = clock;
        config.mode = Mode::Leaf;
    })
    .await;
    device.until_known(1).await;
    assert_eq!(got(&device, &key).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_of_a_silent_publisher_is_told_to_who_comes_later_h68() {
    let publisher = TestNode::start(&[]).await;
    let holder = TestNode::start_as(&[&publisher], |config| {
        config.republish = Republish {
            interval: Duration::from_millis(100),
            after: Duration::ZERO,
        };
    })
    .await;
    holder.until_known(1).await;
    publisher.until_known(1).await;
    let (key, value) = account(1, 1);
    put(&publisher, &key, &value).await;
    drop(publisher);
    let newcomer = TestNode::start(&[&holder]).await;
    let told = async || (newcomer.handle.status().await.unwrap().records == 1).then_some(());
    until("the newcomer is told the record", told).await;
    drop(holder);
    let asker = TestNode::start(&[&newcomer]).await;
    asker.until_known(1).await;
    assert_eq!(got(&asker, &key).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaf_answers_nobody_stores_nothing_and_is_in_no_table() {
    let full = TestNode::start(&[]).await;
    let leaf = TestNode::start_as(&[&full], |config| config.mode = Mode::Leaf).await;
    leaf.until_known(1).await;
    // It announces and asks as well as any.
    let (key, value) = account(1, 1);
    put(&leaf, &key, &value).await;
    let (other, value) = account(2, 1);
    assert_eq!(
        full.handle.put(other, value).await.unwrap(),
        Ok(0),
        "a leaf holds nothing"
    );
    assert_eq!(got(&leaf, &other).await, Some(1));
    assert_eq!(leaf.handle.status().await.unwrap().records, 1, "its own");
    assert_eq!(
        full.handle.status().await.unwrap().known,
        0,
        "nobody is sent to a leaf"
    );
    let raw = HostilePeer::start().await;
    raw.connect(&leaf).await;
    raw.connect(&full).await;
    let introduced = async || {
        let protocols = raw.seen.protocols.lock().unwrap();
        let of = |node: &TestNode| protocols.get(&node.handle.peer_id).cloned();
        of(&leaf).zip(of(&full))
    };
    let (of_leaf, of_full) = until("both introduce themselves", introduced).await;
    let kad = support::network::kad_wire::KAD.to_owned();
    assert!(!of_leaf.contains(&kad), "{of_leaf:?}");
    assert!(of_full.contains(&kad), "{of_full:?}");
    // Whatever a raw peer asks for, there is no stream to ask on.
    let refused = raw.try_open(&leaf, support::network::kad_wire::KAD).await;
    assert!(refused.is_err());
    assert!(
        raw.try_open(&full, support::network::kad_wire::KAD)
            .await
            .is_ok()
    );
}
