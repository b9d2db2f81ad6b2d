//! The log on a disk: what was appended is there, once, in its order, whatever is cut off.

use std::fs;

use keys::{Algorithm, SigningKey};
use tlog::vkey::Scheme;

use super::*;

const ORIGIN: &str = "fwlog.acme.example";

struct Place {
    folder: tempfile::TempDir,
    key: SigningKey,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            key: SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap(),
        }
    }

    fn log(&self) -> Log {
        Log::new(&self.folder.path().join("log"), ORIGIN)
    }

    fn verifier(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, Scheme::Note(self.key.public())).unwrap()
    }

    fn sign(&self) -> Result<Note, LogError> {
        let sign = |text: &[u8]| Ok::<_, LogError>(self.key.sign(text));
        self.log().sign(&self.verifier(), sign)
    }

    fn append(&self, entries: std::ops::Range<u64>) -> u64 {
        let entries: Vec<String> = entries.map(|number| format!("entry {number}")).collect();
        let entries = entries.iter().map(String::as_bytes);
        self.log().append(entries).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }
}

/// The tree over `entry 0`, `entry 1`, ….
fn root(size: u64) -> Hash {
    let mut edge = Edge::default();
    for number in 0..size {
        drop(edge.append(Hash::of_leaf(format!("entry {number}").as_bytes())));
    }
    edge.root()
}

fn policy(key: &VerifierKey) -> Policy {
    format!("log {key}\nquorum none\n").parse().unwrap()
}

#[test]
fn what_is_appended_can_be_proved_step_by_step() {
    let place = Place::new();
    let (log, policy) = (place.log(), policy(&place.verifier()));
    let mut size = 0;
    for more in [1, 2, 0, 252, 1, 1, 300, 70_000] {
        assert_eq!(place.append(size..size + more), size);
        size += more;
        let tree = log.integrate().unwrap();
        assert_eq!((tree.size, tree.root), (size, root(size)), "{size}");
        let note = place.sign().unwrap();
        assert_eq!(log.publish(&policy, 0).unwrap().checkpoint, tree);
        for index in [0, size / 2, size - 1] {
            let proof = log.prove(index, note.clone()).unwrap();
            let leaf = Hash::of_leaf(format!("entry {index}").as_bytes());
            assert!(proof.verify(leaf, &policy, 0).is_ok(), "{index} of {size}");
            let bundle = Bundle::of(index / 256, size).unwrap();
            let entries = log.files().entries(bundle).unwrap();
            let entry = &entries[usize::try_from(index % 256).unwrap()];
            assert_eq!(*entry, format!("entry {index}").into_bytes());
        }
        assert!(matches!(log.prove(size, note), Err(LogError::NoEntry(_))));
    }
    assert!(place.path("tile/2/000.p/1").exists());
}

/// Witnesses may have cosigned what was cut off before it was shown: whoever has it from them finds it in the view.
#[test]
fn what_was_signed_and_not_shown_is_in_the_view() {
    let place = Place::new();
    let (log, policy) = (place.log(), policy(&place.verifier()));
    for more in [0..5, 5..8, 8..9] {
        place.append(more);
        log.integrate().unwrap();
        place.sign().unwrap();
    }
    assert_eq!(fs::read_to_string(place.path("unshown")).unwrap(), "8\n5\n");
    log.publish(&policy, 0).unwrap();
    assert!(!place.path("unshown").exists());
    place.append(9..20);
    log.integrate().unwrap();
    place.sign().unwrap();
    let newest = log.publish(&policy, 0).unwrap().checkpoint;
    assert!(!place.path("unshown").exists());
    let view = log.view().unwrap().unwrap();
    let sizes: Vec<u64> = view.prefixes.keys().copied().collect();
    assert_eq!(sizes, [5, 8, 9]);
    for size in sizes {
        let before = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: root(size),
        };
        assert_eq!(view.check(&before, &newest), Ok(()), "{size}");
    }
}

#[test]
fn what_was_integrated_and_not_discarded_is_not_taken_twice() {
    let place = Place::new();
    place.append(0..5);
    let pending = fs::read(place.path("pending")).unwrap();
    place.log().integrate().unwrap();
    fs::write(place.path("pending"), &pending).unwrap();
    assert_eq!(place.log().integrate().unwrap().size, 5);
    assert_eq!(place.append(5..6), 5);
    assert_eq!(place.log().integrate().unwrap().root, root(6));
    // A queue that is neither before nor behind the tree is nobody's.
    fs::write(place.path("pending"), &pending).unwrap();
    let error = place.log().integrate().unwrap_err();
    assert!(
        matches!(error, LogError::Pending(PendingError::Gap { .. })),
        "{error}"
    );
}

