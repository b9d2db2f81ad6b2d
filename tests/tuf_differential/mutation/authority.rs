//! Changes of who signs: signatures, key ids, keys, thresholds.

use manifests::json::Json;

use super::{Mutation, odd_number, one_of};
use crate::tuf_differential::document::{Document, KEYS, LABELS, members, slot};
use crate::tuf_differential::seeded::Seeded;

/// Changes of a document's signatures.
pub(super) const SIGNATURES: &[Mutation] = &[
    ("signer-dropped", |document, choices| {
        let count = document.signers.len();
        if count > 0 {
            document.signers.remove(choices.below(count));
        }
    }),
    ("signer-under-other-id", |document, choices| {
        let other = KEYS[choices.pick(&LABELS)].1.clone();
        if let Some(signer) = document.signers.first_mut() {
            signer.0 = other;
        }
    }),
    ("signer-with-other-key", |document, choices| {
        let other = LABELS[choices.below(LABELS.len())];
        if let Some(signer) = document.signers.first_mut() {
            signer.1 = other;
        }
    }),
    ("signer-twice", |document, _| {
        document.signers.extend(document.signers.first().cloned());
    }),
    ("stranger-signs-too", |document, choices| {
        let label = LABELS[choices.below(LABELS.len())];
        document.signers.push((format!("stranger-{label}"), label));
    }),
    ("many-signatures", |document, choices| {
        let count = [60, 63, 64, 65][choices.below(4)];
        let label = LABELS[0];
        for number in document.signers.len()..count {
            document.signers.push((format!("stranger-{number}"), label));
        }
    }),
];

/// Changes of a role's keys in the document that names them.
pub(super) const AUTHORITIES: &[Mutation] = &[
    ("threshold", threshold),
    ("key-ids", key_ids),
    ("key-strings", key_strings),
    ("key-strings", key_strings),
    ("unused-key", unused_key),
    ("one-key-two-ids", one_key_two_ids),
    ("many-keys", many_keys),
];

/// Changes of a root alone.
pub(super) const ROOT: &[Mutation] = &[
    ("consistent-snapshot", |document, choices| {
        let values = [
            Json::Null,
            Json::Bool(true),
            Json::Bool(false),
            Json::Integer(1),
            Json::from(""),
        ];
        document.set(&["consistent_snapshot"], one_of(&values, choices));
    }),
    ("consistent-snapshot-absent", |document, _| {
        members(&mut document.signed).remove("consistent_snapshot");
    }),
    ("one-more-role", |document, choices| {
        let name = choices.pick(&["mirrors", "x", "Root"]);
        let role = slot(&mut document.signed, &["roles", "targets"]).clone();
        document.set(&["roles", name], role);
    }),
    ("account", |document, _| {
        document.set(&["x-streembit-account"], "02")
    }),
];

/// A role of a root, one of the delegated roles, or the bins.
pub(super) fn role<'a>(document: &'a mut Document, choices: &mut Seeded) -> Option<&'a mut Json> {
    let root = document.signed.member("roles").is_some();
    let parent = if root {
        &mut document.signed
    } else {
        slot(&mut document.signed, &["delegations"])
    };
    let Json::Object(parent) = parent else {
        return None;
    };
    let name = if parent.contains_key("succinct_roles") {
        "succinct_roles"
    } else {
        "roles"
    };
    let pick = choices.below(64);
    let chosen = match parent.get_mut(name)? {
        Json::Array(roles) => pick
            .checked_rem(roles.len())
            .and_then(|index| roles.get_mut(index)),
        bins if name == "succinct_roles" => Some(bins),
        Json::Object(roles) => {
            let index = pick.checked_rem(roles.len())?;
            roles.values_mut().nth(index)
        }
        _ => None,
    };
    chosen.filter(|role| matches!(role, Json::Object(_)))
}

fn keys_path(document: &Document) -> &'static [&'static str] {
    if document.signed.member("roles").is_some() {
        &["keys"]
    } else {
        &["delegations", "keys"]
    }
}

fn keys(document: &mut Document) -> Option<&mut std::collections::BTreeMap<String, Json>> {
    let path = keys_path(document);
    match slot(&mut document.signed, path) {
        Json::Object(keys) => Some(keys),
        _ => None,
    }
}

fn threshold(document: &mut Document, choices: &mut Seeded) {
    let limits = [Json::Integer(128), Json::Integer(129), Json::Integer(3)];
    let value = if choices.percent(20) {
        one_of(&limits, choices)
    } else {
        odd_number(2, choices)
    };
    if let Some(role) = role(document, choices) {
        *slot(role, &["threshold"]) = value;
    }
}

