//! A subnet gets its share, and it alone is refused.

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ListenError;
use libp2p::swarm::behaviour::{ConnectionClosed, ListenFailure};

use super::*;

fn from(network: u8, host: usize) -> Multiaddr {
    let host = host % 250 + 1;
    format!("/ip4/198.51.{network}.{host}/tcp/4001")
        .parse()
        .unwrap()
}

/// Somebody dials us; whether that is let on to the handshake.
fn dials(shares: &mut Shares, number: usize, remote: &Multiaddr) -> bool {
    let connection = ConnectionId::new_unchecked(number);
    shares
        .handle_pending_inbound_connection(connection, &Multiaddr::empty(), remote)
        .is_ok()
}

fn shakes_hands(shares: &mut Shares, number: usize) {
    let connection = ConnectionId::new_unchecked(number);
    let none = Multiaddr::empty();
    shares
        .handle_established_inbound_connection(connection, PeerId::random(), &none, &none)
        .unwrap();
}

#[test]
fn one_subnet_cannot_take_all_handshakes_p54() {
    let mut shares = Shares::default();
    let taken = (0..1000).filter(|number| dials(&mut shares, *number, &from(7, *number)));
    assert_eq!(taken.count(), HANDSHAKES_PER_SUBNET_MAX);
    assert!(dials(&mut shares, 1000, &from(8, 1)), "another subnet");
    // One that fails makes room for one.
    let remote = from(7, 0);
    shares.on_swarm_event(FromSwarm::ListenFailure(ListenFailure {
        local_addr: &Multiaddr::empty(),
        send_back_addr: &remote,
        error: &ListenError::Aborted,
        connection_id: ConnectionId::new_unchecked(0),
        peer_id: None,
    }));
    assert!(dials(&mut shares, 1001, &remote));
    assert!(!dials(&mut shares, 1002, &remote));
}

#[test]
fn one_subnet_cannot_take_all_connections_p54() {
    let mut shares = Shares::default();
    let mut taken = 0;
    for number in 0..1000 {
        if dials(&mut shares, number, &from(7, number)) {
            shakes_hands(&mut shares, number);
            taken += 1;
        }
    }
    assert_eq!(taken, CONNECTIONS_PER_SUBNET_MAX);
    assert!(dials(&mut shares, 1000, &from(8, 1)), "another subnet");
    let remote = from(7, 0);
    shares.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
        peer_id: PeerId::random(),
        connection_id: ConnectionId::new_unchecked(0),
        endpoint: &ConnectedPoint::Listener {
            local_addr: Multiaddr::empty(),
            send_back_addr: remote.clone(),
        },
        cause: None,
        remaining_established: 0,
    }));
    assert!(dials(&mut shares, 1001, &remote));
}

#[test]
fn a_site_is_not_counted_p54() {
    let mut shares = Shares::default();
    for place in [
        "/ip4/192.168.1.9/tcp/1",
        "/ip4/127.0.0.1/tcp/1",
        "/memory/5",
    ] {
        let remote = place.parse().unwrap();
        assert!(
            (0..500).all(|number| dials(&mut shares, number, &remote)),
            "{place}"
        );
    }
}
