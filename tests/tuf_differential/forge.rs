//! Repositories of generic TUF, built by chance: delegations of every shape, any thresholds, two kinds
//! of keys, consistent snapshots or not. Owns what is right; `mutation` and `damage` make it wrong.

mod delegation;

use std::collections::BTreeMap;

use manifests::client::Stored;
use manifests::digest::Sha256;
use manifests::instant::UtcTime;
use manifests::json::Json;
use sha2::Digest as _;
use support::repository::{EXPIRES, Files};

use super::document::{Document, KEYS, LABELS};
use super::seeded::Seeded;

/// Target paths that exist somewhere, or are asked for in vain.
pub(super) const PATHS: [&str; 10] = [
    "cam/1.bin",
    "cam/2.bin",
    "cam/a/b",
    "x",
    "../x",
    "[x]",
    "a?b",
    "é/ü.bin",
    "sets/x1",
    "none",
];

/// What references to metadata state besides the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum References {
    Both,
    Hashes,
    Length,
    Version,
}

/// A repository, unsigned.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub(super) roots: Vec<Document>,
    pub(super) timestamp: Document,
    pub(super) snapshot: Document,
    pub(super) targets: Document,
    pub(super) delegated: Vec<Document>,
    pub(super) references: References,
    pub(super) consistent: bool,
}

