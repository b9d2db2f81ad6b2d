//! The DHT between real nodes on loopback: replayed, forged and lost records, squatters, a dead
//! bootstrap node (threats P54, P56, H62 to H68).

use std::sync::Arc;

use keys::SigningKey;
use node::config::CONNECTIONS_PER_PEER_MAX;
use node::storage::Storage;
use node::storage::records::Records;
use protocol::dht::key::DhtKey;
use protocol::dht::release_head::{self, HeadContent};
use protocol::exchange::tree::Blob;
use sha2::{Digest as _, Sha256};
use support::network::{HostilePeer, TestNode, account, got, key, network, now, put, until};

/// A release head of one publisher's channel, and its key.
fn head(publisher: &SigningKey, seq: u64) -> (DhtKey, Vec<u8>) {
    let account = publisher.public().to_hex();
    let root = serde_json::json!({"signed": {"x-streembit-account": account}}).to_string();
    let catalog = Blob {
        root: [7; 32],
        size: 1_000,
    };
    let content = HeadContent {
        channel: "stable",
        seq,
        expires: now() + 24 * 3600,
        root: &root,
        timestamp: "{}",
        catalog,
        account_changes: &[],
    };
    let token = release_head::sign(publisher, &content, now()).unwrap();
    let publisher_id = Sha256::digest(root.as_bytes()).into();
    let key = DhtKey::release_head(&publisher_id, "stable");
    (key, token.into_bytes())
}

