//! Tests of durable files.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn replace_keeps_the_old_content_when_the_folder_is_gone_or_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    replace(&path, b"one", Access::Owner).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    fs::write(folder.path().join("state.json.tmp"), b"leftover of a kill").unwrap();
    replace(&path, b"two", Access::World).unwrap();
    assert_eq!(read(&path, 3).unwrap(), b"two");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
    assert!(!folder.path().join("state.json.tmp").exists());
    fs::create_dir(folder.path().join("state.json.tmp")).unwrap();
    assert!(replace(&path, b"three", Access::Owner).is_err());
    assert_eq!(read(&path, 3).unwrap(), b"two");
}

#[test]
fn read_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, b"12345").unwrap();
    assert_eq!(
        read(&path, 4).unwrap_err().kind(),
        io::ErrorKind::FileTooLarge
    );
    assert_eq!(read(&path, 5).unwrap(), b"12345");
    assert_eq!(read(&path, u64::MAX).unwrap(), b"12345");
    assert_eq!(read_if_there(&folder.path().join("none"), 4).unwrap(), None);
}

#[test]
fn remove_takes_a_missing_file_for_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, b"x").unwrap();
    remove(&path).unwrap();
    assert!(!path.exists());
    remove(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = remove(&path).unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.path, path.display().to_string());
    assert!(path.is_dir());
}

#[test]
fn rejects_files_that_others_can_write_and_links_m28() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.pin");
    fs::write(&path, b"pin").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    check_trustworthy(&path).unwrap();
    for mode in [0o664, 0o646, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            check_trustworthy(&path).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
    }
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(
        check_trustworthy(&link).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn one_process_holds_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let held = Lock::acquire(folder.path()).unwrap();
    assert!(held.is_some());
    assert!(Lock::acquire(folder.path()).unwrap().is_none());
    drop(held);
    assert!(Lock::acquire(folder.path()).unwrap().is_some());
}
