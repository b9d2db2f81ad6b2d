//! A publisher's repository with two releases, and devices that follow it: configuration, pin and slots
//! in a temporary folder, the agent's own commands run in this process or as the real binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use agent::boot::{BootFile, BootState};
use agent::config::Config;
use agent::journal::Entry;
use agent::state::{State, StateFile};
use clap::Parser as _;
use cli::program::Program as _;
use cli::{CliError, Exit};
use delta::Coder;
use manifests::author;
use manifests::json::{self, Json};
use tempfile::TempDir;

use crate::programs;
use crate::publisher::done;
use crate::repository;

/// Files below a path by name, directories and links among them; a file alone has an empty name.
pub type Content = BTreeMap<PathBuf, Vec<u8>>;

/// Pseudo-random bytes that no coder makes smaller.
pub fn noise(label: &str, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    let mut hasher = blake3::Hasher::new();
    hasher.update(label.as_bytes());
    hasher.finalize_xof().fill(&mut noise);
    noise
}

/// Reads a file, a directory with all that is in it, or nothing.
pub fn content(path: &Path) -> Content {
    let mut found = Content::new();
    let mut open = vec![path.to_owned()];
    while let Some(next) = open.pop() {
        let Ok(metadata) = fs::symlink_metadata(&next) else {
            continue;
        };
        let bytes = if metadata.is_dir() {
            let entries = fs::read_dir(&next).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
            b"directory".to_vec()
        } else if metadata.is_symlink() {
            let target = fs::read_link(&next).unwrap();
            target.into_os_string().into_encoded_bytes()
        } else {
            fs::read(&next).unwrap()
        };
        found.insert(next.strip_prefix(path).unwrap().to_owned(), bytes);
    }
    found
}

/// What slots are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Files that stand for block devices.
    Raw,
    /// Directories.
    Dir,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Dir => "dir",
        }
    }
}

/// A repository with the releases 1 and 2 for `cam-r3`, and a delta from one to the other.
#[derive(Debug)]
pub struct Published {
    folder: TempDir,
    kind: Kind,
    /// The metadata as it was after release 1, by file name.
    pub first: BTreeMap<String, Vec<u8>>,
}

static SHARED: [Mutex<Weak<Published>>; 2] = [const { Mutex::new(Weak::new()) }; 2];

impl Published {
    /// The same repository for all tests that run at a time; nobody may change it.
    pub fn shared(kind: Kind) -> Arc<Self> {
        let mut shared = SHARED[usize::from(kind == Kind::Dir)].lock().unwrap();
        let published = shared
            .upgrade()
            .unwrap_or_else(|| Arc::new(Self::new(kind)));
        *shared = Arc::downgrade(&published);
        published
    }

    /// Releases files of 3 MiB, or directories of 1.5 MiB; the delta is below half of that.
    pub fn new(kind: Kind) -> Self {
        Self::with(kind, |image, release| write_image(kind, image, release))
    }

    /// Releases two given images for raw slots.
    pub fn images(images: [&[u8]; 2]) -> Self {
        Self::with(Kind::Raw, |path, release| {
            fs::write(path, images[release as usize - 1]).unwrap();
        })
    }

    fn with(kind: Kind, write: impl Fn(&Path, u32)) -> Self {
        let mut published = Self {
            folder: tempfile::tempdir().unwrap(),
            kind,
            first: BTreeMap::new(),
        };
        let pin = published.pin();
        let pin = pin.to_str().unwrap();
        let init = ["init", "--product", "cam", "--hardware", "cam-r3"];
        published.run(&[&init[..], &["--no-passcode", "--pin", pin]].concat());
        for release in [1, 2] {
            let image = published.image(release);
            write(&image, release);
            let version = format!("1.{release}.0");
            published.run(&["release", image.to_str().unwrap(), "--version", &version]);
            if release == 1 {
                published.first = published.metadata();
            }
        }
        published
    }

    fn run(&self, args: &[&str]) {
        done(&self.repository(), args);
    }

    /// The repository's folder, keys and all.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// The pin for devices.
    pub fn pin(&self) -> PathBuf {
        self.folder.path().join("cam.pin")
    }

    /// The image of a release, as it was given to the publisher.
    pub fn image(&self, release: u32) -> PathBuf {
        self.folder.path().join(format!("image-{release}"))
    }

