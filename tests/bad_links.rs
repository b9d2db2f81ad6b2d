//! Lines that lose, delay and cut what they carry: what was begun completes (threats P59).

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use support::nat::{Internet, Ports, RELAY, RELAY_V6};
use support::network::{Data, TestNode, account, got, put, until};
use support::person::Person;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

const PORT: u16 = 4001;

fn internet() -> Option<Internet> {
    let internet = Internet::start(Ports::Kept);
    let why = |error| {
        eprintln!("SKIPPED: no network namespaces here (root, iproute2 and nftables): {error}");
    };
    internet.map_err(why).ok()
}

/// Bytes that no compression shortens.
fn noise(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

/// One offers a file, the other takes it; it arrives whole.
fn send_file(from: &mut Person, to: &mut Person, bytes: &[u8]) {
    let path = from.path().join("offered.bin");
    fs::write(&path, bytes).unwrap();
    from.ok(&["files", "send", to.name(), "offered.bin"]);
    let id = to.until_file_is_offered(from.name());
    to.ok(&["files", "accept", &id, "--to", "taken.bin"]);
    let received = to.path().join("taken.bin");
    to.until(&["status"], |_| {
        (fs::read(&received).ok()? == bytes).then_some(())
    });
}

/// 30 of 100 packets are lost each way, 200 kbit/s, packets of 576 bytes; then the line is cut for a while.
#[test]
fn file_arrives_over_a_line_that_loses_much_and_carries_little_p59() {
    let Some(internet) = internet() else { return };
    let mut bob = Person::start_at_home("bob", "sb-relay", PORT, None);
    let entrance = format!("/ip4/{RELAY}/tcp/{PORT}/p2p/{}", bob.peer_id());
    let mut alice = Person::start_at_home("alice", "sb-alice", 0, Some(entrance));
    if let Err(error) = internet.worsen("alice", (30, 200, 576)) {
        eprintln!("SKIPPED: no bad lines here (tc tbf, nftables numgen): {error}");
        return;
    }
    alice.meet(&mut bob);
    alice.ok(&["send", "bob", "before the cut"]);
    bob.until_text_is("alice", "before the cut", "delivered");
    internet.set_line("alice", false);
    alice.ok(&["send", "bob", "while it is cut"]);
    alice.until(&["contacts", "list"], |contacts| {
        (contacts[0]["online"] == false).then_some(())
    });
    internet.set_line("alice", true);
    bob.until_text_is("alice", "while it is cut", "delivered");
    send_file(&mut alice, &mut bob, &noise(32 << 10));
}

#[test]
fn hosts_without_ipv4_meet_and_talk_p59() {
    let Some(internet) = internet() else { return };
    if !internet.has_ipv6() {
        eprintln!("SKIPPED: no IPv6 here");
        return;
    }
    let mut alice = Person::start_at_home("alice", "sb-relay", PORT, None);
    let listen = format!("/ip6/::/tcp/{PORT}");
    alice.wake_at(&listen, None);
    let entrance = format!("/ip6/{RELAY_V6}/tcp/{PORT}/p2p/{}", alice.peer_id());
    let mut bob = Person::start_at_home("bob", "sb-neighbour", PORT, None);
    bob.wake_at(&listen, Some(entrance));
    alice.meet(&mut bob);
    let peers = alice.ok(&["peers"]);
    let met = peers[0]["address"].as_str().unwrap();
    assert!(met.starts_with("/ip6/2001:db8::2/"), "{met}");
    send_file(&mut alice, &mut bob, &noise(1 << 20));
}

/// How long each byte is under way, in each direction.
const DELAY: Duration = Duration::from_secs(2);

/// A line in front of a node on which everything takes [`DELAY`].
async fn long_line(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to).await else {
                continue;
            };
            let (near, far) = (socket.into_split(), far.into_split());
            tokio::spawn(delayed(near.0, far.1));
            tokio::spawn(delayed(far.0, near.1));
        }
    });
    address
}

async fn delayed(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let reading = async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let piece = (Instant::now() + DELAY, buffer[..count].to_vec());
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_and_blob_come_over_a_line_of_four_seconds_there_and_back_p59() {
    let far = TestNode::start(&[]).await;
    let data = Data::new(1, 1 << 20);
    far.hold(&data, 0..data.count());
    let line = long_line(far.socket()).await;
    let near = TestNode::start(&[]).await;
    let address = format!(
        "/ip4/127.0.0.1/tcp/{}/p2p/{}",
        line.port(),
        far.handle.peer_id
    );
    near.dial(&address.parse().unwrap()).await;
    near.until_peers(1).await;
    let (key, value) = account(1, 1);
    put(&near, &key, &value).await;
    let is_there = async || (got(&far, &key).await == Some(1)).then_some(());
    until("the record is found", is_there).await;
    near.fetch_whole(&data).await;
}
