//! Nonsense that is properly signed: what a publisher with a bug, or with bad intent, would release.

mod authority;
mod scope;

use manifests::instant::UtcTime;
use manifests::json::Json;
use support::repository::NOW;

use super::document::{Document, slot};
use super::forge::PATHS;
use super::seeded::Seeded;

/// A name for the report, and the change.
pub(super) type Mutation = (&'static str, fn(&mut Document, &mut Seeded));

/// Changes of any document.
const GENERIC: &[Mutation] = &[
    ("version", version),
    ("expires", expires),
    ("type", kind),
    ("spec-version", spec_version),
    ("unknown-member", unknown_member),
    ("unknown-member", unknown_member),
    ("any-value", any_value),
    ("any-value", any_value),
    ("any-value", any_value),
];

/// Changes of a snapshot or timestamp.
const META: &[Mutation] = &[
    ("meta-version", meta_version),
    ("meta-length", meta_length),
    ("meta-hashes", meta_hashes),
    ("meta-entry", meta_entry),
];

/// Changes of a targets role.
const TARGETS: &[Mutation] = &[
    ("target-length", target_length),
    ("target-hashes", target_hashes),
];

/// A change that fits the document.
pub(super) fn choose(document: &Document, choices: &mut Seeded) -> Mutation {
    let member = |name| document.signed.member(name).is_some();
    let mut fitting = vec![GENERIC, authority::SIGNATURES];
    if member("meta") {
        fitting.extend([META, META]);
    }
    if member("targets") {
        fitting.push(TARGETS);
    }
    if member("delegations") {
        fitting.extend([scope::DELEGATIONS, authority::AUTHORITIES]);
    }
    if member("roles") {
        fitting.extend([authority::ROOT, authority::AUTHORITIES]);
    }
    let table = fitting[choices.below(fitting.len())];
    table[choices.below(table.len())]
}

/// One of `values`.
fn one_of(values: &[Json], choices: &mut Seeded) -> Json {
    values[choices.below(values.len())].clone()
}

/// Numbers at the edges of what readers take, and what is no number.
fn odd_number(around: u64, choices: &mut Seeded) -> Json {
    let around = i64::try_from(around.min(1 << 53)).unwrap();
    let numbers = [
        0,
        -1,
        1,
        2,
        around - 1,
        around + 1,
        around + 1,
        (1 << 53) - 1,
        1 << 53,
        i64::MAX,
    ];
    match choices.below(16) {
        0 => Json::Bool(true),
        1 => Json::Bool(false),
        2 => Json::Null,
        3 => Json::from("1"),
        4 => Json::object([]),
        _ => Json::Integer(numbers[choices.below(numbers.len())]),
    }
}

fn version(document: &mut Document, choices: &mut Seeded) {
    let value = odd_number(document.version(), choices);
    document.set(&["version"], value);
}

fn expires(document: &mut Document, choices: &mut Seeded) {
    let near = [NOW - 1, NOW, NOW + 1, NOW + 60, NOW + 1_000_000];
    let near = UtcTime::from_unix(near[choices.below(near.len())]).to_string();
    let odd = [
        "2027-03-01T00:00:00",
        "2027-3-1T0:0:0Z",
        "2027-03-01 00:00:00Z",
        "2027-02-30T00:00:00Z",
        "2027-03-01T23:59:60Z",
        "2027-03-01T00:00:00+00:00",
        "2027-03-01T00:00:00.5Z",
        "",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2027-03-01T24:00:00Z",
        "2027-03-01t00:00:00z",
        "20270-03-01T00:00:00Z",
        "2028-02-29T00:00:00Z",
    ];
    let text = if choices.percent(50) {
        near.as_str()
    } else {
        choices.pick(&odd)
    };
    document.set(&["expires"], text);
}

fn kind(document: &mut Document, choices: &mut Seeded) {
    let kinds = [
        "root",
        "timestamp",
        "snapshot",
        "targets",
        "Root",
        "mirrors",
        "",
    ];
    document.set(&["_type"], choices.pick(&kinds));
}

fn spec_version(document: &mut Document, choices: &mut Seeded) {
    let versions = [
        "1",
        "1.0",
        "1.0.0",
        "1.99.99",
        "1.0.34.1",
        "2.0.0",
        "0.9",
        "01.0",
        "1.",
        "1.x",
        "1.-1",
        "",
        " 1.0",
        "1.0\n",
        "1.\u{b2}",
        "1.0.34-rc",
    ];
    document.set(&["spec_version"], choices.pick(&versions));
}

fn unknown_member(document: &mut Document, choices: &mut Seeded) {
    let values = [
        Json::from("line\nfeed \"quote\" \\ back"),
        Json::from("\u{7f}\u{0}\u{1f600}\u{e9}"),
        Json::Integer(-((1 << 53) - 1)),
        Json::Null,
        Json::Array(vec![
            Json::Bool(true),
            Json::object([("\u{1f600}", Json::Null), ("\u{ffff}", Json::Null)]),
        ]),
        (0..choices.below(16)).fold(Json::Null, |inner, _| Json::Array(vec![inner])),
        (0..300).fold(Json::Null, |inner, _| Json::Array(vec![inner])),
    ];
    let value = one_of(&values[..if choices.percent(10) { 7 } else { 6 }], choices);
    let place = object_within(&mut document.signed, choices);
    *slot(place, &["x-unknown"]) = value;
}

/// An object somewhere in `json`, which is one.
fn object_within<'a>(json: &'a mut Json, choices: &mut Seeded) -> &'a mut Json {
    let Json::Object(members) = json else {
        panic!("called with an object");
    };
    let inner: Vec<_> = members
        .iter()
        .filter(|(_, value)| matches!(value, Json::Object(_)))
        .map(|(name, _)| name.clone())
        .collect();
    if inner.is_empty() || choices.percent(40) {
        return json;
    }
    let name = inner[choices.below(inner.len())].clone();
    object_within(slot(json, &[&name]), choices)
}

