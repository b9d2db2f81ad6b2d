//! `agent.toml`, in RAUC's words. Unknown members, duplicates and values out of range are refused at
//! start (threats L98).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::exit::Context as _;
use cli::{CliError, Exit, durable, human};
use manifests::name::Name;
use node::config::{Mode, NodeConfig};
use serde::Deserialize;

use crate::install;
use crate::plan::Prefer;
use crate::slot::{Slot, SlotKind};

/// Bytes of the file.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;
/// The longest duration that makes sense for any member.
const DURATION_MAX: Duration = Duration::from_secs(365 * 86_400);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    system: System,
    #[serde(default)]
    keyring: Keyring,
    slot: BTreeMap<String, BTreeMap<String, SlotEntry>>,
    #[serde(default)]
    streaming: Streaming,
    #[serde(default)]
    polling: Polling,
    #[serde(default)]
    handlers: Handlers,
    #[serde(default)]
    network: Network,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct System {
    compatible: String,
    #[serde(default = "default_power_supply")]
    power_supply: PathBuf,
    #[serde(default = "default_bootloader")]
    bootloader: String,
    data_directory: PathBuf,
    #[serde(default = "default_attempts")]
    boot_attempts: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keyring {
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SlotEntry {
    device: PathBuf,
    #[serde(rename = "type")]
    kind: SlotKind,
    bootname: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Streaming {
    peers: bool,
    mirrors: Vec<String>,
    patience: String,
    prefer: Prefer,
    prefer_on_battery: Option<Prefer>,
    min_battery: u8,
    link_speed: Option<String>,
    mixing: bool,
    mixing_speed: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Polling {
    interval: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Handlers {
    health: Option<PathBuf>,
    health_timeout: Option<String>,
    reboot: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Network {
    listen: Vec<node::Multiaddr>,
    bootstrap: Vec<node::Multiaddr>,
    mdns: bool,
    mode: Mode,
    serve: bool,
    reachable: bool,
}

impl Default for Network {
    fn default() -> Self {
        let node = NodeConfig::default();
        // A device stores nothing for the network unless it is told to.
        Self {
            listen: node.listen,
            bootstrap: node.bootstrap,
            mdns: node.mdns,
            mode: Mode::Leaf,
            serve: node.serve,
            reachable: node.reachable,
        }
    }
}

impl Default for Streaming {
    fn default() -> Self {
        Self {
            peers: true,
            mirrors: Vec::new(),
            patience: "2min".to_owned(),
            prefer: Prefer::default(),
            prefer_on_battery: None,
            min_battery: 0,
            link_speed: None,
            mixing: true,
            mixing_speed: None,
        }
    }
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            interval: "1h".to_owned(),
        }
    }
}

fn default_bootloader() -> String {
    "file".to_owned()
}

fn default_power_supply() -> PathBuf {
    PathBuf::from("/sys/class/power_supply")
}

fn default_attempts() -> u32 {
    3
}

/// What decides between deltas, and when none is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamingPolicy {
    /// What is wanted most.
    pub prefer: Prefer,
    /// What is wanted most while a battery discharges.
    pub prefer_on_battery: Prefer,
    /// Percent of charge below which nothing is installed while a battery discharges.
    pub min_battery: u8,
    /// Bytes per second of the link; as measured if `None`.
    pub link_speed: Option<u64>,
    /// Whether deltas by context mixing are taken.
    pub mixing: bool,
    /// Image bytes per second by context mixing; as measured if `None`.
    pub mixing_speed: Option<u64>,
}

/// A resolved and validated configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The device's hardware id.
    pub hardware: Name,
    /// Where the agent keeps its state.
    pub data_directory: PathBuf,
    /// The device pin, if the configuration names one.
    pub pin: Option<PathBuf>,
    /// How often a new slot is tried before the old one starts again, 1 to 10.
    pub boot_attempts: u32,
    /// The two slots.
    pub slots: [Slot; 2],
    /// Whether peers are asked.
    pub peers: bool,
    /// HTTP mirrors, each the URL of an exported repository without a final `/`.
    pub mirrors: Vec<String>,
    /// How long no source may deliver before a fetch ends.
    pub patience: Duration,
    /// What decides between deltas.
    pub streaming: StreamingPolicy,
    /// Where the kernel tells of batteries.
    pub power_supply: PathBuf,
    /// Between two checks.
    pub polling_interval: Duration,
    /// Program that says whether the new system works: exit code 0.
    pub health: Option<PathBuf>,
    /// How long it may take.
    pub health_timeout: Duration,
    /// Program that restarts the device.
    pub reboot: Option<PathBuf>,
    /// The node.
    pub node: NodeConfig,
}

impl Config {
    /// Reads and validates the configuration.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] naming file, line and member.
    pub fn load(path: &Path) -> Result<Self, CliError> {
        let bytes = durable::read(path, CONFIG_BYTES_MAX).context(Exit::Usage, "configuration")?;
        let text = String::from_utf8(bytes).context(Exit::Usage, path.display())?;
        Self::parse(&text)
            .map_err(|error| CliError::from_error(Exit::Usage, path.display(), &error))
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] naming line and member.
    pub fn parse(text: &str) -> Result<Self, CliError> {
        let file: File = toml::from_str(text).context(Exit::Usage, "configuration")?;
        let usage = |message: &str| CliError::new(Exit::Usage, message);
        if file.system.bootloader != "file" {
            return Err(usage(
                "system.bootloader: only `file` is supported by this version",
            ));
        }
        if !(1..=10).contains(&file.system.boot_attempts) {
            return Err(usage("system.boot-attempts is not between 1 and 10"));
        }
        let duration = |name: &str, text: &str| {
            let parsed = human::parse_duration(text).context(Exit::Usage, name)?;
            if parsed > DURATION_MAX {
                return Err(usage(&format!("{name} is longer than a year")));
            }
            Ok(parsed)
        };
        let mirrors = file
            .streaming
            .mirrors
            .iter()
            .map(|url| url.trim_end_matches('/').to_owned());
        let mirrors: Vec<String> = mirrors.collect();
        if let Some(url) = mirrors.iter().find(|url| !is_mirror(url)) {
            return Err(usage(&format!(
                "streaming.mirrors: {url:?} is no http(s) URL"
            )));
        }
        let timeout = file.handlers.health_timeout.as_deref().unwrap_or("2min");
        Ok(Self {
            hardware: Name::parse(&file.system.compatible)
                .context(Exit::Usage, "system.compatible")?,
            node: NodeConfig {
                network: None,
                data_directory: file.system.data_directory.clone(),
                listen: file.network.listen,
                bootstrap: file.network.bootstrap,
                mdns: file.network.mdns,
                mode: file.network.mode,
                serve: file.network.serve,
                reachable: file.network.reachable,
                ..NodeConfig::default()
            },
            data_directory: file.system.data_directory,
            pin: file.keyring.path,
            boot_attempts: file.system.boot_attempts,
            slots: slots(file.slot)?,
            peers: file.streaming.peers,
            mirrors,
            patience: duration("streaming.patience", &file.streaming.patience)?,
            streaming: policy(&file.streaming)?,
            power_supply: file.system.power_supply,
            polling_interval: duration("polling.interval", &file.polling.interval)?,
            health: file.handlers.health,
            health_timeout: duration("handlers.health-timeout", timeout)?,
            reboot: file.handlers.reboot,
        })
    }
}

fn policy(streaming: &Streaming) -> Result<StreamingPolicy, CliError> {
    let rate = |name: &str, text: &Option<String>| {
        let rate = text.as_deref().map(human::parse_rate).transpose();
        rate.context(Exit::Usage, name)
    };
    if streaming.min_battery > 100 {
        let message = "streaming.min-battery is not between 0 and 100 percent";
        return Err(CliError::new(Exit::Usage, message));
    }
    Ok(StreamingPolicy {
        prefer: streaming.prefer,
        prefer_on_battery: streaming.prefer_on_battery.unwrap_or(streaming.prefer),
        min_battery: streaming.min_battery,
        link_speed: rate("streaming.link-speed", &streaming.link_speed)?,
        mixing: streaming.mixing,
        mixing_speed: rate("streaming.mixing-speed", &streaming.mixing_speed)?,
    })
}

/// An http(s) URL to which a path can be appended.
fn is_mirror(url: &str) -> bool {
    let scheme = url.starts_with("http://") || url.starts_with("https://");
    let parsed = reqwest::Url::parse(url);
    scheme && parsed.is_ok_and(|url| url.query().is_none() && url.fragment().is_none())
}

/// Two slots of one class and type, on two devices, with two boot names (threats S87).
fn slots(classes: BTreeMap<String, BTreeMap<String, SlotEntry>>) -> Result<[Slot; 2], CliError> {
    let usage = |message: &str| CliError::new(Exit::Usage, message);
    let mut found = Vec::new();
    for (class, members) in classes {
        for (index, entry) in members {
            found.push(Slot {
                name: format!("{class}.{index}"),
                device: entry.device,
                kind: entry.kind,
                bootname: entry.bootname,
            });
        }
    }
    let slots: [Slot; 2] = found.try_into().map_err(|_| {
        usage("slot: exactly two slots are needed, such as [slot.rootfs.0] and [slot.rootfs.1]")
    })?;
    let [a, b] = &slots;
    if a.device == b.device || a.bootname == b.bootname {
        return Err(usage("slot: the two slots share a device or a bootname"));
    }
    if slots
        .iter()
        .any(|slot| slot.bootname.is_empty() || slot.device.file_name().is_none())
    {
        return Err(usage("slot: a device or a bootname is empty"));
    }
    if a.kind != b.kind {
        return Err(usage("slot: the two slots are of different types"));
    }
    // An installation empties `<device>.new` and `<device>.old` and replaces the device whole.
    let touches = |a: &Slot, b: &Slot| {
        let beside = ["new", "old"].map(|end| install::beside(&a.device, end));
        b.device.starts_with(&a.device) || beside.iter().any(|path| b.device.starts_with(path))
    };
    if a.kind == SlotKind::Dir && (touches(a, b) || touches(b, a)) {
        return Err(usage(
            "slot: one slot's device lies in the other's, or in its `.new` or `.old`",
        ));
    }
    Ok(slots)
}

#[cfg(test)]
mod tests;