/// Who signs a role: labels and threshold.
type Signers = (Vec<&'static str>, u64);

fn signers(choices: &mut Seeded) -> Signers {
    let count = [1, 1, 1, 2, 2, 3][choices.below(6)];
    let first = choices.below(LABELS.len());
    let labels: Vec<_> = LABELS
        .iter()
        .cycle()
        .skip(first)
        .take(count)
        .copied()
        .collect();
    let threshold = 1 + choices.below(count);
    (labels, u64::try_from(threshold).unwrap())
}

fn authority((labels, threshold): &Signers) -> [(&'static str, Json); 2] {
    let ids = labels.iter().map(|label| KEYS[label].1.as_str());
    [
        ("keyids", Json::strings(ids)),
        ("threshold", Json::from(*threshold)),
    ]
}

fn keys_of<'a>(roles: impl IntoIterator<Item = &'a Signers>) -> Json {
    let labels = roles.into_iter().flat_map(|(labels, _)| labels);
    let entry = |label: &&str| (KEYS[label].1.clone(), KEYS[label].2.clone());
    Json::Object(labels.map(entry).collect())
}

fn document(name: &str, kind: &str, signers: &Signers, more: &[(&str, Json)]) -> Document {
    let expires = UtcTime::from_unix(EXPIRES).to_string();
    let mut signed = BTreeMap::from([
        ("_type".to_owned(), Json::from(kind)),
        ("spec_version".to_owned(), Json::from("1.0.34")),
        ("version".to_owned(), Json::from(1)),
        ("expires".to_owned(), Json::from(expires.as_str())),
    ]);
    signed.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    let named = |label: &&'static str| (KEYS[label].1.clone(), *label);
    Document {
        name: name.to_owned(),
        label: name.to_owned(),
        signed: Json::Object(signed),
        signers: signers.0.iter().map(named).collect(),
    }
}

impl Repository {
    /// Version 1 of everything.
    pub(super) fn build(choices: &mut Seeded) -> Self {
        let top: Vec<Signers> = (0..4).map(|_| signers(choices)).collect();
        let consistent = choices.percent(60);
        let roles = ["root", "timestamp", "snapshot", "targets"]
            .iter()
            .zip(&top);
        let roles = roles.map(|(name, by)| ((*name).to_owned(), Json::object(authority(by))));
        let root = [
            ("consistent_snapshot", Json::Bool(consistent)),
            ("keys", keys_of(&top)),
            ("roles", Json::Object(roles.collect())),
        ];
        let empty = [("meta", Json::object([]))];
        let references = [
            References::Both,
            References::Version,
            References::Length,
            References::Hashes,
        ];
        let mut repository = Self {
            roots: vec![document("root", "root", &top[0], &root)],
            timestamp: document("timestamp", "timestamp", &top[1], &empty),
            snapshot: document("snapshot", "snapshot", &top[2], &empty),
            targets: document(
                "targets",
                "targets",
                &top[3],
                &[("targets", Json::object([]))],
            ),
            delegated: Vec::new(),
            references: references[choices.below(4)],
            consistent,
        };
        if choices.percent(15) {
            repository.delegate_to_bins(choices);
        } else {
            repository.delegate(choices);
        }
        repository.publish_targets(choices);
        repository
    }

    /// Every document, for reading.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Document> {
        let top = [&self.timestamp, &self.snapshot, &self.targets];
        self.roots.iter().chain(top).chain(&self.delegated)
    }

    /// Gives every document that a device asks for a later expiry, and most of them the version that
    /// this takes.
    pub(super) fn renew(&mut self, choices: &mut Seeded) {
        let later = UtcTime::from_unix(EXPIRES + 30 * 86_400).to_string();
        self.next_root(choices);
        let top = [&mut self.timestamp, &mut self.snapshot, &mut self.targets];
        for document in top
            .into_iter()
            .chain(&mut self.delegated)
            .chain(self.roots.last_mut())
        {
            document.set(&["expires"], later.as_str());
            if !document.label.starts_with("root") && choices.percent(95) {
                document.raise();
            }
        }
    }

    /// The targets role with this number: 0 is the top-level one.
    pub(super) fn role(&mut self, number: usize) -> &mut Document {
        match number.checked_sub(1) {
            None => &mut self.targets,
            Some(index) => &mut self.delegated[index],
        }
    }

    /// Puts a few targets into some roles; each says who published it.
    fn publish_targets(&mut self, choices: &mut Seeded) {
        for number in 0..=self.delegated.len() {
            if !choices.percent(if number == 0 { 20 } else { 70 }) {
                continue;
            }
            let role = self.role(number);
            let custom = Json::object([("by", Json::from(role.name.as_str()))]);
            for _ in 0..1 + choices.below(4) {
                let path = choices.pick(&PATHS[..PATHS.len() - 1]);
                let digest = Sha256::of(path.as_bytes()).to_string();
                let hashes = Json::object([("sha256", Json::from(digest.as_str()))]);
                let length = Json::from(choices.next() % 5000);
                let target = [
                    ("length", length),
                    ("hashes", hashes),
                    ("custom", custom.clone()),
                ];
                role.set(&["targets", path], Json::object(target));
            }
        }
    }

    /// The next release: more versions, perhaps other targets, perhaps a new root with other keys.
    pub(super) fn release(&mut self, choices: &mut Seeded) {
        for number in 0..=self.delegated.len() {
            if choices.percent(40) {
                let role = self.role(number);
                role.raise();
                let note = choices.next() % 1000;
                role.set(&["x-note"], note);
            }
        }
        self.snapshot.raise();
        self.timestamp.raise();
        for _ in 0..[0, 0, 1, 2][choices.below(4)] {
            self.next_root(choices);
        }
    }

    fn next_root(&mut self, choices: &mut Seeded) {
        let mut root = self.roots.last().unwrap().clone();
        root.raise();
        root.label = format!("root {}", root.version());
        root.set(&["x-note"], choices.next() % 1000);
        if choices.percent(50) {
            let name = ["root", "timestamp", "snapshot", "targets"][choices.below(4)];
            let by = signers(choices);
            for label in &by.0 {
                root.set(&["keys", KEYS[label].1.as_str()], KEYS[label].2.clone());
            }
            root.set(&["roles", name], Json::object(authority(&by)));
            let named: Vec<_> =
                by.0.iter()
                    .map(|label| (KEYS[label].1.clone(), *label))
                    .collect();
            match name {
                "timestamp" => self.timestamp.signers = named,
                "snapshot" => self.snapshot.signers = named,
                "targets" => {
                    self.targets.signers = named;
                    self.targets.raise();
                }
                _ => {
                    let old = root.signers.clone();
                    root.signers
                        .extend(named.into_iter().filter(|signer| !old.contains(signer)));
                }
            }
        }
        self.roots.push(root);
    }

    /// Signs everything, bottom up. `touch` may change a document before it is signed and its bytes
    /// after, before others refer to them.
    pub(super) fn publish(&mut self, touch: &mut dyn FnMut(Touched<'_>)) -> Files {
        let mut files = Files::new();
        let consistent = self.consistent;
        let references = self.references;
        for number in (0..=self.delegated.len()).rev() {
            let role = self.role(number);
            let bytes = finish(role, touch);
            let (version, name) = (role.version(), role.name.clone());
            let entry = reference(references, version, &bytes);
            files.insert(file_name(consistent, version, &name), bytes);
            self.snapshot.set(&["meta", &format!("{name}.json")], entry);
        }
        let bytes = finish(&mut self.snapshot, touch);
        let version = self.snapshot.version();
        let entry = reference(references, version, &bytes);
        self.timestamp.set(&["meta", "snapshot.json"], entry);
        files.insert(file_name(consistent, version, "snapshot"), bytes);
        files.insert(
            "timestamp.json".to_owned(),
            finish(&mut self.timestamp, touch),
        );
        for (index, root) in self.roots.iter_mut().enumerate() {
            files.insert(format!("{}.root.json", index + 1), finish(root, touch));
        }
        files
    }

    /// A device that knows the first root alone.
    pub(super) fn fresh_device(&self) -> Stored {
        Stored {
            root: self.roots[0].encode(),
            ..Stored::default()
        }
    }
}

/// What may be changed: a document before, or its bytes after it is signed.
pub(super) enum Touched<'a> {
    Bytes(&'a Document, &'a mut Vec<u8>),
    Document(&'a mut Document),
}

fn finish(document: &mut Document, touch: &mut dyn FnMut(Touched<'_>)) -> Vec<u8> {
    touch(Touched::Document(document));
    let mut bytes = document.encode();
    touch(Touched::Bytes(document, &mut bytes));
    bytes
}

fn reference(references: References, version: u64, bytes: &[u8]) -> Json {
    let mut members = BTreeMap::from([("version".to_owned(), Json::from(version))]);
    if matches!(references, References::Both | References::Length) {
        let length = u64::try_from(bytes.len()).unwrap();
        members.insert("length".to_owned(), Json::from(length));
    }
    if matches!(references, References::Both | References::Hashes) {
        let sha256 = Sha256::of(bytes).to_string();
        let sha512 = hex::encode(sha2::Sha512::digest(bytes));
        let both = [
            ("sha256", Json::from(sha256.as_str())),
            ("sha512", Json::from(sha512.as_str())),
        ];
        let one = [both[0].clone()];
        let hashes = if version.is_multiple_of(2) {
            Json::object(both)
        } else {
            Json::object(one)
        };
        members.insert("hashes".to_owned(), hashes);
    }
    Json::Object(members)
}

/// TUF 6.2.
fn file_name(consistent: bool, version: u64, role: &str) -> String {
    if consistent {
        format!("{version}.{role}.json")
    } else {
        format!("{role}.json")
    }
}
