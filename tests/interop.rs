//! Foreign programs read what the publisher writes: python-tuf and tuf-js follow its repository over
//! HTTP. What they take and refuse beyond that is in docs/formats.md, "Quirks of foreign clients".
//!
//! A tool that is neither there nor can be installed is skipped with a line that starts with `SKIPPED:`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use clap::Parser as _;
use cli::Exit;
use cli::program::Program as _;
use manifests::json::Json;
use support::device::{Kind, Published};
use support::foreign::{self, install, installed, runs};
use support::mirror::Mirror;
use support::programs::{repository_root, text};
use support::repository::slot;
use tempfile::TempDir;

const PYTHON_PACKAGES: [&str; 2] = ["tuf==7.0.0", "securesystemslib[crypto]==1.4.0"];
const NODE_PACKAGE: &str = "tuf-js@5.0.1";
/// The newest release of [`Published`].
const TARGET: &str = "cam-1.2.0.bin";
/// What both clients call too few valid signatures.
const UNSIGNED: &str = "UnsignedMetadataError";

/// A foreign client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    PythonTuf,
    TufJs,
}

impl Client {
    /// The clients that are here. Installing one needs its registry.
    fn all() -> Vec<Self> {
        let here = [
            (Self::PythonTuf, Self::python().is_some()),
            (Self::TufJs, Self::node_path().is_some()),
        ];
        for (client, _) in here.iter().filter(|(_, is_here)| !is_here) {
            eprintln!("SKIPPED: {client:?} can't be installed; our repository was not read by it");
        }
        let here = here.into_iter().filter(|(_, is_here)| *is_here);
        here.map(|(client, _)| client).collect()
    }

    /// An interpreter that has python-tuf.
    fn python() -> Option<PathBuf> {
        static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
        let found = PYTHON.get_or_init(|| {
            if let Some(named) = std::env::var_os("STREEMBIT_PYTHON_TUF") {
                return Some(PathBuf::from(named));
            }
            foreign::python("python", &PYTHON_PACKAGES, "import tuf.ngclient")
        });
        found.clone()
    }

    /// The folder in which Node.js finds tuf-js.
    fn node_path() -> Option<PathBuf> {
        static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
        let found = FOLDER.get_or_init(|| {
            if let Some(named) = std::env::var_os("STREEMBIT_TUF_JS") {
                return Some(PathBuf::from(named));
            }
            let works = |folder: &Path| {
                let path = folder.join("node_modules");
                runs(
                    Command::new("node")
                        .args(["-e", "require('tuf-js')"])
                        .env("NODE_PATH", path),
                )
            };
            let steps = |folder: &Path| {
                let quietly = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];
                let mut npm = Command::new("npm");
                runs(
                    npm.args(quietly)
                        .arg("--prefix")
                        .arg(folder)
                        .arg(NODE_PACKAGE),
                )
            };
            install("node", works, steps).then(|| installed().join("node/node_modules"))
        });
        found.clone()
    }

    fn command(self) -> Command {
        let tests = repository_root().join("tests");
        match self {
            Self::PythonTuf => {
                let mut command = Command::new(Self::python().unwrap());
                command.arg(tests.join("python/tuf_fetch.py"));
                command
            }
            Self::TufJs => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", Self::node_path().unwrap());
                command.arg(tests.join("node/tuf_fetch.cjs"));
                command
            }
        }
    }

    /// What it calls a version that is lower than the one it trusts.
    const fn rollback(self) -> &'static str {
        match self {
            Self::PythonTuf => "BadVersionNumberError",
            Self::TufJs => "BadVersionError",
        }
    }

    /// What it calls metadata that has not the hash which the file before states.
    const fn mismatch(self) -> &'static str {
        match self {
            Self::PythonTuf => "LengthOrHashMismatchError",
            Self::TufJs => "Expected hash",
        }
    }
}

