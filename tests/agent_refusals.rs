//! A device and a mirror that serves what it must not (threats M1, M2, M11, M17, M19, M26 to M28, D30,
//! D31, D33, P49, P52, S82): one error with its exit code, naming file and rule; running slot, boot state
//! and, where nothing was verified, trusted files byte for byte as before; and the next run finishes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::sync::Arc;

use cli::{CliError, Exit};
use manifests::json::Json;
use support::device::{Device, Kind, Published, content, noise};
use support::mirror::{Answer, Mirror};
use support::repository::{edit_envelope, slot};

/// What a refusal may do to the trusted files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing new was verified.
    Same,
    /// What was verified before the refusal is kept, as TUF says.
    Moves,
}

/// A repository, its mirror and a device.
pub(crate) struct World {
    pub(crate) published: Arc<Published>,
    pub(crate) mirror: Mirror,
    pub(crate) device: Device,
}

impl World {
    /// A device that has been in use: both slots hold good systems and slot A runs.
    pub(crate) fn new(kind: Kind) -> Self {
        let published = Published::shared(kind);
        let mirror = Mirror::start(&published.repository());
        let mut device = Device::new(&published, &mirror.url());
        "4s".clone_into(&mut device.patience);
        if kind == Kind::Raw {
            fs::write(device.slot_path("b"), noise("an older system", 4 << 20)).unwrap();
        } else {
            fs::create_dir(device.slot_path("b")).unwrap();
            fs::write(device.slot_path("b").join("old"), b"older").unwrap();
        }
        let mut boot = device.boot();
        boot.mark_good("B");
        device.set_boot(&boot);
        Self {
            published,
            mirror,
            device,
        }
    }

    /// The same, but what runs is no release, so that the whole image is taken.
    fn without_delta() -> Self {
        let world = Self::new(Kind::Raw);
        let slot = world.device.slot_path("a");
        let mut bytes = fs::read(&slot).unwrap();
        bytes[12_345] ^= 1;
        fs::write(&slot, bytes).unwrap();
        // Slot B is about to be overwritten: its state is that of a slot that can't start.
        let mut boot = world.device.boot();
        boot.mark_bad("B");
        world.device.set_boot(&boot);
        world
    }

    /// Serves `bytes` as a metadata file.
    pub(crate) fn serve(&self, name: &'static str, bytes: Vec<u8>) {
        self.tamper(name, move |answer| {
            answer.status = 200;
            answer.set_body(bytes.clone());
        });
    }

    /// Changes the answers whose path ends so.
    fn tamper(&self, end: &str, change: impl Fn(&mut Answer) + Send + Sync + 'static) {
        let end = end.to_owned();
        self.mirror.tamper(move |asked, answer| {
            if asked.path.ends_with(&end) {
                change(answer);
            }
        });
    }

    /// Asserts that a command is refused and changes nothing that it must not.
    #[track_caller]
    pub(crate) fn refuses(
        &self,
        args: &[&str],
        trust: Trust,
        exit: Exit,
        words: &[&str],
    ) -> CliError {
        let (slot, boot, trusted) = self.device.frozen();
        let result = self.device.run(args);
        let Err(error) = result else {
            panic!("must be refused: {args:?}")
        };
        let shown = format!("{error}, {:?}", error.exit);
        assert_eq!(error.exit, exit, "{shown}");
        for word in words {
            assert!(error.to_string().contains(word), "{shown}: no {word:?}");
        }
        assert!(error.fix().is_some(), "{shown}: no fix");
        let after = self.device.frozen();
        assert!(after.0 == slot, "{shown}: the running slot changed");
        assert!(after.1 == boot, "{shown}: the boot state changed");
        if trust == Trust::Same {
            assert!(after.2 == trusted, "{shown}: the trusted files changed");
        }
        self.device.journal();
        error
    }

    /// Asserts the refusal of an installation that never comes near the slots.
    #[track_caller]
    pub(crate) fn refuses_untouched(&self, trust: Trust, exit: Exit, words: &[&str]) {
        let slots = content(&self.device.slots());
        let state = content(&self.device.data("state.json"));
        self.refuses(&["install"], trust, exit, words);
        assert!(content(&self.device.slots()) == slots, "a slot changed");
        if trust == Trust::Same {
            assert!(content(&self.device.data("state.json")) == state);
        }
    }

