//! What a node knows of the time: its clock, unless that is known to be wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::jose::jws::KnownTime;

/// The system's clock with a moment that has passed for sure. A clock that is behind it is wrong, as that
/// of a device without a battery is until somebody sets it (threats C90).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    floor: u64,
}

impl Clock {
    /// It is not before `floor`, seconds since 1970.
    pub const fn not_before(floor: u64) -> Self {
        Self { floor }
    }

    /// The time to go by, seconds since 1970.
    pub fn now(self) -> u64 {
        unix_now().max(self.floor)
    }

    /// Whether the system's clock is behind.
    pub fn is_wrong(self) -> bool {
        unix_now() < self.floor
    }

    /// What is known: a moment, or where the clock is wrong no more than that the floor has passed.
    pub fn known(self) -> KnownTime {
        let latest = if self.is_wrong() {
            u64::MAX
        } else {
            self.now()
        };
        KnownTime {
            earliest: self.now(),
            latest,
        }
    }
}

/// Seconds since 1970 by the system's clock.
pub fn unix_now() -> u64 {
    since_1970().as_secs()
}

/// Milliseconds since 1970 by the system's clock.
pub fn unix_now_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