/// A repository, exported under its first root and under its second.
struct Site {
    published: Published,
    first: TempDir,
    second: TempDir,
}

static SITE: Mutex<Weak<Site>> = Mutex::new(Weak::new());

impl Site {
    /// The same for all tests that run at a time; nobody may change it.
    fn shared() -> Arc<Self> {
        let mut shared = SITE.lock().unwrap();
        let site = shared.upgrade().unwrap_or_else(|| Arc::new(Self::new()));
        *shared = Arc::downgrade(&site);
        site
    }

    fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        let site = Self {
            published: Published::new(Kind::Raw),
            first: folder(),
            second: folder(),
        };
        site.publisher(&["export", site.first.path().to_str().unwrap()]);
        // The new root has another key, so that it counts only by the signatures of the old ones.
        let keys = site.published.repository().join("keys");
        let old = format!("file:{}", keys.join("root-1.key").display());
        let old = manifests::author::key_id(&cli::keyfile::public(&old).unwrap());
        let rotate = ["keys", "rotate", "root", "--no-passcode"];
        site.publisher(&[&rotate[..], &["--algorithm", "p256", "--old", &old]].concat());
        site.publisher(&["sign"]);
        site.publisher(&["publish"]);
        site.publisher(&["export", site.second.path().to_str().unwrap()]);
        site
    }

    fn publisher(&self, args: &[&str]) {
        let repository = self.published.repository();
        let start = ["publisher", "-q", "-C", repository.to_str().unwrap()];
        let args = publisher::args::Args::try_parse_from([&start[..], args].concat()).unwrap();
        assert_eq!(args.run().unwrap(), Exit::Done);
    }

    fn image(&self) -> Vec<u8> {
        fs::read(self.published.image(2)).unwrap()
    }
}

/// A client with its trusted metadata.
struct Reader<'a> {
    client: Client,
    site: &'a Site,
    folder: TempDir,
}

impl<'a> Reader<'a> {
    fn new(client: Client, site: &'a Site) -> Self {
        Self {
            client,
            site,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out.bin")
    }

    fn trusted(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join("state").join(name)).ok()
    }

    fn fetch(&self, mirror: &Mirror) -> Output {
        drop(fs::remove_file(self.out()));
        let mut command = self.client.command();
        command
            .arg(self.folder.path().join("state"))
            .arg(self.site.first.path().join("metadata/1.root.json"))
            .args([&mirror.url(), TARGET])
            .arg(self.out());
        command.stdin(Stdio::null()).output().unwrap()
    }

    #[track_caller]
    fn accepts(&self, mirror: &Mirror) {
        let output = self.fetch(mirror);
        let client = self.client;
        assert!(output.status.success(), "{client:?}: {}", text(&output));
        assert!(
            fs::read(self.out()).unwrap() == self.site.image(),
            "{client:?}"
        );
    }

    /// Refuses for the reason that `kind` names, and writes no target.
    #[track_caller]
    fn refuses(&self, mirror: &Mirror, kind: &str) {
        let output = self.fetch(mirror);
        let (client, words) = (self.client, text(&output));
        assert_eq!(output.status.code(), Some(1), "{client:?}: {words}");
        let refused = words.contains("refused: ") && words.contains(kind);
        assert!(refused, "{client:?} should say {kind}: {words}");
        assert!(!self.out().exists(), "{client:?} wrote what it refused");
    }
}

/// Has the mirror answer `bytes` for one metadata file.
fn replace(mirror: &Mirror, name: &str, bytes: Vec<u8>) {
    let path = format!("/metadata/{name}");
    mirror.tamper(move |asked, answer| {
        if asked.path == path {
            answer.set_body(bytes.clone());
        }
    });
}

/// A digit in the text of the first such member is another one; the JSON stays valid.
fn flipped(bytes: &[u8], member: &str, digit: usize) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    let name = format!("\"{member}\":");
    let value = text.find(&name).unwrap() + name.len();
    let at = value + text[value..].find('"').unwrap() + 1 + digit;
    let mut bytes = bytes.to_vec();
    bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
    bytes
}

