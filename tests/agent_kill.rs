//! SIGKILL of the real `streembit-agent install` at seeded moments (threats S79, S81, S89): before an
//! answer of the mirror, or so soon after a line of the journal. After each kill the running slot is
//! byte for byte as it was, what would start is a whole image, and the next run finishes.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use cli::Exit;
use support::device::{Content, Device, Kind, Published, content, noise};
use support::mirror::Mirror;
use support::programs::PATIENCE;

/// Rounds of each test; the seeds are the numbers of the rounds.
const ROUNDS: u64 = 25;
/// Kills in a row before a run is let through.
const KILLS: u64 = 3;
/// Files of one update: delta, image, base, each with its chunk level.
const KEPT_FILES_MAX: usize = 6;

/// When an agent is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Instead of this answer of the mirror.
    Answer(u64),
    /// This many looks after the journal got this line since the start.
    Line(usize, u64),
    /// This many looks after anything of or beside slot B changed.
    Touched(u64),
}

impl Moment {
    /// Reproducible by its arguments.
    fn of(label: &str, round: u64, kill: u64) -> Self {
        let random = noise(&format!("{label} {round} {kill}"), 24);
        let number = |index: usize| {
            let bytes = random[index * 8..index * 8 + 8].try_into().unwrap();
            u64::from_le_bytes(bytes)
        };
        if number(0) % 3 == 0 {
            return Self::Touched(number(1) % 40);
        }
        if number(0) % 3 == 1 {
            // Four to six files of metadata and a chunk level come before the chunks.
            return Self::Answer(1 + number(1) % 11);
        }
        let line = usize::try_from(1 + number(1) % 5).unwrap();
        Self::Line(line, number(2) % 60)
    }
}

type Shared = Arc<Mutex<Option<Child>>>;

/// Runs the agent and kills it at `moment`, if it is not done before; says whether it was killed.
fn run_and_kill(device: &Device, mirror: &Mirror, moment: Moment) -> bool {
    let shared = Shared::default();
    let (lines, slots) = (journal_lines(device), touched(device));
    if let Moment::Answer(number) = moment {
        let (shared, left) = (shared.clone(), Mutex::new(number));
        mirror.tamper(move |_, _| {
            let mut left = left.lock().unwrap();
            *left = left.saturating_sub(1);
            if *left == 0 {
                // The lock is held from before the agent starts until it is stored.
                kill(&shared);
            }
        });
    } else {
        mirror.be_honest();
    }
    {
        let mut child = shared.lock().unwrap();
        *child = Some(device.command(&["install"]).spawn().unwrap());
    }
    let deadline = Instant::now() + PATIENCE;
    let mut looks = 0;
    let status = loop {
        let ended = shared.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
        if let Some(status) = ended {
            break status;
        }
        assert!(Instant::now() < deadline, "{moment:?} never came");
        let (came, wait) = match moment {
            Moment::Answer(_) => (false, 0),
            Moment::Line(line, wait) => (journal_lines(device) >= lines + line, wait),
            Moment::Touched(wait) => (looks > 0 || touched(device) != slots, wait),
        };
        looks += u64::from(came);
        if looks > wait {
            kill(&shared);
        }
        std::thread::yield_now();
    };
    mirror.be_honest();
    let killed = status.code().is_none();
    assert!(killed || status.code() == Some(40), "{moment:?}: {status}");
    killed
}

fn kill(shared: &Shared) {
    shared.lock().unwrap().as_mut().unwrap().kill().unwrap();
}

/// What changes with the first byte that is written to slot B or beside it.
fn touched(device: &Device) -> Vec<Option<SystemTime>> {
    let changed = |path: PathBuf| fs::symlink_metadata(path).and_then(|it| it.modified()).ok();
    vec![changed(device.slots()), changed(device.slot_path("b"))]
}

