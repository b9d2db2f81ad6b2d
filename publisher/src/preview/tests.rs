//! Nothing is signed that the preview does not show (threats K77).

use super::*;

fn parse(text: &str) -> Json {
    json::parse(text.as_bytes()).unwrap()
}

fn shown(old: &str, new: &str) -> Vec<String> {
    let mut lines = Vec::new();
    leaves("", Some(&parse(old)), Some(&parse(new)), &mut lines);
    lines
}

#[test]
fn every_difference_is_a_line_k77() {
    for (old, new, expected) in [
        (r#"{"a":1}"#, r#"{"a":2}"#, "  /a 1 -> 2"),
        (r#"{"a":1}"#, "{}", r#"  "#),
        (r#"{"a":1,"b":1}"#, r#"{"b":1}"#, "- /a 1"),
        (r#"{"a":1}"#, r#"{"a":1,"b":{}}"#, "+ /b {}"),
        (r#"{"a":{"b":1}}"#, r#"{"a":{}}"#, r#"  /a {"b":1} -> {}"#),
        (r#"{"a":{"b":{}}}"#, r#"{"a":{"c":1}}"#, "- /a/b {}"),
        (r#"{"a":[1,2]}"#, r#"{"a":[1,3]}"#, "  /a/1 2 -> 3"),
        (r#"{"a":[1]}"#, r#"{"a":[1,{"b":[]}]}"#, "+ /a/1/b []"),
        (r#"{"a":[1]}"#, r#"{"a":{"0":1}}"#, r#"  /a [1] -> {"0":1}"#),
        (r#"{"a":"1"}"#, r#"{"a":1}"#, r#"  /a "1" -> 1"#),
    ] {
        let lines = shown(old, new);
        let found = lines.iter().any(|line| line.starts_with(expected));
        assert!(found, "{old} {new}: {lines:?}");
    }
    assert!(shown(r#"{"a":[{"b":1}]}"#, r#"{"a":[{"b":1}]}"#).is_empty());
}

#[test]
fn name_of_a_stranger_makes_no_line_of_its_own_k77() {
    let lines = shown("{}", r#"{"a\n+ /b": 1}"#);
    assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
}
