//! Which addresses are dialled (threats P60): a stranger who names addresses of this machine or of the local network
//! as somebody's gets nobody to connect there.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::core::{Multiaddr, Transport};
use libp2p::multiaddr::Protocol;

use super::addresses::{Scope, peer_of, scope};

/// Peers that were asked for by us, of late.
const ASKED_MAX: usize = 256;

/// Knows where peers were met. Narrow addresses (this machine's, the local network's) are dialled only if we chose
/// them ourselves, if that peer is connected from as near, or, for a peer we haven't met, if everybody is: with a
/// stranger from the internet about, neighbours are those that the local network told us of (mDNS).
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    met: BTreeMap<PeerId, Scope>,
    asked: VecDeque<(PeerId, Scope)>,
}

impl Fence {
    /// `peer` is connected from `scope`.
    pub(crate) fn met(&self, peer: PeerId, scope: Scope) {
        self.known().met.insert(peer, scope);
    }

    /// `peer` is not connected any more.
    pub(crate) fn left(&self, peer: &PeerId) {
        self.known().met.remove(peer);
    }

    /// We want to dial this, whoever says no. A name may lead anywhere.
    pub(crate) fn ask(&self, address: &Multiaddr) {
        let Some(peer) = peer_of(address) else {
            return;
        };
        let reach = match address.iter().next() {
            Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => Some(Scope::Loopback),
            _ => scope(address).filter(|scope| *scope != Scope::Global),
        };
        let Some(reach) = reach else {
            return;
        };
        let mut known = self.known();
        known.asked.retain(|asked| *asked != (peer, reach));
        known.asked.push_back((peer, reach));
        if known.asked.len() > ASKED_MAX {
            known.asked.pop_front();
        }
    }

    /// Whether an address may be dialled.
    fn allows(&self, address: &Multiaddr) -> bool {
        let (Some(reach), Some(peer)) = (scope(address), peer_of(address)) else {
            return true;
        };
        if reach == Scope::Global {
            return true;
        }
        let known = self.known();
        let is_asked = known
            .asked
            .iter()
            .any(|(asked, floor)| *asked == peer && reach >= *floor);
        let is_met = |peer| known.met.get(peer).is_some_and(|floor| reach >= *floor);
        let is_among_neighbours = || {
            let mut floors = known.met.values();
            !known.met.contains_key(&peer)
                && floors.all(|floor| *floor != Scope::Global)
                && known.met.values().any(|floor| reach >= *floor)
        };
        is_asked || is_met(&peer) || is_among_neighbours()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transport behind the fence. It stands below the resolver of names, so that a name leads no further than an
/// address would.
#[derive(Debug)]
pub(crate) struct Fenced<T> {
    pub(crate) inner: T,
    pub(crate) fence: Fence,
}

impl<T: Transport + Unpin> Transport for Fenced<T> {
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = T::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        if !self.fence.allows(&address) {
            tracing::debug!(%address, "not dialled: nearer than whoever named it");
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, peer: PeerId) -> Multiaddr {
        text.parse::<Multiaddr>().unwrap().with(Protocol::P2p(peer))
    }

    #[test]
    fn stranger_does_not_send_us_into_our_own_network_p60() {
        let (fence, stranger, other) = (Fence::default(), PeerId::random(), PeerId::random());
        let near = |peer| {
            [
                "/ip4/127.0.0.1/tcp/22",
                "/ip4/192.168.1.1/tcp/80",
                "/ip6/::1/tcp/1",
            ]
            .map(|text| address(text, peer))
        };
        fence.met(stranger, Scope::Global);
        for address in near(stranger).iter().chain(&near(other)) {
            assert!(!fence.allows(address), "{address}");
        }
        assert!(fence.allows(&address("/ip4/198.51.100.7/tcp/1", other)));

        // A neighbour about changes nothing as long as strangers are: who named the address isn't known.
        let neighbour = PeerId::random();
        fence.met(neighbour, Scope::Private);
        assert!(!fence.allows(&near(other)[1]));
        assert!(!fence.allows(&near(stranger)[1]));
        assert!(fence.allows(&near(neighbour)[1]));
        assert!(!fence.allows(&near(neighbour)[0]));

        // Among neighbours alone, peers that nobody met are neighbours too.
        fence.left(&stranger);
        assert!(fence.allows(&near(other)[1]));
        assert!(!fence.allows(&near(other)[0]));
    }

    #[test]
    fn what_we_ask_for_is_dialled() {
        let (fence, peer, other) = (Fence::default(), PeerId::random(), PeerId::random());
        let loopback = |peer| address("/ip4/127.0.0.1/tcp/1", peer);
        fence.ask(&address("/ip4/192.168.1.7/tcp/1", peer));
        assert!(fence.allows(&address("/ip4/192.168.1.7/tcp/2", peer)));
        assert!(!fence.allows(&loopback(peer)));
        fence.ask(&address("/dns4/localhost/tcp/1", peer));
        assert!(fence.allows(&loopback(peer)));
        assert!(!fence.allows(&loopback(other)));
        for _ in 0..=ASKED_MAX {
            fence.ask(&loopback(PeerId::random()));
        }
        assert!(!fence.allows(&loopback(peer)));
        assert_eq!(fence.known().asked.len(), ASKED_MAX);
    }
}