    /// All metadata files by name.
    pub fn metadata(&self) -> BTreeMap<String, Vec<u8>> {
        let files = content(&self.repository().join("metadata"));
        let named = files.into_iter().filter_map(|(name, bytes)| {
            let name = name.to_str().unwrap().to_owned();
            (!name.is_empty()).then_some((name, bytes))
        });
        named.collect()
    }

    /// The newest timestamp with another signed part, signed by the right key.
    pub fn timestamp(&self, edit: impl FnOnce(&mut Json)) -> Vec<u8> {
        let mut document = json::parse(&self.metadata()["timestamp.json"]).unwrap();
        let signed = repository::slot(&mut document, &["signed"]);
        edit(signed);
        let key = self.repository().join("keys/timestamp.key");
        let key = cli::keyfile::open(&format!("file:{}", key.display())).unwrap();
        author::sign(signed.clone(), &[&key])
    }

    /// The path in URLs of the newest release's first delta from another release.
    pub fn delta_path(&self) -> String {
        self.delta_path_where(|delta| delta["base_size"] != 0)
    }

    /// The path in URLs of the newest release's delta by a coder.
    pub fn delta_path_of(&self, coder: Coder) -> String {
        self.delta_path_where(|delta| delta["base_size"] != 0 && delta["format"] == coder.format())
    }

    /// The path of release 2's repack in URLs.
    pub fn repack_path(&self) -> String {
        self.delta_path_where(|delta| delta["base_size"] == 0)
    }

    /// The paths of release 2's deltas from another release.
    pub fn delta_paths(&self) -> Vec<String> {
        self.delta_paths_where(|delta| delta["base_size"] != 0)
    }

    /// The path of its delta by context mixing.
    pub fn mixing_path(&self) -> String {
        self.delta_path_where(|delta| delta["format"] == delta::FORMAT_MIXING)
    }

