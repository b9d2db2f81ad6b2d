//! Hundreds of nodes in one process, which have known each other for long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use keys::{Algorithm, SigningKey};
use node::config::{Mode, NodeConfig};
use node::libp2p::kad::{K_VALUE, KBucketKey};
use node::{Multiaddr, NodeHandle, PeerId, runtime};
use tempfile::TempDir;

use super::until;

/// The next address: they are one process's.
static NEXT: AtomicU64 = AtomicU64::new(1 << 20);

/// A node of a crowd.
#[derive(Debug)]
pub struct Member {
    pub handle: NodeHandle,
    pub address: Multiaddr,
}

impl Member {
    fn start(folder: &TempDir) -> Self {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let address: Multiaddr = format!("/memory/{number}").parse().unwrap();
        let config = NodeConfig {
            data_directory: folder.path().join(number.to_string()),
            listen: vec![address.clone()],
            mdns: false,
            serve: false,
            mode: Mode::Full,
            ..NodeConfig::default()
        };
        let key = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
        let handle = runtime::start_in_memory(&config, &key).unwrap();
        Self { handle, address }
    }
}

/// Real nodes with the transport of one process. Their routing tables are filled beforehand, as those of
/// a network that has run for long.
#[derive(Debug)]
pub struct Crowd {
    pub members: Vec<Member>,
    folder: TempDir,
    random: u64,
}

impl Crowd {
    pub async fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let members = (0..count).map(|_| Member::start(&folder)).collect();
        let crowd = Self {
            members,
            folder,
            random: 1,
        };
        for member in &crowd.members {
            member.handle.learn(crowd.table_of(member)).await.unwrap();
        }
        crowd
    }

    /// Ends this many nodes, without a word to the others.
    pub fn kill(&mut self, count: usize) {
        for _ in 0..count {
            let index = self.pick(self.members.len());
            drop(self.members.swap_remove(index));
        }
    }

    /// Starts nodes that know `acquaintances` of those there are, and whom nobody knows.
    pub async fn join(&mut self, count: usize, acquaintances: usize) {
        for _ in 0..count {
            let member = Member::start(&self.folder);
            for _ in 0..acquaintances {
                let known = &self.members[self.random(self.members.len())];
                let address = known
                    .address
                    .clone()
                    .with_p2p(known.handle.peer_id)
                    .unwrap();
                member.handle.dial(address).await.unwrap();
            }
            let joined = async || {
                let status = member.handle.status().await.unwrap();
                (status.known > 0).then_some(())
            };
            until("a newcomer knows somebody", joined).await;
            self.members.push(member);
        }
    }

    /// The same numbers in every run.
    pub fn pick(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(1);
        self.random(below)
    }

    fn random(&self, below: usize) -> usize {
        let hash = blake3::hash(&self.random.to_le_bytes());
        let number = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
        usize::try_from(number % below as u64).unwrap()
    }

    pub fn any(&mut self) -> &Member {
        let index = self.pick(self.members.len());
        &self.members[index]
    }

    /// Twenty others of each distance, at most.
    fn table_of(&self, member: &Member) -> Vec<(PeerId, Multiaddr)> {
        let local = KBucketKey::from(member.handle.peer_id);
        let mut buckets: BTreeMap<u32, usize> = BTreeMap::new();
        let mut table = Vec::new();
        for other in &self.members {
            let distance = local.distance(&KBucketKey::from(other.handle.peer_id));
            let Some(magnitude) = distance.ilog2() else {
                continue;
            };
            let count = buckets.entry(magnitude).or_default();
            *count += 1;
            if *count <= K_VALUE.get() {
                table.push((other.handle.peer_id, other.address.clone()));
            }
        }
        table
    }
}
