//! Tests of trial, commit and fallback (threats S79, S81, S86).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::journal;
use crate::sample;

const OLD: &[u8] = b"the old image";
const NEW: &[u8] = b"the new image";

/// A device on which release 2 was just installed into slot B, before the boot state was written.
fn installed(folder: &Path, extra: &str) -> Device {
    let device = sample::device(folder, OLD, extra);
    fs::write(folder.join("b"), NEW).unwrap();
    let mut state = device.state().unwrap();
    state.slots.insert("A".to_owned(), sample::image(1, OLD));
    state.slots.insert("B".to_owned(), sample::image(2, NEW));
    state.pending = Some(Pending {
        bootname: "B".to_owned(),
        image: sample::image(2, NEW),
        from: Some("1.1".to_owned()),
    });
    device.save_state(&state).unwrap();
    device
}

/// The same, switched: slot B starts next.
fn switched(folder: &Path, extra: &str) -> Device {
    let device = installed(folder, extra);
    let mut boot = device.boot().unwrap();
    boot.try_next("B", 3);
    device.save_boot(&boot).unwrap();
    device
}

/// What the boot loader does.
fn start(device: &Device) -> String {
    let mut boot = device.boot().unwrap();
    let chosen = boot.start();
    device.save_boot(&boot).unwrap();
    chosen
}

fn events(device: &Device) -> Vec<String> {
    let entries = journal::read(&device.config.data_directory).unwrap();
    entries.into_iter().map(|entry| entry.event).collect()
}

#[test]
fn device_without_a_trial_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = sample::device(folder.path(), OLD, "");
    assert_eq!(reconcile(&mut device).unwrap(), Standing::Settled);
    assert_eq!(events(&device), Vec::<String>::new());
}

#[test]
fn installed_image_waits_for_a_reboot_then_proves_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    assert_eq!(reconcile(&mut device).unwrap(), Standing::RebootPending);
    assert_eq!(start(&device), "B");
    let pending = device.state().unwrap().pending.unwrap();
    let proving = Standing::Proving(Box::new(pending));
    assert_eq!(reconcile(&mut device).unwrap(), proving);
    commit(&mut device).unwrap();
    let state = device.state().unwrap();
    assert_eq!((state.release_floor, state.security_floor), (2, 2));
    assert_eq!(state.pending, None);
    let boot = device.boot().unwrap();
    assert_eq!((boot.primary.as_str(), boot.booted.as_str()), ("B", "B"));
    assert!(boot.slot("B").unwrap().good && boot.slot("A").unwrap().good);
    assert_eq!(reconcile(&mut device).unwrap(), Standing::Settled);
    assert_eq!(events(&device), ["committed"]);
}

#[test]
fn image_that_never_proves_itself_falls_back_without_hands_s86() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    for _ in 0..3 {
        assert_eq!(start(&device), "B");
    }
    assert_eq!(start(&device), "A");
    let found = reconcile(&mut device).unwrap();
    assert!(matches!(found, Standing::RolledBack(pending) if pending.image.release == 2));
    let state = device.state().unwrap();
    assert!(state.failed.contains(&2), "it is not installed again");
    assert_eq!((state.release_floor, state.pending), (0, None));
    assert_eq!(device.boot().unwrap().primary, "A");
    assert_eq!(events(&device), ["rolled-back"]);
    assert_eq!(reconcile(&mut device).unwrap(), Standing::Settled);
    assert_eq!(start(&device), "A");
}

/// A cut after the fallback was noted in one file and not in the other must not start the failed image
/// again: the next run would take it for a switch that was cut off.
#[test]
fn fallback_that_is_cut_off_is_not_taken_for_a_switch_s86() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    while start(&device) == "B" {}
    // The boot state can't be written: as if the power went between the two files.
    let block = device.config.data_directory.join("boot.json.tmp");
    fs::create_dir(&block).unwrap();
    reconcile(&mut device).unwrap_err();
    fs::remove_dir(&block).unwrap();
    for _ in 0..3 {
        reconcile(&mut device).unwrap();
        assert_eq!(start(&device), "A");
    }
    assert!(device.state().unwrap().failed.contains(&2));
    assert_eq!(device.state().unwrap().pending, None);
}

/// And the other file.
#[test]
fn fallback_is_noted_by_the_next_run_if_the_state_is_not_written_s86() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    while start(&device) == "B" {}
    let block = device.config.data_directory.join("state.json.tmp");
    fs::create_dir(&block).unwrap();
    reconcile(&mut device).unwrap_err();
    assert_eq!(start(&device), "A");
    fs::remove_dir(&block).unwrap();
    let found = reconcile(&mut device).unwrap();
    assert!(matches!(found, Standing::RolledBack(_)), "{found:?}");
    assert!(device.state().unwrap().failed.contains(&2));
}

