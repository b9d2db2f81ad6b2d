//! Refuses connections of who isn't a member: after the Noise handshake has shown who it is, before any protocol
//! runs.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

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
    waker: Option<Waker>,
}

impl Gate {
    /// A gate for `allowed`, or for everybody.
    pub(crate) fn new(allowed: Option<Allowed>) -> Self {
        Self {
            allowed,
            connected: BTreeSet::new(),
            closing: VecDeque::new(),
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

    fn check(&self, peer: PeerId, address: &Multiaddr) -> Result<(), ConnectionDenied> {
        if self.allows(&peer) {
            return Ok(());
        }
        tracing::warn!(%peer, %address, "connection refused: not a member of this network");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_network_is_open_and_a_private_one_to_members_alone() {
        let (one, two) = (PeerId::random(), PeerId::random());
        let address = Multiaddr::empty();
        let public = Gate::new(None);
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
