//! The table at the end, and whether everything is as it should be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::device::{Device, Role};
use super::network::Network;
use super::process::{Failure, text};

/// The most memory that an agent may use.
const MEMORY_MAX: u64 = 64 << 20;

/// What was published, in lines.
pub(super) fn header(
    network: &Network,
    (old, new): (&Path, &Path),
    update: Duration,
    total: Duration,
) -> String {
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let delta = delta_size(network).map_or_else(
        || "no delta that pays".to_owned(),
        |delta| {
            let share = delta as f64 * 100.0 / size(new).max(1) as f64;
            format!("delta {} ({share:.1} % of the image)", mib(delta))
        },
    );
    format!(
        "1.0.0 {} ({}), 1.1.0 {} ({}), {delta}\n\
         all devices settled {:.1} s after the release began; whole demo {:.1} s\n",
        file_name(old),
        mib(size(old)),
        file_name(new),
        mib(size(new)),
        update.as_secs_f64(),
        total.as_secs_f64()
    )
}

/// Bytes of the first delta from 1.0.0, if there is one that pays.
fn delta_size(network: &Network) -> Option<u64> {
    let deltas = network.releases.get("1.1.0")?.get("deltas")?.as_array()?;
    let mut deltas = deltas
        .iter()
        .filter(|delta| delta.get("from").is_some_and(Value::is_string));
    deltas.next()?.get("size")?.as_u64()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Prints the table; `true` if every device ended as its role demands.
pub(super) fn table(network: &Network, devices: &[Device], new: &Path) -> Result<bool, Failure> {
    let mut names = network.names.clone();
    for device in devices {
        names.insert(device.peer_id(network)?, device.name.clone());
    }
    println!(
        "{:<8} {:<6} {:<6} {:>21} {:>8} {:>9}  {:<17} RESULT",
        "DEVICE", "FROM", "TO", "FETCHED OF FULL", "SECONDS", "MEMORY", "VERIFIED BY"
    );
    let mut faults = Vec::new();
    let mut sources = BTreeMap::new();
    for device in devices {
        let report = device.last("switching").unwrap_or_default();
        let row = Row::of(device, &report, &names);
        println!("{}", row.line(device));
        sources.extend(row.sources.clone());
        faults.extend(row.faults(device, new)?);
    }
    let several = delta_size(network).unwrap_or(0) > 8 * 256 * 1024;
    if several && sources.len() < 2 {
        faults.push("all bytes came from one source".to_owned());
    }
    for fault in &faults {
        eprintln!("demo: not as it should be: {fault}");
    }
    println!(
        "\ndemo: {}",
        if faults.is_empty() {
            "everything is as it should be"
        } else {
            "FAILED"
        }
    );
    Ok(faults.is_empty())
}

struct Row {
    from: String,
    to: String,
    way: String,
    fetched: u64,
    full: u64,
    sources: BTreeMap<String, u64>,
    liars: Vec<String>,
    signers: String,
    seconds: f64,
    result: String,
}

impl Row {
    fn of(device: &Device, report: &Value, names: &BTreeMap<String, String>) -> Self {
        let name = |id: &String| names.get(id).cloned().unwrap_or_else(|| id.clone());
        let members = |pointer: &str| {
            let found = report.pointer(pointer).and_then(Value::as_object).cloned();
            found.unwrap_or_default()
        };
        let signers = report.get("verified_by").and_then(Value::as_array).cloned();
        let signers: Vec<String> = signers
            .unwrap_or_default()
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        let number = |member: &str| report.get(member).and_then(Value::as_u64).unwrap_or(0);
        let ended = |event: &str| {
            device
                .last(event)
                .is_some_and(|data| text(&data, "version") == text(report, "to"))
        };
        let result = match (ended("committed"), ended("rolled-back")) {
            (_, true) => "rolled back",
            (true, false) => "updated",
            (false, false) => "not settled",
        };
        Self {
            from: text(report, "from"),
            to: text(report, "to"),
            way: text(report, "way"),
            fetched: number("fetched_bytes"),
            full: number("image_bytes"),
            sources: members("/sources/bytes_by_source")
                .iter()
                .map(|(id, bytes)| (name(id), bytes.as_u64().unwrap_or(0)))
                .collect(),
            liars: members("/sources/liars").keys().map(name).collect(),
            signers: signers.join(" "),
            seconds: report.get("seconds").and_then(Value::as_f64).unwrap_or(0.0),
            result: result.to_owned(),
        }
    }

    fn line(&self, device: &Device) -> String {
        let from = if self.from.is_empty() {
            "?"
        } else {
            &self.from
        };
        let mut result = format!("{} by {}", self.result, self.way);
        if !self.liars.is_empty() {
            result.push_str(&format!(
                ", refused tampered chunks of {}",
                self.liars.join(", ")
            ));
        }
        let fetched = format!("{} of {}", mib(self.fetched), mib(self.full));
        let (name, memory) = (&device.name, mib(device.peak_memory));
        let source = |(name, bytes): (&String, &u64)| format!("{name} {}", mib(*bytes));
        let sources: Vec<String> = self.sources.iter().map(source).collect();
        format!(
            "{name:<8} {from:<6} {:<6} {fetched:>21} {:>8.1} {memory:>9}  {:<17} {result}\n         \
             from {}",
            self.to,
            self.seconds,
            self.signers,
            sources.join(", "),
        )
    }

    /// What is not as the device's role demands.
    fn faults(&self, device: &Device, new: &Path) -> Result<Vec<String>, Failure> {
        let mut faults = Vec::new();
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{}: {what}", device.name));
            }
        };
        let holds = |slot: &str| holds_image(&device.folder.join(slot), new);
        demand(self.to == "1.1.0", "did not install 1.1.0");
        demand(!self.signers.is_empty(), "no signer is named");
        demand(
            device.peak_memory < MEMORY_MAX,
            "its agent used more than 64 MiB",
        );
        match device.role {
            Role::Good => {
                demand(self.result == "updated", "did not update");
                demand(self.way == "delta", "did not use the delta");
                demand(self.fetched < self.full, "fetched as much as the image");
                demand(holds("slot-b.img")?, "slot B does not hold the new image");
            }
            Role::Unhealthy => {
                demand(self.result == "rolled back", "did not roll back");
                demand(boots_from(device, "A")?, "does not run the old slot");
                demand(
                    device.last("health-failed").is_some(),
                    "no failed health check",
                );
            }
            Role::Attacked => {
                demand(self.result == "updated", "did not update");
                let new_is_there = holds("slot-a.img")? || holds("slot-b.img")?;
                demand(new_is_there, "no slot holds the new image");
                let refused = device.events().iter().any(|(event, data)| {
                    let liars = data.pointer("/sources/liars").and_then(Value::as_object);
                    event == "switching" && liars.is_some_and(|liars| !liars.is_empty())
                });
                demand(refused, "did not meet the hostile peer");
            }
        }
        Ok(faults)
    }
}

/// Whether the first bytes of a slot are exactly the image.
pub(super) fn holds_image(slot: &Path, image: &Path) -> Result<bool, Failure> {
    let read = |path: &Path| fs::read(path).map_err(|error| Failure::new(path.display(), error));
    if !slot.exists() {
        return Ok(false);
    }
    let (slot, image) = (read(slot)?, read(image)?);
    Ok(slot.starts_with(&image))
}

fn boots_from(device: &Device, bootname: &str) -> Result<bool, Failure> {
    let path = device.folder.join("data/boot.json");
    let boot = fs::read_to_string(&path).map_err(|error| Failure::new(path.display(), error))?;
    let boot: Value = serde_json::from_str(&boot).map_err(|error| Failure::new("boot", error))?;
    Ok(text(&boot, "booted") == bootname && text(&boot, "primary") == bootname)
}
