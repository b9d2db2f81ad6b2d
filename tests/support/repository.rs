//! A TUF repository in memory whose documents a test can change before or after they are signed, and
//! a device that runs the client workflow over it.
//!
//! All keys come from their label, so every run signs the same bytes. The repository has a root of two
//! keys (threshold 2, one Ed25519, one P-256), one product role of two keys (threshold 2) and single
//! keys for the rest.

use std::collections::BTreeMap;

use keys::{Algorithm, SigningKey};
use manifests::author;
use manifests::client::{self, Client, ClientError, Effect, Reason, Request, Stored};
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::digest::{Blake3, Sha256};
use manifests::envelope::Authority;
use manifests::file_meta::FileMeta;
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::json::{self, Json};
use manifests::name::Name;
use manifests::product::ProductTarget;
use manifests::release::{Content, ImageFormat, Release};
use manifests::root::{Role, Root};
use manifests::snapshot::Snapshot;
use manifests::targets::Targets;
use manifests::timestamp::Timestamp;

/// The product that devices of this repository are.
pub const PRODUCT: &str = "cam";
/// The time of a run, 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;
/// When every document expires unless a test says otherwise, 30 days later.
pub const EXPIRES: u64 = NOW + 30 * 86_400;

/// Metadata files by the names that the client asks for.
pub type Files = BTreeMap<String, Vec<u8>>;

/// [`NOW`] as the client takes it.
pub fn now() -> UtcTime {
    UtcTime::from_unix(NOW)
}

/// [`PRODUCT`] as the client takes it.
pub fn product() -> Name {
    Name::parse(PRODUCT).unwrap()
}

/// The key of a label: P-256 if the label starts with `p256-`, else Ed25519.
pub fn key(label: &str) -> SigningKey {
    let algorithm = if label.starts_with("p256-") {
        Algorithm::P256
    } else {
        Algorithm::Ed25519
    };
    SigningKey::from_secret(algorithm, Sha256::of(label.as_bytes()).as_bytes()).unwrap()
}

/// The TUF key id of a label's key.
pub fn key_id(label: &str) -> String {
    author::key_id(&key(label).public())
}

/// Keys of a role by their labels.
pub fn authority(labels: &[&str], threshold: u64) -> Authority {
    let keys = labels
        .iter()
        .map(|label| (key_id(label), key(label).public().into()));
    Authority::new(keys.collect(), threshold).unwrap()
}

/// One document of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The newest root.
    Root,
    /// `timestamp.json`.
    Timestamp,
    /// `snapshot.json`.
    Snapshot,
    /// The top-level targets.
    Targets,
    /// The product's delegated role.
    Product,
}

impl Part {
    /// All, in the order in which a client asks for them.
    pub const ALL: [Self; 5] = [
        Self::Root,
        Self::Timestamp,
        Self::Snapshot,
        Self::Targets,
        Self::Product,
    ];

    /// The role's name in file names.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Product => PRODUCT,
        }
    }

    /// What the device has stored before this document is refused, if the release is new: the standard
    /// stores timestamp and snapshot before it looks at what they name.
    pub const fn stored_before(self) -> &'static [Self] {
        match self {
            Self::Root | Self::Timestamp => &[],
            Self::Snapshot => &[Self::Timestamp],
            Self::Targets | Self::Product => &[Self::Timestamp, Self::Snapshot],
        }
    }
}

/// A document before it is signed, and who will sign it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The `signed` member.
    pub signed: Json,
    /// Key id as written in the signature, and label of the key.
    pub signers: Vec<(String, String)>,
}

impl Draft {
    fn new(signed: Json, labels: &[&str]) -> Self {
        let mut draft = Self {
            signed,
            signers: Vec::new(),
        };
        draft.sign_with(labels);
        draft
    }

    /// Has the document signed by these labels, each under its right key id.
    pub fn sign_with(&mut self, labels: &[&str]) {
        self.signers = labels
            .iter()
            .map(|label| (key_id(label), (*label).to_owned()))
            .collect();
    }

    /// The `version` member.
    pub fn version(&self) -> u64 {
        self.signed.integer("version", 0).unwrap()
    }

    /// Sets the member at `path`, making objects on the way.
    pub fn set(&mut self, path: &[&str], value: impl Into<Json>) {
        *slot(&mut self.signed, path) = value.into();
    }

    /// Removes the member at `path`, which must be there.
    pub fn remove(&mut self, path: &[&str]) {
        let (last, parent) = path.split_last().unwrap();
        assert!(
            members(slot(&mut self.signed, parent))
                .remove(*last)
                .is_some(),
            "{last} is absent"
        );
    }

