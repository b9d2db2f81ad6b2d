//! The history: kept, found again, readable by its account alone.

use keys::{Algorithm, SigningKey};
use protocol::messages::body::Text;

use super::*;

fn agreement(seed: u8) -> AgreementKey {
    let key = SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap();
    AgreementKey::of_account(&key).unwrap()
}

fn contact(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn entry(number: u8, whose: u8, direction: Direction) -> Entry {
    Entry {
        id: MessageId::from_bytes([number; 16]),
        contact: contact(whose),
        direction,
        sent: 1_800_000_000,
        body: Body::Text(Text {
            text: format!("message {number}"),
        }),
        progress: match direction {
            Direction::Out => Progress::Waiting,
            Direction::In => Progress::Delivered,
        },
        mail: None,
        file: None,
    }
}

fn ids(entries: &[Entry]) -> Vec<u8> {
    entries.iter().map(|entry| entry.id.as_bytes()[0]).collect()
}

#[test]
fn is_kept_in_order_and_found_by_contact_and_id() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), &agreement(1)).unwrap();
    for (number, whose) in [(9, 1), (3, 2), (5, 1), (1, 1)] {
        history.put(&entry(number, whose, Direction::Out)).unwrap();
    }
    assert_eq!(ids(&history.with(&contact(1), 10).unwrap()), [9, 5, 1]);
    assert_eq!(ids(&history.with(&contact(1), 2).unwrap()), [5, 1]);
    let id = MessageId::from_bytes([3; 16]);
    assert_eq!(history.get(&id).unwrap(), Some(entry(3, 2, Direction::Out)));
    assert!(history.has(&id).unwrap());
    assert!(!history.has(&MessageId::from_bytes([4; 16])).unwrap());

    // It is there after a restart, and forgotten when it should be.
    drop(history);
    let history = History::open(folder.path(), &agreement(1)).unwrap();
    history.forget(&contact(1)).unwrap();
    assert!(history.with(&contact(1), 10).unwrap().is_empty());
    assert!(history.unfinished_with(&contact(1)).unwrap().is_empty());
    assert_eq!(ids(&history.with(&contact(2), 10).unwrap()), [3]);
}

#[test]
fn theirs_are_read_in_the_order_in_which_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), &agreement(1)).unwrap();
    use Direction::{In, Out};
    for (number, direction) in [(5, In), (9, Out), (3, In), (1, Out), (4, In)] {
        history.put(&entry(number, 1, direction)).unwrap();
    }
    assert_eq!(
        ids(&history.with(&contact(1), 10).unwrap()),
        [3, 9, 4, 1, 5]
    );
}

#[test]
fn what_is_to_be_done_or_read_is_marked_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), &agreement(1)).unwrap();
    history.put(&entry(1, 1, Direction::Out)).unwrap();
    history.put(&entry(2, 1, Direction::In)).unwrap();
    assert_eq!(ids(&history.unfinished_with(&contact(1)).unwrap()), [1]);
    assert_eq!(ids(&history.unread_of(&contact(1)).unwrap()), [2]);
    let file = FileState {
        path: "film".into(),
        is_complete: false,
        is_refused: false,
    };
    for (number, progress, file) in [
        (1, Progress::Delivered, None),
        (2, Progress::Read, Some(file.clone())),
    ] {
        let id = MessageId::from_bytes([number; 16]);
        let mut found = history.get(&id).unwrap().unwrap();
        (found.progress, found.file) = (progress, file);
        history.put(&found).unwrap();
    }
    // A file that is wanted is still to come.
    assert_eq!(ids(&history.unfinished_with(&contact(1)).unwrap()), [2]);
    assert!(history.unread_of(&contact(1)).unwrap().is_empty());
    // Replaced where they were, not appended.
    assert_eq!(ids(&history.with(&contact(1), 10).unwrap()), [1, 2]);
}

#[test]
fn only_its_account_reads_it_and_the_next_key_after_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), &agreement(1)).unwrap();
    history.put(&entry(1, 1, Direction::In)).unwrap();
    drop(history);
    let refused = History::open(folder.path(), &agreement(2));
    assert!(matches!(refused, Err(HistoryError::Sealed("key"))));

    hand_over(folder.path(), &agreement(1), &agreement(2).public()).unwrap();
    // Whether the change of key is done or was cut off.
    for seed in [1, 2] {
        let history = History::open(folder.path(), &agreement(seed)).unwrap();
        assert_eq!(ids(&history.with(&contact(1), 10).unwrap()), [1]);
    }
    // Without a history there is nothing to hand over.
    let empty = tempfile::tempdir().unwrap();
    hand_over(empty.path(), &agreement(1), &agreement(2).public()).unwrap();
    assert!(fs_is_empty(empty.path()));
}

fn fs_is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_row_moved_to_another_place_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), &agreement(1)).unwrap();
    history.put(&entry(1, 1, Direction::In)).unwrap();
    let (place, row) = history.rows.iter().next().unwrap().unwrap();
    let mut other = place.to_vec();
    other[0] ^= 1;
    history.rows.insert(&other, row).unwrap();
    let elsewhere = NodeId::from_bytes(*other.first_chunk().unwrap());
    let refused = history.with(&elsewhere, 10);
    assert!(matches!(refused, Err(HistoryError::Sealed("row"))));
}
