//! When an update that failed is tried again.

use std::time::Duration;

/// Before the first retry.
const FIRST: Duration = Duration::from_secs(5 * 60);

/// How often the newest release could not be installed. A restart of the program forgets it.
#[derive(Debug, Default)]
pub(super) struct Retries {
    release: u64,
    failures: u32,
}

impl Retries {
    /// How long to wait after a failure. A check that failed costs little and is soon tried again; each failed
    /// installation of one release doubles the wait, at most to that between checks, so that whoever makes
    /// them fail can't have data and power spent all the time.
    ///
    /// * `release`: whose installation failed; `None` if it was the check.
    /// * `polling`: between two checks.
    pub(super) fn wait(&mut self, release: Option<u64>, polling: Duration) -> Duration {
        let Some(release) = release else {
            return FIRST.min(polling);
        };
        if release != self.release {
            (self.release, self.failures) = (release, 0);
        }
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        wait.min(polling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn failures_of_one_release_double_the_wait_up_to_that_between_checks() {
        let mut retries = Retries::default();
        for expected in [5, 10, 20, 40, 60, 60] {
            assert_eq!(retries.wait(Some(2), HOUR), minutes(expected));
        }
        for _ in 0..100 {
            assert_eq!(retries.wait(Some(2), HOUR), HOUR);
        }
    }

    /// Else a source that fails every other check would have the installation tried without end.
    #[test]
    fn a_check_that_fails_is_tried_soon_and_forgets_nothing() {
        let mut retries = Retries::default();
        assert_eq!(retries.wait(None, HOUR), minutes(5));
        assert_eq!(retries.wait(Some(2), HOUR), minutes(5));
        assert_eq!(retries.wait(None, HOUR), minutes(5));
        assert_eq!(retries.wait(Some(2), HOUR), minutes(10));
    }

    #[test]
    fn another_release_is_tried_anew_and_a_short_poll_is_kept() {
        let mut retries = Retries::default();
        retries.wait(Some(2), HOUR);
        retries.wait(Some(2), HOUR);
        assert_eq!(retries.wait(Some(3), HOUR), minutes(5));
        assert_eq!(retries.wait(Some(3), minutes(1)), minutes(1));
        assert_eq!(retries.wait(None, minutes(1)), minutes(1));
    }
}
