//! `streembit run`: a node in the foreground.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, durable, keyfile};
use keys::{AccountName, SigningKey};
use libp2p::Multiaddr;
use protocol::dht::key::DhtKey;
use protocol::identity::account;
use protocol::network::NetworkName;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use crate::accounts::{Account, AccountFolder, Past};
use crate::clock::unix_now;
use crate::config::{Mode, NetworkConfig, NodeConfig, WitnessConfig};
use crate::control::Api;
use crate::handle::NodeHandle;
use crate::witness::{Witness, http, streams};
use crate::{command, control, messenger, rendezvous, runtime};

/// Bytes of a configuration file.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;
/// How often the account record is announced; nodes keep records for 48 h.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(12 * 3600);
/// How often until another node has it.
const ANNOUNCE_RETRY: Duration = Duration::from_secs(10);

/// Options of a node
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The account in the data folder; needed if there are several
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    pub account: Option<AccountName>,
    /// Take this key, a file or key URI, instead of one in the data folder
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Name of the account with that key; without it nobody is announced, and nobody talks
    #[arg(long, requires = "key")]
    pub name: Option<AccountName>,
    /// The private network to run in; the public one without it
    #[arg(long = "network", value_name = "NAME")]
    pub private_network: Option<NetworkName>,
    /// Cosign checkpoints of logs, as the witness that `streembit witness init` made
    #[arg(long)]
    pub witness: bool,
    /// The network
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Who runs.
enum Identity {
    /// An account, and its folder.
    Account(Arc<Account>, AccountFolder),
    /// A key alone.
    Key(SigningKey),
}

impl Args {
    fn identity(&self, data: &Path) -> Result<Identity, CliError> {
        let Some(uri) = &self.key else {
            let (past, folder) = AccountFolder::choose(data, self.account.as_ref())?;
            let account = Account::open(&folder, past, None)?;
            return Ok(Identity::Account(Arc::new(account), folder));
        };
        let Some(name) = &self.name else {
            return Ok(Identity::Key(keyfile::open(uri)?));
        };
        let folder = AccountFolder::of(data, name);
        let past = folder.past().context(Exit::No, "account")?;
        let past = past.unwrap_or_else(|| Past::none(name.clone()));
        folder.write_past(&past).context(Exit::No, "account")?;
        let account = Account::open(&folder, past, Some(uri))?;
        Ok(Identity::Account(Arc::new(account), folder))
    }
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
    /// Store records for others and answer their look-ups, or not
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
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
        if let Some(mode) = self.mode {
            config.mode = mode;
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
    if args.witness {
        config.witness.get_or_insert_default();
    }
    let identity = args.identity(&config.data_directory)?;
    let witness = config
        .witness
        .map(|_| command::witness::open(&config.data_directory));
    let witness = witness.transpose()?;
    let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
    runtime.block_on(async {
        let key = match &identity {
            Identity::Account(account, _) => &account.key,
            Identity::Key(key) => key,
        };
        let node = runtime::start(&config, key).context(Exit::No, "node")?;
        let mut api = Api::from(node.clone());
        if let Identity::Account(account, folder) = &identity {
            let folder = folder.path().to_owned();
            let talk = config.messenger.clone();
            let messenger = messenger::start(account.clone(), folder, node.clone(), talk);
            api.messenger = Some(messenger.context(Exit::No, "messenger")?);
            tokio::spawn(announce(node.clone(), account.clone()));
        }
        let _witness = match (witness.clone(), config.witness) {
            (Some(witness), Some(settings)) => {
                Some(serve_witness(&node, witness, settings, output).await?)
            }
            _ => None,
        };
        let socket =
            control::serve(&config.data_directory, api).context(Exit::No, "control socket")?;
        output.note(format_args!(
            "node {} runs; stop it with Ctrl-C",
            node.peer_id
        ));
        tell_service_manager(NotifyState::Ready);
        tokio::select! {
            () = until_told_to_stop() => {}
            () = rendezvous::run(&config, key, &node) => {}
            () = announce_cosigned(&node, key, witness.as_ref()) => {}
        }
        tell_service_manager(NotifyState::Stopping);
        drop(socket);
        Ok(Exit::Done)
    })
}

/// Serves a witness over HTTP and the network of nodes.
async fn serve_witness(
    node: &NodeHandle,
    witness: Witness,
    settings: WitnessConfig,
    output: Output,
) -> Result<http::Server, CliError> {
    streams::listen(node, &witness).context(Exit::No, "witness")?;
    let server = http::serve(settings.listen, witness).await;
    let server = server.context(Exit::No, format_args!("witness at {}", settings.listen))?;
    output.note(format_args!("witness at http://{}", server.address));
    Ok(server)
}

/// Tells what a witness cosigns, as long as the node runs.
async fn announce_cosigned(node: &NodeHandle, key: &SigningKey, witness: Option<&Witness>) {
    match witness {
        Some(witness) => witness.announce(node, key).await,
        None => std::future::pending().await,
    }
}

/// Tells systemd, if it started this and wants to know.
fn tell_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager is not told");
    }
}

/// Puts the account's record into the DHT, and those of its former keys, now and again, until the node stops.
async fn announce(node: NodeHandle, account: Arc<Account>) {
    loop {
        let now = unix_now();
        let Ok(record) = account.record(now) else {
            return;
        };
        let mut is_known = put(&node, record).await;
        for farewell in &account.past.farewells {
            is_known &= put(&node, farewell.clone()).await;
        }
        let wait = if is_known {
            ANNOUNCE_INTERVAL
        } else {
            ANNOUNCE_RETRY
        };
        tokio::time::sleep(wait).await;
    }
}

/// Puts an account's record; says whether another node has it.
async fn put(node: &NodeHandle, token: String) -> bool {
    let Ok(record) = account::verify(token.as_bytes(), unix_now()) else {
        return false;
    };
    let put = node
        .put(DhtKey::account(&record.node_id), token.into_bytes())
        .await;
    matches!(put, Ok(Ok(holders)) if holders > 0)
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
