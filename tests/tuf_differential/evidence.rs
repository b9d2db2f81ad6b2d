//! What can be seen in a case that explains a difference: members of the file at fault, keys that come
//! twice, what a device had stored.

use manifests::client::Reason;
use manifests::digest::Sha256;
use manifests::envelope::ParseError;
use manifests::header::HeaderError;
use manifests::json::JsonError;
use serde_json::Value;

use super::verdict::Verdict;

impl Verdict<'_> {
    /// The bytes that we refuse.
    pub(super) fn refused(&self) -> &[u8] {
        let file = self.ours.refusal().map_or("", |error| error.file.as_str());
        let stored = (file == "root.json").then_some(&self.case.stored.root);
        let bytes = self.case.files.get(file).or(stored);
        bytes.map_or(&[], Vec::as_slice)
    }

    /// Whether the bytes that we refuse hold this text.
    pub(super) fn refused_holds(&self, text: &str) -> bool {
        String::from_utf8_lossy(self.refused()).contains(text)
    }

    /// Whether the file that we refuse has a member of this name, anywhere, for which `is` holds.
    pub(super) fn refused_has(&self, name: &str, is: fn(&Value) -> bool) -> bool {
        let document = serde_json::from_slice(self.refused()).unwrap_or_default();
        any_member(&document, name, &is)
    }

    /// The reader's words, if what we refuse is not JSON to us.
    pub(super) fn syntax(&self) -> Option<&str> {
        match self.json()? {
            JsonError::Syntax(text) => Some(text),
            _ => None,
        }
    }

    /// Name of the member that has another type than we ask for, and what we ask for.
    pub(super) fn wrong_type(&self) -> Option<(&str, &str)> {
        match self.json()? {
            JsonError::Type { name, expected } => Some((name, expected)),
            _ => None,
        }
    }

    fn json(&self) -> Option<&JsonError> {
        match self.reason()? {
            Reason::Malformed(
                ParseError::Json(error) | ParseError::Header(HeaderError::Json(error)),
            ) => Some(error),
            _ => None,
        }
    }

    /// The role whose file we refuse.
    pub(super) fn refused_role(&self) -> Option<&str> {
        let name = self.ours.refusal()?.file.strip_suffix(".json")?;
        let unversioned = name
            .split_once('.')
            .filter(|(version, _)| version.parse::<u64>().is_ok());
        Some(unversioned.map_or(name, |(_, role)| role))
    }

    /// What the device had stored of a role before the run.
    pub(super) fn stored_before(&self, role: &str) -> Option<&[u8]> {
        let stored = &self.case.stored;
        match role {
            "timestamp" => stored.timestamp.as_deref(),
            "snapshot" => stored.snapshot.as_deref(),
            "targets" => stored.targets.as_deref(),
            role => stored.roles.get(role).map(Vec::as_slice),
        }
    }

    /// Whether python-tuf still has what the device had stored of this role.
    pub(super) fn they_kept(&self, role: &str) -> bool {
        let before = self
            .stored_before(role)
            .map(|bytes| Sha256::of(bytes).to_string());
        before.is_some() && self.theirs.stored.get(role) == before.as_ref()
    }

    /// Every file, offered or stored, that is JSON.
    pub(super) fn documents(&self) -> impl Iterator<Item = Value> {
        let stored = &self.case.stored;
        let top = [&stored.timestamp, &stored.snapshot, &stored.targets];
        let stored = top
            .into_iter()
            .flatten()
            .chain(stored.roles.values())
            .chain([&stored.root]);
        let all = self.case.files.values().chain(stored);
        all.filter_map(|bytes| serde_json::from_slice(bytes).ok())
    }

    /// Whether some `keys` hold one key under two ids.
    pub(super) fn one_key_has_two_ids(&self) -> bool {
        let twice = |keys: &Value| {
            let keys = keys.as_object().into_iter().flatten();
            let mut texts: Vec<_> = keys
                .map(|(_, key)| key["keyval"]["public"].to_string())
                .collect();
            texts.sort();
            texts.windows(2).any(|pair| pair[0] == pair[1])
        };
        self.documents()
            .any(|document| any_member(&document, "keys", &twice))
    }

    /// Whether the newest root gives the timestamp or the snapshot other keys than the device's root.
    pub(super) fn rotates(&self) -> bool {
        let before: Value = serde_json::from_slice(&self.case.stored.root).unwrap_or_default();
        let after: Value = serde_json::from_slice(&self.ours.stored.root).unwrap_or_default();
        ["timestamp", "snapshot"].iter().any(|role| {
            let ids = |root: &Value| root["signed"]["roles"][role]["keyids"].clone();
            ids(&before) != ids(&after)
        })
    }
}

/// Whether `json` has a member of this name, at any depth, for which `is` holds.
fn any_member(json: &Value, name: &str, is: &dyn Fn(&Value) -> bool) -> bool {
    match json {
        Value::Array(items) => items.iter().any(|item| any_member(item, name, is)),
        Value::Object(members) => {
            let mut inner = members.values();
            members.get(name).is_some_and(is) || inner.any(|member| any_member(member, name, is))
        }
        _ => false,
    }
}