/// Writes a record into the folder of a node that does not run.
fn prepare(folder: &tempfile::TempDir, key: &DhtKey, value: &[u8]) {
    let storage = Storage::open(&folder.path().join("data/node")).unwrap();
    let mut records = Records::open(&storage, node::PeerId::random()).unwrap();
    records.offer(key.as_bytes(), value, None).unwrap();
    storage.sync().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_put_on_one_node_is_got_from_every_other() {
    let nodes = network(5).await;
    let (key, value) = account(1, 7);
    let holders = put(&nodes[4], &key, &value).await;
    assert!(holders <= 4, "only others count: {holders}");
    for node in &nodes {
        let found = node.handle.get(key).await.unwrap();
        let (record, bytes) = found.best.unwrap();
        assert_eq!((record.seq(), bytes), (7, value.clone()));
        assert_eq!(found.invalid, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_record_is_refused_before_it_leaves_h64() {
    let nodes = network(2).await;
    let ((key, value), (other, _)) = (account(1, 1), account(2, 1));
    for (key, value) in [(other, value.clone()), (key, b"junk".to_vec())] {
        let refused = nodes[0].handle.put(key, value).await.unwrap();
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(got(&nodes[1], &key).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_ends_with_the_newest_head_and_a_replay_loses_p56_h64() {
    let nodes = network(5).await;
    let publisher = key(9);
    let (key, first) = head(&publisher, 1);
    let (_, second) = head(&publisher, 2);
    put(&nodes[1], &key, &first).await;
    for node in &nodes {
        assert_eq!(got(node, &key).await, Some(1));
    }
    put(&nodes[1], &key, &second).await;
    // Replayed by an honest node that knows better, and by a peer that puts it to all.
    let refused = nodes[1].handle.put(key, first.clone()).await.unwrap();
    assert!(refused.is_err(), "{refused:?}");
    let hostile = HostilePeer::start().await;
    let all: Vec<&TestNode> = nodes.iter().collect();
    hostile.put(&key, first, &all).await;
    for node in &nodes {
        assert_eq!(got(node, &key).await, Some(2));
    }
    hostile.until_stored(&key, &second, &all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_and_older_answers_lose_and_are_mended_h62_h64() {
    let (junk, older) = (HostilePeer::start().await, HostilePeer::start().await);
    let asker = TestNode::start(&[]).await;
    let (key, first) = account(1, 1);
    let (_, second) = account(1, 2);
    junk.answer(&key, b"junk".to_vec()).await;
    asker.dial(&junk.address).await;
    asker.until_known(1).await;
    // Nobody honest in reach: nothing, rather than something wrong.
    let found = asker.handle.get(key).await.unwrap();
    assert!(found.best.is_none());
    assert_eq!((found.valid, found.invalid), (0, 1));

    older.answer(&key, first).await;
    junk.answer(&key, account(2, 9).1).await; // valid, but of another key
    let holder = TestNode::start(&[]).await;
    holder.dial(&older.address).await;
    holder.until_known(1).await;
    put(&holder, &key, &second).await;
    older.answer(&key, account(1, 1).1).await; // it forgets what it was told
    asker.dial(&older.address).await;
    asker.dial(&holder.address).await;
    asker.until_known(3).await;
    let found = asker.handle.get(key).await.unwrap();
    assert_eq!(found.best.map(|(_, bytes)| bytes), Some(second.clone()));
    assert!(found.invalid >= 1, "the junk is counted");
    for hostile in [&junk, &older] {
        let mended = async || (hostile.answers(&key).await.as_ref() == Some(&second)).then_some(());
        until("those behind are given the newest", mended).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_behind_is_brought_up_to_date_h64() {
    let (key, first) = account(1, 1);
    let (_, second) = account(1, 2);
    let folder = || Arc::new(tempfile::tempdir().unwrap());
    let (behind, ahead, itself) = (folder(), folder(), folder());
    prepare(&behind, &key, &first);
    prepare(&itself, &key, &first);
    prepare(&ahead, &key, &second);
    let behind = TestNode::start_in(behind, Vec::new()).await;
    let ahead = TestNode::start_in(ahead, Vec::new()).await;
    let bootstrap = vec![behind.address.clone(), ahead.address.clone()];
    let asker = TestNode::start_in(itself, bootstrap).await;
    for node in [&behind, &ahead, &asker] {
        node.until_known(2).await;
    }
    assert_eq!(got(&asker, &key).await, Some(2));
    // The asker's own copy, too.
    let onlooker = HostilePeer::start().await;
    onlooker
        .until_stored(&key, &second, &[&behind, &asker])
        .await;
    drop(ahead);
    let alone = asker.restart().await;
    assert_eq!(got(&alone, &key).await, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_survives_restart_of_its_holder() {
    let nodes = network(2).await;
    let (key, value) = account(1, 3);
    put(&nodes[0], &key, &value).await;
    let mut nodes = nodes;
    let holder = nodes.pop().unwrap();
    drop(nodes);
    let holder = holder.restart().await;
    assert_eq!(holder.handle.status().await.unwrap().records, 1);
    assert_eq!(got(&holder, &key).await, Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_whose_bootstrap_is_down_says_so_and_joins_later_h67() {
    let bootstrap = TestNode::start(&[]).await;
    let address = bootstrap.address.clone();
    let TestNode {
        handle,
        mut config,
        key: bootstrap_key,
        folder,
        ..
    } = bootstrap;
    drop(handle);
    let lone = TestNode::start_in(
        Arc::new(tempfile::tempdir().unwrap()),
        vec![address.clone()],
    );
    let lone = lone.await;
    let (key, value) = account(1, 1);
    let found = lone.handle.get(key).await.unwrap();
    assert!(found.best.is_none());
    let holders = lone.handle.put(key, value.clone()).await.unwrap();
    assert_eq!(holders, Ok(0), "nobody else holds it, and that is said");
    assert_eq!(lone.handle.status().await.unwrap().peers, 0);

    config.listen = vec![address.iter().take(2).collect()];
    let start = async || node::runtime::start(&config, &bootstrap_key).ok();
    let handle = until("the bootstrap node is back", start).await;
    lone.until_known(1).await;
    put(&lone, &key, &value).await;
    let held = async || (handle.status().await.unwrap().records == 1).then_some(());
    until("the record is held", held).await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn squatters_do_not_hide_the_honest_provider_h63() {
    let nodes = network(3).await;
    let key = DhtKey::blob(&[5; 32]);
    nodes[2].handle.provide(key).await.unwrap();
    for node in &nodes {
        let announced = async || {
            let status = node.handle.status().await.unwrap();
            (status.provider_keys == 1).then_some(())
        };
        until("the honest provider is announced", announced).await;
    }
    // Whoever joins by the hostile peer asks it first, and it has enough names for all.
    let hostile = HostilePeer::start().await;
    hostile.name_providers(&key, 20).await;
    hostile.learn(&nodes.iter().collect::<Vec<_>>()).await;
    let asker = TestNode::start(&[]).await;
    asker.dial(&hostile.address).await;
    asker.until_known(1).await;
    let found = asker.handle.providers(key).await.unwrap();
    assert!(found.contains(&nodes[2].handle.peer_id), "{found:?}");
    assert!(found.len() > 20, "the squatters are there, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_one_signer_does_not_push_out_others_h65() {
    let nodes = network(2).await;
    let (key, honest) = account(1, 1);
    put(&nodes[0], &key, &honest).await;
    let hostile = HostilePeer::start().await;
    let flooder = support::network::key(66);
    for number in 0..100 {
        let name = format!("flood{number}").parse().unwrap();
        let node_id = keys::node_id(&flooder.public(), &name).unwrap();
        let token = protocol::identity::account::sign(&flooder, &name, 1, now()).unwrap();
        hostile
            .put(&DhtKey::account(&node_id), token.into_bytes(), &[&nodes[1]])
            .await;
    }
    // The honest one, and what the flooder may have.
    let [accounts, ..] = protocol::dht::record::RULES;
    let all = 1 + accounts.per_signer_max as usize;
    let full = async || {
        let records = nodes[1].handle.status().await.unwrap().records;
        (records >= all).then_some(records)
    };
    assert_eq!(until("the flood has arrived", full).await, all);
    assert_eq!(got(&nodes[1], &key).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_peer_gets_no_more_than_its_connections_p54() {
    let nodes = network(2).await;
    let hostile = HostilePeer::start().await;
    hostile
        .dial(&nodes[0], 3 * CONNECTIONS_PER_PEER_MAX as usize)
        .await;
    let settled = async || {
        let (established, pending) = hostile.connections().await;
        let settled = pending == 0 && established <= CONNECTIONS_PER_PEER_MAX;
        (settled && established > 0).then_some(established)
    };
    until("the surplus is refused", settled).await;
    let (key, value) = account(1, 1);
    put(&nodes[1], &key, &value).await;
}
