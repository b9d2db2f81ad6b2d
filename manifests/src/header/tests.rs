//! Tests of the common members.

use super::*;

fn parse(member: &str, value: Json) -> Result<Header, HeaderError> {
    let expires = UtcTime::from_unix(1_800_000_000);
    let header = Header {
        version: 7,
        expires,
    };
    let members = header
        .members("root")
        .map(|(name, value)| (name.to_owned(), value));
    let mut members = std::collections::BTreeMap::from(members);
    members.insert(member.to_owned(), value);
    Header::parse(&Json::Object(members), "root")
}

#[test]
fn spec_version_is_1_and_numbers() {
    for spec in ["1", "1.0", "1.0.34", "1.99", "1.0.0.0"] {
        assert!(parse("spec_version", Json::from(spec)).is_ok(), "{spec}");
    }
    for spec in [
        "", "1.", "1..0", "1.x", "1.0x", "1.-1", "2", "2.0", "01", "11", "1 ",
    ] {
        let refused = parse("spec_version", Json::from(spec));
        assert_eq!(refused, Err(HeaderError::Spec(spec.to_owned())), "{spec}");
    }
}

#[test]
fn document_is_void_from_its_expiry_on() {
    let header = parse("version", Json::Integer(7)).unwrap();
    for (seconds, expired) in [
        (1_799_999_999, false),
        (1_800_000_000, true),
        (1_800_000_001, true),
    ] {
        let now = UtcTime::from_unix(seconds);
        assert_eq!(header.is_expired(now), expired, "{seconds}");
    }
}

#[test]
fn document_of_another_type_is_named() {
    let refused = parse("_type", Json::from("targets"));
    let (expected, actual) = ("root", "targets".to_owned());
    assert_eq!(refused, Err(HeaderError::Kind { expected, actual }));
}
