//! Tests of releases: what `custom` may say, member by member.

use super::*;

const LENGTH: u64 = 1000;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn content(byte: u8, size: u64) -> Content {
    Content {
        blake3: Blake3::new([byte; 32]),
        size,
    }
}

fn delta(base: u8) -> DeltaRef {
    DeltaRef {
        base: content(base, 7),
        blob: content(200, 8),
        format: "streembit-delta/1".to_owned(),
    }
}

fn release() -> Release {
    Release {
        product: name("cam"),
        channel: name("stable"),
        version: "1.4.2".to_owned(),
        release: 42,
        security_version: 3,
        hardware: vec![name("r3"), name("r4")],
        format: ImageFormat::Raw,
        image: content(1, LENGTH),
        deltas: vec![delta(2), delta(3)],
    }
}

/// A release that is read back after a change to it.
fn reread(edit: impl FnOnce(&mut Release)) -> Result<(), JsonError> {
    let mut release = release();
    edit(&mut release);
    let read = Release::parse(&release.to_json(), release.image.size)?;
    assert_eq!(read, release);
    Ok(())
}

/// Reads a release whose JSON has a member replaced, or removed.
fn with(member: &str, value: Option<Json>) -> Result<Release, JsonError> {
    let Json::Object(mut members) = release().to_json() else {
        panic!("not an object");
    };
    assert!(members.remove(member).is_some(), "{member}");
    members.extend(value.map(|value| (member.to_owned(), value)));
    Release::parse(&Json::Object(members), LENGTH)
}

#[test]
fn release_is_read_back() {
    reread(|_| {}).unwrap();
    reread(|it| it.format = ImageFormat::Tar).unwrap();
    reread(|it| it.deltas.clear()).unwrap();
    assert_eq!(ImageFormat::Raw.name(), "raw");
    assert_eq!(ImageFormat::Tar.name(), "tar");
}

#[test]
fn rejects_missing_and_mistyped_members() {
    let members = [
        "product",
        "channel",
        "version",
        "release",
        "security_version",
        "hardware",
        "format",
        "blake3",
        "size",
        "deltas",
    ];
    for member in members {
        for value in [None, Some(Json::Null), Some(Json::Bool(true))] {
            assert!(with(member, value.clone()).is_err(), "{member} {value:?}");
        }
    }
}

#[test]
fn rejects_members_out_of_bounds() {
    for (member, value) in [
        ("product", Json::from("../cam")),
        ("channel", Json::from("")),
        ("release", Json::Integer(0)),
        ("security_version", Json::Integer(-1)),
        ("hardware", Json::strings(["a/b"])),
        ("hardware", Json::Array(vec![Json::Integer(1)])),
        ("format", Json::from("zip")),
        ("blake3", Json::from("a".repeat(63).as_str())),
        ("size", Json::Integer(999)),
        ("size", Json::Integer(1001)),
    ] {
        assert!(
            with(member, Some(value.clone())).is_err(),
            "{member} {value:?}"
        );
    }
    assert!(with("security_version", Some(Json::Integer(0))).is_ok());
    assert!(with("release", Some(Json::Integer(1))).is_ok());
}

#[test]
fn version_is_short_and_printable() {
    let long = "9".repeat(VERSION_BYTES_MAX + 1);
    for version in ["", "1 2", "1\n", "é", "1\u{7f}", &long] {
        let refused = reread(|it| it.version = version.to_owned());
        assert!(refused.is_err(), "{version:?}");
    }
    for version in ["1", "~!", &long[1..]] {
        reread(|it| it.version = version.to_owned()).unwrap();
    }
}

#[test]
fn hardware_is_one_id_to_as_many_as_the_limit() {
    for (count, good) in [
        (0, false),
        (1, true),
        (HARDWARE_MAX, true),
        (HARDWARE_MAX + 1, false),
    ] {
        let read = reread(|it| it.hardware = vec![name("r3"); count]);
        assert_eq!(read.is_ok(), good, "{count}");
    }
}

#[test]
fn deltas_are_as_many_as_the_limit_and_no_more() {
    for (count, good) in [(DELTAS_MAX, true), (DELTAS_MAX + 1, false)] {
        let read = reread(|it| it.deltas = vec![delta(2); count]);
        assert_eq!(read.is_ok(), good, "{count}");
    }
}

#[test]
fn sizes_are_1_byte_to_16_gib() {
    let sizes = [
        (0, false),
        (1, true),
        (IMAGE_BYTES_MAX, true),
        (IMAGE_BYTES_MAX + 1, false),
    ];
    for (size, good) in sizes {
        let read = reread(|it| it.image.size = size);
        assert_eq!(read.is_ok(), good, "image of {size}");
        let read = reread(|it| it.deltas[0].base.size = size);
        assert_eq!(read.is_ok(), good, "base of {size}");
        let read = reread(|it| it.deltas[0].blob.size = size);
        assert_eq!(read.is_ok(), good, "delta of {size}");
    }
}

/// A delta may start from nothing, and nothing has one hash; image and delta are never empty.
#[test]
fn base_alone_may_be_nothing() {
    reread(|it| it.deltas[0].base = Content::NOTHING).unwrap();
    let refused = reread(|it| it.deltas[0].base.size = 0).unwrap_err();
    assert!(refused.to_string().contains("base_blake3"), "{refused}");
    assert!(reread(|it| it.deltas[0].blob = Content::NOTHING).is_err());
    assert!(reread(|it| it.image = Content::NOTHING).is_err());
}
