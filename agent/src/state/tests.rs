//! Tests of the agent's state file (threats S85, S86).

use std::fs;

use super::*;

fn full() -> State {
    let image = Image {
        version: "1.2.0".to_owned(),
        release: 7,
        security_version: 3,
        blake3: "ab".repeat(32),
        size: 4096,
    };
    State {
        slots: BTreeMap::from([("A".to_owned(), image.clone())]),
        pending: Some(Pending {
            bootname: "B".to_owned(),
            image,
            from: Some("1.1.0".to_owned()),
        }),
        release_floor: 6,
        security_floor: 2,
        failed: BTreeSet::from([4, 5]),
        newest_seen: Some((9, 1_800_000_000)),
        time_floor: 1_800_000_000,
        measured: Measured {
            link: Some(125_000),
            mixing: None,
        },
    }
}

#[test]
fn state_survives_the_file_and_a_lost_one_is_no_new_device_s85() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::new(folder.path());
    let lost = file.load().unwrap_err();
    assert!(lost.fix().unwrap().contains("counters"), "{lost}");
    for state in [full(), State::default()] {
        file.save(&state).unwrap();
        assert_eq!(file.load().unwrap(), state);
    }
}

/// Every truncation, so that floors are never taken from what happens to be left.
#[test]
fn refuses_truncated_state_at_every_byte_s85() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (
        folder.path().join("state.json"),
        StateFile::new(folder.path()),
    );
    file.save(&full()).unwrap();
    let good = fs::read(&path).unwrap();
    for end in 0..good.len() {
        fs::write(&path, &good[..end]).unwrap();
        let error = file.load().unwrap_err();
        assert!(error.to_string().contains("state.json"), "{error}");
        assert!(error.fix().unwrap().contains("restore"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), good[..end], "left as it is");
    }
}

#[test]
fn refuses_state_of_another_schema_s85() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (
        folder.path().join("state.json"),
        StateFile::new(folder.path()),
    );
    file.save(&full()).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"release_floor\": 6,", ""),
        ("\"security_floor\": 2,", ""),
        ("\"release_floor\": 6", "\"release_floor\": -6"),
        ("\"release_floor\": 6", "\"release_floor\": 6.5"),
        (
            "\"release_floor\": 6",
            "\"release_floor\": 18446744073709551616",
        ),
        ("\"release_floor\": 6", "\"release_floor\": \"6\""),
        (
            "\"release_floor\": 6",
            "\"release_floor\": 6, \"release_floor\": 0",
        ),
        (
            "\"release_floor\": 6",
            "\"release_floor\": 6, \"schema\": 2",
        ),
        ("\"from\"", "\"since\""),
        ("\"size\": 4096", "\"size\": null"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let error = file.load().unwrap_err();
        assert_eq!(error.exit, Exit::No, "{to}");
        assert!(error.to_string().contains("state.json"), "{error}");
    }
    for text in ["{}", "null", "[]", "\u{feff}{}", &"#".repeat(300_000)] {
        fs::write(&path, text).unwrap();
        assert!(file.load().is_err(), "{}", text.len());
    }
}

#[test]
fn disk_that_refuses_leaves_the_old_state_s82() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::new(folder.path());
    file.save(&full()).unwrap();
    fs::create_dir(folder.path().join("state.json.tmp")).unwrap();
    assert!(file.save(&State::default()).is_err());
    assert_eq!(file.load().unwrap(), full());
}

#[test]
fn failed_releases_are_bounded_and_the_newest_are_kept_s86() {
    let mut state = State::default();
    for release in 1..=1000 {
        state.fail(release);
        state.fail(release);
    }
    assert_eq!(state.failed.len(), FAILED_MAX);
    assert!(state.failed.contains(&1000));
    assert!(!state.failed.contains(&1));
}

#[test]
fn image_edited_by_hand_has_no_address() {
    let mut image = full().slots["A"].clone();
    assert_eq!(image.blob().unwrap().size, 4096);
    for text in ["", "ab", &"zz".repeat(32), &"ab".repeat(33)] {
        text.clone_into(&mut image.blake3);
        assert_eq!(image.blob(), None, "{text}");
    }
}

#[test]
fn one_sample_moves_what_was_measured_half_way() {
    let mut measured = Measured::default();
    measured.note_link(0);
    assert_eq!(measured.link, Some(1), "never nothing");
    measured.note_link(1_000_001);
    assert_eq!((measured.link, measured.mixing), (Some(500_001), None));
    for speed in [8_000_000, 4_000_000, u64::MAX] {
        measured.note_mixing(speed);
    }
    assert_eq!(measured.mixing, Some(u64::MAX / 2 + 3_000_000));
}
