//! A document before it is signed, the keys that sign, and places in its JSON.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keys::SigningKey;
use manifests::json::{self, Json};
use support::repository::{key, key_id, key_json};

/// Labels of all keys; a third is P-256.
pub(super) const LABELS: [&str; 12] = [
    "a", "b", "p256-c", "d", "e", "p256-f", "g", "h", "p256-i", "j", "k", "p256-l",
];

/// Keys are made once: it is what takes time in a case.
pub(super) static KEYS: LazyLock<BTreeMap<&str, (SigningKey, String, Json)>> =
    LazyLock::new(|| {
        let made = |label| (label, (key(label), key_id(label), key_json(label)));
        LABELS.into_iter().map(made).collect()
    });

/// A document before it is signed.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// The role's name.
    pub(super) name: String,
    /// The role's name, and the version of a root: what tells documents of one release apart.
    pub(super) label: String,
    pub(super) signed: Json,
    /// Key id as written in the signature, and label of the key.
    pub(super) signers: Vec<(String, &'static str)>,
}

impl Document {
    /// Signs; the spelling of the JSON is ours.
    pub(super) fn encode(&self) -> Vec<u8> {
        let message = json::canonical(&self.signed);
        let signature = |(id, label): &(String, &'static str)| {
            let bytes = hex::encode(KEYS[label].0.sign(&message));
            Json::object([
                ("keyid", Json::from(id.as_str())),
                ("sig", Json::from(bytes.as_str())),
            ])
        };
        json::encode_pretty(&Json::object([
            (
                "signatures",
                Json::Array(self.signers.iter().map(signature).collect()),
            ),
            ("signed", self.signed.clone()),
        ]))
    }

    pub(super) fn version(&self) -> u64 {
        self.signed.integer("version", 1).unwrap_or(1)
    }

    /// The next version.
    pub(super) fn raise(&mut self) {
        let version = self.version() + 1;
        self.set(&["version"], version);
    }

    pub(super) fn set(&mut self, path: &[&str], value: impl Into<Json>) {
        *slot(&mut self.signed, path) = value.into();
    }
}

/// The members of an object; whatever else stands there becomes one, as a change before may have put
/// anything there.
pub(super) fn members(json: &mut Json) -> &mut BTreeMap<String, Json> {
    if !matches!(json, Json::Object(_)) {
        *json = Json::object([]);
    }
    match json {
        Json::Object(members) => members,
        _ => panic!("made an object above"),
    }
}

/// The value at `path`, made if absent.
pub(super) fn slot<'a>(json: &'a mut Json, path: &[&str]) -> &'a mut Json {
    let Some((first, rest)) = path.split_first() else {
        return json;
    };
    let next = members(json).entry((*first).to_owned());
    slot(next.or_insert(Json::Null), rest)
}
