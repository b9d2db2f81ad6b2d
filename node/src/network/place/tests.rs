//! Files of networks: made once, changed under a lock, refused when damaged, gone when left.

use std::os::unix::fs::MetadataExt as _;

use keys::{AgreementKey, Algorithm, SigningKey};
use protocol::network::members::Member;

use super::*;

const NOW: u64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn member(seed: u8) -> Member {
    Member {
        key: key(seed).public(),
        name: format!("account {seed}").parse().unwrap(),
        agreement: AgreementKey::of_account(&key(seed)).unwrap().public(),
    }
}

fn founded() -> Membership {
    let name = "home".parse().unwrap();
    Membership::found(&key(1), name, [9; 16], member(1), NOW).unwrap()
}

fn place(folder: &tempfile::TempDir) -> Place {
    Place::of(folder.path(), &"home".parse().unwrap())
}

#[test]
fn made_once_and_read_by_its_owner_alone_k75() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(&folder);
    assert!(matches!(place.load(), Err(PlaceError::Missing(_))));
    assert_eq!(names(folder.path()).unwrap(), []);
    place.create(&founded(), &Access::default()).unwrap();
    assert_eq!(place.load().unwrap(), founded());
    assert_eq!(names(folder.path()).unwrap(), ["home".parse().unwrap()]);
    let again = place.create(&founded(), &Access::default());
    assert!(matches!(again, Err(PlaceError::Taken(_))));
    for name in [MEMBERSHIP, ACCESS] {
        let mode = fs::metadata(place.folder().join(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    place.remove().unwrap();
    assert!(!place.exists());
    assert_eq!(names(folder.path()).unwrap(), []);
}

#[test]
fn change_is_stored_or_nothing_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(&folder);
    place.create(&founded(), &Access::default()).unwrap();
    let members = vec![member(1), member(2)];
    place
        .change(|held| held.sign_members(&key(1), members.clone(), NOW))
        .unwrap();
    assert_eq!(place.load().unwrap().members(NOW).len(), 2);
    let before = fs::read(place.folder().join(MEMBERSHIP)).unwrap();
    let refused = place.change(|held| held.sign_members(&key(2), members, NOW));
    assert!(matches!(refused, Err(PlaceError::Membership(_))));
    assert_eq!(fs::read(place.folder().join(MEMBERSHIP)).unwrap(), before);
}

#[test]
fn damaged_files_are_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(&folder);
    place.create(&founded(), &Access::default()).unwrap();
    let path = place.folder().join(MEMBERSHIP);
    let whole = fs::read(&path).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 2] {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = place.load().unwrap_err();
        assert!(error.to_string().contains(MEMBERSHIP), "{error}");
    }
    fs::write(&path, vec![b' '; 600 * 1024]).unwrap();
    assert!(matches!(place.load(), Err(PlaceError::Path(_))));
}

#[test]
fn import_makes_a_network_and_later_only_brings_it_forward_p56() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(&folder);
    let write = |name: &str, held: &Membership| {
        let [charter, members] = held.tokens().collect::<Vec<_>>().try_into().unwrap();
        let text = serde_json::json!({ "charter": charter, "members": members });
        let path = folder.path().join(name);
        fs::write(&path, text.to_string()).unwrap();
        path
    };
    let mut newer = founded();
    let older = write("older", &newer);
    newer
        .sign_members(&key(1), vec![member(1), member(2)], NOW)
        .unwrap();
    let second = write("second", &newer);
    newer
        .sign_charter(&key(1), newer.last_named().0, vec![member(1)], NOW)
        .unwrap();
    let newest = write("newest", &newer);
    for (file, expected) in [
        (&older, (Some(1), Some(1))),
        (&second, (Some(1), Some(2))),
        (&older, (Some(1), Some(2))),
        (&newest, (Some(2), Some(1))),
        (&second, (Some(2), Some(1))),
    ] {
        place.import(file, NOW).unwrap();
        assert_eq!(place.load().unwrap().sequences(), expected);
    }
    let name = "home".parse().unwrap();
    let other = Membership::found(&key(2), name, [9; 16], member(2), NOW).unwrap();
    let other = write("other", &other);
    assert!(place.import(&other, NOW).is_err());
    assert_eq!(place.load().unwrap(), newer);
}
