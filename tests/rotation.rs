//! Key ceremonies and recovery drills through the publisher's commands, each followed by devices that
//! hold state (threats K70 to K74, K77, M8, M10).

use std::fs;
use std::path::{Path, PathBuf};

use cli::{CliError, Exit};
use protocol::dht::release_head::{self, ReleaseHead};
use support::ceremony::Signer;
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::publisher::{done, publisher};

/// A repository of its own, its mirror, and a device that has followed it.
pub(crate) struct Place {
    published: Published,
    mirror: Mirror,
    device: Device,
}

impl Place {
    pub(crate) fn new() -> Self {
        let published = Published::new(Kind::Raw);
        let mirror = Mirror::start(&published.repository());
        let device = Device::new(&published, &mirror.url());
        assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
        Self {
            published,
            mirror,
            device,
        }
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.published.repository()
    }

    /// Runs the publisher in this process.
    pub(crate) fn publisher(&self, args: &[&str]) -> Result<Exit, CliError> {
        publisher(&self.repository(), args)
    }

    #[track_caller]
    pub(crate) fn done(&self, args: &[&str]) {
        done(&self.repository(), args);
    }

    /// Signs with the keys at hand, publishes, and lets old and new devices follow.
    #[track_caller]
    pub(crate) fn publish(&self) {
        self.done(&["sign"]);
        self.done(&["publish"]);
        self.devices_follow();
    }

    #[track_caller]
    fn devices_follow(&self) {
        assert_eq!(self.device.run(&["check"]).unwrap(), Exit::Done);
        let fresh = Device::new(&self.published, &self.mirror.url());
        assert_eq!(fresh.run(&["check"]).unwrap(), Exit::Done);
        self.done(&["verify"]);
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.repository().join("keys").join(name)
    }

    /// The id of the key in a file.
    pub(crate) fn id(&self, name: &str) -> String {
        let uri = format!("file:{}", self.key(name).display());
        let key = cli::keyfile::public(&uri).unwrap();
        manifests::author::key_id(&key)
    }

    /// Where the newest release head is.
    fn head_path(&self) -> PathBuf {
        let timestamp: serde_json::Value =
            serde_json::from_str(&self.metadata("timestamp.json")).unwrap();
        let name = format!("{}.stable.jws", timestamp["signed"]["version"]);
        self.repository().join("heads").join(name)
    }

    fn head(&self) -> ReleaseHead {
        let token = fs::read(self.head_path()).unwrap();
        release_head::verify(&token, node::clock::unix_now()).unwrap()
    }

    pub(crate) fn metadata(&self, name: &str) -> String {
        let path = self.repository().join("metadata").join(name);
        fs::read_to_string(path).unwrap()
    }
}

/// A key file outside of the repository.
fn new_key(path: &Path, algorithm: keys::Algorithm) -> String {
    let protection = cli::keyfile::NewKey::Unprotected;
    cli::keyfile::create(path, algorithm, "drill", protection).unwrap();
    format!("file:{}", path.display())
}

/// The timestamp key was stolen: it is replaced, and what the thief signs is refused.
#[test]
fn stolen_timestamp_key_is_rotated_out_k72() {
    let place = Place::new();
    let thief = fs::read(place.key("timestamp.key")).unwrap();
    let forged = place.published.timestamp(|signed| {
        let version = support::repository::slot(signed, &["version"]);
        *version = manifests::json::Json::from(900_u64);
    });
    place.done(&["keys", "rotate", "timestamp", "--no-passcode"]);
    place.publish();
    assert!(
        place
            .metadata("2.root.json")
            .contains(&place.id("timestamp-2.key"))
    );
    assert!(
        !place
            .metadata("2.root.json")
            .contains(&place.id("timestamp.key"))
    );
    place.mirror.tamper(move |asked, answer| {
        if asked.path.ends_with("/timestamp.json") {
            answer.set_body(forged.clone());
        }
    });
    let error = place.device.run(&["check"]).unwrap_err();
    assert!(
        error.to_string().contains("signatures are valid"),
        "{error}"
    );
    place.mirror.be_honest();
    assert_eq!(fs::read(place.key("timestamp.key")).unwrap(), thief);
    // The publisher goes on with the new key alone.
    fs::remove_file(place.key("timestamp.key")).unwrap();
    place.done(&["refresh"]);
    place.devices_follow();
}

