//! One case: a device, what it is offered, and the target it looks for.

use manifests::client::Stored;
use manifests::instant::UtcTime;
use support::repository::{EXPIRES, Files, NOW};

use super::damage::{DAMAGES, Damage, damage_files};
use super::forge::{PATHS, Repository, Touched};
use super::mutation;
use super::run::follow;
use super::seeded::Seeded;

/// A device and a repository.
#[derive(Debug)]
pub(super) struct Case {
    /// What was made wrong, for the report.
    pub(super) mutations: Vec<String>,
    /// What is offered.
    pub(super) files: Files,
    /// What the device has from earlier runs.
    pub(super) stored: Stored,
    pub(super) now: UtcTime,
    /// The target that is searched for.
    pub(super) path: String,
}

/// A change that is still to be made.
enum Planned {
    /// Before a document is signed.
    Before(String, Seeded),
    /// After it was signed, before others refer to it.
    Between(String, Damage, Seeded),
    /// After others refer to it.
    After(Damage),
    Files,
}

impl Case {
    /// Case `index` of the run with this seed.
    pub(super) fn build(seed: u64, index: u64) -> Self {
        let mut choices = Seeded::new(seed, index);
        let mut old = Repository::build(&mut choices);
        let mut new = old.clone();
        new.release(&mut choices);
        let path = choices.pick(&PATHS).to_owned();
        let late = choices.percent(8);
        if late {
            new.renew(&mut choices);
        }
        let now = if late {
            EXPIRES - 1 + choices.next() % 3
        } else {
            NOW
        };
        let device = choices.below(100);
        // A device that has seen the newer release is offered the older one.
        let back = device >= 92 && !late;
        let stored = match device {
            0..30 => None,
            30..80 => Some(device_of(&mut old, &path)),
            _ => Some(device_of(&mut new.clone(), &path)),
        };
        let (mut offered, other) = if back { (old, new) } else { (new, old) };
        let mut case = Self {
            mutations: Vec::new(),
            files: Files::new(),
            stored: Stored::default(),
            now: UtcTime::from_unix(now),
            path,
        };
        case.mutations
            .extend(back.then(|| "older-release".to_owned()));
        case.mutate(&mut offered, other, &mut choices);
        case.stored = stored.unwrap_or_else(|| offered.fresh_device());
        case.forget(&mut choices);
        case
    }

    /// Publishes the release with changes.
    fn mutate(&mut self, offered: &mut Repository, mut other: Repository, choices: &mut Seeded) {
        let count = [0, 1, 1, 1, 1, 1, 2, 3][choices.below(8)];
        let plan: Vec<Planned> = (0..count).map(|_| planned(offered, choices)).collect();
        let Self {
            mutations, files, ..
        } = self;
        *files = offered.publish(&mut |touched| touch(&plan, touched, mutations));
        for planned in &plan {
            match planned {
                Planned::After((name, damage)) => {
                    let file = choices.below(files.len());
                    let (file, bytes) = files.iter_mut().nth(file).unwrap();
                    damage(bytes, choices);
                    mutations.push(format!("{name} after linking {file}"));
                }
                Planned::Files => {
                    let other = other.publish(&mut |_| {});
                    mutations.push(damage_files(files, &other, choices).to_owned());
                }
                Planned::Before(..) | Planned::Between(..) => {}
            }
        }
        if offered.consistent && choices.percent(30) {
            offer_without_versions(files);
        }
    }

    /// Loses some of the device's files.
    fn forget(&mut self, choices: &mut Seeded) {
        if !choices.percent(12) {
            return;
        }
        match choices.below(4) {
            0 => self.stored.timestamp = None,
            1 => self.stored.snapshot = None,
            2 => self.stored.targets = None,
            _ => self.stored.roles.clear(),
        }
        self.mutations.push("device-lost-a-file".to_owned());
    }
}

fn planned(offered: &Repository, choices: &mut Seeded) -> Planned {
    let documents: Vec<_> = offered.documents().collect();
    let label = documents[choices.below(documents.len())].label.clone();
    let damage = DAMAGES[choices.below(DAMAGES.len())];
    match choices.below(100) {
        0..62 => Planned::Before(label, choices.fork()),
        62..82 => Planned::Between(label, damage, choices.fork()),
        82..90 => Planned::After(damage),
        _ => Planned::Files,
    }
}

/// Makes the changes that are planned for a document or its bytes.
fn touch(plan: &[Planned], mut touched: Touched<'_>, mutations: &mut Vec<String>) {
    for planned in plan {
        match (planned, &mut touched) {
            (Planned::Before(label, choices), Touched::Document(document))
                if *label == document.label =>
            {
                let mut choices = choices.clone();
                let (name, change) = mutation::choose(document, &mut choices);
                change(document, &mut choices);
                mutations.push(format!("{name} of {label}"));
            }
            (Planned::Between(label, (name, damage), choices), Touched::Bytes(document, bytes))
                if *label == document.label =>
            {
                damage(bytes, &mut choices.clone());
                mutations.push(format!("{name} in {label}"));
            }
            _ => {}
        }
    }
}

/// What a device holds that followed this release the day before.
fn device_of(release: &mut Repository, path: &str) -> Stored {
    let mut case = Case {
        mutations: Vec::new(),
        files: release.publish(&mut |_| {}),
        stored: release.fresh_device(),
        now: UtcTime::from_unix(NOW - 86_400),
        path: path.to_owned(),
    };
    let run = follow(&case);
    assert!(
        run.refusal().is_none(),
        "an honest release is refused: {:?}",
        run.refusal()
    );
    case.stored = run.stored;
    case.stored
}

/// Offers every file also under the name that it has without consistent snapshots.
fn offer_without_versions(files: &mut Files) {
    let plain = |(name, bytes): (&String, &Vec<u8>)| {
        let (version, rest) = name.split_once('.')?;
        version.parse::<u64>().ok()?;
        (rest != "root.json").then(|| (rest.to_owned(), bytes.clone()))
    };
    let more: Vec<_> = files.iter().filter_map(plain).collect();
    files.extend(more);
}
