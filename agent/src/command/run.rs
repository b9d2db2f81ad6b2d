//! `streembit-agent run`: the daemon. It proves what runs, checks from time to time, installs, and
//! serves to others what it holds.

mod retries;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use node::blocks::partial::Partial;
use node::command::run::until_told_to_stop;
use protocol::dht::key::DhtKey;
use protocol::exchange::tree::Blob;
use serde_json::json;

use retries::Retries;

use super::{install, open, start_sources};
use crate::device::Device;
use crate::prove::{Standing, check_health, commit, reconcile};
use crate::slot::SlotKind;
use crate::source::Sources;
use crate::state::Image;
use crate::update::{self, Outcome};

/// Options of run
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Check at once, end when there is nothing to do
    #[arg(long)]
    pub once: bool,
}

/// Runs `run`. It ends when told to stop, or with exit code 40 when a reboot is needed and no reboot
/// program is configured.
///
/// # Errors
/// [`CliError`] if the device can't be opened.
pub fn run(args: &Args, config: &Path, output: Output) -> Result<Exit, CliError> {
    let mut device = open(config)?;
    let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
    runtime.block_on(async {
        tokio::select! {
            () = until_told_to_stop() => Ok(Exit::Done),
            result = live(&mut device, *args, output) => result,
        }
    })
}

async fn live(device: &mut Device, args: Args, output: Output) -> Result<Exit, CliError> {
    // Before the network is touched: a system that works must count as good even where the network
    // does not come up.
    if let Some(exit) = prove(device, output).await? {
        return Ok(exit);
    }
    let sources = start_sources(device)?;
    let _control = match &sources.node {
        Some(node) => Some(
            node::control::serve(&device.config.data_directory, node.clone())
                .context(Exit::No, "control socket")?,
        ),
        None => None,
    };
    check_for_ever(device, &sources, args, output).await
}

/// Finds out what the last restart meant; an exit code ends the program.
async fn prove(device: &mut Device, output: Output) -> Result<Option<Exit>, CliError> {
    match reconcile(device)? {
        Standing::Proving(pending) => {
            device.record("proving", json!({ "version": pending.image.version }))?;
            match check_health(device, &pending).await {
                Ok(()) => commit(device)?,
                Err(error) => {
                    output.note(format_args!("{error}; restarting"));
                    device.record("health-failed", json!({ "why": error.to_string() }))?;
                    return restart(device).map(Some);
                }
            }
        }
        Standing::RebootPending => return restart(device).map(Some),
        Standing::RolledBack(pending) => {
            let version = &pending.image.version;
            output.note(format_args!("{version} did not prove itself, rolled back"));
        }
        Standing::Settled => {}
    }
    Ok(None)
}

async fn check_for_ever(
    device: &mut Device,
    sources: &Sources,
    args: Args,
    output: Output,
) -> Result<Exit, CliError> {
    serve_held(device, sources).await?;
    let mut retries = Retries::default();
    loop {
        let wait = match update::update(device, sources, output).await {
            Ok(Outcome::Installed(report)) => {
                output.result(&report, install::describe(&report))?;
                return restart(device);
            }
            Ok(Outcome::RebootPending) => return restart(device),
            Ok(Outcome::UpToDate) if args.once => return Ok(Exit::Done),
            Ok(Outcome::UpToDate) => device.config.polling_interval,
            Err(failed) if args.once => return Err(failed.error),
            Err(failed) => {
                output.error("streembit-agent", &failed.error);
                retries.wait(failed.release, device.config.polling_interval)
            }
        };
        tokio::time::sleep(with_jitter(wait)).await;
    }
}

/// Runs the reboot program, or leaves it to whoever started the agent.
fn restart(device: &Device) -> Result<Exit, CliError> {
    let Some(program) = &device.config.reboot else {
        return Ok(Exit::Reboot);
    };
    let name = program.display();
    let status = Command::new(program)
        .status()
        .context(Exit::No, format_args!("{name}"))?;
    if status.success() {
        return Ok(Exit::Reboot);
    }
    Err(CliError::new(
        Exit::No,
        format_args!("{name} failed: {status}"),
    ))
}

/// Up to 10 % longer, so that a fleet started by one power cut does not check as one.
fn with_jitter(wait: Duration) -> Duration {
    use rand_core::Rng as _;
    let share = cli::keyfile::os_rng().next_u32() % 1000;
    wait + wait / 10 * share / 1000
}

/// Serves what is held already: the image that runs, and whole or partial blobs of the data folder.
async fn serve_held(device: &Device, sources: &Sources) -> Result<(), CliError> {
    let Some(node) = &sources.node else {
        return Ok(());
    };
    let mut held: Vec<(Blob, std::path::PathBuf)> = Vec::new();
    let slot = device.running_slot()?;
    let state = device.state()?;
    if slot.kind == SlotKind::Raw
        && let Some(blob) = state.slots.get(&slot.bootname).and_then(Image::blob)
    {
        held.push((blob, slot.device));
    }
    let kept = device.blobs().context(Exit::No, "data folder")?;
    held.extend(kept.into_iter().map(|blob| (blob, device.blob_path(&blob))));
    for (blob, path) in held {
        let tree_path = device.tree_path(&blob);
        let found = tokio::task::spawn_blocking(move || {
            let partial = Partial::open_existing(blob, &path, &tree_path)?;
            let Some(tree) = partial.stored_tree()? else {
                return Ok(None);
            };
            let map = partial.scan(&tree);
            Ok(Some((tree, map, path)))
        });
        let found: Result<_, cli::durable::PathError> =
            found.await.context(Exit::No, "internal")?;
        // What can't be read is not served; it is no reason to stop.
        let Ok(Some((tree, map, path))) = found else {
            continue;
        };
        if map.held() > 0 {
            let tree = std::sync::Arc::new(tree);
            sources
                .blobs()
                .insert(node::blocks::store::Held { tree, map, path });
            node.provide(DhtKey::blob(&blob.root))
                .await
                .context(Exit::No, "node")?;
        }
    }
    Ok(())
}