    /// Asserts that the next run with a good mirror installs release 2 and lets it start.
    #[track_caller]
    pub(crate) fn finishes(&mut self) -> String {
        self.mirror.be_honest();
        "2min".clone_into(&mut self.device.patience);
        let running = self.device.slot("a");
        assert_eq!(self.device.run(&["install"]).unwrap(), Exit::Reboot);
        let image = content(&self.published.image(2));
        assert!(self.device.slot("b") == image, "not the image of release 2");
        assert!(self.device.slot("a") == running);
        let boot = self.device.boot();
        assert_eq!((boot.primary.as_str(), boot.booted.as_str()), ("B", "A"));
        assert_eq!(boot.slot("B").unwrap().tries, 3);
        assert!(boot.slot("A").unwrap().good);
        assert_eq!(self.device.run(&["install"]).unwrap(), Exit::Reboot);
        let journal = self.device.journal();
        let switched = journal.iter().find(|entry| entry.event == "switching");
        let way = &switched.expect("journalled").data["way"];
        way.as_str().unwrap().to_owned()
    }
}

#[test]
fn installs_by_delta_and_commits_after_a_reboot() {
    let mut world = World::new(Kind::Raw);
    assert_eq!(world.device.run(&["check"]).unwrap(), Exit::Done);
    assert_eq!(world.finishes(), "delta");
    assert_eq!(world.device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(world.device.boot().booted, "B");
    let error = world.device.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, Exit::Retry, "not before it has proved itself");
    assert_eq!(world.device.run(&["mark-good"]).unwrap(), Exit::Done);
    assert_eq!(world.device.state().release_floor, 2);
    assert_eq!(world.device.run(&["install"]).unwrap(), Exit::Done);
    let events: Vec<String> = world
        .device
        .journal()
        .into_iter()
        .map(|entry| entry.event)
        .collect();
    let expected = [
        "planning",
        "fetching",
        "installing",
        "switching",
        "rebooting",
        "committed",
    ];
    assert_eq!(events, expected);
}

#[test]
fn installs_directories_whole() {
    let mut world = World::new(Kind::Dir);
    assert_eq!(world.finishes(), "whole");
}

/// One byte of the running system differs from its release: no delta can apply.
#[test]
fn modified_running_system_gets_the_whole_image_or_repairs_d30() {
    let mut world = World::without_delta();
    let delta = world.published.delta_path();
    assert_eq!(world.finishes(), "whole");
    assert!(!world.mirror.take_asked().contains(&delta));
    // The state says what runs, and the disk no longer agrees: that is repaired.
    let mut world = World::new(Kind::Raw);
    assert_eq!(world.device.run(&["check"]).unwrap(), Exit::Done);
    assert!(world.device.state().slots.contains_key("A"));
    let mut bytes = fs::read(world.device.slot_path("a")).unwrap();
    bytes[12_345] ^= 0x80;
    fs::write(world.device.slot_path("a"), bytes).unwrap();
    assert_eq!(world.finishes(), "delta");
    let journal = world.device.journal();
    assert!(journal.iter().any(|entry| entry.event == "repairing"));
}

#[test]
fn refuses_release_for_other_hardware_m27() {
    let mut world = World::new(Kind::Raw);
    "cam-r9".clone_into(&mut world.device.hardware);
    let words = ["cam-r9", "cam-r3"];
    world.refuses_untouched(Trust::Moves, Exit::No, &words);
    world.refuses(&["check"], Trust::Same, Exit::No, &words);
    let asked = world.mirror.take_asked();
    assert!(!asked.iter().any(|path| path.starts_with("/blobs")));
    let last = world.device.journal().pop().unwrap();
    assert_eq!(last.event, "refused");
    "cam-r3".clone_into(&mut world.device.hardware);
    assert_eq!(world.finishes(), "delta");
}

#[test]
fn refuses_release_below_the_floors_d41() {
    let world = World::new(Kind::Raw);
    let mut state = world.device.state();
    state.release_floor = 3;
    fs::write(
        world.device.data("state.json"),
        serde_json::to_vec(&state).unwrap(),
    )
    .unwrap();
    let words = ["rollback", "newest release is 2", "ran 3"];
    world.refuses_untouched(Trust::Moves, Exit::Rollback, &words);
    world.refuses(&["check"], Trust::Same, Exit::Rollback, &words);
}

