//! Everything but the devices: bootstrap node, publisher, second seeder, hostile peer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::build::Binaries;
use super::process::{self, Failure, Process, text};
use super::progress::Progress;

/// The product of the demo.
const PRODUCT: &str = "acme-cam";
/// Its hardware id.
pub(super) const HARDWARE: &str = "cam-r3";
/// Loopback, a free port.
pub(super) const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// The running network.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) binaries: Binaries,
    pub(super) folder: PathBuf,
    /// Address of the bootstrap node.
    pub(super) bootstrap: String,
    /// Address of the hostile peer.
    pub(super) hostile: String,
    /// Names of peers by peer id, for the table.
    pub(super) names: BTreeMap<String, String>,
    /// What `release` printed, by version.
    pub(super) releases: BTreeMap<String, Value>,
    processes: Vec<Process>,
}

impl Network {
    /// Starts the bootstrap node and makes the publisher's repository.
    pub(super) fn start(
        binaries: &Binaries,
        folder: &Path,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let mut network = Self {
            binaries: binaries.clone(),
            folder: folder.to_owned(),
            bootstrap: String::new(),
            hostile: String::new(),
            names: BTreeMap::new(),
            releases: BTreeMap::new(),
            processes: Vec::new(),
        };
        progress.step("a bootstrap node starts");
        let key = network.account("bootstrap")?;
        let node = network.binaries.node.clone();
        let args = ["run", "--key", &key, "--name", "bootstrap"];
        network.bootstrap = network.run_node(&node, &args, "bootstrap", &[])?;
        progress.step("a publisher makes keys, root (2 of 3) and an empty repository");
        let init = [
            "init",
            "--product",
            PRODUCT,
            "--hardware",
            HARDWARE,
            "--no-passcode",
        ];
        process::json(&network.binaries.publisher, init, &network.folder)?;
        let show = [
            "account",
            "show",
            "publisher",
            "--key",
            "repository/keys/account.key",
        ];
        let shown = process::json(&network.binaries.node, show, &network.folder)?;
        network
            .names
            .insert(text(&shown, "peer_id"), "publisher".to_owned());
        Ok(network)
    }

    /// Creates an account and returns its key file.
    fn account(&mut self, name: &str) -> Result<String, Failure> {
        let key = format!("{name}.key");
        let args = ["account", "create", name, "--key", &key, "--no-passcode"];
        let created = process::json(&self.binaries.node, args, &self.folder)?;
        self.names
            .insert(text(&created, "peer_id"), name.to_owned());
        Ok(key)
    }

    /// Starts a node of some program and returns its address once it listens.
    fn run_node(
        &mut self,
        program: &Path,
        args: &[&str],
        name: &str,
        bootstrap: &[&str],
    ) -> Result<String, Failure> {
        let data = format!("{name}-data");
        let mut all = args.to_vec();
        all.extend(["--data-directory", &data, "--listen", LISTEN, "--no-mdns"]);
        for address in bootstrap {
            all.extend(["--bootstrap", address]);
        }
        let mut process = Process::start(program, all, (&self.folder, name))?;
        let address = process.wait_until(|| {
            let ask = ["status", "--data-directory", &data];
            let status = process::json(&self.binaries.node, ask, &self.folder).ok()?;
            status
                .pointer("/listening/0")
                .and_then(Value::as_str)
                .map(str::to_owned)
        })?;
        self.processes.push(process);
        Ok(address)
    }

    /// Publishes a release, as a CI job would.
    pub(super) fn release(
        &mut self,
        image: &Path,
        version: &str,
        progress: &Progress,
    ) -> Result<(), Failure> {
        progress.step(&format!("the publisher signs release {version}"));
        let image = image
            .canonicalize()
            .map_err(|error| Failure::new(image.display(), error))?;
        let args = [
            "release",
            &image.display().to_string(),
            "--version",
            version,
        ]
        .map(str::to_owned);
        let released = process::json(&self.binaries.publisher, args, &self.folder)?;
        self.releases.insert(version.to_owned(), released);
        Ok(())
    }

    /// Starts the publisher's seeding node and a second seeder with the same repository.
    pub(super) fn seed(&mut self, progress: &Progress) -> Result<(), Failure> {
        progress.step("the publisher and a second seeder announce and serve it");
        let publisher = self.binaries.publisher.clone();
        let bootstrap = self.bootstrap.clone();
        self.run_node(&publisher, &["seed"], "publisher", &[&bootstrap])?;
        let key = self.account("seeder")?;
        self.run_node(
            &publisher,
            &["seed", "--key", &key],
            "seeder",
            &[&bootstrap],
        )?;
        Ok(())
    }

    /// Starts the peer that sends tampered chunks.
    pub(super) fn start_hostile(&mut self, progress: &Progress) -> Result<(), Failure> {
        progress.step("a hostile peer joins");
        let key = self.account("hostile")?;
        let hostile = self.binaries.hostile.clone();
        let bootstrap = self.bootstrap.clone();
        let args = ["--repository", "repository", "--key", &key];
        self.hostile = self.run_node(&hostile, &args, "hostile", &[&bootstrap])?;
        Ok(())
    }

    /// The pin file that devices get.
    pub(super) fn pin(&self) -> PathBuf {
        self.folder
            .join("repository")
            .join(format!("{PRODUCT}.pin"))
    }
}
