//! Which announced addresses are believed (threats P60).
//!
//! A peer may only announce addresses of the scope it was met in, or a wider one: a peer met over
//! the internet can't make us dial our own loopback or private network.

use std::cmp::Reverse;
use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use protocol::limits::PRESENCE_ADDRESSES_MAX;

/// Addresses taken of one peer.
pub const ADDRESSES_PER_PEER_MAX: usize = 16;

/// How far an address reaches, narrow to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// The local network.
    Private,
    /// Everywhere, names included.
    Global,
}

/// The scope of an address; `None` if nobody can be dialled there (multicast, unspecified, no IP).
pub fn scope(address: &Multiaddr) -> Option<Scope> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => ip_scope(ip.into()),
        Protocol::Ip6(ip) => ip_scope(ip.into()),
        Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) => Some(Scope::Global),
        // Within this process; a node that listens on the network has no transport for it.
        Protocol::Memory(_) => Some(Scope::Loopback),
        _ => None,
    }
}

/// The IP of an address, if it starts with one.
pub fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether an address leads through a relay.
pub fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The peer id at the end of an address.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last()? {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    }
}

/// An address without the peer id at its end.
pub fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if peer_of(&address).is_some() {
        address.pop();
    }
    address
}

/// Addresses for others, without our peer id: those that everybody can dial first, then relays', then the local
/// network's; this machine's own only if there is nothing else.
pub fn worth_telling<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let parsed = addresses.into_iter().filter_map(|text| text.parse().ok());
    let ranked = parsed.filter_map(|address: Multiaddr| {
        let rank = (Reverse(scope(&address)?), is_relayed(&address));
        Some((rank, without_peer(address)))
    });
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let is_narrow = |(Reverse(scope), _)| scope == Scope::Loopback;
    if ranked.first().is_some_and(|(rank, _)| !is_narrow(*rank)) {
        ranked.retain(|(rank, _)| !is_narrow(*rank));
    }
    let texts = ranked.iter().map(|(_, address)| address.to_string());
    texts.take(PRESENCE_ADDRESSES_MAX).collect()
}

fn ip_scope(ip: IpAddr) -> Option<Scope> {
    let ip = ip.to_canonical();
    if ip.is_unspecified() || ip.is_multicast() {
        return None;
    }
    let private = match ip {
        IpAddr::V4(v4) => {
            if v4.is_broadcast() {
                return None;
            }
            // Carriers' address translation (RFC 6598) is as little reachable from outside.
            let is_shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    Some(match (ip.is_loopback(), private) {
        (true, _) => Scope::Loopback,
        (_, true) => Scope::Private,
        _ => Scope::Global,
    })
}

/// The announced addresses that are believed of a peer met at `met`.
pub fn believed(announced: &[Multiaddr], met: &Multiaddr) -> Vec<Multiaddr> {
    let Some(floor) = scope(met) else {
        return Vec::new();
    };
    let wide_enough = |address: &&Multiaddr| scope(address).is_some_and(|scope| scope >= floor);
    announced
        .iter()
        .filter(wide_enough)
        .take(ADDRESSES_PER_PEER_MAX)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn ignores_addresses_narrower_than_where_the_peer_was_met_p60() {
        let announced: Vec<Multiaddr> = [
            "/ip4/127.0.0.1/tcp/22",
            "/ip4/192.168.1.1/tcp/80",
            "/ip4/198.51.100.7/tcp/4001",
            "/ip4/224.0.0.1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/::ffff:127.0.0.1/tcp/22",
        ]
        .map(address)
        .to_vec();
        let global = believed(&announced, &address("/ip4/203.0.113.5/tcp/4001"));
        assert_eq!(global, [address("/ip4/198.51.100.7/tcp/4001")]);
        let private = believed(&announced, &address("/ip4/10.0.0.5/tcp/4001"));
        assert_eq!(private.len(), 2);
        assert_eq!(
            believed(&announced, &address("/ip4/127.0.0.1/tcp/1")).len(),
            5
        );
    }

    #[test]
    fn own_machine_is_told_only_if_there_is_nothing_else() {
        let peer = "QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51";
        let loopback = format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}");
        assert_eq!(worth_telling([&*loopback]), ["/ip4/127.0.0.1/tcp/1"]);
        let relay = format!("/ip4/198.51.100.9/tcp/1/p2p/{peer}/p2p-circuit");
        let through = format!("{relay}/p2p/{peer}");
        let carrier = "/ip4/100.100.1.2/tcp/1";
        let (private, global) = ("/ip4/10.0.0.1/tcp/1", "/ip4/198.51.100.7/tcp/1");
        assert_eq!(
            worth_telling([&*loopback, private, &through, global, carrier]),
            [global, &relay, private, carrier]
        );
        assert!(worth_telling(["/ip4/0.0.0.0/tcp/1", "junk"]).is_empty());
    }

    #[test]
    fn takes_a_bounded_number_p55() {
        let announced = vec![address("/ip4/198.51.100.7/tcp/4001"); 10_000];
        let met = address("/ip4/203.0.113.5/tcp/1");
        assert_eq!(believed(&announced, &met).len(), ADDRESSES_PER_PEER_MAX);
    }
}
