//! Where a witness is asked: by a URL, or as a node (`/ip4/…/p2p/PEER_ID`) with the same bytes.

use std::time::Duration;

use node::visitor::Visitor;
use node::witness::streams;
use node::{Multiaddr, NodeHandle};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect;
use tlog::limits::NOTE_BYTES_MAX;
use tlog::policy::Party;
use tokio::time::timeout;

/// A witness that is slower counts as absent.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    /// To cosign a checkpoint.
    Checkpoint,
    /// To keep entries.
    Entries,
}

/// Where.
#[derive(Clone, Debug)]
pub(super) enum Endpoint {
    /// Over HTTP.
    Url(String),
    /// Over the network of nodes; without a node that could not be started.
    Node(Multiaddr, Option<NodeHandle>),
}

impl Endpoint {
    /// Whether a witness is a node.
    pub(super) fn is_node(witness: &Party) -> bool {
        multiaddr(witness).is_some()
    }

    /// Where a witness is.
    pub(super) fn of(witness: &Party, visitor: Option<&Visitor>) -> Self {
        match multiaddr(witness) {
            Some(address) => Self::Node(address, visitor.map(|visitor| visitor.node.clone())),
            None => Self::Url(witness.url.clone().unwrap_or_default()),
        }
    }

    /// Sends a request: status and body of the answer.
    pub(super) async fn send(
        &self,
        request: Request,
        body: Vec<u8>,
    ) -> Result<(u16, String), String> {
        let sent = async {
            match self {
                Self::Url(url) => send_to_url(url, request, body).await,
                Self::Node(address, Some(node)) => {
                    send_to_node(node, address.clone(), (request, &body)).await
                }
                Self::Node(_, None) => Err("no node could be started to ask it".to_owned()),
            }
        };
        let answered = timeout(WITNESS_TIMEOUT, sent).await;
        answered.map_err(|_| "no answer in time".to_owned())?
    }
}

/// The address of a witness that is a node.
fn multiaddr(witness: &Party) -> Option<Multiaddr> {
    let url = witness.url.as_deref().filter(|url| url.starts_with('/'))?;
    url.parse().ok()
}

async fn send_to_url(url: &str, request: Request, body: Vec<u8>) -> Result<(u16, String), String> {
    let plain = |error: reqwest::Error| error.without_url().to_string();
    // A witness answers itself: nobody is sent elsewhere with a checkpoint.
    let client = reqwest::Client::builder().redirect(redirect::Policy::none());
    let client = client.build().map_err(plain)?;
    let (name, kind) = match request {
        Request::Checkpoint => ("add-checkpoint", "text/plain; charset=utf-8"),
        Request::Entries => ("add-entries", "application/octet-stream"),
    };
    let url = format!("{}/{name}", url.trim_end_matches('/'));
    let post = client.post(url).header(CONTENT_TYPE, kind).body(body);
    let mut answer = post.send().await.map_err(plain)?;
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
    (request, body): (Request, &[u8]),
) -> Result<(u16, String), String> {
    let peer = node::swarm::addresses::peer_of(&address);
    let peer = peer.ok_or("its address names no peer")?;
    let connected = node.connect(vec![address]).await;
    connected.map_err(|error| error.to_string())??;
    let answer = match request {
        Request::Checkpoint => streams::add_checkpoint(node, peer, body).await,
        Request::Entries => streams::add_entries(node, peer, body).await,
    };
    answer.map_err(|error| error.to_string())
}
