//! Times of the metadata: UTC, one-second resolution, one spelling.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The only spelling that TUF 1.0.34 section 4.2.1 allows.
const FORMAT: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// Seconds since 1970-01-01T00:00:00Z, years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime(u64);

/// The text is not `YYYY-MM-DDTHH:MM:SSZ` of a real moment between 1970 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time is not YYYY-MM-DDTHH:MM:SSZ")]
pub struct TimeError;

impl UtcTime {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Takes seconds since 1970; values beyond the year 9999 saturate there.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds.min(253_402_300_799))
    }

    /// Takes a wall clock reading; times before 1970 count as 1970.
    pub fn from_system(time: SystemTime) -> Self {
        Self::from_unix(
            time.duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO)
                .as_secs(),
        )
    }

    /// Seconds since 1970.
    pub fn as_unix(self) -> u64 {
        self.0
    }

    /// Returns the moment `duration` later, whole seconds, at most the end of 9999.
    pub fn after(self, duration: Duration) -> Self {
        Self::from_unix(self.0.saturating_add(duration.as_secs()))
    }

    /// Parses the one allowed spelling. Leap seconds, offsets and 30 February are errors (M17).
    ///
    /// # Errors
    /// [`TimeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if text.len() != 20 {
            return Err(TimeError);
        }
        let parsed = PrimitiveDateTime::parse(text, FORMAT).map_err(|_| TimeError)?;
        u64::try_from(parsed.assume_utc().unix_timestamp())
            .map(Self)
            .map_err(|_| TimeError)
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let date = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        formatter.write_str(&date.format(FORMAT).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_display_agree() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2028-02-29T23:59:59Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(UtcTime::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            UtcTime::parse("2026-11-22T00:00:00Z").unwrap().as_unix(),
            1_795_305_600
        );
    }

    #[test]
    fn rejects_other_spellings_m17() {
        for text in [
            "2026-11-22T00:00:00",
            "2026-11-22T00:00:00+14:00",
            "2026-11-22T00:00:00.0Z",
            "2026-11-22 00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-06-30T23:59:60Z",
            "10000-01-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "",
        ] {
            assert_eq!(UtcTime::parse(text), Err(TimeError), "{text}");
        }
    }
}