/// Replaces, removes or doubles any one value: `fuzz/src/edit.rs` does the same.
fn any_value(document: &mut Document, choices: &mut Seeded) {
    edit_any(&mut document.signed, choices);
    if !matches!(document.signed, Json::Object(_)) {
        document.signed = Json::object([]);
    }
}

fn edit_any(json: &mut Json, choices: &mut Seeded) {
    match json {
        Json::Object(members) if !members.is_empty() => {
            let name = members
                .keys()
                .nth(choices.below(members.len()))
                .unwrap()
                .clone();
            match choices.below(9) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert("x".to_owned(), any(choices))),
                2 => drop(members.insert(name, any(choices))),
                3 => {
                    let copy = members[&name].clone();
                    members.insert(format!("{name}2"), copy);
                }
                _ => edit_any(members.get_mut(&name).unwrap(), choices),
            }
        }
        Json::Array(items) if !items.is_empty() => {
            let index = choices.below(items.len());
            match choices.below(4) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                2 => items[index] = any(choices),
                _ => edit_any(&mut items[index], choices),
            }
        }
        Json::String(text) if choices.percent(50) && !text.is_empty() => {
            text.pop();
        }
        _ => *json = any(choices),
    }
}

fn any(choices: &mut Seeded) -> Json {
    let text = choices.pick(&["", "x", "1", "*", "targets", "é"]);
    let values = [
        Json::Null,
        Json::Bool(true),
        Json::Bool(false),
        Json::Integer(0),
        Json::Integer(1),
        Json::Integer(-3),
        Json::Array(Vec::new()),
        Json::object([]),
        Json::from(text),
    ];
    one_of(&values, choices)
}

/// The name of an entry in `meta`.
fn entry(document: &Document, choices: &mut Seeded) -> Option<String> {
    let Some(Json::Object(meta)) = document.signed.member("meta") else {
        return None;
    };
    meta.keys().nth(choices.below(meta.len())).cloned()
}

fn meta_version(document: &mut Document, choices: &mut Seeded) {
    if let Some(entry) = entry(document, choices) {
        let now = document
            .signed
            .member("meta")
            .and_then(|meta| meta.member(&entry));
        let now = now
            .and_then(|entry| entry.integer("version", 0).ok())
            .unwrap_or(1);
        let value = odd_number(now, choices);
        document.set(&["meta", &entry, "version"], value);
    }
}

fn meta_length(document: &mut Document, choices: &mut Seeded) {
    if let Some(entry) = entry(document, choices) {
        let value = odd_number(700, choices);
        document.set(&["meta", &entry, "length"], value);
    }
}

fn meta_hashes(document: &mut Document, choices: &mut Seeded) {
    if let Some(entry) = entry(document, choices) {
        let value = odd_hashes(choices);
        document.set(&["meta", &entry, "hashes"], value);
    }
}

fn odd_hashes(choices: &mut Seeded) -> Json {
    let digest = Json::from("0f".repeat(32).as_str());
    let of = |algorithm| Json::object([(algorithm, digest.clone())]);
    let values = [
        Json::object([]),
        of("sha256"),
        of("md5"),
        of("blake2b-256"),
        of("sha512"),
        of("x"),
        Json::Null,
        Json::object([("sha256", Json::Null)]),
        Json::object([("sha256", Json::from("0F"))]),
        Json::object([("sha256", digest.clone()), ("sha3_256", digest.clone())]),
        Json::Array(Vec::new()),
        (0..17).map(|n| (n.to_string(), digest.clone())).fold(
            of("sha256"),
            |mut all, (name, value)| {
                *slot(&mut all, &[&name]) = value;
                all
            },
        ),
    ];
    one_of(&values, choices)
}

fn meta_entry(document: &mut Document, choices: &mut Seeded) {
    let one = Json::object([("version", Json::from(1))]);
    match choices.below(4) {
        0 => {
            if let (Some(entry), Json::Object(meta)) = (
                entry(document, choices),
                slot(&mut document.signed, &["meta"]),
            ) {
                meta.remove(&entry);
            }
        }
        1 => document.set(&["meta", "x.json"], one),
        2 => document.set(&["meta", "x.txt"], one),
        _ => document.set(
            &[
                "meta",
                choices.pick(&["../x.json", ".json", "root.json", "1.json"]),
            ],
            one,
        ),
    }
}

fn target_path(document: &Document, choices: &mut Seeded) -> String {
    match document.signed.member("targets") {
        Some(Json::Object(targets)) if !targets.is_empty() => targets
            .keys()
            .nth(choices.below(targets.len()))
            .unwrap()
            .clone(),
        _ => choices.pick(&PATHS).to_owned(),
    }
}

fn target_length(document: &mut Document, choices: &mut Seeded) {
    let path = target_path(document, choices);
    let large = [Json::Integer(1 << 34), Json::Integer((1 << 34) + 1)];
    let value = if choices.percent(30) {
        one_of(&large, choices)
    } else {
        odd_number(5, choices)
    };
    document.set(&["targets", &path, "length"], value);
}

fn target_hashes(document: &mut Document, choices: &mut Seeded) {
    let path = target_path(document, choices);
    let value = odd_hashes(choices);
    document.set(&["targets", &path, "hashes"], value);
}
