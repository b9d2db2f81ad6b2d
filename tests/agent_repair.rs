//! A running system that is no longer what was installed (threats D30, D38): what the delta can't make of it
//! comes segment by segment out of the release's repack, and little else is fetched, whatever sources hold back.

use std::fs;
use std::sync::{Arc, Mutex, Weak, mpsc};

use cli::Exit;
use manifests::author;
use manifests::digest::Sha256;
use manifests::json::{self, Json};
use protocol::exchange::tree::TreeBuilder;
use support::device::{Device, Published};
use support::firmware::{Code, program};
use support::mirror::Mirror;
use support::programs::PATIENCE;
use support::repository::slot;

pub(crate) const SEGMENT: usize = 1 << 20;

pub(crate) struct World {
    pub(crate) images: [Vec<u8>; 2],
    pub(crate) published: Arc<Published>,
    pub(crate) mirror: Mirror,
    pub(crate) device: Device,
}

static SHARED: Mutex<Weak<Published>> = Mutex::new(Weak::new());

impl World {
    /// A device that has found out what it runs. Images of four segments and more, as compilers make them.
    pub(crate) fn new() -> Self {
        let mut shared = SHARED.lock().unwrap();
        let published = shared.upgrade();
        let published = published.unwrap_or_else(|| Arc::new(publish()));
        *shared = Arc::downgrade(&published);
        Self::of(published)
    }

    fn of(published: Arc<Published>) -> Self {
        let images = [1, 2].map(|release| fs::read(published.image(release)).unwrap());
        assert!(images[1].len() > 4 * SEGMENT, "{}", images[1].len());
        let mirror = Mirror::start(&published.repository());
        let mut device = Device::new(&published, &mirror.url());
        "4s".clone_into(&mut device.patience);
        assert_eq!(device.run(&["check"]).unwrap(), Exit::Done);
        assert!(device.state().slots.contains_key("A"));
        Self {
            images,
            published,
            mirror,
            device,
        }
    }

    pub(crate) fn modify(&self, change: impl Fn(&mut Vec<u8>)) {
        let slot = self.device.slot_path("a");
        let mut bytes = fs::read(&slot).unwrap();
        change(&mut bytes);
        fs::write(slot, bytes).unwrap();
    }

    /// Changes some bytes in the middle of a segment of what runs: one delta of two has to be repaired.
    pub(crate) fn modify_segment(&self, index: usize) {
        self.modify(|bytes| bytes[index * SEGMENT + SEGMENT / 2..][..64].fill(0xee));
    }

    /// Leaves little of what runs as it was: no delta from it pays.
    pub(crate) fn modify_all(&self) {
        self.modify(|bytes| {
            for byte in bytes.iter_mut().step_by(100_000) {
                *byte ^= 1;
            }
        });
    }

    /// Installs, checks what was written, and returns the way and the bytes fetched.
    pub(crate) fn install(&self) -> (String, u64) {
        assert_eq!(self.device.run(&["install"]).unwrap(), Exit::Reboot);
        let slot = fs::read(self.device.slot_path("b")).unwrap();
        assert!(slot == self.images[1], "slot B is the image");
        let journal = self.device.journal();
        let switched = journal.iter().find(|entry| entry.event == "switching");
        let data = &switched.unwrap().data;
        let way = data["way"].as_str().unwrap().to_owned();
        (way, data["fetched_bytes"].as_u64().unwrap())
    }

    /// How often the journal has this event.
    pub(crate) fn count(&self, event: &str) -> usize {
        let journal = self.device.journal();
        journal.iter().filter(|entry| entry.event == event).count()
    }

    fn repairs(&self) -> Vec<(u64, bool)> {
        let journal = self.device.journal();
        let repairing = journal.iter().filter(|entry| entry.event == "repairing");
        repairing
            .map(|entry| {
                let segments = entry.data["segments"].as_u64().unwrap();
                (segments, entry.data["repack"].as_bool().unwrap())
            })
            .collect()
    }
}

