//! Tests of the strict reader and of canonical form.

use super::*;

#[test]
fn canonical_form_is_olpc_not_jcs() {
    let value =
        parse(b" { \"b\" : [1, -2, true, null], \"a\":\"x\\n\\\"\\\\\\u00e9/\" } ").unwrap();
    let expected = "{\"a\":\"x\n\\\"\\\\é/\",\"b\":[1,-2,true,null]}";
    assert_eq!(canonical(&value), expected.as_bytes());
}

#[test]
fn rejects_json_with_two_meanings_m23() {
    for text in [
        &b"{\"a\":1,\"a\":1}"[..],
        b"{\"a\":{\"b\":1,\"\\u0062\":2}}",
        b"1.0",
        b"-0",
        b"1e2",
        b"1e400",
        b"NaN",
        b"9007199254740992",
        b"-9007199254740992",
        b"18446744073709551616",
        b"\"\\ud800\"",
        b"\"\xff\"",
        b"\xef\xbb\xbf{}",
        b"{} x",
        b"{}{}",
        b"",
        b"'a'",
        b"[1,]",
        b"01",
    ] {
        assert!(parse(text).is_err(), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn rejects_deep_nesting_m23() {
    for depth in [17usize, 1000, 100_000] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(text.as_bytes()).is_err(), "{depth}");
    }
    let text = "[".repeat(16) + &"]".repeat(16);
    assert!(parse(text.as_bytes()).is_ok());
}

#[test]
fn largest_integers_survive() {
    let value = parse(b"[9007199254740991,-9007199254740991]").unwrap();
    assert_eq!(canonical(&value), b"[9007199254740991,-9007199254740991]");
}

proptest::proptest! {
    #[test]
    fn encode_then_parse_is_identity(text in "\\PC*", number in -1000i64..1000) {
        let value = Json::object([
            ("s", Json::from(text.as_str())),
            ("n", Json::Integer(number)),
            ("a", Json::Array(vec![Json::Null, Json::Bool(true)])),
        ]);
        proptest::prop_assert_eq!(parse(&encode(&value)).unwrap(), value.clone());
        proptest::prop_assert_eq!(parse(&encode_pretty(&value)).unwrap(), value);
    }

    #[test]
    fn parse_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        drop(parse(&bytes));
    }
}
