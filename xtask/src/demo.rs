//! `cargo demo [OLD NEW]`: the main job, end to end, with nothing in it mocked.
//!
//! A bootstrap node, a publisher, a second seeder, a hostile peer and five devices run as processes of
//! their own on loopback with fresh keys. 1.0.0 is published, then 1.1.0; every device must end as
//! the table says, or the demo fails.

mod build;
mod device;
pub(crate) mod kill;
mod network;
mod process;
mod progress;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use device::{Device, Role};
use network::Network;
use process::Failure;
use progress::Progress;

/// How long the devices have for the update. The demo takes a fraction of it.
const UPDATE_LIMIT: Duration = Duration::from_secs(300);

/// Runs the demo in a temporary folder, or in `keep`, which stays.
pub(crate) fn run(
    root: &Path,
    images: Option<(PathBuf, PathBuf)>,
    keep: Option<&Path>,
) -> ExitCode {
    match demo(root, images, keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("demo: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn demo(
    root: &Path,
    images: Option<(PathBuf, PathBuf)>,
    keep: Option<&Path>,
) -> Result<bool, Failure> {
    let binaries = build::binaries(root)?;
    let temporary = tempfile::tempdir().map_err(|error| Failure::new("temporary folder", error))?;
    let folder = match keep {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| Failure::new("--keep", error))?;
            folder
                .canonicalize()
                .map_err(|error| Failure::new("--keep", error))?
        }
        None => temporary.path().to_owned(),
    };
    // Executables of two programs that share most of their code are a real upgrade to make a delta of.
    let (old, new) = images.unwrap_or_else(|| (binaries.publisher.clone(), binaries.agent.clone()));
    let progress = Progress::new();
    let started = Instant::now();
    let mut network = Network::start(&binaries, &folder, &progress)?;
    network.release(&old, "1.0.0", &progress)?;
    network.seed(&progress)?;
    network.start_hostile(&progress)?;
    let roles = [
        Role::Good,
        Role::Good,
        Role::Good,
        Role::Unhealthy,
        Role::Attacked,
    ];
    let mut devices = Vec::new();
    for (index, role) in roles.into_iter().enumerate() {
        devices.push(Device::start(&network, index + 1, role, &old)?);
    }
    progress.step("devices start and find release 1.0.0");
    wait_for(&mut devices, &progress, Device::has_checked)?;
    let published = Instant::now();
    network.release(&new, "1.1.0", &progress)?;
    progress.step("devices find release 1.1.0 by themselves");
    wait_for(&mut devices, &progress, Device::is_settled)?;
    progress.finish();
    for device in &mut devices {
        device.stop();
    }
    let elapsed = started.elapsed();
    println!(
        "{}",
        report::header(&network, (&old, &new), published.elapsed(), elapsed)
    );
    report::table(&network, &devices, &new)
}

/// Waits until every device is where `done` says, restarting those that ask for a reboot.
fn wait_for(
    devices: &mut [Device],
    progress: &Progress,
    done: impl Fn(&Device) -> bool,
) -> Result<(), Failure> {
    let deadline = Instant::now() + UPDATE_LIMIT;
    loop {
        for device in devices.iter_mut() {
            device.tend(progress)?;
        }
        if devices.iter().all(&done) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let late: Vec<String> = devices
                .iter()
                .filter(|device| !done(device))
                .map(Device::describe)
                .collect();
            return Err(Failure::text(format!(
                "not done in time: {}",
                late.join("; ")
            )));
        }
        std::thread::sleep(process::POLL_INTERVAL);
    }
}