/// One of three root keys is lost, another algorithm takes its place; then another one is stolen.
#[test]
fn lost_and_stolen_root_keys_are_replaced_m8() {
    let place = Place::new();
    let lost = place.id("root-1.key");
    fs::remove_file(place.key("root-1.key")).unwrap();
    let rotate = ["keys", "rotate", "root", "--no-passcode", "--old"];
    place.done(&[&rotate[..], &[&lost, "--algorithm", "p256"]].concat());
    place.publish();
    let root = place.metadata("2.root.json");
    assert!(!root.contains(&lost) && root.contains(&place.id("root-4.key")));
    let stolen = place.id("root-2.key");
    place.done(&[&rotate[..], &[&stolen[..12]]].concat());
    place.publish();
    let root = place.metadata("3.root.json");
    let draft = manifests::author::Draft::parse(root.as_bytes()).unwrap();
    let trusted = String::from_utf8(draft.message()).unwrap();
    assert!(!trusted.contains(&stolen) && trusted.contains(&place.id("root-5.key")));
    // Below the threshold nothing can be published, whoever holds one key.
    for name in ["root-3.key", "root-4.key"] {
        fs::remove_file(place.key(name)).unwrap();
    }
    place.done(&["root", "expire", "in 2 years"]);
    place.done(&["sign"]);
    let error = place.publisher(&["publish"]).unwrap_err();
    assert_eq!(error.exit, Exit::Quorum, "{error}");
    for word in ["root has 1 of 2 signatures", "not yet signed"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(!place.repository().join("metadata/4.root.json").exists());
    place.devices_follow();
}

/// The product's key is stolen: new targets delegate to another one, and releases go on.
#[test]
fn stolen_product_key_is_rotated_out_k71() {
    let place = Place::new();
    let stolen = place.id("cam.key");
    place.done(&[
        "keys",
        "rotate",
        "cam",
        "--algorithm",
        "p256",
        "--no-passcode",
    ]);
    // The product's role itself must be signed by the new key, in the same change.
    place.done(&["role", "renew", "cam"]);
    place.publish();
    assert!(!place.metadata("2.targets.json").contains(&stolen));
    fs::remove_file(place.key("cam.key")).unwrap();
    let image = place.published.image(2);
    place.done(&["release", image.to_str().unwrap(), "--version", "1.3.0"]);
    place.devices_follow();
    assert_eq!(place.device.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(place.device.state().pending.unwrap().image.version, "1.3.0");
}

/// From now on a person approves what CI releases: two keys, on two machines.
#[test]
fn release_waits_for_an_approver_on_another_machine_k70_k77() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let approver = new_key(
        &elsewhere.path().join("approver.key"),
        keys::Algorithm::P256,
    );
    place.done(&["role", "add-key", "cam", &approver]);
    place.done(&["role", "set-threshold", "cam", "2"]);
    place.done(&["role", "renew", "cam"]);
    place.done(&["sign"]);
    assert_eq!(
        place.publisher(&["publish"]).unwrap_err().exit,
        Exit::Quorum
    );
    place.done(&["sign", "--key", &approver]);
    place.done(&["publish"]);
    place.devices_follow();
    let image = place.published.image(2);
    let release = ["release", image.to_str().unwrap(), "--version", "1.3.0"];
    assert_eq!(place.publisher(&release).unwrap_err().exit, Exit::Quorum);
    let file = elsewhere.path().join("change.stage");
    let file = file.to_str().unwrap();
    place.done(&["stage", file]);
    // The approver's machine has the file and the key, no repository and no network.
    let signer = Signer::new(&place.repository());
    assert_eq!(signer.sign(file, &approver).unwrap(), Exit::Done);
    place.done(&["approve", file]);
    place.done(&["publish"]);
    place.devices_follow();
    assert_eq!(place.device.run(&["install"]).unwrap(), Exit::Reboot);
    // An approval of another change is none of this one.
    assert_eq!(
        place.publisher(&["yank", "1.3.0"]).unwrap_err().exit,
        Exit::Quorum
    );
    let error = place.publisher(&["approve", file]).unwrap_err();
    assert!(error.to_string().contains("what is staged here"), "{error}");
    place.done(&["stage", "--discard"]);
}

/// The account that signs release heads gets another key: devices follow from the one in their pin, by
/// mirror and by peers, and what the old one signs after that is refused.
#[test]
fn publisher_account_is_rotated_k72() {
    let place = Place::new();
    let old = cli::keyfile::open(&format!("file:{}", place.key("account.key").display())).unwrap();
    place.done(&["keys", "rotate", "account", "--no-passcode"]);
    // Until the root is published the old account goes on.
    place.done(&["refresh"]);
    assert_eq!(place.head().account, old.public());
    place.publish();
    for _ in 2..=4 {
        place.done(&["keys", "rotate", "account", "--no-passcode"]);
        place.publish();
    }
    let fifth = place.publisher(&["keys", "rotate", "account", "--no-passcode"]);
    let fifth = fifth.unwrap_err().to_string();
    assert!(fifth.contains("has changed 4 times"), "{fifth}");
    let head = place.head();
    assert_ne!(head.account, old.public());
    fs::remove_file(place.key("account.key")).unwrap();
    fs::remove_file(place.key("account-2.key")).unwrap();
    place.done(&["refresh"]);
    let (seeder, address) = support::programs::seed(&place.repository());
    let mut device = Device::new(&place.published, "http://127.0.0.1:9");
    device.bootstrap = Some(address);
    assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
    drop(seeder);
    // A thief has the first account's key, and offers what is newest.
    let head = place.head();
    let root = place.metadata("1.root.json");
    let content = release_head::HeadContent {
        channel: &head.channel,
        seq: head.seq,
        expires: head.expires,
        root: &root,
        timestamp: std::str::from_utf8(&head.timestamp).unwrap(),
        catalog: head.catalog,
        account_changes: &[],
    };
    let forged = release_head::sign(&old, &content, head.issued).unwrap();
    fs::write(place.head_path(), forged).unwrap();
    let (_seeder, address) = support::programs::seed(&place.repository());
    let mut device = Device::new(&place.published, "http://127.0.0.1:9");
    device.bootstrap = Some(address);
    let error = device.run(&["check"]).unwrap_err();
    assert!(
        error.to_string().contains("names another account"),
        "{error}"
    );
}

/// A device that lay in a drawer while 60 roots came and went, all expired but the last.
#[test]
fn device_from_a_drawer_follows_sixty_roots_m10() {
    let place = Place::new();
    for _ in 0..59 {
        place.done(&["root", "expire", "20s"]);
        place.done(&["sign"]);
        place.done(&["publish"]);
    }
    place.done(&["root", "expire", "in 1 year"]);
    place.publish();
    let trusted = fs::read_to_string(place.device.data("trusted/root.json")).unwrap();
    assert!(trusted.contains("\"version\": 61"));
}

/// A yanked release is not offered; a device that ran it says that the source is old.
#[test]
fn yanked_release_is_not_offered_d41() {
    let place = Place::new();
    place.done(&["yank", "1.2.0"]);
    assert_eq!(
        place.device.run(&["check"]).unwrap(),
        Exit::No,
        "up to date"
    );
    assert_eq!(
        place.publisher(&["yank", "1.2.0"]).unwrap_err().exit,
        Exit::No
    );
    place.done(&["verify"]);
}
