//! What each subcommand of `streembit-agent` does, one file each.

pub mod boot;
pub mod check;
pub mod init;
pub mod install;
pub mod journal;
pub mod mark;
pub mod rollback;
pub mod run;
pub mod status;

use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit, keyfile};

use crate::config::Config;
use crate::device::Device;
use crate::receipts::KEY_FILE;
use crate::source::Sources;

/// Opens the configured device for changes.
fn open(config: &Path) -> Result<Device, CliError> {
    Device::open(Config::load(config)?)
}

/// Starts the device's node and prepares its mirrors; within the runtime.
fn start_sources(device: &Device) -> Result<Sources, CliError> {
    let key = device.config.data_directory.join(KEY_FILE);
    let key = keyfile::open(&format!("file:{}", key.display()))?;
    let mut config = device.config.clone();
    config.node.clock = device.clock()?;
    Sources::start(&config, &key)
}

/// Opens the device and its sources and runs `work` on them.
fn with_sources<T>(
    config: &Path,
    work: impl AsyncFnOnce(&mut Device, &Sources) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut device = open(config)?;
    let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
    runtime.block_on(async {
        let sources = start_sources(&device)?;
        work(&mut device, &sources).await
    })
}
