//! Tests of the boot state: trials, fallback, damaged files (threats S79, S81, S84, S86).

use std::fs;

use super::*;
use crate::slot::SlotKind;

fn slots() -> [Slot; 2] {
    ["A", "B"].map(|bootname| Slot {
        name: format!("rootfs.{bootname}"),
        device: PathBuf::from(format!("/slots/{bootname}")),
        kind: SlotKind::Raw,
        bootname: bootname.to_owned(),
    })
}

fn factory() -> BootState {
    BootState::factory(&slots())
}

#[test]
fn factory_device_starts_its_first_slot_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let lost = BootFile::new(folder.path()).load(&slots()).unwrap_err();
    assert!(lost.fix().unwrap().contains("init"), "{lost}");
    let state = BootState::guess(&slots(), &State::default());
    assert_eq!(state, factory());
    assert!(state.slot("A").unwrap().good);
    assert!(!state.slot("B").unwrap().good);
    assert_eq!(state.clone().start(), "A");
    assert_eq!((state.primary.as_str(), state.booted.as_str()), ("A", "A"));
    assert!(!folder.path().join("boot.json").exists());
}

#[test]
fn slot_on_trial_falls_back_after_its_tries_s86() {
    for attempts in 1..=10 {
        let mut state = factory();
        state.try_next("B", attempts);
        assert_eq!(state.booted, "A");
        for left in (0..attempts).rev() {
            assert_eq!(state.start(), "B");
            assert_eq!(state.slot("B").unwrap().tries, left);
        }
        for _ in 0..5 {
            assert_eq!(state.start(), "A", "after {attempts} tries");
        }
        assert_eq!(state.booted, "A");
        assert_eq!(state.primary, "B", "the fallback is seen by the agent");
    }
}

#[test]
fn good_slot_starts_for_ever_and_uses_up_nothing_s86() {
    let mut state = factory();
    state.try_next("B", 1);
    assert_eq!(state.start(), "B");
    state.mark_good("B");
    for _ in 0..50 {
        assert_eq!(state.start(), "B");
    }
    assert!(state.slot("A").unwrap().good, "the old system stays");
}

#[test]
fn good_slot_starts_whatever_the_primary_is_s81() {
    for primary in ["A", "B"] {
        for booted in ["A", "B"] {
            let mut state = factory();
            state.primary = primary.to_owned();
            state.booted = booted.to_owned();
            assert_eq!(state.start(), "A", "primary {primary}, booted {booted}");
            assert_eq!(state.booted, "A");
        }
    }
}

#[test]
fn device_without_a_good_slot_starts_its_primary_for_ever_s81() {
    let mut state = factory();
    state.mark_bad("A");
    state.mark_bad("B");
    for _ in 0..20 {
        assert_eq!(state.start(), "A");
        assert_eq!(state.slot("A").unwrap().tries, 0);
    }
}

#[test]
fn forbidden_slot_never_starts_and_is_no_longer_primary_s79() {
    let mut state = factory();
    state.try_next("B", 3);
    state.forbid("B");
    assert_eq!(state.primary, "A");
    assert_eq!(state, factory());
    for _ in 0..5 {
        assert_eq!(state.start(), "A");
    }
    state.mark_good("B");
    state.forbid("B");
    assert_eq!(state.start(), "A");
}

#[test]
fn slots_that_do_not_exist_change_nothing() {
    let mut state = factory();
    state.forbid("C");
    state.try_next("C", 3);
    state.mark_good("C");
    state.mark_bad("C");
    assert_eq!(state, factory());
}

#[test]
fn boot_state_survives_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = BootFile::new(folder.path());
    let mut state = factory();
    state.try_next("B", 3);
    file.save(&state).unwrap();
    assert_eq!(file.load(&slots()).unwrap(), state);
}

#[test]
fn refuses_damaged_boot_file_and_names_it_s84() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (
        folder.path().join("boot.json"),
        BootFile::new(folder.path()),
    );
    file.save(&factory()).unwrap();
    let good = fs::read(&path).unwrap();
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![b'#'; 1024],
        vec![0; 1024],
        vec![b' '; 16 * 1024 + 1],
        b"null".to_vec(),
        b"{}".to_vec(),
        [good.as_slice(), b"}"].concat(),
    ];
    bad.extend((0..good.len()).map(|end| good[..end].to_vec()));
    let text = String::from_utf8(good.clone()).unwrap();
    for (from, to) in [
        ("\"good\": true", "\"good\": \"true\""),
        ("\"tries\": 0", "\"tries\": -1"),
        ("\"tries\": 0", "\"tries\": 4294967296"),
        ("\"tries\": 0", "\"tries\": 0, \"extra\": 1"),
        ("\"primary\": \"A\"", "\"primary\": \"\""),
        ("\"primary\"", "\"primary\": \"A\", \"primary\""),
        ("\"booted\": \"A\"", "\"booted\": \"C\""),
    ] {
        assert!(text.contains(from), "{from}");
        bad.push(text.replacen(from, to, 1).into_bytes());
    }
    for bytes in bad {
        fs::write(&path, &bytes).unwrap();
        let error = file.load(&slots()).unwrap_err();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert!(error.to_string().contains("boot.json"), "{error}: {shown}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "the evidence stays");
    }
    fs::write(&path, good).unwrap();
    assert_eq!(file.load(&slots()).unwrap(), factory());
}

#[test]
fn refuses_boot_file_of_other_slots_s84() {
    let folder = tempfile::tempdir().unwrap();
    let file = BootFile::new(folder.path());
    let with = |names: &[&str], primary: &str| BootState {
        primary: primary.to_owned(),
        booted: "A".to_owned(),
        slots: names
            .iter()
            .map(|name| BootSlot {
                bootname: (*name).to_owned(),
                good: true,
                tries: 0,
            })
            .collect(),
    };
    for state in [
        with(&["A", "C"], "A"),
        with(&["A"], "A"),
        with(&["A", "A"], "A"),
        with(&["A", "B", "B"], "A"),
        with(&["A", "B"], "a"),
        with(&[], "A"),
    ] {
        file.save(&state).unwrap();
        let error = file.load(&slots()).unwrap_err();
        assert_eq!(error.exit, Exit::Usage, "{state:?}");
        assert!(error.to_string().contains("other slots"), "{error}");
        assert!(error.fix().is_some());
    }
}

#[test]
fn cut_while_saving_leaves_the_old_boot_state_s79() {
    let folder = tempfile::tempdir().unwrap();
    let file = BootFile::new(folder.path());
    let leftover = folder.path().join("boot.json.tmp");
    file.save(&factory()).unwrap();
    fs::write(&leftover, b"{\"primary\": \"B").unwrap();
    assert_eq!(file.load(&slots()).unwrap(), factory());
    let mut next = factory();
    next.try_next("B", 3);
    file.save(&next).unwrap();
    assert_eq!(file.load(&slots()).unwrap(), next);
    assert!(!leftover.exists());
}

#[test]
fn disk_that_refuses_leaves_the_old_boot_state_s82() {
    let folder = tempfile::tempdir().unwrap();
    let file = BootFile::new(folder.path());
    file.save(&factory()).unwrap();
    // A directory in the way of the temporary file makes the write fail, also for root.
    fs::create_dir(folder.path().join("boot.json.tmp")).unwrap();
    let mut next = factory();
    next.try_next("B", 3);
    let error = file.save(&next).unwrap_err();
    assert!(error.to_string().contains("boot.json"), "{error}");
    assert_eq!(file.load(&slots()).unwrap(), factory());
}