/// A cut in the middle of an entry that nobody was told of.
#[test]
fn torn_end_of_the_queue_is_cut_off_at_every_byte() {
    let place = Place::new();
    place.append(0..3);
    let whole = fs::read(place.path("pending")).unwrap();
    place.append(3..4);
    let longer = fs::read(place.path("pending")).unwrap();
    for length in whole.len()..longer.len() {
        let mut zeros = longer[..length].to_vec();
        fs::write(place.path("pending"), &zeros).unwrap();
        assert_eq!(place.append(3..5), 3, "{length}");
        // The same with what was not written yet as zeros.
        zeros.resize(longer.len(), 0);
        fs::write(place.path("pending"), &zeros).unwrap();
        assert_eq!(place.append(3..5), 3, "{length}");
    }
    assert_eq!(place.log().integrate().unwrap().root, root(5));
}

#[test]
fn entries_that_are_too_long_leave_nothing_behind() {
    let place = Place::new();
    place.append(0..2);
    let long = vec![0; 65_536];
    let refused = place.log().append([&b"short"[..], &long]);
    assert!(matches!(
        refused,
        Err(LogError::Pending(PendingError::TooLong))
    ));
    assert_eq!(place.append(2..3), 2);
    assert_eq!(place.log().integrate().unwrap().root, root(3));
}

/// An old copy of the log, put back, would be signed a second time with another history.
#[test]
fn a_log_that_lost_its_end_is_not_signed() {
    let place = Place::new();
    place.append(0..5);
    place.log().integrate().unwrap();
    let old = fs::read(place.path("tree")).unwrap();
    place.append(5..9);
    place.log().integrate().unwrap();
    let signed = place.sign().unwrap();
    fs::write(place.path("tree"), &old).unwrap();
    assert!(matches!(place.sign(), Err(LogError::Forked(9))));
    // With other entries behind the old ones, too.
    place.log().append([&b"other"[..]; 9]).unwrap();
    place.log().integrate().unwrap();
    assert!(matches!(place.sign(), Err(LogError::Forked(9))));
    assert_eq!(place.log().signed().unwrap(), Some(signed));
    // Up to the same width as before.
    fs::write(place.path("tree"), &old).unwrap();
    place.log().append([&b"another"[..]; 4]).unwrap();
    let error = place.log().integrate().unwrap_err();
    assert!(
        matches!(error, LogError::Files(FilesError::Changed(_))),
        "{error}"
    );
}

#[test]
fn signing_twice_gives_the_same_checkpoint_with_its_cosignatures() {
    let place = Place::new();
    place.append(0..5);
    place.log().integrate().unwrap();
    let first = place.sign().unwrap();
    let witness = SigningKey::from_secret(Algorithm::Ed25519, &[2; 32]).unwrap();
    let key = VerifierKey::new("w", Scheme::Cosignature(witness.public())).unwrap();
    let message = tlog::note::message(&key, first.text(), 77).unwrap();
    let line = Line::new(&key, 77, &witness.sign(&message));
    let forged = Line::new(&key, 78, &[0; 64]);
    let keys = [place.verifier(), key.clone()];
    let cosigned = place.log().add_cosignatures([forged, line], &keys).unwrap();
    assert_eq!(
        (cosigned.lines().len(), cosigned.signed_by(&key)),
        (2, Some(Signed::At(77)))
    );
    assert_eq!(place.sign().unwrap(), cosigned);
    // Until witnesses enough have cosigned, others are shown the checkpoint before.
    let two = format!(
        "log {}\nwitness w {key}\nwitness v {}\ngroup g all w v\nquorum g\n",
        keys[0],
        {
            let other = SigningKey::from_secret(Algorithm::Ed25519, &[3; 32]).unwrap();
            VerifierKey::new("v", Scheme::Cosignature(other.public())).unwrap()
        }
    );
    let refused = place.log().publish(&two.parse().unwrap(), 1000);
    assert!(matches!(
        refused,
        Err(LogError::Refused(Refusal::Quorum(_)))
    ));
    assert_eq!(place.log().checkpoint().unwrap(), None);
    let one = format!("log {}\nwitness w {key}\nquorum w\n", keys[0]);
    let accepted = place.log().publish(&one.parse().unwrap(), 1000).unwrap();
    assert_eq!(accepted.quorum_time, Some(77));
    assert_eq!(place.log().checkpoint().unwrap(), Some(cosigned));
}

#[test]
fn damaged_files_are_named_and_nothing_is_signed() {
    let place = Place::new();
    place.append(0..300);
    place.log().integrate().unwrap();
    for name in [
        "tree",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
    ] {
        let good = fs::read(place.path(name)).unwrap();
        for bad in [vec![], good[1..].to_vec(), [&good[..], b"x"].concat()] {
            place.append(300..301);
            fs::write(place.path(name), bad).unwrap();
            assert!(place.log().integrate().is_err(), "{name}");
            fs::write(place.path(name), &good).unwrap();
            fs::remove_file(place.path("pending")).unwrap();
        }
    }
    let mut turned = fs::read(place.path("tile/0/001.p/44")).unwrap();
    turned[7] ^= 1;
    fs::write(place.path("tile/0/001.p/44"), turned).unwrap();
    let error = place.log().integrate().unwrap_err();
    assert!(error.to_string().contains("tree"), "{error}");
}