    /// Gives a role of a root these keys: pairs of key id as written and label.
    pub fn set_role(&mut self, role: &str, keys: &[(&str, &str)], threshold: u64) {
        for (id, label) in keys {
            self.set(&["keys", id], key_json(label));
        }
        let ids = Json::strings(keys.iter().map(|(id, _)| *id));
        self.set(&["roles", role, "keyids"], ids);
        self.set(&["roles", role, "threshold"], threshold);
    }

    /// Signs and returns the file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let keys: Vec<SigningKey> = self.signers.iter().map(|(_, label)| key(label)).collect();
        let bytes = author::sign(self.signed.clone(), &keys.iter().collect::<Vec<_>>());
        let mut document = json::parse(&bytes).unwrap();
        let signatures = slot(&mut document, &["signatures"]);
        for (index, (id, _)) in self.signers.iter().enumerate() {
            *slot(signatures, &[&index.to_string(), "keyid"]) = Json::from(id.as_str());
        }
        json::encode_pretty(&document)
    }
}

/// A key as the `keys` member holds it.
pub fn key_json(label: &str) -> Json {
    let tuf = key(label).public().to_tuf();
    let public = Json::object([("public", Json::from(tuf.public.as_str()))]);
    Json::object([
        ("keytype", Json::from(tuf.keytype.as_str())),
        ("scheme", Json::from(tuf.scheme.as_str())),
        ("keyval", public),
    ])
}

/// The value at `path`, made if absent; array items by their index.
pub fn slot<'a>(json: &'a mut Json, path: &[&str]) -> &'a mut Json {
    let Some((first, rest)) = path.split_first() else {
        return json;
    };
    if let Json::Array(items) = json {
        let index: usize = first.parse().unwrap();
        return slot(items.get_mut(index).unwrap(), rest);
    }
    let next = members(json).entry((*first).to_owned());
    slot(next.or_insert_with(|| Json::object([])), rest)
}

/// The members of an object.
pub fn members(json: &mut Json) -> &mut BTreeMap<String, Json> {
    let Json::Object(members) = json else {
        panic!("not an object");
    };
    members
}

/// Changes the whole envelope of a file, after it was signed.
pub fn edit_envelope(bytes: &mut Vec<u8>, edit: impl FnOnce(&mut Json)) {
    let mut document = json::parse(bytes).unwrap();
    edit(&mut document);
    *bytes = json::encode_pretty(&document);
}

/// Replaces a text that must be there, once, after the file was signed.
pub fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(from), "{from} is not in the file");
    *bytes = text.replacen(from, to, 1).into_bytes();
}

/// A repository, unsigned; [`Repository::files`] signs it.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The root chain, version 1 first.
    pub roots: Vec<Draft>,
    /// `timestamp.json`.
    pub timestamp: Draft,
    /// The snapshot.
    pub snapshot: Draft,
    /// The top-level targets.
    pub targets: Draft,
    /// The product's role.
    pub product: Draft,
    /// Whether references state length and hash, as ours do, or the version alone, as others may.
    pub hashes: bool,
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

impl Repository {
    /// Version 1 of everything, one release.
    pub fn new() -> Self {
        Self::build(true)
    }

    /// The same, with references by version alone, so that changed bytes reach the parser.
    pub fn unhashed() -> Self {
        Self::build(false)
    }

    fn build(hashes: bool) -> Self {
        let header = Header {
            version: 1,
            expires: UtcTime::from_unix(EXPIRES),
        };
        let meta = FileMeta {
            version: 1,
            length: None,
            hashes: None,
        };
        let delegation = Delegation {
            name: PRODUCT.to_owned(),
            authority: authority(&["p256-product-a", "product-b"], 2),
            scope: Scope::Paths(vec![format!("{PRODUCT}-*")]),
            terminating: true,
        };
        let targets = Targets::new(
            header,
            BTreeMap::new(),
            Delegations::Roles(vec![delegation]),
        );
        let (name, first) = target(1);
        let first = BTreeMap::from([(name.to_string(), first.to_target())]);
        let product_role = Targets::new(header, first, Delegations::default());
        let snapshot = Snapshot::new(header, BTreeMap::new());
        let timestamp = Timestamp::new(header, meta);
        let mut repository = Self {
            roots: vec![Draft::new(
                root(header).to_signed(),
                &["root-a", "p256-root-b"],
            )],
            timestamp: Draft::new(timestamp.to_signed(), &["timestamp"]),
            snapshot: Draft::new(snapshot.to_signed(), &["snapshot"]),
            targets: Draft::new(targets.to_signed(), &["p256-targets"]),
            product: Draft::new(product_role.to_signed(), &["p256-product-a", "product-b"]),
            hashes,
        };
        repository.link();
        repository
    }

