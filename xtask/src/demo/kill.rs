//! `cargo xtask kill OLD NEW`: SIGKILL of `install` at random moments, on images of any size (threats
//! S79). The network is the demo's; each round has a device of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::build;
use super::device::configuration;
use super::network::Network;
use super::process::{self, Failure, Process, text};
use super::progress::Progress;
use super::report::holds_image;

/// The exit code of an installation that waits for a reboot.
const REBOOT: i32 = 40;
/// Between two looks at the agent: moments are this exact.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// Undisturbed installations; the shortest says how late a kill may come.
const UNDISTURBED: u32 = 3;
/// Runs that may fail for want of peers before a round fails.
const TRIES_MAX: u32 = 3;

/// What to install over what, how often, and which moments.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Image of release 1.0.0, which runs.
    pub(crate) old: PathBuf,
    /// Image of release 1.1.0.
    pub(crate) new: PathBuf,
    /// Rounds.
    pub(crate) times: u32,
    /// Where the random moments start.
    pub(crate) seed: u64,
}

/// Runs all rounds; exit 0 if every device ended in a good state.
pub(crate) fn run(root: &Path, plan: &Plan) -> ExitCode {
    match rounds(root, plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kill: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn rounds(root: &Path, plan: &Plan) -> Result<(), Failure> {
    let binaries = build::binaries(root)?;
    let folder = tempfile::tempdir().map_err(|error| Failure::new("temporary folder", error))?;
    let progress = Progress::new();
    let mut network = Network::start(&binaries, folder.path(), &progress)?;
    network.release(&plan.old, "1.0.0", &progress)?;
    network.release(&plan.new, "1.1.0", &progress)?;
    network.seed(&progress)?;
    let mut whole = Duration::MAX;
    for number in 1..=UNDISTURBED {
        let device = Device::new(&network, plan, &format!("undisturbed{number}"))?;
        let started = Instant::now();
        device.install_to_the_end()?;
        whole = whole.min(started.elapsed());
        device.check_installed()?;
        device.remove()?;
    }
    println!("kill: an undisturbed installation takes {whole:.1?}");
    let mut state = plan.seed;
    let mut moments = BTreeMap::<String, u32>::new();
    for round in 1..=plan.times {
        let share = f64::from(random(&mut state)) / f64::from(u32::MAX);
        let moment = whole.mul_f64(share);
        progress.step(&format!("round {round} of {}", plan.times));
        let device = Device::new(&network, plan, &format!("round{round}"))?;
        device.kill_after(moment)?;
        let reached = device.reached();
        device.check(&format!(
            "round {round}, killed after {moment:.3?} ({reached})"
        ))?;
        device.install_to_the_end()?;
        device.check_installed()?;
        *moments.entry(reached).or_default() += 1;
        device.remove()?;
    }
    progress.finish();
    println!("kill: {} rounds, all good; killed after", plan.times);
    for (event, count) in moments {
        println!("{count:>6} × {event}");
    }
    Ok(())
}

/// The next number of a splitmix64 sequence.
fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default()
}

/// A device that runs 1.0.0.
struct Device<'a> {
    folder: PathBuf,
    agent: &'a Path,
    plan: &'a Plan,
}

impl<'a> Device<'a> {
    fn new(network: &'a Network, plan: &'a Plan, name: &str) -> Result<Self, Failure> {
        let folder = network.folder.join(name);
        let disk = |error| Failure::new(name, error);
        fs::create_dir_all(&folder).map_err(disk)?;
        fs::copy(&plan.old, folder.join("slot-a.img")).map_err(disk)?;
        let bootstrap = std::slice::from_ref(&network.bootstrap);
        let text = configuration(None, bootstrap);
        fs::write(folder.join("agent.toml"), text).map_err(disk)?;
        let agent = network.binaries.agent.as_path();
        let pin = network.pin().display().to_string();
        process::json(agent, ["-c", "agent.toml", "init", "--pin", &pin], &folder)?;
        Ok(Self {
            folder,
            agent,
            plan,
        })
    }

    fn install(&self) -> Result<Process, Failure> {
        let args = ["-c", "agent.toml", "install"];
        Process::start(self.agent, args, (&self.folder, "install"))
    }

    /// Starts `install` and kills it after `moment`, unless it has ended.
    fn kill_after(&self, moment: Duration) -> Result<(), Failure> {
        let started = Instant::now();
        let mut process = self.install()?;
        while started.elapsed() < moment && process.ended()?.is_none() {
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    fn remove(self) -> Result<(), Failure> {
        fs::remove_dir_all(&self.folder).map_err(|error| Failure::new(self.folder.display(), error))
    }

    fn install_to_the_end(&self) -> Result<(), Failure> {
        let mut ended = None;
        for _ in 0..TRIES_MAX {
            let mut process = self.install()?;
            let code = loop {
                match process.ended()? {
                    Some(code) => break code,
                    None => std::thread::sleep(LOOK_INTERVAL),
                }
            };
            if code == REBOOT {
                return Ok(());
            }
            ended = Some(process.failure(code));
        }
        ended.map_or(Ok(()), Err)
    }

    /// The other slot holds the new image and starts next.
    fn check_installed(&self) -> Result<(), Failure> {
        let name = self.folder.display();
        if !holds_image(&self.folder.join("slot-b.img"), &self.plan.new)? {
            return Err(Failure::new(name, "the other slot is not the new image"));
        }
        if text(&self.boot()?, "primary") != "B" {
            return Err(Failure::new(name, "the new image does not start next"));
        }
        self.check("after all")
    }

    /// The running slot is untouched, and no slot could start but with a whole image in it.
    fn check(&self, when: &str) -> Result<(), Failure> {
        let wrong = |what: &str| Err(Failure::new(when, what));
        if !holds_image(&self.folder.join("slot-a.img"), &self.plan.old)? {
            return wrong("the running slot changed");
        }
        let boot = self.boot()?;
        let slots = boot.get("slots").and_then(Value::as_array);
        let startable = |slot: &&Value| {
            let tries = slot.get("tries").and_then(Value::as_u64);
            slot.get("good") == Some(&Value::Bool(true)) || tries != Some(0)
        };
        let could_start: Vec<String> = slots
            .into_iter()
            .flatten()
            .filter(startable)
            .map(|slot| text(slot, "bootname"))
            .collect();
        if !could_start.iter().any(|name| name == "A") {
            return wrong("the running slot could not start again");
        }
        let other = could_start.iter().any(|name| name == "B");
        if other && !holds_image(&self.folder.join("slot-b.img"), &self.plan.new)? {
            return wrong("a slot that is not whole could start");
        }
        Ok(())
    }

    fn boot(&self) -> Result<Value, Failure> {
        let bytes = fs::read(self.folder.join("data/boot.json"))
            .map_err(|error| Failure::new("boot.json", error))?;
        serde_json::from_slice(&bytes).map_err(|error| Failure::new("boot.json", error))
    }

    /// The last event in the journal.
    fn reached(&self) -> String {
        let journal = fs::read_to_string(self.folder.join("data/journal.jsonl"));
        let journal = journal.unwrap_or_default();
        let last = journal
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str::<Value>(line).ok());
        last.map_or_else(|| "the start".to_owned(), |entry| text(&entry, "event"))
    }
}
