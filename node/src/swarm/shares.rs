//! Each subnet's share of the connections that others open: one that is full of hostile hosts leaves the rest to
//! others (P54). Counted before the handshake, by the address alone.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::addresses;
use crate::config::{CONNECTIONS_PER_SUBNET_MAX, HANDSHAKES_PER_SUBNET_MAX};
use crate::storage::quota::Subnet;

/// A subnet has its share.
#[derive(Debug, thiserror::Error)]
#[error("too many connections of one subnet")]
pub(crate) struct Full;

/// How far a connection that another opened has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshake,
    Established,
}

/// Connections that others opened, by where they come from.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    /// At most `HANDSHAKES_MAX` and `CONNECTIONS_INCOMING_MAX` in all.
    open: BTreeMap<ConnectionId, (Subnet, Stage)>,
}

impl Shares {
    fn count(&self, of: Subnet, at: Stage) -> usize {
        let open = self.open.values();
        open.filter(|(subnet, stage)| *subnet == of && *stage == at)
            .count()
    }
}

impl NetworkBehaviour for Shares {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(subnet) = addresses::ip(remote).and_then(Subnet::of) else {
            return Ok(());
        };
        if self.count(subnet, Stage::Handshake) >= HANDSHAKES_PER_SUBNET_MAX
            || self.count(subnet, Stage::Established) >= CONNECTIONS_PER_SUBNET_MAX
        {
            return Err(ConnectionDenied::new(Full));
        }
        self.open.insert(connection, (subnet, Stage::Handshake));
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if let Some((_, stage)) = self.open.get_mut(&connection) {
            *stage = Stage::Established;
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ListenFailure(failure) => drop(self.open.remove(&failure.connection_id)),
            FromSwarm::ConnectionClosed(closed) => drop(self.open.remove(&closed.connection_id)),
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

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