#[test]
fn switch_that_was_cut_off_is_finished_s79() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = installed(folder.path(), "");
    assert_eq!(start(&device), "A");
    assert_eq!(reconcile(&mut device).unwrap(), Standing::RebootPending);
    let boot = device.boot().unwrap();
    assert_eq!(boot.primary, "B");
    assert_eq!(boot.slot("B").unwrap().tries, 3);
    assert_eq!(events(&device), ["switching"]);
    assert_eq!(start(&device), "B");
}

#[test]
fn switch_is_not_finished_onto_a_slot_that_changed_s83() {
    for change in [&b"the nEw image"[..], b"the new imag", b""] {
        let folder = tempfile::tempdir().unwrap();
        let mut device = installed(folder.path(), "");
        fs::write(folder.path().join("b"), change).unwrap();
        assert_eq!(reconcile(&mut device).unwrap(), Standing::Settled);
        let state = device.state().unwrap();
        assert_eq!(state.pending, None);
        assert!(!state.slots.contains_key("B"));
        for _ in 0..3 {
            assert_eq!(start(&device), "A");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut device = installed(folder.path(), "");
    fs::remove_file(folder.path().join("b")).unwrap();
    assert_eq!(reconcile(&mut device).unwrap(), Standing::Settled);
    assert_eq!(start(&device), "A");
}

#[test]
fn commit_that_is_cut_off_is_finished_s79() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    assert_eq!(start(&device), "B");
    let mut cut_at = |name: &str| {
        let block = device.config.data_directory.join(name);
        fs::create_dir(&block).unwrap();
        commit(&mut device).unwrap_err();
        fs::remove_dir(&block).unwrap();
        let found = reconcile(&mut device).unwrap();
        assert_eq!(start(&device), "B");
        found
    };
    let before_boot_state = cut_at("boot.json.tmp");
    assert!(
        matches!(before_boot_state, Standing::Proving(_)),
        "{before_boot_state:?}"
    );
    // With the boot state saved it has proved itself: health is not asked again.
    assert_eq!(cut_at("state.json.tmp"), Standing::Settled);
    assert_eq!(device.state().unwrap().release_floor, 2);
    assert_eq!(reconcile(&mut device).unwrap(), Standing::Settled);
}

#[test]
fn marking_the_old_system_good_does_not_commit_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    commit(&mut device).unwrap();
    let state = device.state().unwrap();
    assert_eq!(state.release_floor, 0);
    assert!(state.pending.is_some());
    assert_eq!(events(&device), ["marked-good"]);
}

#[test]
fn floors_never_go_down_s85() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    let mut state = device.state().unwrap();
    (state.release_floor, state.security_floor) = (9, 7);
    device.save_state(&state).unwrap();
    assert_eq!(start(&device), "B");
    commit(&mut device).unwrap();
    let state = device.state().unwrap();
    assert_eq!((state.release_floor, state.security_floor), (9, 7));
}

#[test]
fn cut_before_the_journal_line_changes_nothing_s79() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = switched(folder.path(), "");
    while start(&device) == "B" {}
    let before = (device.boot().unwrap(), device.state().unwrap());
    // A full journal can't be set aside: what is to be done must not be done then.
    let data = device.config.data_directory.clone();
    let filler = "x".repeat(15 * 1024);
    let journal = data.join("journal.jsonl");
    while fs::metadata(&journal).unwrap().len() < 1 << 20 {
        let particulars = json!({ "filler": filler });
        device.record("filled", particulars).unwrap();
    }
    fs::create_dir_all(data.join("journal.1.jsonl/in-the-way")).unwrap();
    let error = reconcile(&mut device).unwrap_err();
    assert!(error.to_string().contains("journal"), "{error}");
    assert_eq!((device.boot().unwrap(), device.state().unwrap()), before);
}

/// Runs the health check of a device whose health program is this script.
fn health(script: &str) -> Result<(), CliError> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("health");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let extra = format!(
        "[handlers]\nhealth = '{}'\nhealth-timeout = '1s'\n",
        program.display()
    );
    let device = switched(folder.path(), &extra);
    assert_eq!(start(&device), "B");
    let pending = device.state().unwrap().pending.unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(check_health(&device, &pending))
}

#[test]
fn health_program_decides_s86() {
    health("#!/bin/sh\nexit 0\n").unwrap();
    for (script, rule) in [
        ("#!/bin/sh\nexit 1\n", "failed"),
        ("#!/bin/sh\nkill -9 $$\n", "failed"),
        ("#!/nonexistent\n", "health"),
        ("#!/bin/sh\nexec sleep 1000\n", "did not end in 1 s"),
    ] {
        let error = health(script).unwrap_err();
        assert_eq!(error.exit, Exit::No, "{error}");
        assert!(error.to_string().contains(rule), "{error}");
        assert!(error.to_string().contains("health check /"), "{error}");
    }
}

#[test]
fn health_program_is_told_what_it_checks_s86() {
    let script = "#!/bin/sh\ntest \"$STREEMBIT_SLOT $STREEMBIT_BOOTNAME $STREEMBIT_VERSION\" = \
                  'rootfs.1 B 1.2'\n";
    health(script).unwrap();
}
