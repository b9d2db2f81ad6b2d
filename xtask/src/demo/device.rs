//! One device: its slots, its agent, and the power button that the demo presses when the agent asks
//! for a reboot.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::Value;

use super::network::{HARDWARE, LISTEN, Network};
use super::process::{self, Failure, Process};
use super::progress::Progress;

/// The exit code by which an agent asks for a reboot.
const REBOOT: i32 = 40;
/// Milestones of an update: planning, fetching, installing, switching, rebooting, proving, the end.
const MILESTONES: u64 = 7;

/// What is special about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: it holds 1.0.0 and updates by delta.
    Good,
    /// Its health check refuses 1.1.0.
    Unhealthy,
    /// It holds an image that nobody knows, so it needs the whole image, and its first peer is hostile.
    Attacked,
}

/// A running device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) folder: PathBuf,
    agent: PathBuf,
    process: Option<Process>,
    bar: Option<ProgressBar>,
    shown: usize,
    /// The most memory that its agent was seen to use, in bytes.
    pub(super) peak_memory: u64,
}

impl Device {
    /// Makes a factory device with `image` in its first slot and starts its agent.
    pub(super) fn start(
        network: &Network,
        number: usize,
        role: Role,
        image: &Path,
    ) -> Result<Self, Failure> {
        let name = format!("device{number}");
        let folder = network.folder.join(&name);
        let disk = |error| Failure::new(&name, error);
        fs::create_dir_all(&folder).map_err(disk)?;
        match role {
            Role::Good | Role::Unhealthy => {
                fs::copy(image, folder.join("slot-a.img")).map_err(disk)?;
            }
            Role::Attacked => {
                fs::write(folder.join("slot-a.img"), vec![0xff; 1 << 20]).map_err(disk)?;
            }
        }
        let health = folder.join("health");
        let verdict = if role == Role::Unhealthy { "1" } else { "0" };
        fs::write(&health, format!("#!/bin/sh\nexit {verdict}\n")).map_err(disk)?;
        fs::set_permissions(&health, fs::Permissions::from_mode(0o755)).map_err(disk)?;
        let mut bootstrap = vec![network.bootstrap.clone()];
        if role == Role::Attacked {
            bootstrap.insert(0, network.hostile.clone());
        }
        fs::write(
            folder.join("agent.toml"),
            configuration(Some(&health), &bootstrap),
        )
        .map_err(disk)?;
        let agent = network.binaries.agent.clone();
        let pin = network.pin();
        let init = ["-c", "agent.toml", "init", "--pin"].map(Into::into);
        let args = init.into_iter().chain([pin.into_os_string()]);
        process::json(&agent, args, &folder)?;
        let mut device = Self {
            name,
            role,
            folder,
            agent,
            process: None,
            bar: None,
            shown: 0,
            peak_memory: 0,
        };
        device.power_on()?;
        Ok(device)
    }

    /// The boot loader chooses a slot, then the agent starts.
    fn power_on(&mut self) -> Result<(), Failure> {
        process::json(&self.agent, ["-c", "agent.toml", "boot"], &self.folder)?;
        let args = ["-c", "agent.toml", "run"];
        self.process = Some(Process::start(&self.agent, args, (&self.folder, "agent"))?);
        Ok(())
    }

    /// Looks after the agent: restarts it when it asks for that, shows what it does.
    pub(super) fn tend(&mut self, progress: &Progress) -> Result<(), Failure> {
        self.show(progress);
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        self.peak_memory = self.peak_memory.max(process.peak_memory());
        match process.ended()? {
            None => Ok(()),
            Some(REBOOT) => self.power_on(),
            Some(code) => Err(process.failure(code)),
        }
    }

    /// Stops the agent.
    pub(super) fn stop(&mut self) {
        self.process = None;
    }

    fn show(&mut self, progress: &Progress) {
        let events = self.events();
        let new = events.get(self.shown..).unwrap_or_default();
        for (event, _) in new {
            match &self.bar {
                Some(bar) => {
                    bar.set_message(event.clone());
                    bar.set_position((bar.position() + 1).min(MILESTONES));
                }
                None => match progress.line(&self.name, MILESTONES) {
                    Some(bar) => self.bar = Some(bar),
                    None => eprintln!("demo:   {} {event}", self.name),
                },
            }
        }
        self.shown = events.len();
    }

    /// The journal: event and particulars.
    pub(super) fn events(&self) -> Vec<(String, Value)> {
        let text = fs::read_to_string(self.folder.join("data/journal.jsonl")).unwrap_or_default();
        let parse = |line: &str| {
            let entry: Value = serde_json::from_str(line).ok()?;
            Some((
                entry.get("event")?.as_str()?.to_owned(),
                entry.get("data")?.clone(),
            ))
        };
        text.lines().filter_map(parse).collect()
    }

    /// The particulars of the last event of a kind.
    pub(super) fn last(&self, event: &str) -> Option<Value> {
        let events = self.events();
        events
            .into_iter()
            .rev()
            .find(|(name, _)| name == event)
            .map(|(_, data)| data)
    }

    /// Whether it has verified 1.0.0: with its image installed there is nothing to do; the attacked
    /// one installs it.
    pub(super) fn has_checked(&self) -> bool {
        let state = fs::read_to_string(self.folder.join("data/state.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        match self.role {
            Role::Good | Role::Unhealthy => state.pointer("/slots/A").is_some(),
            Role::Attacked => self.last("committed").is_some(),
        }
    }

    /// Whether the update to 1.1.0 has ended, one way or the other.
    pub(super) fn is_settled(&self) -> bool {
        let ended = |event: &str| {
            let version = self
                .last(event)
                .and_then(|data| data.get("version").cloned());
            version.as_ref().and_then(Value::as_str) == Some("1.1.0")
        };
        ended("committed") || ended("rolled-back")
    }

    /// Where it stands, for a failure.
    pub(super) fn describe(&self) -> String {
        let last = self
            .events()
            .pop()
            .map_or_else(|| "nothing".to_owned(), |(event, _)| event);
        format!("{} ({last})", self.name)
    }

    /// Its peer id.
    pub(super) fn peer_id(&self, network: &Network) -> Result<String, Failure> {
        let args = ["account", "show", "device", "--key", "data/account.key"];
        let shown = process::json(&network.binaries.node, args, &self.folder)?;
        Ok(process::text(&shown, "peer_id"))
    }
}

pub(super) fn configuration(health: Option<&Path>, bootstrap: &[String]) -> String {
    let health = health.map_or_else(String::new, |path| {
        format!("[handlers]\nhealth = {path:?}\n")
    });
    let bootstrap: Vec<String> = bootstrap
        .iter()
        .map(|address| format!("{address:?}"))
        .collect();
    format!(
        r#"[system]
compatible = "{HARDWARE}"
data-directory = "data"
boot-attempts = 2

[slot.rootfs.0]
device = "slot-a.img"
type = "raw"
bootname = "A"

[slot.rootfs.1]
device = "slot-b.img"
type = "raw"
bootname = "B"

[polling]
interval = "2s"

{health}
[network]
listen = ["{LISTEN}"]
bootstrap = [{}]
mdns = false
"#,
        bootstrap.join(", ")
    )
}
