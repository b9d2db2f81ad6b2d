//! Tests of targets: bounds of paths, lengths and counts.

use super::*;
use crate::digest::Sha256;
use crate::instant::UtcTime;

fn target(length: u64) -> Target {
    Target {
        length,
        hashes: Hashes::of_sha256(Sha256::of(b"image")),
        custom: Some(Json::object([("a", Json::Null)])),
    }
}

/// Targets of these paths and lengths, read back.
fn reread(targets: impl IntoIterator<Item = (String, u64)>) -> Result<(), ParseError> {
    let header = Header {
        version: 1,
        expires: UtcTime::EPOCH,
    };
    let targets = targets.into_iter();
    let targets = targets
        .map(|(path, length)| (path, target(length)))
        .collect();
    let targets = Targets::new(header, targets, Delegations::default());
    let read = Targets::from_signed(&targets.to_signed())?;
    assert_eq!(read, targets);
    Ok(())
}

#[test]
fn paths_are_as_long_as_the_limit_and_no_longer() {
    for length in [0, 1, PATH_BYTES_MAX] {
        reread([("x".repeat(length), 1)]).unwrap();
    }
    for length in [PATH_BYTES_MAX + 1, PATH_BYTES_MAX + 2] {
        assert!(reread([("x".repeat(length), 1)]).is_err(), "{length}");
    }
    // Bytes count, not characters.
    assert!(reread([("é".repeat(PATH_BYTES_MAX), 1)]).is_err());
}

#[test]
fn lengths_are_at_most_16_gib() {
    for length in [0, 1, IMAGE_BYTES_MAX] {
        reread([("x".to_owned(), length)]).unwrap();
    }
    for length in [IMAGE_BYTES_MAX + 1, IMAGE_BYTES_MAX + 2] {
        assert!(reread([("x".to_owned(), length)]).is_err(), "{length}");
    }
}

#[test]
fn targets_are_as_many_as_the_limit_and_no_more() {
    let of = |count: usize| reread((0..count).map(|number| (number.to_string(), 1)));
    of(TARGETS_MAX).unwrap();
    assert!(of(TARGETS_MAX + 1).is_err());
}
