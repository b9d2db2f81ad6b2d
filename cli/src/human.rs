//! Sizes and durations as people write them.

use std::time::Duration;

/// Seconds of the longest duration: more than anything lives that is signed, and no sum with a time overflows.
const DURATION_S_MAX: u64 = 100 * 365 * 86_400;

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration: write `90d`, `6 weeks`, `in 12h`, `1y`")]
pub struct DurationError(String);

/// Parses `90d`, `6 weeks`, `in 12 hours`, `1y`; a year has 365 days, a month 30.
///
/// # Errors
/// [`DurationError`] for anything else, zero and more than 100 years included.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.chars().take(40).collect());
    let rest = text.trim();
    let rest = rest.strip_prefix("in ").unwrap_or(rest).trim();
    let split = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
    let (number, unit) = rest.split_at(split);
    let number: u64 = number.parse().map_err(|_| error())?;
    let seconds = match unit.trim() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 7 * 86_400,
        "month" | "months" => 30 * 86_400,
        "y" | "year" | "years" => 365 * 86_400,
        _ => return Err(error()),
    };
    let seconds = number
        .checked_mul(seconds)
        .filter(|seconds| (1..=DURATION_S_MAX).contains(seconds))
        .ok_or_else(error)?;
    Ok(Duration::from_secs(seconds))
}

/// The text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size: write `64 MiB`, `128kB`, `4000`")]
pub struct SizeError(String);

/// Parses `64 MiB`, `128kB`, `4000`: binary units with `i`, decimal ones without.
///
/// # Errors
/// [`SizeError`] for anything else, zero included.
pub fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let error = || SizeError(text.chars().take(40).collect());
    let rest = text.trim();
    let split = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (number, unit) = rest.split_at(split);
    let number: u64 = number.parse().map_err(|_| error())?;
    let unit = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(error()),
    };
    number
        .checked_mul(unit)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(error)
}

/// The text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate: write `128 kB/s`, `2MiB/s`, `50 kbit/s`")]
pub struct RateError(String);

/// Parses `128 kB/s`, `2MiB/s`, `50 kbit/s`, to bytes per second.
///
/// # Errors
/// [`RateError`] for anything else, less than a byte per second included.
pub fn parse_rate(text: &str) -> Result<u64, RateError> {
    let error = || RateError(text.chars().take(40).collect());
    let size = text.trim().strip_suffix("/s").ok_or_else(error)?;
    let bits = [("kbit", "kB"), ("Mbit", "MB"), ("Gbit", "GB")];
    let bits = bits
        .iter()
        .find_map(|(bit, byte)| Some((size.strip_suffix(bit)?, byte)));
    let rate = match bits {
        Some((number, unit)) => parse_bytes(&format!("{number}{unit}")).map(|bits| bits / 8),
        None => parse_bytes(size),
    };
    rate.ok().filter(|rate| *rate > 0).ok_or_else(error)
}

/// Writes a size with binary units and at most one decimal: `512 B`, `1.5 MiB`.
pub fn bytes(size: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(size) * 10;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths = tenths.div_ceil(1024);
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("B");
    if unit == 0 || tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// Writes a duration with its two largest units: `6d 4h`, `41s`.
pub fn duration(duration: Duration) -> String {
    let total = duration.as_secs();
    let parts = [
        (total / 86_400, "d"),
        (total / 3600 % 24, "h"),
        (total / 60 % 60, "m"),
    ];
    let mut words: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if total < 3600 && (words.is_empty() || !total.is_multiple_of(60)) {
        words.push(format!("{}s", total % 60));
    }
    words.truncate(2);
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90d", 7_776_000),
            ("in 6 weeks", 3_628_800),
            ("12h", 43_200),
            (" 1 y ", 31_536_000),
        ] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in [
            "",
            "5",
            "0d",
            "-1d",
            "1.5h",
            "6 parsecs",
            "99999999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(
            duration(Duration::from_secs(6 * 86_400 + 4 * 3600 + 59)),
            "6d 4h"
        );
        assert_eq!(duration(Duration::from_secs(41)), "41s");
        assert_eq!(duration(Duration::ZERO), "0s");
    }

    #[test]
    fn sizes_and_rates_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("64 MiB", 64 << 20),
            ("128kB", 128_000),
            (" 4000 ", 4000),
            ("1B", 1),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for (text, rate) in [
            ("128 kB/s", 128_000),
            ("2MiB/s", 2 << 20),
            ("50 kbit/s", 6250),
            ("1 Gbit/s", 125_000_000),
        ] {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        for text in ["", "0", "-1", "1.5MB", "5 MiBs", "99999999999 GiB", "MiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        for text in ["5", "1 MB", "0 kB/s", "5 m/s", "7 bit/s", "/s"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_one_decimal_at_most() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }
}