/// Any byte of any metadata file; the byte moves with the file.
#[test]
fn refuses_changed_truncated_and_oversized_metadata_m1_m19() {
    let mut world = World::new(Kind::Raw);
    let files = world.published.metadata();
    for (name, exit, rule) in [
        ("timestamp.json", Exit::No, ""),
        ("3.snapshot.json", Exit::No, "sha256"),
        ("1.targets.json", Exit::No, "sha256"),
        ("3.cam.json", Exit::No, "sha256"),
    ] {
        let end = format!("/{name}");
        let good = files[name].clone();
        let digits = |text: &str| {
            let found = String::from_utf8_lossy(&good).find(text).unwrap();
            found + text.len() + 20
        };
        // One hex digit of a signature; then the last byte is missing; then too many.
        let position = digits("\"sig\"");
        let mut flipped = good.clone();
        flipped[position] = if flipped[position] == b'0' {
            b'1'
        } else {
            b'0'
        };
        world.tamper(&end, move |answer| answer.set_body(flipped.clone()));
        world.refuses_untouched(Trust::Moves, exit, &[name, rule]);
        let cut = good[..good.len() - 10].to_vec();
        world.tamper(&end, move |answer| answer.set_body(cut.clone()));
        world.refuses_untouched(Trust::Moves, exit, &[name]);
        world.tamper(&end, move |answer| {
            answer.body.resize(2 << 20, b' ');
            answer.claimed = None;
        });
        let words = [name, "longer than"];
        world.refuses_untouched(Trust::Moves, Exit::Undecided, &words);
        world.tamper(&end, |answer| answer.fail(404));
        let words = [name, "does not have it"];
        world.refuses_untouched(Trust::Moves, Exit::Undecided, &words);
        world.tamper(&end, |answer| answer.body.truncate(100));
        world.refuses_untouched(Trust::Moves, Exit::Undecided, &[name]);
    }
    assert_eq!(world.finishes(), "delta");
}

/// Signed by a key that is not the role's.
#[test]
fn refuses_wrong_signature_m2() {
    let mut world = World::new(Kind::Raw);
    let mut timestamp = world.published.metadata()["timestamp.json"].clone();
    edit_envelope(&mut timestamp, |document| {
        *slot(document, &["signatures", "0", "sig"]) = Json::from("00".repeat(64).as_str());
    });
    world.serve("/timestamp.json", timestamp);
    world.refuses_untouched(Trust::Same, Exit::No, &["timestamp.json", "signature"]);
    assert_eq!(world.finishes(), "delta");
}

/// A mirror in trouble must not look like one that has nothing newer.
#[test]
fn refuses_mirror_that_fails_at_the_next_root_m18() {
    let mut world = World::new(Kind::Raw);
    for status in [500, 503, 403, 302, 204] {
        world.tamper("/2.root.json", move |answer| answer.fail(status));
        let words = ["2.root.json"];
        world.refuses_untouched(Trust::Same, Exit::Undecided, &words);
    }
    // A captive portal answers everything with a page.
    world.mirror.tamper(|_, answer| {
        (answer.status, answer.range) = (200, None);
        answer.set_body(b"<html>log in</html>".to_vec());
    });
    world.refuses_untouched(Trust::Same, Exit::No, &["2.root.json"]);
    assert_eq!(world.finishes(), "delta");
}

#[test]
fn unreachable_mirror_is_an_error_and_the_next_run_finishes() {
    let mut world = World::new(Kind::Raw);
    world.mirror.tamper(|_, answer| {
        answer.body.clear();
        answer.claimed = Some(100);
    });
    world.refuses_untouched(Trust::Same, Exit::Undecided, &["/metadata/"]);
    assert_eq!(world.finishes(), "delta");
}

/// Members outside `signed`, in every place where a file may have some: the same decision.
#[test]
fn unsigned_members_change_nothing_m26() {
    let mut world = World::new(Kind::Raw);
    let mut timestamp = world.published.metadata()["timestamp.json"].clone();
    edit_envelope(&mut timestamp, |document| {
        for (member, value) in [
            ("hardware", "cam-r9"),
            ("version", "99"),
            ("release", "99"),
            ("base_blake3", "00"),
            ("url", "http://127.0.0.1:1/"),
            ("expires", "2020-01-01T00:00:00Z"),
        ] {
            *slot(document, &[member]) = Json::from(value);
            *slot(document, &["signatures", "0", member]) = Json::from(value);
        }
    });
    world.serve("/timestamp.json", timestamp.clone());
    assert_eq!(world.device.run(&["check"]).unwrap(), Exit::Done);
    let stored = fs::read(world.device.data("trusted/timestamp.json")).unwrap();
    assert_eq!(stored, timestamp, "byte for byte as it was verified");
    assert_eq!(world.finishes(), "delta");
}

