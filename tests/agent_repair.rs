//! A running system that is no longer what was installed (threats D30, D38): what the delta can't make of it
//! comes segment by segment out of the release's repack, and little else is fetched.

use std::fs;

use cli::Exit;
use support::device::{Device, Published};
use support::firmware::{Code, program};
use support::mirror::Mirror;

const SEGMENT: usize = 1 << 20;

struct World {
    images: [Vec<u8>; 2],
    published: Published,
    mirror: Mirror,
    device: Device,
}

impl World {
    /// A device that has found out what it runs. Images of four segments and more, as compilers make them.
    fn new() -> Self {
        let images = [1, 2].map(|version| program(Code::Arm64, 36_000, version));
        assert!(images[1].len() > 4 * SEGMENT, "{}", images[1].len());
        let published = Published::images([&images[0], &images[1]]);
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

    fn modify(&self, change: impl Fn(&mut Vec<u8>)) {
        let slot = self.device.slot_path("a");
        let mut bytes = fs::read(&slot).unwrap();
        change(&mut bytes);
        fs::write(slot, bytes).unwrap();
    }

    /// Installs, checks what was written, and returns the way and the bytes fetched.
    fn install(&self) -> (String, u64) {
        assert_eq!(self.device.run(&["install"]).unwrap(), Exit::Reboot);
        let slot = fs::read(self.device.slot_path("b")).unwrap();
        assert!(slot == self.images[1], "slot B is the image");
        let journal = self.device.journal();
        let switched = journal.iter().find(|entry| entry.event == "switching");
        let data = &switched.unwrap().data;
        let way = data["way"].as_str().unwrap().to_owned();
        (way, data["fetched_bytes"].as_u64().unwrap())
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

#[test]
fn modified_base_is_repaired_segment_by_segment_d30() {
    let untouched = World::new();
    let (way, delta_bytes) = untouched.install();
    assert_eq!((way.as_str(), untouched.repairs()), ("delta", vec![]));

    let world = World::new();
    world.modify(|bytes| bytes[2 * SEGMENT + SEGMENT / 2..][..64].fill(0xee));
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
    world.modify(|bytes| {
        for byte in bytes.iter_mut().step_by(100_000) {
            *byte ^= 1;
        }
    });
    let (way, bytes) = world.install();
    assert_eq!((way.as_str(), world.repairs()), ("repack", vec![]));
    let image = world.images[1].len() as u64;
    assert!(bytes < image * 8 / 10, "{bytes} of {image} bytes fetched");
}

/// Nobody serves the repack: the segments come out of the image itself.
#[test]
fn without_a_repack_the_image_repairs_d30() {
    let world = World::new();
    world.modify(|bytes| bytes[SEGMENT + SEGMENT / 2..][..64].fill(0xee));
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