    /// A document, for reading.
    pub fn draft(&self, part: Part) -> &Draft {
        match part {
            Part::Root => self.roots.last().unwrap(),
            Part::Timestamp => &self.timestamp,
            Part::Snapshot => &self.snapshot,
            Part::Targets => &self.targets,
            Part::Product => &self.product,
        }
    }

    /// A document, for changing; link afterwards, unless the references are to stay as they are.
    pub fn draft_mut(&mut self, part: Part) -> &mut Draft {
        match part {
            Part::Root => self.roots.last_mut().unwrap(),
            Part::Timestamp => &mut self.timestamp,
            Part::Snapshot => &mut self.snapshot,
            Part::Targets => &mut self.targets,
            Part::Product => &mut self.product,
        }
    }

    /// Makes the snapshot and the timestamp refer to what is there.
    pub fn link(&mut self) {
        for part in [Part::Targets, Part::Product] {
            let entry = self.reference(part);
            let file = format!("{}.json", part.role());
            self.snapshot.set(&["meta", &file], entry);
        }
        self.link_timestamp();
    }

    /// Makes the timestamp refer to the snapshot that is there.
    pub fn link_timestamp(&mut self) {
        let entry = self.reference(Part::Snapshot);
        self.timestamp.set(&["meta", "snapshot.json"], entry);
    }

    fn reference(&self, part: Part) -> Json {
        let draft = self.draft(part);
        let mut meta = FileMeta::of(draft.version(), &draft.encode());
        if !self.hashes {
            (meta.length, meta.hashes) = (None, None);
        }
        meta.to_json()
    }

    /// Changes a document before it is signed and makes the roles above it refer to the change.
    pub fn edit(&mut self, part: Part, edit: impl FnOnce(&mut Draft)) {
        edit(self.draft_mut(part));
        match part {
            Part::Root | Part::Timestamp => {}
            Part::Snapshot => self.link_timestamp(),
            Part::Targets | Part::Product => self.link(),
        }
    }

    /// Publishes a new version of a document, and so of every role that refers to it.
    pub fn release(&mut self, part: Part) {
        let raised: &[Part] = match part {
            Part::Root => return self.next_root(|_| {}),
            Part::Timestamp => &[Part::Timestamp],
            Part::Snapshot => &[Part::Snapshot, Part::Timestamp],
            Part::Targets => &[Part::Targets, Part::Snapshot, Part::Timestamp],
            Part::Product => &[Part::Product, Part::Snapshot, Part::Timestamp],
        };
        for part in raised {
            let draft = self.draft_mut(*part);
            let version = draft.version() + 1;
            draft.set(&["version"], version);
        }
        self.link();
    }

    /// Publishes a next root: a copy of the last with the next version, changed by `edit`.
    pub fn next_root(&mut self, edit: impl FnOnce(&mut Draft)) {
        let mut root = self.draft(Part::Root).clone();
        let version = root.version() + 1;
        root.set(&["version"], version);
        edit(&mut root);
        self.roots.push(root);
    }

    /// The name under which clients ask for a document.
    pub fn file_name(&self, part: Part) -> String {
        match part {
            Part::Root => format!("{}.root.json", self.roots.len()),
            Part::Timestamp => "timestamp.json".to_owned(),
            Part::Snapshot | Part::Targets | Part::Product => {
                format!("{}.{}.json", self.draft(part).version(), part.role())
            }
        }
    }

    /// Signs every document.
    pub fn files(&self) -> Files {
        let mut files: Files = Part::ALL
            .iter()
            .map(|part| (self.file_name(*part), self.draft(*part).encode()))
            .collect();
        for (index, root) in self.roots.iter().enumerate() {
            files.insert(format!("{}.root.json", index + 1), root.encode());
        }
        files
    }

    /// A device fresh from the factory.
    pub fn fresh_device(&self) -> Stored {
        Stored {
            root: self.roots.first().unwrap().encode(),
            ..Stored::default()
        }
    }

    /// A device that has just followed this repository.
    pub fn updated_device(&self) -> Stored {
        assert_accepted(&self.fresh_device(), &self.files())
    }

