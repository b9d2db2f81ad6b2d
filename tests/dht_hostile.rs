//! Peers that send wrong bytes, too many of them, or nothing at all (threats P53, P55, H63, H65, H69).

use std::io;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use keys::{AccountName, Algorithm, SigningKey};
use node::storage::quota::{KEYS_PER_PROVIDER_MAX, RECORDS_MAX};
use node::{PeerId, Stream};
use protocol::dht::key::DhtKey;
use protocol::identity::account as account_record;
use support::network::kad_wire::{
    self, IDENTIFY, IDENTIFY_PUSH, KAD, add_provider, bytes, put_value,
};
use support::network::{
    HostilePeer, TestNode, account, got, is_served, network, now, put, until, until_closed,
};

/// Length prefixes that no message can have.
fn lengths() -> Vec<Vec<u8>> {
    let mut lengths: Vec<Vec<u8>> = [1 << 20, 1 << 31, 1 << 63, u64::MAX]
        .into_iter()
        .map(kad_wire::varint)
        .collect();
    lengths.push(vec![0x80; 11]);
    lengths.push([&[0xff; 9][..], &[0x7f]].concat());
    lengths.push([&[0xff; 10][..], &[0x01]].concat());
    lengths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_that_overflow_end_the_stream_of_any_protocol_p53() {
    let nodes = network(2).await;
    let hostile = HostilePeer::start_mute().await;
    for protocol in [KAD, IDENTIFY_PUSH, protocol::exchange::PROTOCOL] {
        for length in lengths() {
            let mut stream = hostile.try_open(&nodes[1], protocol).await.unwrap();
            let sent = [length, vec![0x08; 64]].concat();
            drop(stream.write_all(&sent).await);
            drop(stream.flush().await);
            until_closed(&mut stream).await;
        }
    }
    // Lengths inside of a message.
    for inner in lengths() {
        let message = [&[0x08, 0, 0x12][..], &inner, &[7; 32]].concat();
        let mut stream = hostile.try_open(&nodes[1], KAD).await.unwrap();
        let message = kad_wire::length_prefixed(&message);
        drop(stream.write_all(&message).await);
        drop(stream.flush().await);
        until_closed(&mut stream).await;
    }
    is_served(&nodes, 1).await;
}

type Introduction<'a> = dyn Fn(&HostilePeer) -> Vec<u8> + 'a;

/// What a peer says of itself, as identify encodes it.
fn introduction(peer: &HostilePeer, protocols: &[&str], addresses: usize) -> Vec<u8> {
    // The id of an Ed25519 key is the key, after two bytes that say so.
    let key = bytes(1, &peer.peer_id.to_bytes()[2..]);
    let protocols = protocols.iter().flat_map(|name| bytes(3, name.as_bytes()));
    let addresses = (0..addresses).flat_map(|number| {
        let [high, low] = u16::try_from(number % 60_000 + 1).unwrap().to_be_bytes();
        bytes(2, &[4, 198, 51, 100, 7, 6, high, low])
    });
    let message: Vec<u8> = key.into_iter().chain(protocols).chain(addresses).collect();
    kad_wire::length_prefixed(&message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introductions_of_10000_addresses_or_of_garbage_change_nothing_p55() {
    let nodes = network(2).await;
    let known = nodes[1].handle.status().await.unwrap().known;
    let long = "x".repeat(100_000);
    let answers: [&Introduction<'_>; 6] = [
        &|peer| introduction(peer, &[KAD], 10_000),
        &|peer| introduction(peer, &[KAD], 300),
        &|peer| introduction(peer, &[&long], 1),
        &|_| kad_wire::varint(1 << 40),
        &|_| vec![0xff; 100_000],
        &|_| Vec::new(),
    ];
    for answer in answers {
        let hostile = HostilePeer::start_mute().await;
        let answer = answer(&hostile);
        hostile.answer_streams(IDENTIFY, answer.clone());
        hostile.connect(&nodes[1]).await;
        let asked = async || (hostile.count(|seen| &seen.opened) > 0).then_some(());
        until("the node asks who it is", asked).await;
        for _ in 0..20 {
            let pushed = hostile.try_open(&nodes[1], IDENTIFY_PUSH).await;
            if let Ok(mut stream) = pushed {
                drop(stream.write_all(&answer).await);
                drop(stream.close().await);
            }
        }
    }
    assert_eq!(nodes[1].handle.status().await.unwrap().known, known);
    is_served(&nodes, 1).await;
}

/// Writes messages to a node on one stream, and throws its answers away.
async fn flood(stream: Stream, messages: impl IntoIterator<Item = Vec<u8>>) {
    let (mut reader, mut writer) = stream.split();
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while matches!(reader.read(&mut buffer).await, Ok(1..)) {}
    });
    let mut batch = Vec::new();
    for message in messages {
        batch.extend(message);
        if batch.len() > 60_000 {
            let written = writer.write_all(&batch).await;
            written.expect("the node takes well-formed messages");
            batch.clear();
        }
    }
    drop(writer.write_all(&batch).await);
    drop(writer.close().await);
    drop(reading.await);
}

/// An account record of a flooder's own.
fn flooding(number: u32) -> (DhtKey, Vec<u8>) {
    let secret = *blake3::hash(&(number / 8).to_le_bytes()).as_bytes();
    let key = SigningKey::from_secret(Algorithm::P256, &secret).unwrap();
    let name: AccountName = format!("flood{number}").parse().unwrap();
    let node_id = keys::node_id(&key.public(), &name).unwrap();
    let token = account_record::sign(&key, &name, 1, now()).unwrap();
    (DhtKey::account(&node_id), token.into_bytes())
}

const FLOODERS: u32 = 5;
const PUTS_EACH: u32 = 10_000;
/// Every so many puts one is right; the rest is damaged, misplaced, replayed or junk.
const ONE_RIGHT_IN: u32 = 50;

fn hostile_put(flooder: u32, number: u32, replayed: &(DhtKey, Vec<u8>)) -> Vec<u8> {
    let number = flooder * PUTS_EACH + number;
    let any = *blake3::hash(&number.to_le_bytes()).as_bytes();
    match number % ONE_RIGHT_IN {
        0 => {
            let (key, value) = flooding(number / ONE_RIGHT_IN);
            put_value(key.as_bytes(), &value)
        }
        1..10 => put_value(replayed.0.as_bytes(), &replayed.1),
        10..20 => put_value(&any, &replayed.1),
        20..30 => put_value(replayed.0.as_bytes(), &any),
        30..40 => put_value(&any[..7], &any),
        _ => put_value(&any, &[b'a'; 300]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_thousand_hostile_puts_and_providers_hide_nothing_h63_h65() {
    let nodes = network(3).await;
    let (key, older) = account(1, 1);
    let (_, honest) = account(1, 2);
    put(&nodes[0], &key, &honest).await;
    let blob = DhtKey::blob(&[5; 32]);
    // Squatters first, then who has it, then the flood.
    for _ in 0..20 {
        let squatter = HostilePeer::start_mute().await;
        let stream = squatter.try_open(&nodes[1], KAD).await.unwrap();
        let entry = add_provider(blob.as_bytes(), &squatter.peer_id, &[]);
        flood(stream, [entry]).await;
    }
    nodes[2].handle.provide(blob).await.unwrap();
    for flooder in 0..FLOODERS {
        let hostile = HostilePeer::start_mute().await;
        let stream = hostile.try_open(&nodes[1], KAD).await.unwrap();
        let replayed = (key, older.clone());
        let messages = (0..PUTS_EACH).flat_map(|number| {
            let any = *blake3::hash(&[flooder, number].map(u32::to_be_bytes).concat()).as_bytes();
            let provided = if number == 0 { *blob.as_bytes() } else { any };
            [
                hostile_put(flooder, number, &replayed),
                add_provider(&provided, &hostile.peer_id, &[]),
            ]
        });
        flood(stream, messages).await;
    }
    let status = nodes[1].handle.status().await.unwrap();
    println!(
        "{} records, {} keys with providers",
        status.records, status.provider_keys
    );
    // Four accounts of each signer, though eight were sent.
    let right = (FLOODERS * PUTS_EACH / ONE_RIGHT_IN) as usize;
    assert!(status.records <= RECORDS_MAX && status.records <= right / 2 + 5);
    assert!(status.records >= right / 2, "the flood has arrived");
    let flooders = FLOODERS as usize;
    assert!(status.provider_keys <= flooders * KEYS_PER_PROVIDER_MAX + 1);
    assert_eq!(got(&nodes[1], &key).await, Some(2));
    for asker in [&nodes[0], &nodes[1]] {
        let found = asker.handle.providers(blob).await.unwrap();
        assert!(found.contains(&nodes[2].handle.peer_id), "{found:?}");
    }
    assert_eq!(got(&nodes[0], &key).await, Some(2));
}

/// The answer to one question on a stream of its own.
async fn ask(hostile: &HostilePeer, node: &TestNode, question: &[u8]) -> io::Result<Vec<u8>> {
    let opened = hostile.try_open(node, KAD).await;
    let mut stream = opened.map_err(io::Error::other)?;
    stream.write_all(question).await?;
    stream.close().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_names_more_than_20_peers_h69() {
    let node = TestNode::start(&[]).await;
    let nowhere = |port: usize| format!("/ip4/127.0.0.1/tcp/{}", port + 1).parse().unwrap();
    let strangers = (0..200).map(|port| (PeerId::random(), nowhere(port)));
    node.handle.learn(strangers.collect()).await.unwrap();
    let hostile = HostilePeer::start_mute().await;
    let key = [7; 32];
    for question in [
        kad_wire::find_node(&key),
        kad_wire::get_value(&key),
        kad_wire::get_providers(&key),
    ] {
        let answer = ask(&hostile, &node, &question).await.unwrap();
        // Each named peer has its address once.
        let address = [0x04, 127, 0, 0, 1, 0x06];
        let named = answer
            .windows(6)
            .filter(|window| *window == address)
            .count();
        assert_eq!(named, 20);
        assert!(answer.len() < 4096, "{} bytes", answer.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_with_hundreds_of_peers_and_addresses_end_in_a_clear_result_h69() {
    let nodes = network(2).await;
    let (key, value) = account(1, 1);
    put(&nodes[1], &key, &value).await;
    // Twenty addresses each, nobody there; as many peers as a packet of ours takes, and more.
    let address = |port: u8| vec![4, 127, 0, 0, 1, 6, 0, port];
    for count in [20, 100, 5_000] {
        let addresses: Vec<Vec<u8>> = (1..21).map(address).collect();
        let named: Vec<Vec<u8>> = (0..count)
            .map(|_| kad_wire::peer(&PeerId::random(), &addresses))
            .collect();
        let answer = kad_wire::answer_naming(1, key.as_bytes(), &named);
        let hostile = HostilePeer::start_mute().await;
        hostile.answer_streams(IDENTIFY, introduction(&hostile, &[KAD], 0));
        hostile.answer_streams(KAD, answer);
        nodes[0].dial(&hostile.address).await;
        hostile.until_connected(&nodes[0]).await;
        assert_eq!(got(&nodes[0], &key).await, Some(1), "{count} peers");
    }
    is_served(&nodes, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_hundreds_of_providers_in_one_answer_20_are_taken_h69() {
    let nodes = network(2).await;
    let blob = DhtKey::blob(&[5; 32]);
    nodes[1].handle.provide(blob).await.unwrap();
    let hostile = HostilePeer::start_mute().await;
    let named: Vec<Vec<u8>> = (0..300)
        .map(|_| kad_wire::peer(&PeerId::random(), &[]))
        .collect();
    let answer = kad_wire::answer_providers(blob.as_bytes(), &named);
    hostile.answer_streams(IDENTIFY, introduction(&hostile, &[KAD], 0));
    hostile.answer_streams(KAD, answer);
    nodes[0].dial(&hostile.address).await;
    nodes[0].until_known(2).await;
    let found = nodes[0].handle.providers(blob).await.unwrap();
    assert!(found.contains(&nodes[1].handle.peer_id));
    assert!((2..=21).contains(&found.len()), "{}", found.len());
}