/// A way to spoil an answer.
type Lie = fn(&mut Answer);

/// How a mirror may spoil a chunk.
fn lies() -> [(&'static str, Lie); 9] {
    [
        ("a flipped bit", |answer| answer.body[7] ^= 1),
        ("a flipped last bit", |answer| {
            *answer.body.last_mut().unwrap() ^= 0x80;
        }),
        ("a truncated range", |answer| {
            let half = answer.body.len() / 2;
            let body = answer.body[..half].to_vec();
            answer.set_body(body);
        }),
        ("a cut connection", |answer| answer.body.truncate(1000)),
        ("nothing", |answer| answer.set_body(Vec::new())),
        ("too much", |answer| {
            answer.body.resize(1 << 20, 0);
            answer.claimed = None;
        }),
        ("another range", |answer| {
            answer.range = Some("bytes 1-2/3".to_owned());
        }),
        ("all of it", |answer| {
            (answer.status, answer.range) = (200, None);
        }),
        ("an error", |answer| answer.fail(500)),
    ]
}

/// Neither delta nor image arrives: no slot is touched, not even the one that would be written, which
/// stays as good as it was.
#[test]
fn refuses_every_lie_about_all_chunks_p49() {
    let mut world = World::new(Kind::Raw);
    "2s".clone_into(&mut world.device.patience);
    for (name, lie) in lies() {
        world.mirror.tamper(move |asked, answer| {
            if asked.path.starts_with("/blobs/") {
                lie(answer);
            }
        });
        let words = ["blob ", "no source delivered"];
        let slots = content(&world.device.slots());
        world.refuses(&["install"], Trust::Moves, Exit::Retry, &words);
        assert!(content(&world.device.slots()) == slots, "{name}");
        assert!(world.device.boot().slot("B").unwrap().good, "{name}");
    }
    assert_eq!(world.finishes(), "delta");
}

/// A delta that nobody serves rightly costs bandwidth, not the update.
#[test]
fn lie_about_every_delta_chunk_costs_the_delta_alone_p49() {
    let mut world = World::new(Kind::Raw);
    "2s".clone_into(&mut world.device.patience);
    world.tamper(&world.published.delta_path(), |answer| answer.fail(500));
    assert_eq!(world.device.run(&["install"]).unwrap(), Exit::Reboot);
    let journal = world.device.journal();
    let failed = journal.iter().find(|entry| entry.event == "delta-failed");
    let why = failed.unwrap().data["why"].as_str().unwrap().to_owned();
    assert!(why.contains("no source delivered"), "{why}");
    assert_eq!(world.finishes(), "whole");
}

/// The whole image goes into the other slot as it arrives, so that slot can't start; the running one
/// and the boot state are as before.
#[test]
fn refuses_every_lie_about_an_image_chunk_p49() {
    let mut world = World::without_delta();
    for (name, lie) in lies() {
        world.mirror.tamper(move |asked, answer| {
            if asked.path.starts_with("/blobs/") && asked.range.is_some_and(|it| it.0 > 0) {
                lie(answer);
            }
        });
        let words = ["blob ", "no source delivered"];
        world.refuses(&["install"], Trust::Moves, Exit::Retry, &words);
        let boot = world.device.boot();
        assert_eq!(
            (boot.clone().start().as_str(), boot.primary.as_str()),
            ("A", "A"),
            "{name}"
        );
    }
    // The one chunk that came is not fetched again.
    world.mirror.take_asked();
    assert_eq!(world.finishes(), "whole");
    let journal = world.device.journal();
    let switched = journal.iter().find(|entry| entry.event == "switching");
    let data = &switched.unwrap().data;
    assert!(data["sources"]["resumed_bytes"].as_u64().unwrap() >= 256 * 1024);
}

#[test]
fn refuses_chunk_level_that_does_not_match_the_root_p49() {
    let mut world = World::new(Kind::Raw);
    let lies = lies().into_iter().take(6);
    for (name, lie) in lies.filter(|(name, _)| *name != "a cut connection") {
        world.tamper(".tree", lie);
        let words = ["no source delivered"];
        let slots = content(&world.device.slots());
        world.refuses(&["install"], Trust::Moves, Exit::Retry, &words);
        assert!(content(&world.device.slots()) == slots, "{name}");
    }
    assert!(world.device.boot().slot("B").unwrap().good);
    assert_eq!(world.finishes(), "delta");
}

#[test]
fn refuses_device_without_a_trustworthy_pin_m28() {
    let mut world = World::new(Kind::Raw);
    let pin = world.device.data("trusted/device.pin");
    let good = fs::read(&pin).unwrap();
    let refuses = |world: &World, rule: &str| {
        let words = ["device.pin", rule];
        for command in ["install", "check"] {
            world.refuses(&[command], Trust::Same, Exit::Usage, &words);
        }
        assert!(world.mirror.take_asked().is_empty(), "nothing is asked");
    };
    assert_eq!(world.device.run(&["check"]).unwrap(), Exit::Done);
    world.mirror.take_asked();
    fs::remove_file(&pin).unwrap();
    refuses(&world, "No such file");
    let elsewhere = world.device.data("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    symlink(&elsewhere, &pin).unwrap();
    refuses(&world, "not a regular file");
    fs::remove_file(&pin).unwrap();
    for bytes in [&b""[..], b"{}", &good[..good.len() / 2]] {
        fs::write(&pin, bytes).unwrap();
        refuses(&world, "");
    }
    fs::write(&pin, &good).unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o666)).unwrap();
    refuses(&world, "writable by group or others");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.finishes(), "delta");
}

