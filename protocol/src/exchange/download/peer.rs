//! One peer of a download: what it has, what it owes, when it last did its part.

use std::collections::BTreeSet;
use std::time::Instant;

use super::PeerRole;
use crate::exchange::chunk_map::ChunkMap;
use crate::limits::{CHUNK_TIMEOUT, REQUESTS_IN_FLIGHT_MAX};

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) role: PeerRole,
    pub(super) map: Option<ChunkMap>,
    /// Chunks it owes.
    pub(super) in_flight: BTreeSet<u32>,
    /// Chunks that another brought first: each may still come once.
    pub(super) cancelled: BTreeSet<u32>,
    /// Every chunk below is held, under way, or not in `map`.
    pub(super) next: u32,
    /// While it owes the chunk level: the nodes sent so far.
    pub(super) level: Option<Vec<u8>>,
    /// When it last delivered what it owed, or began to owe.
    pub(super) active: Instant,
    /// When it last brought a chunk; when it joined, before.
    pub(super) useful: Instant,
    /// It said `Busy`: not asked again before this time.
    pub(super) rest_until: Instant,
}

impl Peer {
    pub(super) fn new(role: PeerRole, now: Instant) -> Self {
        Self {
            role,
            map: None,
            in_flight: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            next: 0,
            level: None,
            active: now,
            useful: now,
            rest_until: now,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < REQUESTS_IN_FLIGHT_MAX
    }

    pub(super) fn owes(&self) -> bool {
        self.map.is_none() || !self.in_flight.is_empty() || self.level.is_some()
    }

    /// When it is dropped unless it delivers.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        self.active
            .checked_add(CHUNK_TIMEOUT)
            .filter(|_| self.owes())
    }
}
