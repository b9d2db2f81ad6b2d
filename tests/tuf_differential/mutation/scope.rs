//! Changes of what is delegated: paths, hash prefixes, bins, names and numbers of roles.

use manifests::json::Json;

use super::authority::role;
use super::{Mutation, odd_number, one_of};
use crate::tuf_differential::document::{Document, KEYS, LABELS, members, slot};
use crate::tuf_differential::seeded::Seeded;

/// Changes of a targets role that delegates.
pub(super) const DELEGATIONS: &[Mutation] = &[
    ("paths", paths),
    ("paths", paths),
    ("paths", paths),
    ("paths", paths),
    ("hash-prefixes", hash_prefixes),
    ("both-scopes", |document, choices| {
        if let Some(role) = role(document, choices) {
            *slot(role, &["paths"]) = Json::strings(["*"]);
            *slot(role, &["path_hash_prefixes"]) = Json::strings([""]);
        }
    }),
    ("role-name", role_name),
    ("terminating", |document, choices| {
        let values = [
            Json::Bool(true),
            Json::Bool(false),
            Json::Integer(1),
            Json::from("no"),
            Json::Null,
        ];
        if let Some(role) = role(document, choices) {
            *slot(role, &["terminating"]) = one_of(&values, choices);
        }
    }),
    ("delegations", |document, choices| match choices.below(4) {
        0 => document.set(&["delegations"], Json::Null),
        1 => document.set(&["delegations"], Json::object([])),
        2 => drop(members(&mut document.signed).remove("delegations")),
        _ => document.set(&["delegations", "roles"], Json::Array(Vec::new())),
    }),
    ("bins", bins),
    ("many-roles", many_roles),
    ("key-id-of-bytes", |document, choices| {
        let id = KEYS[choices.pick(&LABELS)].1.clone();
        if let Some(role) = role(document, choices) {
            *slot(role, &["keyids"]) = Json::strings([id]);
        }
    }),
];

fn paths(document: &mut Document, choices: &mut Seeded) {
    let patterns = [
        "[cx]*",
        "cam/[0-9].bin",
        "[[]x]",
        "[!a]*",
        "*",
        "**",
        "*/*",
        "?",
        "cam/?.bin",
        "",
        "/",
        "cam//1.bin",
        "*[",
        "a?b",
        "é/?.bin",
        "cam",
        "CAM/*",
    ];
    let values = [
        Json::strings([choices.pick(&patterns), choices.pick(&patterns)]),
        Json::strings([choices.pick(&patterns)]),
        Json::strings([choices.pick(&patterns)]),
        Json::Array(Vec::new()),
        Json::from("*"),
        Json::Array(vec![Json::Integer(1)]),
        Json::strings(["x".repeat(1025)]),
        Json::Array(vec![Json::from("*"); 1025]),
    ];
    let value = one_of(&values[..if choices.percent(10) { 8 } else { 6 }], choices);
    if let Some(Json::Object(role)) = role(document, choices) {
        role.remove("path_hash_prefixes");
        role.insert("paths".to_owned(), value);
    }
}

fn hash_prefixes(document: &mut Document, choices: &mut Seeded) {
    let digit = format!("{:x}", choices.below(16));
    let all = "0123456789abcdef".chars().map(|digit| digit.to_string());
    let values = [
        Json::strings([digit]),
        Json::strings(all.clone()),
        Json::strings(all.map(|digit| digit.to_uppercase())),
        Json::strings([""]),
        Json::strings(["zz"]),
        Json::Array(Vec::new()),
        Json::from("0"),
    ];
    if let Some(Json::Object(role)) = role(document, choices) {
        role.remove("paths");
        role.insert("path_hash_prefixes".to_owned(), one_of(&values, choices));
    }
}

fn role_name(document: &mut Document, choices: &mut Seeded) {
    let long = "n".repeat(257);
    let names = [
        "Root", "TARGETS", "snapshot", "root", "", "../x", "r1", &long, ".",
    ];
    let name = choices.pick(&names);
    if let Some(role) = role(document, choices) {
        let member = if role.member("name_prefix").is_some() {
            "name_prefix"
        } else {
            "name"
        };
        *slot(role, &[member]) = Json::from(name);
    }
}

fn bins(document: &mut Document, choices: &mut Seeded) {
    let bits = if choices.percent(40) {
        one_of(
            &[
                Json::Integer(1),
                Json::Integer(2),
                Json::Integer(32),
                Json::Integer(33),
            ],
            choices,
        )
    } else {
        odd_number(4, choices)
    };
    let bins = slot(&mut document.signed, &["delegations"]);
    let Json::Object(parent) = bins else {
        return;
    };
    if choices.percent(20) {
        let roles = Json::Array(Vec::new());
        parent.insert("roles".to_owned(), roles);
        let id = KEYS[LABELS[0]].1.as_str();
        let bins = [
            ("keyids", Json::strings([id])),
            ("threshold", Json::from(1)),
            ("bit_length", bits),
            ("name_prefix", Json::from("bin")),
        ];
        parent.insert("succinct_roles".to_owned(), Json::object(bins));
    } else if let Some(bins) = parent.get_mut("succinct_roles") {
        *slot(bins, &["bit_length"]) = bits;
    }
}

/// As many delegated roles as we take, or one more; half of the time they match every path, so that
/// the search is bounded too.
fn many_roles(document: &mut Document, choices: &mut Seeded) {
    let count = [256, 257, 40][choices.below(3)];
    let pattern = choices.pick(&["*", "nothing"]);
    let Json::Object(parent) = slot(&mut document.signed, &["delegations"]) else {
        return;
    };
    let Some(Json::Array(roles)) = parent.get_mut("roles") else {
        return;
    };
    for number in roles.len()..count {
        roles.push(Json::object([
            ("name", Json::from(format!("many-{number}").as_str())),
            ("keyids", Json::Array(Vec::new())),
            ("threshold", Json::from(1)),
            ("paths", Json::strings([pattern])),
            ("terminating", Json::Bool(false)),
        ]));
    }
}
