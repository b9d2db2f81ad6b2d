//! How fast a peer's requests are taken: as many as it likes in a row up to a bound, then so many a second (threats
//! P58). Who is too fast waits, and nobody else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// Streams that a peer may open in a row.
const BURST: u32 = 128;
/// The time that each of them takes up.
const INTERVAL: Duration = Duration::from_millis(15);

/// Peers that opened streams of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When all that a peer has opened is taken up.
    until: BTreeMap<PeerId, Instant>,
}

impl Pace {
    /// Notes a stream. How long it has to wait.
    pub(super) fn note(&mut self, peer: PeerId, now: Instant) -> Duration {
        self.until.retain(|_, until| *until > now);
        let until = self.until.entry(peer).or_insert(now);
        *until += INTERVAL;
        until
            .saturating_duration_since(now)
            .saturating_sub(INTERVAL * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_too_fast_waits_and_nobody_else_p58() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let (fast, other) = (PeerId::random(), PeerId::random());
        for _ in 0..BURST {
            assert_eq!(pace.note(fast, start), Duration::ZERO);
        }
        assert_eq!(pace.note(fast, start), INTERVAL);
        assert_eq!(pace.note(fast, start), INTERVAL * 2);
        assert_eq!(pace.note(other, start), Duration::ZERO);
        assert_eq!(pace.until.len(), 2);
        assert_eq!(pace.note(fast, start + INTERVAL * 3), Duration::ZERO);
        assert_eq!(pace.until.len(), 1, "who has come to rest is forgotten");
    }
}
