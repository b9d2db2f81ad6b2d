//! Who can't be dialled from outside is reached through relays, and then directly, if both sides' address translators
//! let them (AutoNAT v2, circuit relay v2, DCUtR).

use std::collections::{BTreeMap, HashMap};

use libp2p::autonat::v2::client::Event as Tried;
use libp2p::core::transport::ListenerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::multiaddr::Protocol;
use libp2p::relay::client::Event as Circuit;
use libp2p::{Multiaddr, PeerId, dcutr};

use super::Runtime;
use crate::swarm::addresses::{Scope, is_relayed, peer_of, scope};

/// Relays at which a place is kept: one may go.
const RELAYS_HELD: usize = 2;
/// Connected peers that relay and are remembered.
const RELAYS_KNOWN_MAX: usize = 32;

/// Relays, and what is known of our own reach.
#[derive(Debug, Default)]
pub(super) struct Relays {
    /// Connected peers that relay for others, and where we dialled them.
    known: BTreeMap<PeerId, Multiaddr>,
    held: HashMap<ListenerId, PeerId>,
    /// Somebody tried to dial us and couldn't.
    is_walled: bool,
}

impl Runtime {
    /// A connected peer says that it relays for others. It counts if we could dial it where everybody can.
    pub(super) fn on_relay_met(&mut self, peer: PeerId) {
        let Some(reached) = self.table.where_reached(&peer) else {
            return;
        };
        let is_good = scope(reached) == Some(Scope::Global) && !is_relayed(reached);
        if is_good && self.relays.known.len() < RELAYS_KNOWN_MAX {
            self.relays.known.insert(peer, reached.clone());
            self.seek_relays();
        }
    }

    pub(super) fn on_relay_left(&mut self, peer: &PeerId) {
        self.relays.known.remove(peer);
    }

    /// Asks for a place at relays if nobody can dial us otherwise.
    pub(super) fn seek_relays(&mut self) {
        if !self.needs_relays() {
            return;
        }
        let relays = self.relays.known.iter();
        let relays =
            relays.filter(|(peer, _)| !self.relays.held.values().any(|held| held == *peer));
        let missing = RELAYS_HELD.saturating_sub(self.relays.held.len());
        let chosen: Vec<(PeerId, Multiaddr)> = relays
            .take(missing)
            .map(|(peer, address)| (*peer, address.clone()))
            .collect();
        for (peer, address) in chosen {
            let named = if peer_of(&address).is_some() {
                address
            } else {
                address.with(Protocol::P2p(peer))
            };
            match self.swarm.listen_on(named.with(Protocol::P2pCircuit)) {
                Ok(listener) => drop(self.relays.held.insert(listener, peer)),
                Err(error) => tracing::debug!(%peer, %error, "no place at a relay"),
            }
        }
    }

    fn needs_relays(&self) -> bool {
        let is_global =
            |address: &&Multiaddr| scope(address) == Some(Scope::Global) && !is_relayed(address);
        let is_proved = self.swarm.external_addresses().any(|a| is_global(&a));
        // An address of the internet's is believed to be reached until somebody has tried.
        let is_believed = !self.relays.is_walled && self.swarm.listeners().any(|a| is_global(&a));
        self.reachable && !is_proved && !is_believed
    }

    /// An address that we listen on. One that AutoNAT can try is told others once it was; it tries no others'.
    pub(super) fn on_listening(&mut self, address: Multiaddr) {
        tracing::info!(%address, "listening");
        let is_near = scope(&address).is_some_and(|scope| scope < Scope::Global);
        if self.reachable && is_near {
            self.swarm.add_external_address(address);
        }
        self.tell_addresses();
    }

    pub(super) fn on_listener_closed(&mut self, listener: ListenerId) {
        if let Some(relay) = self.relays.held.remove(&listener) {
            tracing::info!(%relay, "the place at a relay is lost");
        }
        self.tell_addresses();
    }

    pub(super) fn on_relay_event(&self, event: &Circuit) {
        match event {
            Circuit::ReservationReqAccepted {
                relay_peer_id,
                renewal: false,
                ..
            } => tracing::info!(relay = %relay_peer_id, "reached through a relay"),
            event => tracing::debug!(?event, "relay"),
        }
    }

    pub(super) fn on_punched(&self, event: &dcutr::Event) {
        let peer = event.remote_peer_id;
        match &event.result {
            Ok(_) => tracing::info!(%peer, "connected directly, no longer through a relay"),
            Err(error) => tracing::info!(%peer, %error, "no direct connection"),
        }
    }

    pub(super) fn on_tried(&mut self, event: &Tried) {
        let (address, server) = (&event.tested_addr, &event.server);
        match &event.result {
            Ok(()) => tracing::info!(%address, %server, "others can dial this address"),
            Err(error) => {
                tracing::info!(%address, %server, %error, "others can't dial this address");
                self.relays.is_walled = true;
                self.seek_relays();
            }
        }
    }

    /// Addresses changed: who asked is told, and what we announced is announced again.
    pub(super) fn on_external(&mut self) {
        self.tell_addresses();
        let kad = &mut self.swarm.behaviour_mut().kad;
        let provided = kad.store_mut().provided();
        let provided: Vec<_> = provided.map(|record| record.key.clone()).collect();
        for key in provided {
            if let Err(error) = kad.start_providing(key) {
                tracing::warn!(%error, "not announced");
            }
        }
    }

    /// Tells whoever wants to know where we can be dialled.
    pub(super) fn tell_addresses(&self) {
        let own = *self.swarm.local_peer_id();
        let mut all: Vec<&Multiaddr> = self.swarm.listeners().collect();
        all.extend(self.swarm.external_addresses());
        let mut texts: Vec<String> = Vec::new();
        for address in all {
            let named = match peer_of(address) {
                Some(peer) if peer == own => address.clone(),
                _ => address.clone().with(Protocol::P2p(own)),
            };
            let text = named.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        self.addresses.send_if_modified(|told| {
            let is_new = *told != texts;
            *told = texts;
            is_new
        });
    }
}
