//! Asking witnesses for cosignatures: C2SP tlog-witness over HTTP, and the same bytes to a node
//! (`/ip4/…/p2p/PEER_ID`), all of them at once.

use std::time::Duration;

use node::config::{Mode, NodeConfig};
use node::witness::streams;
use node::{Multiaddr, NodeHandle};
use reqwest::redirect;
use tlog::checkpoint::Checkpoint;
use tlog::limits::NOTE_BYTES_MAX;
use tlog::note::{Line, Note, parse_lines};
use tlog::policy::Party;
use tlog::tree::Tree;
use tlog::vkey::VerifierKey;
use tlog::witness::AddCheckpoint;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Log, LogError};

/// A witness that is slower counts as absent.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests to one witness: what it knows may have to be heard first, and another submitter may come between.
const TRIES: usize = 3;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What the policy calls the witness.
    pub name: String,
    /// Its cosignature, or why there is none.
    pub answer: Result<Line, String>,
}

/// A checkpoint, and whom it is shown.
struct Submission {
    log: Log,
    note: Note,
    tree: Checkpoint,
    witness: Party,
}

/// Asks all witnesses that have an address for a cosignature of the newest signed checkpoint.
///
/// * `known`: the newest checkpoint before; who has cosigned that one knows it.
///
/// # Errors
/// [`LogError::Unsigned`]. That a witness doesn't answer is none.
pub async fn ask(
    log: &Log,
    witnesses: &[Party],
    known: Option<&Note>,
) -> Result<Vec<Asked>, LogError> {
    let note = log.signed()?.ok_or(LogError::Unsigned)?;
    let tree = log.parse(super::SIGNED, &note)?;
    let node = match witnesses.iter().any(|witness| multiaddr(witness).is_some()) {
        true => Visitor::start()
            .map_err(|error| tracing::warn!(error, "no node"))
            .ok(),
        false => None,
    };
    let mut requests = JoinSet::new();
    for witness in witnesses.iter().filter(|witness| witness.url.is_some()) {
        let submission = Submission {
            log: log.clone(),
            note: note.clone(),
            tree: tree.clone(),
            witness: witness.clone(),
        };
        let old = known_size(known, &witness.key);
        let node = node.as_ref().map(|visitor| visitor.node.clone());
        requests.spawn(async move {
            let answer = submission.ask(old, node.as_ref()).await;
            let name = submission.witness.name;
            Asked { name, answer }
        });
    }
    Ok(requests.join_all().await)
}

/// What a witness has cosigned as far as is known here.
fn known_size(known: Option<&Note>, witness: &VerifierKey) -> u64 {
    let cosigned = known.filter(|note| note.signed_by(witness).is_some());
    let checkpoint = cosigned.and_then(|note| note.text().parse::<Checkpoint>().ok());
    checkpoint.map_or(0, |checkpoint| checkpoint.size)
}

impl Submission {
    async fn ask(&self, mut old: u64, node: Option<&NodeHandle>) -> Result<Line, String> {
        for _ in 0..TRIES {
            if old > self.tree.size {
                return Err(format!(
                    "it has cosigned {old} entries, here are {}: is this an old copy of the log?",
                    self.tree.size
                ));
            }
            let proof = Tree::new(&self.log.files(), self.tree.size).consistency(old);
            let request = AddCheckpoint {
                old_size: old,
                proof: proof.map_err(|error| error.to_string())?,
                checkpoint: self.note.clone(),
            };
            let sent = timeout(WITNESS_TIMEOUT, self.send(request.to_string(), node));
            let (status, body) = sent.await.map_err(|_| "no answer in time".to_owned())??;
            match status {
                200 => return self.cosignature(&body),
                // The size that it knows; the same size is a fork.
                409 if body.trim() != old.to_string() => {
                    old = body
                        .trim()
                        .parse()
                        .map_err(|_| format!("409: {body:.100}"))?;
                }
                409 => return Err("it has cosigned another history of this log".to_owned()),
                status => return Err(format!("{status}: {:.100}", body.trim())),
            }
        }
        Err("it is asked by somebody else at the same time".to_owned())
    }

    fn cosignature(&self, body: &str) -> Result<Line, String> {
        let lines = parse_lines(body).map_err(|error| error.to_string())?;
        let is_good = |line: &Line| {
            let mut alone = self.note.clone();
            alone.add(line.clone());
            // The note that was sent doesn't bear this witness's signature yet, or an older one.
            alone.signed_by(&self.witness.key) != self.note.signed_by(&self.witness.key)
        };
        let good = lines.into_iter().find(is_good);
        good.ok_or_else(|| "its answer holds no good cosignature of its key".to_owned())
    }

    async fn send(&self, body: String, node: Option<&NodeHandle>) -> Result<(u16, String), String> {
        match (multiaddr(&self.witness), node) {
            (Some(address), Some(node)) => send_to_node(node, address, &body).await,
            (Some(_), None) => Err("no node could be started to ask it".to_owned()),
            (None, _) => {
                let url = self.witness.url.as_deref().unwrap_or_default();
                send_to_url(url, body).await
            }
        }
    }
}

/// The address of a witness that is a node.
fn multiaddr(witness: &Party) -> Option<Multiaddr> {
    let url = witness.url.as_deref().filter(|url| url.starts_with('/'))?;
    url.parse().ok()
}

async fn send_to_url(url: &str, body: String) -> Result<(u16, String), String> {
    let plain = |error: reqwest::Error| error.without_url().to_string();
    // A witness answers itself: nobody is sent elsewhere with a checkpoint.
    let client = reqwest::Client::builder().redirect(redirect::Policy::none());
    let client = client.build().map_err(plain)?;
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let mut answer = client.post(url).body(body).send().await.map_err(plain)?;
    let (status, mut bytes) = (answer.status().as_u16(), Vec::new());
    while let Some(piece) = answer.chunk().await.map_err(plain)? {
        if bytes.len().saturating_add(piece.len()) > NOTE_BYTES_MAX {
            return Err("its answer is too long".to_owned());
        }
        bytes.extend_from_slice(&piece);
    }
    let body = String::from_utf8(bytes).map_err(|_| "its answer is no text".to_owned())?;
    Ok((status, body))
}

async fn send_to_node(
    node: &NodeHandle,
    address: Multiaddr,
    body: &str,
) -> Result<(u16, String), String> {
    let peer = node::swarm::addresses::peer_of(&address);
    let peer = peer.ok_or("its address names no peer")?;
    let connected = node.connect(vec![address]).await;
    connected.map_err(|error| error.to_string())??;
    let answer = streams::add_checkpoint(node, peer, body.as_bytes()).await;
    answer.map_err(|error| error.to_string())
}

/// A node that visits witnesses: with a key of the moment, known to nobody, gone when dropped.
struct Visitor {
    node: NodeHandle,
    _folder: tempfile::TempDir,
}

impl Visitor {
    fn start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let config = NodeConfig {
            data_directory: folder.path().to_owned(),
            listen: Vec::new(),
            mdns: false,
            mode: Mode::Leaf,
            serve: false,
            reachable: false,
            ..NodeConfig::default()
        };
        let mut rng = cli::keyfile::os_rng();
        let key = keys::SigningKey::generate(keys::Algorithm::P256, &mut rng);
        let node = node::runtime::start(&config, &key).map_err(|error| error.to_string())?;
        Ok(Self {
            node,
            _folder: folder,
        })
    }
}