fn publish() -> Published {
    let images = [1, 2].map(|version| program(Code::Arm64, 36_000, version));
    Published::images([&images[0], &images[1]])
}

#[test]
fn modified_base_is_repaired_segment_by_segment_d30() {
    let untouched = World::new();
    let (way, delta_bytes) = untouched.install();
    assert_eq!((way.as_str(), untouched.repairs()), ("delta", vec![]));

    let world = World::new();
    world.modify_segment(2);
    let (way, bytes) = world.install();
    assert_eq!(way, "delta");
    let repairs = world.repairs();
    let [(segments, true)] = repairs.as_slice() else {
        panic!("{repairs:?}");
    };
    assert!((1..=2).contains(segments), "{segments} segments");
    assert!(bytes > delta_bytes);
    let image = world.images[1].len() as u64;
    assert!(bytes < image / 2, "{bytes} of {image} bytes fetched");
}

/// A base of which little is left costs more in repairs than the repack: that is taken at once.
#[test]
fn base_of_which_little_is_left_gets_the_repack_d30() {
    let world = World::new();
    world.modify_all();
    let (way, bytes) = world.install();
    assert_eq!((way.as_str(), world.repairs()), ("repack", vec![]));
    let image = world.images[1].len() as u64;
    assert!(bytes < image * 8 / 10, "{bytes} of {image} bytes fetched");
}

/// Nobody serves the repack: the segments come out of the image itself.
#[test]
fn without_a_repack_the_image_repairs_d30() {
    let world = World::new();
    world.modify_segment(1);
    let image = world.images[1].len() as u64;
    let repack = world.published.repack_path();
    world.mirror.tamper(move |asked, answer| {
        if asked.path == repack {
            answer.fail(404);
        }
    });
    let (way, bytes) = world.install();
    assert_eq!(way, "delta");
    assert_eq!(world.repairs().len(), 1);
    let journal = world.device.journal();
    assert!(journal.iter().any(|entry| entry.event == "repair-failed"));
    assert!(bytes < image, "{bytes} of {image} bytes fetched");
}

/// A source serves metadata and deltas, and holds back all that would repair a segment: one delta fails for it
/// and not every one, nothing is waited for twice, and the next run fetches nothing again.
#[test]
fn source_that_holds_repairs_back_is_waited_for_once_p57() {
    let mut world = World::new();
    "2s".clone_into(&mut world.device.patience);
    world.modify_segment(2);
    let deltas = world.published.delta_paths();
    assert_eq!(deltas.len(), 2, "one by each coder");
    let served = deltas.clone();
    world.mirror.tamper(move |asked, answer| {
        if asked.path.starts_with("/blobs/") && !served.contains(&asked.path) {
            answer.fail(404);
        }
    });
    for run in 1..=2 {
        let error = world.device.run(&["install"]).unwrap_err();
        assert_eq!(error.exit, Exit::Retry, "{error}");
        // A delta, the repack, the image.
        assert_eq!(world.count("fetching"), 3 * run);
        for event in ["repairing", "repair-failed", "delta-failed"] {
            assert_eq!(world.count(event), run, "{event}");
        }
        let asked = world.mirror.take_asked();
        let tried = deltas.iter().filter(|path| asked.contains(path)).count();
        assert_eq!(tried, usize::from(run == 1), "run {run}");
    }
    world.mirror.be_honest();
    assert_eq!(world.install().0, "delta");
}

/// The battery runs low while a delta is waited for: the next way waits for the charger.
#[test]
fn battery_is_asked_again_before_each_way() {
    let mut world = World::new();
    "2s".clone_into(&mut world.device.patience);
    world.device.min_battery = 30;
    let capacity = world.device.battery().join("capacity");
    fs::write(&capacity, "31").unwrap();
    let deltas = world.published.delta_paths();
    let low = capacity.clone();
    world.mirror.tamper(move |asked, answer| {
        if deltas.contains(&asked.path) {
            fs::write(&low, "29").unwrap();
            answer.fail(404);
        }
    });
    let error = world.device.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, Exit::Retry);
    assert!(error.to_string().contains("battery"), "{error}");
    assert_eq!(
        (world.count("fetching"), world.count("delta-failed")),
        (1, 1)
    );
    fs::write(&capacity, "30").unwrap();
    world.mirror.be_honest();
    assert_eq!(world.install().0, "delta");
}

