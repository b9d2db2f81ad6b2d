//! `streembit-publisher seed`: announce the newest head, serve everything, until told to stop.

mod log;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, durable, keyfile};
use keys::SigningKey;
use manifests::client::Repository;
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use node::NodeHandle;
use node::command::run::{NetworkArgs, until_told_to_stop};
use protocol::dht::key::DhtKey;
use protocol::dht::release_head::{self, ReleaseHead};
use protocol::exchange::tree::Blob;
use protocol::limits::HEAD_RECORD_BYTES_MAX;

use crate::deltas::blob_of;
use crate::head;
use crate::repository::{Layout, OWN_CLOCK, releases};
use crate::settings::Settings;

/// How often the repository is looked at for a new release.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How often the head is announced again while all is well.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// How soon it is tried again when nobody is found to hold it.
const RETRY_INTERVAL: Duration = Duration::from_secs(3);

/// Options of seed
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Key of the seeding node, if it is not the publisher's account: a file or key URI
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// The network
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Runs `seed`.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let settings = Settings::load(folder)?;
    let mut config = args.network.resolve()?;
    if args.network.data_directory.is_none() && args.network.config.is_none() {
        config.data_directory = folder.join("seed");
    }
    let uri = match &args.key {
        Some(uri) => uri.clone(),
        None => {
            let repository = Layout::new(folder).verify(OWN_CLOCK)?;
            let account = repository.root.account().ok_or_else(|| {
                CliError::new(Exit::Key, "the root names no account").hint("seed --key KEY")
            })?;
            settings.account_uri(folder, account)?
        }
    };
    let key = keyfile::open(&uri)?;
    let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
    runtime.block_on(async {
        let node = node::runtime::start(&config, &key).context(Exit::No, "node")?;
        let socket = node::control::serve(&config.data_directory, node.clone())
            .context(Exit::No, "control socket")?;
        let mut seeder = Seeder {
            layout: Layout::new(folder),
            folder: folder.to_owned(),
            settings,
            key,
            node,
            output,
            version: None,
            provided: BTreeSet::new(),
            complaint: None,
        };
        let result = tokio::select! {
            () = until_told_to_stop() => Ok(Exit::Done),
            result = seeder.run() => result.map(|()| Exit::Done),
        };
        drop(socket);
        result
    })
}

struct Seeder {
    layout: Layout,
    folder: PathBuf,
    key: SigningKey,
    settings: Settings,
    node: NodeHandle,
    output: Output,
    /// The timestamp version that is announced.
    version: Option<u64>,
    provided: BTreeSet<Blob>,
    /// What was wrong the last time the repository was looked at.
    complaint: Option<String>,
}

impl Seeder {
    async fn run(&mut self) -> Result<(), CliError> {
        let mut head = None;
        let mut announce_at = tokio::time::Instant::now();
        loop {
            // A fault of the repository or the network must not take what is served with it.
            match self.renew().await {
                Ok(Some(new)) => {
                    head = Some(new);
                    announce_at = tokio::time::Instant::now();
                }
                Ok(None) => {}
                Err(error) => self.complain(&error),
            }
            if let Some((head, token)) = &head
                && tokio::time::Instant::now() >= announce_at
            {
                let wait = self.announce(head, token).await;
                let wait = wait.inspect_err(|error| self.output.note(error));
                announce_at = tokio::time::Instant::now() + wait.unwrap_or(ANNOUNCE_INTERVAL);
                let now = UtcTime::from_system(SystemTime::now()).as_unix();
                let told = log::announce(&self.folder, (&self.node, &self.key), now).await;
                match told {
                    Ok(Some(wrong)) => self.complain(&wrong),
                    Ok(None) => {}
                    Err(error) => self.output.note(error),
                }
            }
            tokio::time::sleep(LOOK_INTERVAL.min(RETRY_INTERVAL)).await;
        }
    }

    /// Loads the repository if it is newer than what is announced. It is verified before anything of
    /// it is announced.
    fn load(&self) -> Result<Option<Loaded>, CliError> {
        let now = UtcTime::from_system(SystemTime::now());
        let repository = self.layout.verify(now)?;
        let version = repository.timestamp.header().version;
        if self.version == Some(version) {
            return Ok(None);
        }
        let path = self.layout.head(version, &self.settings.channel);
        let limit = u64::try_from(HEAD_RECORD_BYTES_MAX).unwrap_or(u64::MAX);
        let token = durable::read_if_there(&path, limit).context(Exit::No, "release head")?;
        let Some(token) = token else {
            if self.version.is_none() {
                self.output
                    .note("nothing released yet; waiting for the first release");
            }
            return Ok(None);
        };
        let head = release_head::verify(&token, now.as_unix()).context(Exit::No, path.display())?;
        Ok(Some(Loaded {
            repository,
            head: (head, token),
        }))
    }

    /// Serves what is new and returns the head to announce.
    async fn renew(&mut self) -> Result<Option<(ReleaseHead, Vec<u8>)>, CliError> {
        let Some(new) = self.load()? else {
            return Ok(None);
        };
        self.serve(&new).await?;
        self.complaint = None;
        Ok(Some(new.head))
    }

    /// Says what is wrong, once.
    fn complain(&mut self, error: &CliError) {
        let text = error.to_string();
        if self.complaint.as_ref() != Some(&text) {
            self.output.error("streembit-publisher", error);
            self.complaint = Some(text);
        }
    }

    async fn serve(&mut self, loaded: &Loaded) -> Result<(), CliError> {
        let mut blobs = BTreeSet::from([loaded.head.0.catalog]);
        blobs.extend(head::whole_view(&self.layout, &loaded.head.0.catalog)?);
        for release in releases(&loaded.repository) {
            blobs.insert(blob_of(&release.image));
            blobs.extend(release.deltas.iter().map(|delta| blob_of(&delta.blob)));
        }
        for blob in blobs.difference(&self.provided) {
            let tree = self.layout.load_tree(*blob)?;
            self.node.blobs.insert_whole(tree, self.layout.blob(blob));
            let stopped = self.node.provide(DhtKey::blob(&blob.root)).await;
            stopped.context(Exit::No, "node")?;
        }
        self.provided = blobs;
        self.version = Some(loaded.repository.timestamp.header().version);
        Ok(())
    }

    /// Announces the head and says when to do it again.
    async fn announce(&self, head: &ReleaseHead, token: &[u8]) -> Result<Duration, CliError> {
        let key = DhtKey::release_head(&head.publisher_id, &head.channel);
        let held = self
            .node
            .put(key, token.to_vec())
            .await
            .context(Exit::No, "node")?;
        let holders = held.map_err(|error| {
            CliError::new(Exit::No, format_args!("release head is refused: {error}"))
        })?;
        let status = self.node.status().await.context(Exit::No, "node")?;
        let value = serde_json::json!({ "event": "announced", "head": head.seq,
            "channel": head.channel, "holders": holders, "blobs": self.provided.len(),
            "listening": status.listening, "peers": status.peers });
        let text = format!(
            "announced   head {} of channel {}, held by {holders} other nodes; serving {} blobs",
            head.seq,
            head.channel,
            self.provided.len()
        );
        self.output.result(&value, text)?;
        Ok(if holders > 0 {
            ANNOUNCE_INTERVAL
        } else {
            RETRY_INTERVAL
        })
    }
}

struct Loaded {
    repository: Repository,
    head: (ReleaseHead, Vec<u8>),
}