#[test]
fn foreign_clients_fetch_images_also_after_a_root_rotation() {
    let site = Site::shared();
    for client in Client::all() {
        let reader = Reader::new(client, &site);
        reader.accepts(&Mirror::start(site.first.path()));
        let rotated = Mirror::start(site.second.path());
        reader.accepts(&rotated);
        let root = fs::read(site.second.path().join("metadata/2.root.json")).unwrap();
        assert_eq!(reader.trusted("root.json").unwrap(), root, "{client:?}");
        // One that comes for the first time starts from root 1 too.
        Reader::new(client, &site).accepts(&rotated);
    }
}

#[test]
fn foreign_clients_refuse_a_flipped_byte_in_an_image() {
    let site = Site::shared();
    for client in Client::all() {
        let (reader, mirror) = (
            Reader::new(client, &site),
            Mirror::start(site.second.path()),
        );
        mirror.tamper(|asked, answer| {
            if asked.path.starts_with("/targets/") {
                let middle = answer.body.len() / 2;
                answer.body[middle] ^= 1;
            }
        });
        reader.refuses(&mirror, "LengthOrHashMismatchError");
        mirror.be_honest();
        reader.accepts(&mirror);
    }
}

/// Each file is read once with a longer life than it was signed with.
#[test]
fn foreign_clients_refuse_a_flipped_byte_in_any_metadata_file() {
    let site = Site::shared();
    let metadata = site.second.path().join("metadata");
    let mut names: Vec<String> = fs::read_dir(&metadata)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "1.root.json")
        .collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    for client in Client::all() {
        let mirror = Mirror::start(site.second.path());
        for name in &names {
            let bytes = fs::read(metadata.join(name)).unwrap();
            let by_signature = name == "2.root.json" || name == "timestamp.json";
            let kind = if by_signature {
                UNSIGNED
            } else {
                client.mismatch()
            };
            replace(&mirror, name, flipped(&bytes, "expires", 2));
            Reader::new(client, &site).refuses(&mirror, kind);
        }
        // A signature that is no longer one.
        let bytes = fs::read(metadata.join("timestamp.json")).unwrap();
        replace(&mirror, "timestamp.json", flipped(&bytes, "sig", 0));
        Reader::new(client, &site).refuses(&mirror, UNSIGNED);
    }
}

#[test]
fn foreign_clients_refuse_an_older_timestamp_than_they_have_seen() {
    let site = Site::shared();
    for client in Client::all() {
        let (reader, mirror) = (
            Reader::new(client, &site),
            Mirror::start(site.second.path()),
        );
        reader.accepts(&mirror);
        let seen = reader.trusted("timestamp.json").unwrap();
        let old = site.published.first["timestamp.json"].clone();
        replace(&mirror, "timestamp.json", old);
        reader.refuses(&mirror, client.rollback());
        assert_eq!(
            reader.trusted("timestamp.json").unwrap(),
            seen,
            "{client:?}"
        );
        mirror.be_honest();
        reader.accepts(&mirror);
    }
}

#[test]
fn foreign_clients_refuse_an_expired_timestamp() {
    let site = Site::shared();
    for client in Client::all() {
        let (seen, mirror) = (
            Reader::new(client, &site),
            Mirror::start(site.second.path()),
        );
        seen.accepts(&mirror);
        let expired = site.published.timestamp(|signed| {
            *slot(signed, &["version"]) = Json::from(900_u64);
            *slot(signed, &["expires"]) = Json::from("2020-01-01T00:00:00Z");
        });
        replace(&mirror, "timestamp.json", expired);
        for reader in [&seen, &Reader::new(client, &site)] {
            reader.refuses(&mirror, "ExpiredMetadataError");
        }
    }
}
