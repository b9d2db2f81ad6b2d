//! The channel: each frame once, in any order within a window, under keys that nobody can turn back.

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_800_000_000;

fn pair() -> (Channel, Channel) {
    let key = |byte| Secret::new(vec![byte; 32]);
    (
        Channel::new(key(1), key(2), NOW),
        Channel::new(key(2), key(1), NOW),
    )
}

fn frames(channel: &mut Channel, count: u64) -> Vec<Vec<u8>> {
    let mut seal = |number: u64| channel.seal(&number.to_be_bytes(), NOW).unwrap();
    (0..count).map(&mut seal).collect()
}

#[test]
fn each_frame_is_opened_once_in_its_direction() {
    let (mut ours, mut theirs) = pair();
    let frame = ours.seal(b"hello", NOW).unwrap();
    assert_eq!(ours.open(&frame), Err(ChannelError::Refused), "reflected");
    assert_eq!(theirs.open(&frame).unwrap(), b"hello");
    assert_eq!(theirs.open(&frame), Err(ChannelError::Replayed));
    let back = theirs.seal(b"", NOW).unwrap();
    assert_eq!(ours.open(&back).unwrap(), b"");
}

#[test]
fn a_changed_frame_changes_nothing() {
    let (mut ours, mut theirs) = pair();
    let frame = ours.seal(b"hello", NOW).unwrap();
    for at in 0..frame.len() {
        let mut changed = frame.clone();
        changed[at] ^= 1;
        assert!(theirs.open(&changed).is_err(), "byte {at}");
    }
    for size in 0..frame.len() {
        assert!(theirs.open(&frame[..size]).is_err(), "{size} bytes");
    }
    assert_eq!(theirs.open(&frame).unwrap(), b"hello");
}

#[test]
fn frames_come_in_any_order_within_the_window() {
    let (mut ours, mut theirs) = pair();
    let frames = frames(&mut ours, 100);
    assert!(theirs.open(&frames[99]).is_ok());
    assert_eq!(
        theirs.open(&frames[35]),
        Err(ChannelError::Replayed),
        "too late"
    );
    for frame in frames[36..99].iter().rev() {
        assert!(theirs.open(frame).is_ok());
    }
    for frame in &frames {
        assert_eq!(theirs.open(frame), Err(ChannelError::Replayed));
    }
}

proptest! {
    /// Whatever arrives, however often and in whatever order: nothing is opened twice.
    #[test]
    fn nothing_is_opened_twice(order in proptest::collection::vec(0_usize..200, 0..400)) {
        let (mut ours, mut theirs) = pair();
        let frames = frames(&mut ours, 200);
        let mut opened = std::collections::BTreeSet::new();
        for index in order {
            if let Ok(plain) = theirs.open(&frames[index]) {
                prop_assert_eq!(plain, (index as u64).to_be_bytes());
                prop_assert!(opened.insert(index));
            }
        }
    }
}

/// Late frames of the epoch before are opened still; those of older ones have no key any longer.
#[test]
fn keys_are_replaced_by_count() {
    let (mut ours, mut theirs) = pair();
    let frames = frames(&mut ours, 3 * EPOCH_FRAMES_MAX);
    let count = EPOCH_FRAMES_MAX as usize;
    let epoch = |frame: &[u8]| u32::from_be_bytes(*frame.first_chunk().unwrap());
    assert_eq!(
        [0, count, 2 * count].map(|at| epoch(&frames[at])),
        [0, 1, 2]
    );
    assert!(theirs.open(&frames[0]).is_ok());
    assert!(theirs.open(&frames[count]).is_ok());
    assert!(theirs.open(&frames[1]).is_ok(), "of the epoch before");
    assert!(theirs.open(&frames[2 * count]).is_ok());
    assert_eq!(theirs.open(&frames[2]), Err(ChannelError::Replayed));
    assert_eq!(theirs.receiving.current.number, 2);
}

#[test]
fn keys_are_replaced_by_time_whatever_the_clock_does() {
    let (mut ours, mut theirs) = pair();
    let mut epochs = Vec::new();
    for now in [
        NOW,
        NOW + EPOCH_SECONDS_MAX - 1,
        NOW + EPOCH_SECONDS_MAX,
        NOW - EPOCH_SECONDS_MAX,
    ] {
        let frame = ours.seal(b"tick", now).unwrap();
        theirs.open(&frame).unwrap();
        epochs.push(theirs.receiving.current.number);
    }
    assert_eq!(epochs, [0, 0, 1, 2]);
}

/// A frame that claims to be far ahead costs no more than two derivations and moves nothing.
#[test]
fn the_future_is_not_reached_by_lying() {
    let (mut ours, mut theirs) = pair();
    let frame = ours.seal(b"now", NOW).unwrap();
    for epoch in [1, EPOCHS_AHEAD_MAX, EPOCHS_AHEAD_MAX + 1, u32::MAX] {
        let mut lie = frame.clone();
        lie[..4].copy_from_slice(&epoch.to_be_bytes());
        assert_eq!(theirs.open(&lie), Err(ChannelError::Refused));
    }
    assert!(theirs.open(&frame).is_ok());
}

#[test]
fn frames_are_bounded() {
    let (mut ours, mut theirs) = pair();
    let most = SESSION_FRAME_BYTES_MAX - HEAD_BYTES - TAG_BYTES;
    let frame = ours.seal(&vec![7; most], NOW).unwrap();
    assert_eq!(frame.len(), SESSION_FRAME_BYTES_MAX);
    assert!(theirs.open(&frame).is_ok());
    assert_eq!(ours.seal(&vec![7; most + 1], NOW), Err(ChannelError::Shape));
    let long = vec![0; SESSION_FRAME_BYTES_MAX + 1];
    assert_eq!(theirs.open(&long), Err(ChannelError::Shape));
    ours.sending.epoch = u32::MAX;
    ours.sending.counter = EPOCH_FRAMES_MAX;
    assert_eq!(ours.seal(b"", NOW), Err(ChannelError::UsedUp));
}
