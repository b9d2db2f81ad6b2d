//! Tests of raw slots: wrong bases and outputs (threats D30, D31, D33), lying disks (S83), sizes (S87).

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::sample::content_of;

/// 2.5 MiB of noise, so that there are several segments and chunks.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut noise);
    noise
}

struct Place {
    folder: tempfile::TempDir,
    base: Vec<u8>,
    image: Vec<u8>,
    delta: DeltaRef,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = noise(1, 5 << 19);
        let mut image = base.clone();
        image.splice(1_000_000..1_000_100, noise(2, 700));
        let mut bytes = Vec::new();
        let options = delta::CreateOptions {
            threads: 1,
            level: 1,
            coder: delta::Coder::Zstd,
        };
        delta::create(&base, &image, &options, &|_| {}, &mut bytes).unwrap();
        let delta = DeltaRef {
            base: content_of(&base),
            blob: content_of(&bytes),
            format: delta::FORMAT.to_owned(),
        };
        fs::write(folder.path().join("base"), &base).unwrap();
        fs::write(folder.path().join("image"), &image).unwrap();
        fs::write(folder.path().join("delta"), bytes).unwrap();
        Self {
            folder,
            base,
            image,
            delta,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn blob(&self) -> Blob {
        crate::update::blob_of(&content_of(&self.image))
    }

    fn apply(&self) -> Result<(), InstallError> {
        let slot = self.path("slot");
        let mut report = |_| ControlFlow::Continue(());
        self.apply_to(&self.delta, (&slot, &self.blob()), &mut report)
    }

    /// Applies all segments; one that is left out is an error here.
    fn apply_to(
        &self,
        delta: &DeltaRef,
        (slot, image): (&Path, &Blob),
        report: Report<'_>,
    ) -> Result<(), InstallError> {
        let reader = File::open(self.path("delta")).unwrap();
        let mut opened = open_delta(reader, delta, image)?;
        let all: Vec<u32> = (0..opened.segment_count()).collect();
        let base = self.path("base");
        let applied = apply_delta(&mut opened, Some(&base), (slot, image), &all, report)?;
        match applied.left_out.first() {
            None => Ok(()),
            Some(&index) => Err(delta::ApplyError::Hash { index }.into()),
        }
    }

    fn copy(&self, size: u64) -> Result<(), InstallError> {
        copy(&self.path("image"), &self.path("slot"), size, &mut |_| {
            ControlFlow::Continue(())
        })
    }

    fn slot(&self) -> Vec<u8> {
        fs::read(self.path("slot")).unwrap()
    }
}

/// What a slot may hold before it is written.
fn before(place: &Place) -> [Option<Vec<u8>>; 5] {
    [
        None,
        Some(Vec::new()),
        Some(noise(3, 1000)),
        Some(noise(3, place.image.len() + 5000)),
        Some(place.base.clone()),
    ]
}

#[test]
fn delta_gives_exactly_the_image_whatever_the_slot_held() {
    let place = Place::new();
    for held in before(&place) {
        match &held {
            Some(bytes) => fs::write(place.path("slot"), bytes).unwrap(),
            None => drop(fs::remove_file(place.path("slot"))),
        }
        place.apply().unwrap();
        assert!(place.slot() == place.image, "{:?}", held.map(|it| it.len()));
        let tree = read_back(&place.path("slot"), &place.blob()).unwrap();
        assert_eq!(tree.blob(), place.blob());
        assert!(fs::read(place.path("base")).unwrap() == place.base);
    }
}

#[test]
fn copy_gives_exactly_the_image_whatever_the_slot_held() {
    let place = Place::new();
    for held in before(&place) {
        if let Some(bytes) = &held {
            fs::write(place.path("slot"), bytes).unwrap();
        }
        place.copy(place.blob().size).unwrap();
        assert!(place.slot() == place.image, "{:?}", held.map(|it| it.len()));
    }
    // No byte of the source beyond the signed size, and a short source is found by the read-back.
    place.copy(1000).unwrap();
    assert!(place.slot() == place.image[..1000]);
    fs::write(place.path("image"), &place.image[..1000]).unwrap();
    place.copy(place.blob().size).unwrap();
    assert!(matches!(
        read_back(&place.path("slot"), &place.blob()),
        Err(InstallError::ReadBack { .. })
    ));
}

/// Another base than is signed is refused before the slot is touched.
#[test]
fn delta_for_another_base_or_image_leaves_the_slot_d30() {
    let place = Place::new();
    fs::write(place.path("slot"), b"what was there").unwrap();
    let refused = |delta: &DeltaRef, image: &Blob, field: &str| {
        let slot = place.path("slot");
        let mut report = |_| ControlFlow::Continue(());
        let result = place.apply_to(delta, (&slot, image), &mut report);
        let error = result.unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
        assert_eq!(place.slot(), b"what was there", "{field}");
    };
    let mut other = place.delta.clone();
    other.base = content_of(&noise(4, place.base.len()));
    refused(&other, &place.blob(), "base of the delta");
    let mut other = place.delta.clone();
    other.base.size -= 1;
    refused(&other, &place.blob(), "base_size");
    let mut image = place.blob();
    image.root[0] ^= 1;
    refused(&place.delta, &image, "target of the delta");
    let mut image = place.blob();
    image.size += 1;
    refused(&place.delta, &image, "target_size");
    place.apply().unwrap();
}

/// The caller compares the base with its digest first; if it changes after that, no wrong byte stays.
#[test]
fn base_that_changed_gives_no_wrong_byte_d30() {
    let place = Place::new();
    for change in [
        |base: &mut Vec<u8>| base[10] ^= 1,
        |base: &mut Vec<u8>| base[2_000_000] ^= 0x80,
        |base: &mut Vec<u8>| base.truncate(1_500_000),
        Vec::clear,
    ] {
        let mut base = place.base.clone();
        change(&mut base);
        fs::write(place.path("base"), &base).unwrap();
        fs::write(place.path("slot"), b"").unwrap();
        assert!(matches!(place.apply(), Err(InstallError::Delta(_))));
        let slot = place.slot();
        assert_eq!(slot.len(), place.image.len());
        let written = slot
            .iter()
            .zip(&place.image)
            .all(|(a, b)| a == b || *a == 0);
        assert!(written, "only verified segments are written");
        assert!(read_back(&place.path("slot"), &place.blob()).is_err());
    }
    fs::write(place.path("base"), &place.base).unwrap();
    place.apply().unwrap();
    read_back(&place.path("slot"), &place.blob()).unwrap();
}

#[test]
fn damaged_or_truncated_delta_is_refused_at_any_byte_d31() {
    let place = Place::new();
    let good = fs::read(place.path("delta")).unwrap();
    let mut bad: Vec<Vec<u8>> = (0..good.len())
        .step_by(good.len() / 40 + 1)
        .chain([0, 8, 104, good.len() - 1])
        .map(|end| good[..end].to_vec())
        .collect();
    for position in (0..good.len()).step_by(good.len() / 40 + 1) {
        let mut bytes = good.clone();
        bytes[position] ^= 0x10;
        bad.push(bytes);
    }
    for bytes in bad {
        fs::write(place.path("delta"), &bytes).unwrap();
        fs::write(place.path("slot"), b"").unwrap();
        // A copied segment needs nothing of a damaged payload: then the output must be right.
        let applied = place.apply().is_ok();
        let same = read_back(&place.path("slot"), &place.blob()).is_ok();
        assert!(!applied || same, "wrong output was not noticed");
        assert!(!applied, "{} bytes", bytes.len());
    }
    fs::write(place.path("delta"), &good).unwrap();
    place.apply().unwrap();
}

#[test]
fn read_back_finds_every_difference_and_names_the_slot_s83() {
    let place = Place::new();
    place.copy(place.blob().size).unwrap();
    for position in [0, 1, 262_143, 262_144, 1_000_000, place.image.len() - 1] {
        for bit in [0, 7] {
            let mut bytes = place.image.clone();
            bytes[position] ^= 1 << bit;
            fs::write(place.path("slot"), bytes).unwrap();
            let error = read_back(&place.path("slot"), &place.blob()).unwrap_err();
            assert!(matches!(error, InstallError::ReadBack { .. }));
            let shown = error.to_string();
            assert!(
                shown.contains("slot") && shown.contains(&place.blob().name()),
                "{shown}"
            );
        }
    }
    for length in [0, 1, place.image.len() - 1] {
        fs::write(place.path("slot"), &place.image[..length]).unwrap();
        assert!(
            read_back(&place.path("slot"), &place.blob()).is_err(),
            "{length}"
        );
    }
    // A device is longer than its image: only the image counts.
    let longer = [place.image.clone(), noise(5, 4096)].concat();
    fs::write(place.path("slot"), longer).unwrap();
    read_back(&place.path("slot"), &place.blob()).unwrap();
    assert!(read_back(&place.path("none"), &place.blob()).is_err());
}

#[test]
fn stopped_write_ends_with_an_error_s79() {
    let place = Place::new();
    let mut stop = |_| ControlFlow::Break(());
    let slot = place.path("slot");
    let blob = place.blob();
    let stopped = copy(&place.path("image"), &slot, blob.size, &mut stop);
    assert!(matches!(stopped, Err(InstallError::Stopped)));
    assert!(read_back(&slot, &blob).is_err());
    let stopped = place.apply_to(&place.delta, (&slot, &blob), &mut stop);
    assert!(matches!(stopped, Err(InstallError::Delta(_))));
    assert!(read_back(&slot, &blob).is_err());
    place.apply().unwrap();
    read_back(&slot, &blob).unwrap();
}

#[test]
fn slot_that_is_a_directory_is_refused_by_name_s87() {
    let place = Place::new();
    fs::create_dir(place.path("slot")).unwrap();
    for error in [
        place.apply().unwrap_err(),
        place.copy(1000).unwrap_err(),
        read_back(&place.path("slot"), &place.blob()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("slot"), "{error}");
    }
}

/// A loop device over a file, detached when dropped.
struct LoopDevice(PathBuf);

impl LoopDevice {
    fn over(file: &Path) -> Option<Self> {
        let mut command = Command::new("losetup");
        let output = command.args(["-f", "--show"]).arg(file).output().ok()?;
        if !output.status.success() {
            return None;
        }
        let name = String::from_utf8(output.stdout).ok()?;
        Some(Self(PathBuf::from(name.trim())))
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        drop(Command::new("losetup").arg("-d").arg(&self.0).status());
    }
}

/// Needs root and loop devices; without them it says so.
#[test]
fn device_smaller_than_the_image_is_refused_before_the_first_byte_d33_s87() {
    let place = Place::new();
    let held = noise(6, 1 << 20);
    fs::write(place.path("disk"), &held).unwrap();
    let Some(device) = LoopDevice::over(&place.path("disk")) else {
        eprintln!("SKIPPED: no loop device (needs root); only files were tested");
        return;
    };
    let too_small = |result: Result<(), InstallError>| {
        let error = result.unwrap_err();
        assert!(matches!(
            error,
            InstallError::SlotTooSmall { actual, .. } if actual == 1 << 20
        ));
        let name = device.0.display().to_string();
        assert!(error.to_string().contains(&name), "{error}");
    };
    let size = place.blob().size;
    let mut report = |_| ControlFlow::Continue(());
    too_small(check_room(&device.0, size));
    too_small(check_room(&device.0, (1 << 20) + 1));
    too_small(copy(&place.path("image"), &device.0, size, &mut report));
    let slot = (&*device.0, &place.blob());
    too_small(place.apply_to(&place.delta, slot, &mut report));
    assert!(fs::read(&device.0).unwrap() == held, "nothing was written");
    check_room(&device.0, 1 << 20).unwrap();
    copy(&place.path("image"), &device.0, 1 << 20, &mut report).unwrap();
    assert!(fs::read(&device.0).unwrap() == place.image[..1 << 20]);
}

#[test]
fn file_has_room_as_far_as_can_be_told() {
    let place = Place::new();
    check_room(&place.path("none"), u64::MAX).unwrap();
    check_room(&place.path("base"), u64::MAX).unwrap();
}