fn key_ids(document: &mut Document, choices: &mut Seeded) {
    let what = choices.below(6);
    let stranger = KEYS[choices.pick(&LABELS)].1.clone();
    let Some(role) = role(document, choices) else {
        return;
    };
    let ids = slot(role, &["keyids"]);
    match (what, &mut *ids) {
        (0 | 1, Json::Array(items)) => items.extend(items.first().cloned()),
        (2, Json::Array(items)) => drop(items.pop()),
        (3, Json::Array(items)) => items.push(Json::from(stranger.as_str())),
        (4, Json::Array(items)) => items.push(Json::Integer(1)),
        _ => *ids = Json::from(stranger.as_str()),
    }
}

fn key_strings(document: &mut Document, choices: &mut Seeded) {
    let pick = choices.below(64);
    let Some(keys) = keys(document).filter(|keys| !keys.is_empty()) else {
        return;
    };
    let index = pick % keys.len();
    let key = keys.values_mut().nth(index).unwrap();
    let Json::Object(_) = key else {
        return;
    };
    let public = slot(key, &["keyval", "public"])
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let spelling = [
        public.to_uppercase(),
        public.trim_end().to_owned(),
        format!("{public}\n"),
        format!(" {public}"),
        public.replace('\n', "\r\n"),
        "00".repeat(32),
        public.chars().skip(2).collect(),
        String::new(),
        format!("01{}", "00".repeat(31)),
    ];
    let kinds = ["ecdsa-sha2-nistp256", "ecdsa", "ed25519", "rsa", "x"];
    let schemes = [
        "ecdsa-sha2-nistp256",
        "ed25519",
        "rsassa-pss-sha256",
        "ecdsa-sha2-nistp384",
        "x",
    ];
    match choices.below(5) {
        0 => *slot(key, &["keytype"]) = Json::from(choices.pick(&kinds)),
        1 => *slot(key, &["scheme"]) = Json::from(choices.pick(&schemes)),
        2 => *slot(key, &["keyval", "private"]) = Json::from(""),
        _ => {
            *slot(key, &["keyval", "public"]) =
                Json::from(spelling[choices.below(spelling.len())].as_str())
        }
    }
}

/// Keys that no role uses: of kinds that python-tuf knows, that nobody knows, and broken ones.
fn unused_key(document: &mut Document, choices: &mut Seeded) {
    let kinds = [
        ("rsa", "rsassa-pss-sha512"),
        ("rsa", "rsassa-pss-sha256"),
        ("ecdsa", "ecdsa-sha2-nistp384"),
        ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
        ("ed25519", "ed25519"),
        ("sphincs", "sphincs-shake-128s"),
        ("rsa", "pgp+rsa-pkcsv1.5"),
        ("x", "y"),
    ];
    let (kind, scheme) = kinds[choices.below(kinds.len())];
    let keyval = Json::object([(
        "public",
        Json::from(choices.pick(&["", "00", "-----BEGIN PUBLIC KEY-----"])),
    )]);
    let key = [
        ("keytype", Json::from(kind)),
        ("scheme", Json::from(scheme)),
        ("keyval", keyval),
    ];
    if let Some(keys) = keys(document) {
        keys.insert("unused".to_owned(), Json::object(key));
    }
}

/// Puts a key of the role under a second id, and raises the threshold by one: the document that is
/// signed below with both ids would pass if ids were counted. The document's own root role is the one
/// that can be signed here.
fn one_key_two_ids(document: &mut Document, choices: &mut Seeded) {
    let raise = choices.percent(70);
    let own = document.name == "root";
    let Some(role) = (if own {
        Some(slot(&mut document.signed, &["roles", "root"]))
    } else {
        role(document, choices)
    }) else {
        return;
    };
    let threshold = role.integer("threshold", 1).unwrap_or(1);
    if raise {
        *slot(role, &["threshold"]) = Json::from(threshold + 1);
    }
    let Json::Array(ids) = slot(role, &["keyids"]) else {
        return;
    };
    let Some(first) = ids.first().and_then(Json::as_str).map(str::to_owned) else {
        return;
    };
    ids.push(Json::from("alias"));
    if let Some(keys) = keys(document) {
        let copy = keys.get(&first).cloned();
        keys.extend(copy.map(|key| ("alias".to_owned(), key)));
    }
    let signer = document
        .signers
        .iter()
        .find(|(id, _)| *id == first)
        .map(|(_, label)| *label);
    if let (true, Some(label)) = (own, signer) {
        document.signers.push(("alias".to_owned(), label));
    }
}

fn many_keys(document: &mut Document, choices: &mut Seeded) {
    let count = [128, 129][choices.below(2)];
    let key = KEYS[LABELS[0]].2.clone();
    if let Some(keys) = keys(document) {
        for number in keys.len()..count {
            keys.insert(format!("unused-{number}"), key.clone());
        }
    }
}