/// The last good slot is never overwritten while what runs has been marked bad.
#[test]
fn last_good_slot_is_not_overwritten_s86() {
    let world = World::new(Kind::Raw);
    assert_eq!(world.device.run(&["mark-bad"]).unwrap(), Exit::Done);
    assert_eq!(world.device.boot().primary, "B");
    let words = ["slot A runs and is not good", "B is the only good slot"];
    world.refuses_untouched(Trust::Moves, Exit::Retry, &words);
    assert_eq!(world.device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(world.device.boot().booted, "B");
    assert_eq!(world.device.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(world.device.boot().primary, "A");
}

/// The slot can't start any more before its first byte changes: if that can't be written down, the slot
/// is left alone; if writing the slot fails after that, it can't start.
#[test]
fn slot_is_forbidden_before_it_is_touched_s79_s82() {
    for kind in [Kind::Raw, Kind::Dir] {
        let mut world = World::new(kind);
        let block = world.device.data("boot.json.tmp");
        fs::create_dir(&block).unwrap();
        world.refuses_untouched(Trust::Moves, Exit::No, &["boot.json"]);
        fs::remove_dir(&block).unwrap();
        if kind == Kind::Dir {
            // A file where the new directory is to be made.
            let block = world.device.slots().join("b.new");
            fs::write(&block, b"in the way").unwrap();
            let error = world.device.run(&["install"]).unwrap_err();
            assert!(error.to_string().contains("b.new"), "{error}");
            let boot = world.device.boot();
            assert!(!boot.slot("B").unwrap().good && boot.primary == "A");
            fs::remove_file(&block).unwrap();
        }
        world.finishes();
    }
}

/// A file system of one size, unmounted when dropped.
pub(crate) struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &std::path::Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        let status = command.arg(at).output().ok()?.status;
        status.success().then(|| Self(at.to_owned()))
    }

    fn grow(&self) {
        let mut command = Command::new("mount");
        command.args(["-o", "remount,size=64m"]).arg(&self.0);
        assert!(command.status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Needs root to mount a small disk; without it says so.
#[test]
fn full_disk_is_an_error_and_the_next_run_finishes_s82() {
    for (kind, full) in [(Kind::Raw, "slots/disk"), (Kind::Dir, "data/blobs")] {
        let world = World::new(kind);
        let mut boot = world.device.boot();
        boot.mark_bad("B");
        world.device.set_boot(&boot);
        let place = world.device.data("..").join(full);
        let Some(disk) = SmallDisk::mount(&place) else {
            eprintln!("SKIPPED: no small disk can be mounted (needs root)");
            return;
        };
        if kind == Kind::Raw {
            fs::remove_file(world.device.slot_path("b")).unwrap();
            symlink(place.join("b"), world.device.slot_path("b")).unwrap();
        }
        world.refuses(&["install"], Trust::Moves, Exit::No, &["No space left"]);
        assert_eq!(world.device.boot().start(), "A");
        world.refuses(&["install"], Trust::Same, Exit::No, &["No space left"]);
        disk.grow();
        world.mirror.be_honest();
        assert_eq!(world.device.run(&["install"]).unwrap(), Exit::Reboot);
        let image = content(&world.published.image(2));
        let slot = fs::canonicalize(world.device.slot_path("b")).unwrap();
        assert!(content(&slot) == image, "{kind:?}");
        drop(disk);
    }
}
