//! `streembit run`: a node in the foreground.

use std::path::PathBuf;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, durable, keyfile};
use keys::AccountName;
use libp2p::Multiaddr;
use protocol::dht::key::DhtKey;
use protocol::identity::account;
use protocol::network::NetworkName;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::unix_now;
use crate::config::{NetworkConfig, NodeConfig};
use crate::handle::NodeHandle;
use crate::{control, rendezvous, runtime};

/// Bytes of a configuration file.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;
/// How often the account record is announced; nodes keep records for 48 h.
const ANNOUNCE_INTERVAL: std::time::Duration = std::time::Duration::from_secs(12 * 3600);

/// Options of a node
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The account's key: a file or key URI
    #[arg(long, value_name = "KEY", default_value = "account.key")]
    pub key: String,
    /// The account's name; with it the account is announced in the DHT
    #[arg(long)]
    pub name: Option<AccountName>,
    /// The private network to run in; the public one without it
    #[arg(long = "network", value_name = "NAME")]
    pub private_network: Option<NetworkName>,
    /// The network
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Options of whatever runs a node; each overrides the configuration file
#[derive(Clone, Debug, clap::Args)]
pub struct NetworkArgs {
    /// TOML configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for records and the control socket
    #[arg(long, value_name = "DIR", env = "STREEMBIT_DATA")]
    pub data_directory: Option<PathBuf>,
    /// Address to listen on, such as /ip4/0.0.0.0/tcp/4001 (repeatable)
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<Multiaddr>,
    /// Bootstrap node of the public network, ending in /p2p/PEER_ID (repeatable)
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<Multiaddr>,
    /// Don't look for peers on the local network
    #[arg(long)]
    pub no_mdns: bool,
}

impl NetworkArgs {
    /// Flags over file over defaults.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] naming file and line.
    pub fn resolve(&self) -> Result<NodeConfig, CliError> {
        let mut config = match &self.config {
            Some(path) => {
                let bytes = durable::read(path, CONFIG_BYTES_MAX).context(Exit::Usage, "config")?;
                let text = String::from_utf8(bytes).context(Exit::Usage, path.display())?;
                toml::from_str(&text).context(Exit::Usage, path.display())?
            }
            None => NodeConfig::default(),
        };
        if let Some(folder) = &self.data_directory {
            config.data_directory.clone_from(folder);
        }
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        if !self.bootstrap.is_empty() {
            config.bootstrap.clone_from(&self.bootstrap);
        }
        config.mdns &= !self.no_mdns;
        Ok(config)
    }
}

/// Runs `streembit run`.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let mut config = args.network.resolve()?;
    if let Some(name) = &args.private_network {
        let import = config.network.take().and_then(|network| network.import);
        let name = name.clone();
        config.network = Some(NetworkConfig { name, import });
    }
    let key = keyfile::open(&args.key)?;
    let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
    runtime.block_on(async {
        let node = runtime::start(&config, &key).context(Exit::No, "node")?;
        let socket = control::serve(&config.data_directory, node.clone())
            .context(Exit::No, "control socket")?;
        output.note(format_args!(
            "node {} runs; stop it with Ctrl-C",
            node.peer_id
        ));
        let announce = async {
            match &args.name {
                Some(name) => announce_account(&node, &key, name).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = until_told_to_stop() => {}
            () = announce => {}
            () = rendezvous::run(&config, &key, &node) => {}
        }
        drop(socket);
        Ok(Exit::Done)
    })
}

/// Puts the account record into the DHT, now and again, until the node stops.
async fn announce_account(node: &NodeHandle, key: &keys::SigningKey, name: &AccountName) {
    let Ok(node_id) = keys::node_id(&key.public(), name) else {
        return;
    };
    loop {
        let now = unix_now();
        // Time orders the versions of one account's record; nothing else changes in it yet.
        let Ok(record) = account::sign(key, name, now, now) else {
            return;
        };
        let wait = match node
            .put(DhtKey::account(&node_id), record.into_bytes())
            .await
        {
            Ok(Ok(holders)) if holders > 0 => ANNOUNCE_INTERVAL,
            Ok(_) => std::time::Duration::from_secs(10),
            Err(_) => return,
        };
        tokio::time::sleep(wait).await;
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn until_told_to_stop() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => drop(stream.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
