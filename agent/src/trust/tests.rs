//! Tests of pin and trusted files (threats M28, S79).

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::sample::pin;

const NAME: &str = "device.pin";

struct Device {
    folder: tempfile::TempDir,
    store: TrustStore,
}

impl Device {
    fn pinned() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = TrustStore::new(folder.path());
        store.store_pin(&pin()).unwrap();
        Self { folder, store }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("trusted").join(name)
    }

    #[track_caller]
    fn assert_refused(&self, rule: &str) {
        let error = self.store.pin().unwrap_err();
        assert_eq!(error.exit, Exit::Usage, "{error}");
        assert!(error.to_string().contains(NAME), "{error}");
        assert!(error.to_string().contains(rule), "{error}");
        assert!(error.fix().is_some());
    }
}

#[test]
fn stored_pin_is_read_back() {
    let device = Device::pinned();
    assert_eq!(device.store.pin().unwrap(), pin());
    assert_eq!(fs::read(device.file(NAME)).unwrap(), pin().encode());
}

#[test]
fn refuses_device_without_a_pin_m28() {
    let device = Device::pinned();
    fs::remove_file(device.file(NAME)).unwrap();
    device.assert_refused("No such file");
    fs::remove_dir_all(device.folder.path().join("trusted")).unwrap();
    device.assert_refused("No such file");
}

#[test]
fn refuses_pin_that_others_can_write_m28() {
    let device = Device::pinned();
    for mode in [0o646, 0o664, 0o666, 0o620] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(device.file(NAME), mode).unwrap();
        device.assert_refused("writable by group or others");
    }
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(device.file(NAME), mode).unwrap();
    assert!(device.store.pin().is_ok());
}

#[test]
fn refuses_pin_that_is_no_regular_file_m28() {
    let device = Device::pinned();
    let elsewhere = device.folder.path().join("elsewhere.pin");
    fs::rename(device.file(NAME), &elsewhere).unwrap();
    symlink(&elsewhere, device.file(NAME)).unwrap();
    device.assert_refused("not a regular file");
    fs::remove_file(device.file(NAME)).unwrap();
    symlink("/nowhere", device.file(NAME)).unwrap();
    device.assert_refused("not a regular file");
    fs::remove_file(device.file(NAME)).unwrap();
    fs::create_dir(device.file(NAME)).unwrap();
    device.assert_refused("not a regular file");
}

#[test]
fn refuses_empty_truncated_and_oversized_pin_m28() {
    let device = Device::pinned();
    let good = pin().encode();
    let brace = good.iter().rposition(|byte| *byte == b'}').unwrap();
    for end in (0..=brace).step_by(7).chain([brace]) {
        fs::write(device.file(NAME), &good[..end]).unwrap();
        device.assert_refused("");
    }
    let limit = usize::try_from(limits::PIN_BYTES_MAX).unwrap();
    let mut long = good.clone();
    long.resize(limit + 1, b'\n');
    fs::write(device.file(NAME), &long).unwrap();
    device.assert_refused("longer than");
    long.truncate(limit);
    fs::write(device.file(NAME), &long).unwrap();
    assert_eq!(device.store.pin().unwrap(), pin());
}

/// A flipped bit in any byte either breaks a rule or leaves another valid name; the keys never differ.
#[test]
fn flipped_bit_never_changes_whom_the_device_trusts_m28() {
    let device = Device::pinned();
    let good = pin().encode();
    let mut refused = 0;
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        fs::write(device.file(NAME), &bytes).unwrap();
        match device.store.pin() {
            Ok(read) => assert_eq!((read.root, read.account), (pin().root, pin().account)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused * 10 > good.len() * 9, "{refused} of {}", good.len());
}

#[test]
fn pin_is_never_replaced_m28() {
    let device = Device::pinned();
    device.store.store_pin(&pin()).unwrap();
    let mut other = pin();
    other.min_security_version = 1;
    let error = device.store.store_pin(&other).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.to_string().contains("holds another pin"), "{error}");
    assert!(error.fix().is_some());
    assert_eq!(device.store.pin().unwrap(), pin());
    fs::write(device.file(NAME), b"").unwrap();
    assert!(
        device.store.store_pin(&other).is_err(),
        "nor is a damaged one"
    );
}

