//! Refuses connections of who isn't a member: after the Noise handshake has shown who it is, before any protocol
//! runs.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

/// Refusals written to the log in one [`LOG_WINDOW`]; a flood is counted, not written (Q96).
const LOG_LINES_MAX: u32 = 10;
/// How long that number holds.
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Peers that may connect.
pub(crate) type Allowed = Arc<BTreeSet<PeerId>>;

/// Not a member of the private network.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a member of this network")]
pub(crate) struct NotMember(PeerId);

/// Lets members in and nobody else; everybody in the public network.
#[derive(Debug)]
pub(crate) struct Gate {
    allowed: Option<Allowed>,
    connected: BTreeSet<PeerId>,
    closing: VecDeque<PeerId>,
    refusals: Refusals,
    waker: Option<Waker>,
}

impl Gate {
    /// A gate for `allowed`, or for everybody.
    pub(crate) fn new(allowed: Option<Allowed>) -> Self {
        Self {
            allowed,
            connected: BTreeSet::new(),
            closing: VecDeque::new(),
            refusals: Refusals::new(),
            waker: None,
        }
    }

    /// Whether a peer may connect.
    pub(crate) fn allows(&self, peer: &PeerId) -> bool {
        let allowed = self.allowed.as_ref();
        allowed.is_none_or(|allowed| allowed.contains(peer))
    }

    /// Lets in `allowed` from now on; connections of others are closed. Returns whose.
    pub(crate) fn allow(&mut self, allowed: Allowed) -> Vec<PeerId> {
        let is_out = |peer: &&PeerId| !allowed.contains(*peer);
        let out: Vec<PeerId> = self.connected.iter().filter(is_out).copied().collect();
        self.allowed = Some(allowed);
        self.closing.extend(&out);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        out
    }

    fn check(&mut self, peer: PeerId, address: &Multiaddr) -> Result<(), ConnectionDenied> {
        if self.allows(&peer) {
            return Ok(());
        }
        if let Some(unwritten) = self.refusals.note(Instant::now()) {
            tracing::warn!(%peer, %address, unwritten, "connection refused: not a member of this network");
        }
        Err(ConnectionDenied::new(NotMember(peer)))
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(peer, remote)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if let Some(peer) = peer {
            let address = addresses.first().cloned();
            self.check(peer, &address.unwrap_or_else(Multiaddr::empty))?;
        }
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(peer, address)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                self.connected.insert(established.peer_id);
                // It was let in while the list changed.
                if !self.allows(&established.peer_id) {
                    self.closing.push_back(established.peer_id);
                }
            }
            FromSwarm::ConnectionClosed(closed) if closed.remaining_established == 0 => {
                self.connected.remove(&closed.peer_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(peer_id) = self.closing.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::All,
            });
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// How many refusals were written of late.
#[derive(Debug)]
struct Refusals {
    since: Option<Instant>,
    written: u32,
    unwritten: u64,
}

impl Refusals {
    const fn new() -> Self {
        Self {
            since: None,
            written: 0,
            unwritten: 0,
        }
    }

    /// Notes one; if it is to be written, how many weren't since the last that was.
    fn note(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since| now.saturating_duration_since(since) >= LOG_WINDOW;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written >= LOG_LINES_MAX {
            self.unwritten += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_refusals_fills_no_log_q96() {
        let (mut refusals, start) = (Refusals::new(), Instant::now());
        let written = |refusals: &mut Refusals, at: Instant| {
            let notes = (0..100_000).filter_map(|_| refusals.note(at));
            notes.collect::<Vec<_>>()
        };
        assert_eq!(written(&mut refusals, start), [0; 10]);
        assert!(written(&mut refusals, start + LOG_WINDOW / 2).is_empty());
        let mut next = [0; 10];
        next[0] = 2 * 100_000 - 10;
        assert_eq!(written(&mut refusals, start + LOG_WINDOW), next);
    }

    #[test]
    fn public_network_is_open_and_a_private_one_to_members_alone() {
        let (one, two) = (PeerId::random(), PeerId::random());
        let address = Multiaddr::empty();
        let mut public = Gate::new(None);
        assert!(public.check(one, &address).is_ok());
        let mut gate = Gate::new(Some(Arc::new([one].into())));
        assert!(gate.check(one, &address).is_ok());
        assert!(gate.check(two, &address).is_err());
        gate.connected.insert(one);
        assert_eq!(gate.allow(Arc::new([two].into())), [one]);
        assert!(gate.check(one, &address).is_err());
        assert!(gate.check(two, &address).is_ok());
    }
}
