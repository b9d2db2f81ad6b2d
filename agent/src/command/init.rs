//! `streembit-agent init`: pin the publisher, make the device's account.

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit, Output};
use keys::Algorithm;

use super::KEY_FILE;
use crate::config::Config;
use crate::device::Device;
use crate::trust::read_pin;

/// Options of init
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The publisher's pin file [default: keyring.path of the configuration]
    #[arg(long, value_name = "FILE")]
    pub pin: Option<PathBuf>,
}

/// Runs `init`. It may be run again: what is there is kept.
///
/// # Errors
/// [`CliError`] if the device trusts another publisher already.
pub fn run(args: &Args, config: &Path, output: Output) -> Result<Exit, CliError> {
    let config = Config::load(config)?;
    let path = args.pin.as_ref().or(config.pin.as_ref()).ok_or_else(|| {
        CliError::new(Exit::Usage, "no pin is named").hint("--pin FILE, or keyring.path")
    })?;
    let pin = read_pin(path)?;
    let data = config.data_directory.as_path();
    Device::create(&config, &pin)?;
    let key = data.join(KEY_FILE);
    if !key.exists() {
        keyfile::create(&key, Algorithm::P256, "device", NewKey::Unprotected)?;
    }
    let public = keyfile::public(&format!("file:{}", key.display()))?;
    let peer_id = node::identity::peer_id(&public).context(Exit::Key, "device key")?;
    let value = serde_json::json!({ "publisher_id": pin.publisher_id.to_string(),
        "product": pin.product.to_string(), "channel": pin.channel.to_string(),
        "peer_id": peer_id.to_string(), "account": public.to_hex(), "data_directory": data.display().to_string() });
    let text = format!(
        "pinned      {}\nproduct     {}\nchannel     {}\npeer id     {peer_id}\naccount     {}",
        pin.publisher_id,
        pin.product,
        pin.channel,
        public.to_hex()
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}