    fn delta_path_where(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> String {
        self.delta_paths_where(wanted).swap_remove(0)
    }

    fn delta_paths_where(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> Vec<String> {
        let product = &self.metadata()["3.cam.json"];
        let text = String::from_utf8(product.clone()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let targets = json["signed"]["targets"].as_object().unwrap();
        let deltas = targets
            .values()
            .rev()
            .filter_map(|target| target["custom"]["deltas"].as_array())
            .flatten()
            .filter(|delta| wanted(delta))
            .filter_map(|delta| delta["blake3"].as_str());
        deltas.map(|blake3| format!("/blobs/{blake3}")).collect()
    }
}

fn write_image(kind: Kind, image: &Path, release: u32) {
    let (same, changed) = (noise("same", 2 << 20), noise(&release.to_string(), 1 << 20));
    match kind {
        Kind::Raw => fs::write(image, [same, changed].concat()).unwrap(),
        Kind::Dir => {
            fs::create_dir_all(image.join("etc")).unwrap();
            fs::write(image.join("etc/same"), &same[..1 << 20]).unwrap();
            fs::write(image.join("etc/changed"), &changed[..1 << 19]).unwrap();
            fs::write(image.join(format!("only-in-{release}")), b"").unwrap();
            std::os::unix::fs::symlink("etc/same", image.join("link")).unwrap();
        }
    }
}

/// A device in its folder, pinned, release 1 in slot A and nothing in slot B.
#[derive(Debug)]
pub struct Device {
    folder: TempDir,
    kind: Kind,
    /// Its hardware id.
    pub hardware: String,
    /// How long it waits for sources.
    pub patience: String,
    /// The bootstrap node, where it uses peers in place of the mirror.
    pub bootstrap: Option<String>,
    /// Whether it uses the mirror, too.
    pub asks_both: bool,
    /// Percent of charge that an update needs, where the folder `battery` says what there is.
    pub min_battery: u8,
    url: String,
}

impl Device {
    /// Makes a device that follows the mirror at `url`.
    pub fn new(published: &Published, url: &str) -> Self {
        Self::pinned(published, url, &published.pin(), "cam-r3")
    }

    /// The same with the pin of another product, on other hardware.
    pub fn pinned(published: &Published, url: &str, pin: &Path, hardware: &str) -> Self {
        let mut device = Self::at(tempfile::tempdir().unwrap(), published.kind, url);
        hardware.clone_into(&mut device.hardware);
        copy(&published.image(1), &device.slot_path("a"));
        let exit = device.run(&["init", "--pin", pin.to_str().unwrap()]);
        assert_eq!(exit.unwrap(), Exit::Done);
        device
    }

    fn at(folder: TempDir, kind: Kind, url: &str) -> Self {
        Self {
            folder,
            kind,
            hardware: "cam-r3".to_owned(),
            patience: "2min".to_owned(),
            bootstrap: None,
            asks_both: false,
            min_battery: 0,
            url: url.to_owned(),
        }
    }

    /// Another device with the same content everywhere.
    pub fn twin(&self, url: &str) -> Self {
        let twin = Self::at(tempfile::tempdir().unwrap(), self.kind, url);
        for name in ["data", "slots"] {
            copy(
                &self.folder.path().join(name),
                &twin.folder.path().join(name),
            );
        }
        twin
    }

    /// Where a slot is: `a` or `b`.
    pub fn slot_path(&self, name: &str) -> PathBuf {
        self.folder.path().join("slots").join(name)
    }

    /// What a slot holds.
    pub fn slot(&self, name: &str) -> Content {
        content(&self.slot_path(name))
    }

    /// The folder of all slots, and nothing else.
    pub fn slots(&self) -> PathBuf {
        self.folder.path().join("slots")
    }

    /// A file in the data folder.
    pub fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// Writes the configuration and returns its path.
    pub fn config(&self) -> PathBuf {
        let path = self.folder.path().join("agent.toml");
        let (kind, folder) = (self.kind.word(), self.folder.path().display());
        let text = format!(
            "[system]\ncompatible = '{}'\ndata-directory = '{folder}/data'\n\
             power-supply = '{folder}/battery'\n\
             [slot.rootfs.0]\ndevice = '{folder}/slots/a'\ntype = '{kind}'\nbootname = 'A'\n\
             [slot.rootfs.1]\ndevice = '{folder}/slots/b'\ntype = '{kind}'\nbootname = 'B'\n\
             {}",
            self.hardware,
            self.sources()
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// The folder of a battery that discharges.
    pub fn battery(&self) -> PathBuf {
        let battery = self.folder.path().join("battery/supply");
        fs::create_dir_all(&battery).unwrap();
        for (attribute, text) in [("type", "Battery"), ("status", "Discharging")] {
            fs::write(battery.join(attribute), text).unwrap();
        }
        battery
    }

    /// Replaces the agent's state.
    pub fn set_state(&self, state: &State) {
        StateFile::new(&self.data("")).save(state).unwrap();
    }

    fn sources(&self) -> String {
        let (patience, min) = (&self.patience, self.min_battery);
        let mirrors = match self.asks_both {
            true => format!("mirrors = ['{}']\n", self.url),
            false => String::new(),
        };
        match &self.bootstrap {
            None => format!(
                "[streaming]\npeers = false\nmirrors = ['{}']\npatience = '{patience}'\n\
                 min-battery = {min}\n",
                self.url
            ),
            Some(node) => format!(
                "[streaming]\npatience = '{patience}'\n{mirrors}[network]\nbootstrap = ['{node}']\n\
                 listen = ['/ip4/127.0.0.1/tcp/0']\nmdns = false\n"
            ),
        }
    }

    /// Runs a command of the agent in this process.
    ///
    /// # Errors
    /// What the agent would report.
    pub fn run(&self, args: &[&str]) -> Result<Exit, CliError> {
        let config = self.config();
        let start = ["streembit-agent", "-q", "-c", config.to_str().unwrap()];
        agent::args::Args::try_parse_from([&start[..], args].concat())
            .unwrap()
            .run()
    }

    /// The same command for the real binary.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = programs::command("streembit-agent", self.folder.path());
        command.arg("-q").arg("-c").arg(self.config()).args(args);
        command
    }

    /// The boot state.
    pub fn boot(&self) -> BootState {
        let config = Config::load(&self.config()).unwrap();
        BootFile::new(&self.data("")).load(&config.slots).unwrap()
    }

    /// Replaces the boot state.
    pub fn set_boot(&self, boot: &BootState) {
        BootFile::new(&self.data("")).save(boot).unwrap();
    }

    /// The agent's state.
    pub fn state(&self) -> State {
        StateFile::new(&self.data("")).load().unwrap()
    }

    /// The journal, its chain checked.
    pub fn journal(&self) -> Vec<Entry> {
        agent::journal::read(&self.data("")).unwrap()
    }

    /// What must stay byte for byte the same when an update is refused: the running slot, the boot
    /// state; and, second, the trusted files.
    pub fn frozen(&self) -> (Content, Content, Content) {
        (
            self.slot("a"),
            content(&self.data("boot.json")),
            content(&self.data("trusted")),
        )
    }
}

/// Copies a file or a directory.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success());
}
