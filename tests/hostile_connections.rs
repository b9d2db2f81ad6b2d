//! Connections that come to nothing, in numbers, and bytes that are no frames (threats P54, P55).

use std::collections::VecDeque;
use std::time::Duration;

use futures::{AsyncWriteExt as _, FutureExt as _};
use node::config::{CONNECTIONS_INCOMING_MAX, HANDSHAKES_MAX};
use support::network::raw_yamux::{self, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE, frame};
use support::network::{DEADLINE, HostilePeer, TestNode, is_served, network, until};
use support::person::Person;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_time_out_and_disturb_nobody_who_is_connected_p54() {
    let nodes = network(2).await;
    let mut half_open = Vec::new();
    for number in 0..4 * HANDSHAKES_MAX {
        let Ok(mut socket) = TcpStream::connect(nodes[1].socket()).await else {
            continue;
        };
        if number % 2 == 0 {
            drop(socket.write_all(b"\x13/multistream/1.0.0\n").await);
        }
        half_open.push(socket);
    }
    is_served(&nodes, 1).await;
    // A newcomer gets in as soon as the first have timed out, though their sockets stay.
    let newcomer = TestNode::start(&[]).await;
    let connected = async || {
        newcomer.dial(&nodes[1].address).await;
        let peers = newcomer.handle.peers().await.unwrap();
        (!peers.is_empty()).then_some(())
    };
    until("a newcomer gets in", connected).await;
    let mut closed = 0;
    for socket in &mut half_open {
        let mut buffer = [0; 64];
        let ended = async { while matches!(socket.read(&mut buffer).await, Ok(1..)) {} };
        tokio::time::timeout(DEADLINE, ended).await.unwrap();
        closed += 1;
    }
    assert_eq!(closed, half_open.len(), "every one is closed by the node");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_connections_leaves_room_for_dialling_out_p54() {
    let victim = TestNode::start(&[]).await;
    let mut crowd = Vec::new();
    let most = CONNECTIONS_INCOMING_MAX as usize;
    for number in 0..most + 30 {
        let hostile = HostilePeer::start_mute().await;
        hostile.dial_once(&victim).await;
        if number < most {
            hostile.until_connected(&victim).await;
        }
        crowd.push(hostile);
    }
    assert!(victim.handle.peers().await.unwrap().len() <= most);
    let honest = TestNode::start(&[]).await;
    victim.dial(&honest.address).await;
    honest.until_peers(1).await;
    is_served(&[victim, honest], 1).await;
}

/// Descriptors of the node in the next test: as many as a device may have.
const DESCRIPTORS: u32 = 512;
/// Sockets that the crowd holds at once.
const HELD: usize = 800;

/// Half say nothing, half begin a handshake; a socket is left when another takes its place.
#[test]
fn ten_thousand_connections_leave_the_node_to_honest_peers_p54() {
    let mut alice = Person::start_with_descriptors("alice", DESCRIPTORS);
    let socket = alice.socket();
    let mut held = VecDeque::new();
    for number in 0..10_000 {
        // The node may close it at once, and may be too slow to take it.
        if let Ok(mut stream) =
            std::net::TcpStream::connect_timeout(&socket, Duration::from_secs(1))
        {
            if number % 2 == 0 {
                drop(std::io::Write::write_all(
                    &mut stream,
                    b"\x13/multistream/1.0.0\n",
                ));
            }
            held.push_back(stream);
        }
        if held.len() > HELD {
            held.pop_front();
        }
    }
    let mut bob = Person::start("bob", Some(&alice));
    alice.meet(&mut bob);
    bob.ok(&["send", "alice", "through the crowd"]);
    alice.until_text_is("bob", "through the crowd", "delivered");
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_before_and_inside_of_the_handshake_changes_nothing_p55() {
    let nodes = network(2).await;
    let noise = b"\x13/multistream/1.0.0\n\x07/noise\n";
    let after = |bytes: &[u8]| [&noise[..], bytes].concat();
    let garbage = [
        vec![0xff; 70_000],
        vec![0; 70_000],
        b"\x13/multistream/9.9.9\n".to_vec(),
        [&b"\xff\xff\xff\xff\x7f"[..], &[b'/'; 5000]].concat(),
        after(&[0xff; 70_000]),
        after(&[0, 32, 7]),
        after(&[&[0, 32][..], &[9; 32], &[0xff, 0xff]].concat()),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for bytes in garbage {
        for _ in 0..10 {
            let mut socket = TcpStream::connect(nodes[1].socket()).await.unwrap();
            drop(socket.write_all(&bytes).await);
        }
    }
    is_served(&nodes, 1).await;
}

/// Frames that the node refuses, and the connection with them: nobody who follows the protocol sends them.
fn forbidden_frames() -> Vec<(&'static str, Vec<u8>)> {
    let opened = frame(DATA, SYN, 1, 0);
    let too_much = [&frame(DATA, 0, 1, 300 << 10)[..], &[0; 300 << 10]].concat();
    let streams = (0..1000).flat_map(|number| frame(DATA, SYN, 2 * number + 1, 0));
    vec![
        ("another version", vec![7, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ("an unknown type", frame(9, 0, 1, 0)),
        ("a stream of the node's own", frame(DATA, SYN, 2, 0)),
        ("stream 0", frame(DATA, SYN, 0, 0)),
        ("4 GiB at once", frame(DATA, SYN, 1, u32::MAX)),
        ("more than the window", [&opened[..], &too_much].concat()),
        ("a thousand streams", streams.collect()),
        ("the same stream again", [&opened[..], &opened].concat()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_yamux_ends_the_connection_and_disturbs_nobody_p55() {
    let nodes = network(2).await;
    for (what, frames) in forbidden_frames() {
        let mut connection = raw_yamux::connect(&nodes[1]).await;
        drop(connection.write_all(&frames).await);
        drop(connection.flush().await);
        let refused = raw_yamux::until_refused(&mut connection);
        let refused = tokio::time::timeout(DEADLINE, refused).await;
        assert!(refused.is_ok(), "{what} is taken");
    }
    is_served(&nodes, 1).await;
}

/// Frames that may be, in numbers and combinations that make no sense.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_yamux_frames_disturb_nobody_p55() {
    let nodes = network(2).await;
    let opened = frame(DATA, SYN, 1, 0);
    let widened = [
        &opened[..],
        &frame(WINDOW_UPDATE, 0, 1, u32::MAX).repeat(1000),
    ]
    .concat();
    let floods = [
        frame(PING, SYN, 0, 7).repeat(200_000),
        frame(DATA, RST, 77, 0).repeat(1000),
        frame(DATA, FIN, 77, 0).repeat(100_000),
        frame(WINDOW_UPDATE, RST, 99, 5).repeat(100_000),
        [frame(DATA, SYN, 1, 0), frame(DATA, RST, 1, 0)]
            .concat()
            .repeat(50_000),
        frame(GO_AWAY, 0, 0, 0).repeat(1000),
        widened,
        vec![0; 5],
    ];
    for flood in floods {
        let mut connection = raw_yamux::connect(&nodes[1]).await;
        // The node may end it before it has taken all, or take no more since nobody reads its answers.
        let written = tokio::time::timeout(Duration::from_secs(5), connection.write_all(&flood));
        drop(written.await);
        drop(connection.flush().now_or_never());
    }
    is_served(&nodes, 1).await;
}