#[test]
fn new_device_trusts_the_root_of_its_pin_alone_m28() {
    let device = Device::pinned();
    let stored = device.store.load(&pin()).unwrap();
    assert_eq!(stored, Stored::from_pin(&pin()));
    fs::write(device.file("root.json"), b"").unwrap();
    let stored = device.store.load(&pin()).unwrap();
    assert_eq!(
        stored.root, b"",
        "a damaged root is not replaced by an older one"
    );
}

#[test]
fn refuses_oversized_trusted_file_and_names_it_s85() {
    let device = Device::pinned();
    let long = vec![b' '; usize::try_from(limits::TIMESTAMP_BYTES_MAX).unwrap() + 1];
    fs::write(device.file("timestamp.json"), long).unwrap();
    let error = device.store.load(&pin()).unwrap_err();
    assert!(error.to_string().contains("timestamp.json"), "{error}");
}

#[test]
fn effects_are_carried_out_one_by_one_and_durably_s79() {
    let device = Device::pinned();
    let product = format!("{}.json", pin().product);
    let store = |name: &str, bytes: &[u8]| Effect::Store(name.to_owned(), bytes.to_vec());
    let apply = |effect: Effect| device.store.apply(&effect).unwrap();
    apply(Effect::Delete("timestamp.json".to_owned()));
    apply(store("timestamp.json", b"one"));
    apply(store(&product, b"product"));
    // A leftover of a cut is not read.
    fs::write(device.file("timestamp.json.tmp"), b"half").unwrap();
    let stored = device.store.load(&pin()).unwrap();
    assert_eq!(stored.timestamp.as_deref(), Some(&b"one"[..]));
    assert_eq!(stored.roles["cam"], b"product");
    apply(store("timestamp.json", b"two"));
    assert!(!device.file("timestamp.json.tmp").exists());
    apply(Effect::Delete("timestamp.json".to_owned()));
    let stored = device.store.load(&pin()).unwrap();
    assert_eq!((stored.timestamp, stored.snapshot), (None, None));
    assert_eq!(fs::read(device.file(NAME)).unwrap(), pin().encode());
}

#[test]
fn disk_that_refuses_keeps_the_old_trusted_file_s82() {
    let device = Device::pinned();
    let effect = |bytes: &[u8]| Effect::Store("root.json".to_owned(), bytes.to_vec());
    device.store.apply(&effect(b"old")).unwrap();
    fs::create_dir(device.file("root.json.tmp")).unwrap();
    let error = device.store.apply(&effect(b"new")).unwrap_err();
    assert!(error.to_string().contains("root.json"), "{error}");
    assert_eq!(fs::read(device.file("root.json")).unwrap(), b"old");
}

#[test]
fn both_files_of_one_version_are_kept_as_evidence_m12() {
    let device = Device::pinned();
    let kept = |name: &str| fs::read(device.file("evidence").join(name)).unwrap();
    let trusted = Effect::Store("snapshot.json".to_owned(), b"ours".to_vec());
    device.store.apply(&trusted).unwrap();
    for offered in [&b"other"[..], b"a third"] {
        device
            .store
            .keep_evidence("3.snapshot.json", offered)
            .unwrap();
        assert_eq!(kept("3.snapshot.json.offered"), b"other");
        assert_eq!(kept("3.snapshot.json.trusted"), b"ours");
    }
    device
        .store
        .keep_evidence("timestamp.json", b"first")
        .unwrap();
    assert_eq!(kept("timestamp.json.offered"), b"first");
    let stored = device.store.load(&pin()).unwrap();
    assert_eq!(stored.snapshot.unwrap(), b"ours");
    assert_eq!(stored.timestamp, None);
}

#[test]
fn evidence_of_a_name_without_a_version_is_that_of_the_name() {
    let device = Device::pinned();
    let kept = |name: &str| fs::read(device.file("evidence").join(name)).unwrap();
    for name in [".snapshot.json", "v3.snapshot.json", "3"] {
        let trusted = Effect::Store("snapshot.json".to_owned(), b"ours".to_vec());
        device.store.apply(&trusted).unwrap();
        device.store.keep_evidence(name, b"other").unwrap();
        assert_eq!(kept(&format!("{name}.offered")), b"other");
        let trusted = device.file("evidence").join(format!("{name}.trusted"));
        assert!(!trusted.exists(), "{name}");
    }
}
