//! A node that asks others and serves nobody: with a key of the moment, gone when it is dropped.

use std::io;
use std::time::{Duration, Instant};

use keys::{Algorithm, SigningKey};
use libp2p::Multiaddr;
use protocol::dht::key::DhtKey;
use tempfile::TempDir;

use crate::NodeHandle;
use crate::config::{Mode, NodeConfig};
use crate::handle::{Found, Stopped};
use crate::runtime::{self, StartError};

/// How long a visitor waits for its first peer.
const FIRST_PEER_PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks whether a peer is known.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A visitor.
#[derive(Debug)]
pub struct Visitor {
    /// The node.
    pub node: NodeHandle,
    _folder: TempDir,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum VisitorError {
    /// No folder for it.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// The node doesn't start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Visitor {
    /// Starts one. There has to be a tokio runtime.
    ///
    /// * `bootstrap`: whom it asks first; a visitor that is told nobody connects where it is sent.
    ///
    /// # Errors
    /// [`VisitorError`].
    pub fn start(bootstrap: Vec<Multiaddr>) -> Result<Self, VisitorError> {
        let folder = tempfile::tempdir()?;
        let config = NodeConfig {
            data_directory: folder.path().to_owned(),
            listen: Vec::new(),
            bootstrap,
            mdns: false,
            mode: Mode::Leaf,
            serve: false,
            reachable: false,
            ..NodeConfig::default()
        };
        let key = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
        let node = runtime::start(&config, &key)?;
        Ok(Self {
            node,
            _folder: folder,
        })
    }

    /// Looks a record up, once somebody is known who may have it; `None` if nobody comes to be known.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn get(&self, key: DhtKey) -> Result<Option<Found>, Stopped> {
        let deadline = Instant::now() + FIRST_PEER_PATIENCE;
        while self.node.status().await?.known == 0 {
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.node.get(key).await.map(Some)
    }
}