/// A repack that claims a target of 16 GiB, so that its table is longer than what a repair fetches.
fn endless_table() -> Vec<u8> {
    const ROWS: u32 = 1 << 14;
    let mut bytes = b"sb-delta".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((1_u32 << 20).to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(blake3::hash(b"").as_bytes());
    bytes.extend((u64::from(ROWS) << 20).to_le_bytes());
    bytes.extend([7; 32]);
    bytes.extend(ROWS.to_le_bytes());
    bytes.extend([0; 4]);
    let payloads = bytes.len() as u64 + u64::from(ROWS) * 48;
    for row in 0..u64::from(ROWS) {
        bytes.extend([2, 0, 0, 0]);
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend((payloads + row).to_le_bytes());
        bytes.extend([1; 32]);
    }
    bytes.resize(bytes.len() + ROWS as usize, 0);
    bytes
}

/// Signs release 2 again, with these bytes for its repack.
fn replace_repack(published: &Published, bytes: &[u8]) {
    let repository = published.repository();
    let mut builder = TreeBuilder::new();
    builder.update(bytes);
    let tree = builder.finish();
    let name = tree.blob().name();
    fs::write(repository.join("blobs").join(&name), bytes).unwrap();
    let level = repository.join("trees").join(&name).with_extension("tree");
    fs::write(level, tree.encode()).unwrap();
    let sign = |file: &str, key: &str, edit: &dyn Fn(&mut Json)| {
        let path = repository.join("metadata").join(file);
        let mut document = json::parse(&fs::read(&path).unwrap()).unwrap();
        let signed = slot(&mut document, &["signed"]);
        edit(signed);
        let key = support::publisher::key_uri(&repository, key);
        let signed = author::sign(signed.clone(), &[&cli::keyfile::open(&key).unwrap()]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, &signed).unwrap();
        signed
    };
    let meta = |document: &mut Json, name: &str, file: &[u8]| {
        let length = Json::Integer(file.len().try_into().unwrap());
        *slot(document, &["meta", name, "length"]) = length;
        let sha256 = Sha256::of(file).to_string();
        *slot(document, &["meta", name, "hashes", "sha256"]) = Json::from(sha256.as_str());
    };
    let product = sign("3.cam.json", "cam", &|signed| {
        let deltas = slot(signed, &["targets", "cam-1.2.0.bin", "custom", "deltas"]);
        let Json::Array(deltas) = deltas else {
            panic!("no deltas")
        };
        let is_repack = |delta: &&mut Json| delta.integer("base_size", 0).unwrap() == 0;
        let repack = deltas.iter_mut().find(is_repack).unwrap();
        *slot(repack, &["blake3"]) = Json::from(name.as_str());
        *slot(repack, &["size"]) = Json::Integer(bytes.len().try_into().unwrap());
    });
    let snapshot = sign("3.snapshot.json", "snapshot", &|signed| {
        meta(signed, "cam.json", &product);
    });
    sign("timestamp.json", "timestamp", &|signed| {
        meta(signed, "snapshot.json", &snapshot);
    });
}

/// The head of a repack asks for more than a repair fetches: that is an error and no endless wait, and the
/// image repairs.
#[test]
fn repack_that_lies_about_its_table_holds_no_repair_up_d35() {
    let published = publish();
    let repack = endless_table();
    replace_repack(&published, &repack);
    let world = World::of(Arc::new(published));
    assert!(repack.len() < world.images[1].len(), "the repack pays");
    world.modify_segment(2);
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let (way, _) = world.install();
        done.send((way, world.count("repair-failed"))).unwrap();
    });
    let ended = ended.recv_timeout(PATIENCE);
    assert_eq!(ended.expect("it ends"), ("delta".to_owned(), 1));
}
