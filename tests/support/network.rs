//! Nodes on loopback, blobs to exchange, and a peer that breaks the rules.

pub mod crowd;
mod hostile;
pub mod kad_wire;
pub mod raw_yamux;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keys::{AccountName, Algorithm, SigningKey};

use node::blocks::fetch::{Destination, FetchError, FetchReport, fetch};
use node::blocks::partial::Partial;
use node::blocks::store::Held;
use node::config::NodeConfig;
use node::holders::find_links;
use node::{Multiaddr, NodeHandle, runtime};
use protocol::dht::key::DhtKey;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::{Blob, ChunkTree, TreeBuilder};
use protocol::identity::account;
use tempfile::TempDir;
use tokio::sync::mpsc;

pub use hostile::{Conduct, HostilePeer, Seen, until_closed};

/// Whatever is waited for comes within this time or never.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at a condition. Nodes answer and don't call back, so a condition is asked for until it
/// holds; the pause says how often, never how long.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; fails loudly at the deadline.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(DEADLINE, looking).await;
    found.unwrap_or_else(|_| panic!("never happened: {what}"))
}

pub fn now() -> u64 {
    node::clock::unix_now()
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

/// A signed account record and its key.
pub fn account(seed: u8, seq: u64) -> (DhtKey, Vec<u8>) {
    let (key, name): (_, AccountName) = (key(seed), "alice".parse().unwrap());
    let node_id = keys::node_id(&key.public(), &name).unwrap();
    let token = account::sign(&key, &name, seq, now()).unwrap();
    (DhtKey::account(&node_id), token.into_bytes())
}

/// Bootstrap node first; every node knows all others.
pub async fn network(count: usize) -> Vec<TestNode> {
    let mut nodes = vec![TestNode::start(&[]).await];
    for _ in 1..count {
        let node = TestNode::start(&[&nodes[0]]).await;
        nodes.push(node);
    }
    for node in &nodes {
        node.until_known(count - 1).await;
    }
    nodes
}

/// Puts until another node confirms that it holds the record.
pub async fn put(node: &TestNode, key: &DhtKey, value: &[u8]) -> usize {
    let put = async || {
        let holders = node.handle.put(*key, value.to_vec()).await.unwrap();
        Some(holders.unwrap()).filter(|holders| *holders > 0)
    };
    until("another node holds the record", put).await
}

/// The sequence that a look-up from `node` ends with.
pub async fn got(node: &TestNode, key: &DhtKey) -> Option<u64> {
    let found = node.handle.get(*key).await.unwrap();
    found.best.map(|(record, _)| record.seq())
}

/// Puts and look-ups still work between honest nodes.
pub async fn is_served(nodes: &[TestNode], seed: u8) {
    let (key, value) = account(seed, 1);
    put(&nodes[0], &key, &value).await;
    for node in nodes {
        assert_eq!(got(node, &key).await, Some(1));
    }
}

/// A node with a folder of its own.
#[derive(Debug)]
pub struct TestNode {
    pub handle: NodeHandle,
    pub address: Multiaddr,
    pub config: NodeConfig,
    pub key: SigningKey,
    pub folder: Arc<TempDir>,
}

impl TestNode {
    pub async fn start(bootstrap: &[&Self]) -> Self {
        let bootstrap = bootstrap.iter().map(|node| node.address.clone()).collect();
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), bootstrap).await
    }

    /// Starts a node with other settings than those of a test.
    pub async fn start_as(bootstrap: &[&Self], change: impl FnOnce(&mut NodeConfig)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let key = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
        let bootstrap = bootstrap.iter().map(|node| node.address.clone());
        let mut config = Self::settings(&folder, bootstrap.collect());
        change(&mut config);
        Self::run(folder, config, key).await
    }

    fn settings(folder: &TempDir, bootstrap: Vec<Multiaddr>) -> NodeConfig {
        NodeConfig {
            data_directory: folder.path().join("data"),
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
            bootstrap,
            mdns: false,
            ..NodeConfig::default()
        }
    }

    /// Starts a node in a folder that may hold records already.
    pub async fn start_in(folder: Arc<TempDir>, bootstrap: Vec<Multiaddr>) -> Self {
        let key = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
        let config = Self::settings(&folder, bootstrap);
        Self::run(folder, config, key).await
    }

    async fn run(folder: Arc<TempDir>, config: NodeConfig, key: SigningKey) -> Self {
        let handle = runtime::start(&config, &key).unwrap();
        let address = until("the node listens", async || {
            let status = handle.status().await.unwrap();
            status.listening.first().map(|text| text.parse().unwrap())
        });
        Self {
            address: address.await,
            handle,
            config,
            key,
            folder,
        }
    }

    /// Stops the node and starts it again with the same key and folder, at the same address.
    pub async fn restart(self) -> Self {
        let Self {
            handle,
            address,
            mut config,
            key,
            folder,
        } = self;
        drop(handle);
        let port = address.iter().take(2).collect();
        config.listen = vec![port];
        config.bootstrap.clear();
        let start = async || runtime::start(&config, &key).ok();
        drop(until("the old node is gone", start).await);
        Self::run(folder, config, key).await
    }

    pub async fn dial(&self, address: &Multiaddr) {
        self.handle.dial(address.clone()).await.unwrap();
    }

    pub async fn until_peers(&self, count: usize) {
        let connected = async || {
            let peers = self.handle.peers().await.unwrap();
            (peers.len() >= count).then_some(())
        };
        until("peers are connected", connected).await;
    }

    pub async fn until_known(&self, count: usize) {
        let known = async || {
            let status = self.handle.status().await.unwrap();
            (status.known >= count).then_some(())
        };
        until("peers are in the routing table", known).await;
    }

    /// IP and port for who speaks no libp2p.
    pub fn socket(&self) -> std::net::SocketAddr {
        let text = self.address.to_string();
        let port = text.split('/').nth(4).unwrap().parse().unwrap();
        (std::net::Ipv4Addr::LOCALHOST, port).into()
    }

    pub fn name(&self) -> String {
        self.handle.peer_id.to_string()
    }

    /// Makes `chunks` of a blob served by this node.
    pub fn hold(&self, data: &Data, chunks: impl IntoIterator<Item = u32>) {
        let path = self.folder.path().join(data.blob().name());
        fs::write(&path, &*data.bytes).unwrap();
        let mut map = ChunkMap::empty(data.blob().chunk_count());
        chunks.into_iter().for_each(|chunk| map.insert(chunk));
        let tree = Arc::clone(&data.tree);
        self.handle.blobs.insert(Held { tree, map, path });
    }

    /// The place that a fetch of this node writes to.
    pub fn partial(&self, data: &Data) -> Partial {
        let path = self.fetched(data);
        Partial::open(data.blob(), &path, &path.with_extension("tree")).unwrap()
    }

    pub fn fetched(&self, data: &Data) -> PathBuf {
        self.folder
            .path()
            .join("fetched")
            .with_extension(&data.blob().name()[..8])
    }

    /// Fetches a blob from whoever is connected or found, `progress` told what is there.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(
        &self,
        data: &Data,
        patience: Duration,
        progress: impl FnMut(u64),
    ) -> Result<FetchReport, FetchError> {
        let (sender, links) = mpsc::channel(16);
        let finding = tokio::spawn(find_links(self.handle.clone(), data.blob(), sender));
        let partial = self.partial(data);
        let to = Destination {
            partial: &partial,
            blobs: &self.handle.blobs,
            wanted: None,
            gate: async || Ok(()),
        };
        let fetching = fetch(to, links, patience, progress);
        let fetched = tokio::time::timeout(DEADLINE, fetching).await;
        finding.abort();
        fetched.expect("a fetch ends in time")
    }

    /// Fetches a blob and checks every byte of the file.
    pub async fn fetch_whole(&self, data: &Data) -> FetchReport {
        let report = self.fetch(data, DEADLINE, |_| {}).await.unwrap();
        assert!(fs::read(self.fetched(data)).unwrap() == *data.bytes);
        let bytes = report.bytes_by_source.values().sum::<u64>() + report.resumed_bytes;
        assert_eq!(bytes, data.blob().size, "every chunk is taken once");
        report
    }
}

/// A blob in memory.
#[derive(Clone, Debug)]
pub struct Data {
    pub bytes: Arc<Vec<u8>>,
    pub tree: Arc<ChunkTree>,
}

impl Data {
    /// `size` bytes that follow from `seed`, no two chunks alike.
    pub fn new(seed: u8, size: usize) -> Self {
        let mut bytes = vec![0; size];
        blake3::Hasher::new_derive_key("streembit tests")
            .update(&[seed])
            .finalize_xof()
            .fill(&mut bytes);
        let mut builder = TreeBuilder::new();
        builder.update(&bytes);
        Self {
            bytes: Arc::new(bytes),
            tree: Arc::new(builder.finish()),
        }
    }

    pub fn blob(&self) -> Blob {
        self.tree.blob()
    }

    pub fn count(&self) -> u32 {
        self.blob().chunk_count()
    }

    pub fn chunk(&self, chunk: u32) -> Vec<u8> {
        let start = usize::try_from(self.blob().chunk_start(chunk)).unwrap();
        let length = usize::try_from(self.blob().chunk_len(chunk)).unwrap();
        self.bytes[start..start + length].to_vec()
    }
}