fn journal_lines(device: &Device) -> usize {
    let journal = content(&device.data("journal.jsonl"));
    journal
        .values()
        .flatten()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// What must hold at any moment: the running slot is untouched, what starts next is a whole image, the
/// journal's chain holds, all state can be read.
#[track_caller]
pub(crate) fn assert_survived(device: &Device, images: &[Content; 3], moment: &str) {
    assert!(device.slot("a") == images[0], "{moment}: slot A changed");
    let mut boot = device.boot();
    let good = |bootname: &str| {
        let slot = device.slot(&bootname.to_ascii_lowercase());
        images.contains(&slot)
    };
    assert!(good(&boot.primary), "{moment}: primary {}", boot.primary);
    for slot in boot.slots.clone() {
        if slot.good || slot.tries > 0 {
            assert!(good(&slot.bootname), "{moment}: {slot:?} could start");
            let held = device.slot(&slot.bootname.to_ascii_lowercase());
            assert!(!slot.good || held != images[1], "{moment}: {slot:?} is new");
        }
    }
    for _ in 0..5 {
        let started = boot.start();
        assert!(good(&started), "{moment}: {started} starts");
    }
    assert_eq!(started_in_the_end(device), "A", "{moment}");
    device.journal();
    device.state();
}

/// What starts once all tries of an image that never proves itself are used up.
fn started_in_the_end(device: &Device) -> String {
    let mut boot = device.boot();
    (0..20).for_each(|_| drop(boot.start()));
    boot.booted
}

/// Lets a run through and looks at everything it leaves.
#[track_caller]
pub(crate) fn assert_finishes(device: &Device, images: &[Content; 3], moment: &str) {
    let exit = device.run(&["install"]);
    assert_eq!(exit.unwrap(), Exit::Reboot, "{moment}");
    assert!(device.slot("b") == images[1], "{moment}: not release 2");
    let boot = device.boot();
    assert_eq!((boot.primary.as_str(), boot.booted.as_str()), ("B", "A"));
    assert_eq!(boot.slot("B").unwrap().tries, 3, "{moment}");
    let state = device.state();
    assert_eq!(state.pending.unwrap().image.release, 2, "{moment}");
    let files = |name: &str| content(&device.data(name)).len() - 1;
    let kept = files("blobs") + files("trees");
    assert!(kept <= KEPT_FILES_MAX, "{moment}: {kept} files are kept");
    assert_survived(device, images, moment);
    let slots: Vec<String> = fs::read_dir(device.slots())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(slots.len(), 2, "{moment}: {slots:?}");
    let data = content(&device.data("")).into_keys();
    let torn: Vec<_> = data
        .filter(|path| path.extension().is_some_and(|end| end == "tmp"))
        .collect();
    assert!(torn.is_empty(), "{moment}: {torn:?}");
}

/// Gives slot B an older system that is good; returns the systems that may ever start: what runs, what
/// is installed, the older one.
pub(crate) fn with_older_system(
    device: &Device,
    published: &Published,
    kind: Kind,
) -> [Content; 3] {
    let slot = device.slot_path("b");
    if kind == Kind::Dir {
        fs::create_dir(&slot).unwrap();
        fs::write(slot.join("version"), b"an older system").unwrap();
    } else {
        fs::write(slot, noise("an older system", 3 << 20)).unwrap();
    }
    let mut boot = device.boot();
    boot.mark_good("B");
    device.set_boot(&boot);
    let new = content(&published.image(2));
    [device.slot("a"), new, device.slot("b")]
}

/// Kills, up to three times in a row, then finishes; every third device goes on to commit.
fn rounds(label: &str, kind: Kind, prepare: impl Fn(&Device)) {
    let published = Published::shared(kind);
    let mirror = Mirror::start(&published.repository());
    let factory = Device::new(&published, &mirror.url());
    prepare(&factory);
    let images = with_older_system(&factory, &published, kind);
    let mut killed = 0;
    for round in 0..ROUNDS {
        let device = factory.twin(&mirror.url());
        let mut history = format!("{label}, round {round}");
        for kill in 0..=round % KILLS {
            let moment = Moment::of(label, round, kill);
            history.push_str(&format!(", {moment:?}"));
            killed += u64::from(run_and_kill(&device, &mirror, moment));
            assert_survived(&device, &images, &history);
        }
        assert_finishes(&device, &images, &history);
        if round % 3 == 0 {
            assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done);
            assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done);
            assert_eq!(device.run(&["install"]).unwrap(), Exit::Done, "{history}");
            assert_eq!(device.boot().primary, "B");
        }
    }
    // Some moments come after the end: that run finished.
    assert!(
        killed * 2 >= ROUNDS,
        "only {killed} kills in {ROUNDS} rounds"
    );
}

#[test]
fn killed_installation_by_delta_is_finished_by_the_next_run_s79() {
    rounds("raw by delta", Kind::Raw, |_| {});
}

/// What runs is no release, so the image goes into the slot as it arrives.
#[test]
fn killed_installation_of_a_whole_image_is_finished_by_the_next_run_s79() {
    rounds("raw whole", Kind::Raw, |device| {
        let slot = device.slot_path("a");
        let mut bytes = fs::read(&slot).unwrap();
        bytes[0] ^= 1;
        fs::write(slot, bytes).unwrap();
    });
}

/// A cut between the two renames leaves no slot B at all; it could not start before either.
#[test]
fn killed_installation_of_a_directory_is_finished_by_the_next_run_s79() {
    rounds("directory", Kind::Dir, |_| {});
}

/// The disk does not fill up with what runs that never finish leave behind.
#[test]
fn disk_stays_bounded_over_many_killed_runs_s89() {
    let published = Published::shared(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    let images = with_older_system(&device, &published, Kind::Raw);
    for round in 0..12 {
        // Before the last chunk of the delta at the latest.
        let moment = Moment::Answer(1 + round % 10);
        run_and_kill(&device, &mirror, moment);
        let history = format!("round {round}, {moment:?}");
        assert_survived(&device, &images, &history);
        let files = content(&device.data("blobs")).len() + content(&device.data("trees")).len();
        assert!(files <= KEPT_FILES_MAX + 4, "{history}: {files} files");
    }
    assert_finishes(&device, &images, "after all");
}