    /// `stored` with these documents replaced by the present ones.
    pub fn persisted(&self, stored: &Stored, parts: &[Part]) -> Stored {
        let mut stored = stored.clone();
        for part in parts {
            let file = format!("{}.json", part.role());
            stored.apply(&Effect::Store(file, self.draft(*part).encode()));
        }
        stored
    }
}

fn root(header: Header) -> Root {
    let roles = BTreeMap::from([
        (Role::Root, authority(&["root-a", "p256-root-b"], 2)),
        (Role::Timestamp, authority(&["timestamp"], 1)),
        (Role::Snapshot, authority(&["snapshot"], 1)),
        (Role::Targets, authority(&["p256-targets"], 1)),
    ]);
    Root::new(header, roles, Some(key("p256-account").public())).unwrap()
}

/// A target of the product: its name and what is published of it.
pub fn target(release: u64) -> (Name, ProductTarget) {
    let image = Content {
        blake3: Blake3::new([7; 32]),
        size: 1000 + release,
    };
    let custom = Release {
        product: product(),
        channel: Name::parse("stable").unwrap(),
        version: format!("1.{release}"),
        release,
        security_version: 0,
        hardware: vec![Name::parse("cam-r3").unwrap()],
        format: ImageFormat::Raw,
        image,
        deltas: Vec::new(),
    };
    let target = ProductTarget {
        length: image.size,
        sha256: Sha256::new([8; 32]),
        release: Some(custom),
    };
    let name = format!("{PRODUCT}-1.{release}.bin");
    (Name::parse(&name).unwrap(), target)
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// Its end.
    pub result: Result<client::Repository, ClientError>,
    /// What was stored, in order.
    pub effects: Vec<Effect>,
    /// What was asked for, in order.
    pub requests: Vec<Request>,
}

/// Runs the workflow over `files` as a device that holds `stored`, and applies every effect to it.
pub fn run(stored: &mut Stored, files: &Files, now: UtcTime) -> Run {
    let (mut effects, mut requests) = (Vec::new(), Vec::new());
    let read = |request: &Request| {
        requests.push(request.clone());
        Ok(files.get(&request.name).cloned())
    };
    let result = Client::for_product(stored.clone(), product(), now).and_then(|client| {
        client::run(client, read, |effect| {
            stored.apply(&effect);
            effects.push(effect);
            Ok(())
        })
    });
    Run {
        result,
        effects,
        requests,
    }
}

/// Asserts that the device follows `files` to the end; returns what it then holds.
pub fn assert_accepted(before: &Stored, files: &Files) -> Stored {
    let mut stored = before.clone();
    let run = run(&mut stored, files, now());
    assert!(run.result.is_ok(), "{:?}", run.result.err());
    stored
}

/// Asserts that the device stops at `file` for a reason that `expected` accepts, and that it then holds
/// exactly `after`, byte for byte.
pub fn assert_refused(
    (before, after): (&Stored, &Stored),
    files: &Files,
    file: &str,
    expected: impl Fn(&Reason) -> bool,
) {
    let mut stored = before.clone();
    let run = run(&mut stored, files, now());
    let Err(error) = run.result else {
        panic!("accepted {file}");
    };
    assert_eq!(error.file, file, "{error}");
    assert!(expected(&error.reason), "{error:?}");
    assert!(stored == *after, "stored files differ after: {error}");
}

/// Offers a new version of one document, changed by `tamper` before it is signed, to a device that is
/// up to date, and asserts the refusal. The same new version without the change is accepted.
pub fn assert_tampered_refused(
    part: Part,
    tamper: impl FnOnce(&mut Draft),
    expected: impl Fn(&Reason) -> bool,
) {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(part);
    assert_accepted(&device, &repository.files());
    repository.edit(part, tamper);
    let after = repository.persisted(&device, part.stored_before());
    let file = repository.file_name(part);
    assert_refused((&device, &after), &repository.files(), &file, expected);
}

/// As [`assert_tampered_refused`], but `tamper` changes the signed bytes. References are by version, so
/// that nothing but the reader and the signatures stand between the change and the device.
pub fn assert_bytes_refused(
    part: Part,
    tamper: impl FnOnce(&mut Vec<u8>),
    expected: impl Fn(&Reason) -> bool,
) {
    let mut repository = Repository::unhashed();
    let device = repository.updated_device();
    repository.release(part);
    let mut files = repository.files();
    assert_accepted(&device, &files);
    let file = repository.file_name(part);
    tamper(files.get_mut(&file).unwrap());
    let after = repository.persisted(&device, part.stored_before());
    assert_refused((&device, &after), &files, &file, expected);
}
