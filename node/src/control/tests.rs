//! Tests of the control socket, as another program on the machine uses and misuses it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream as Client;
use std::time::Duration;

use hyper::Method;
use keys::{AccountName, Algorithm, SigningKey};
use protocol::dht::key::DhtKey;
use protocol::identity::account;

use super::client::AskError;
use super::*;
use crate::clock::unix_now;
use crate::config::NodeConfig;
use crate::runtime;

/// A node that listens nowhere, with its control socket.
struct Place {
    node: NodeHandle,
    socket: Option<Socket>,
    key: SigningKey,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
        let config = NodeConfig {
            data_directory: folder.path().to_owned(),
            listen: Vec::new(),
            mdns: false,
            ..NodeConfig::default()
        };
        let node = runtime::start(&config, &key).unwrap();
        let socket = Some(serve(folder.path(), node.clone()).unwrap());
        Self {
            node,
            socket,
            key,
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    async fn get(&self, path: &str) -> Result<serde_json::Value, AskError> {
        client::ask(self.folder.path(), (Method::GET, path), None).await
    }

    async fn status(&self) -> serde_json::Value {
        self.get("/v1/status").await.unwrap()
    }

    /// Sends bytes and returns all that comes back until the node ends the conversation.
    async fn send(&self, bytes: &[u8]) -> String {
        let (path, bytes) = (self.path(), bytes.to_vec());
        let sent = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(path).unwrap();
            client
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            // The node may answer before it has taken all of it.
            drop(client.write_all(&bytes));
            let mut answer = String::new();
            drop(client.read_to_string(&mut answer));
            answer
        });
        sent.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_questions() {
    let place = Place::new();
    let status = place.status().await;
    assert_eq!(status["peer_id"], place.node.peer_id.to_string());
    assert_eq!(status["records"], 0);
    assert_eq!(place.get("/v1/peers").await.unwrap(), serde_json::json!([]));

    let name: AccountName = "alice".parse().unwrap();
    let key = DhtKey::account(&keys::node_id(&place.key.public(), &name).unwrap());
    let path = format!("/v1/dht/{key}");
    let missing = place.get(&path).await.unwrap();
    assert!(missing["record"].is_null());
    let token = account::sign(&place.key, &name, 5, unix_now()).unwrap();
    let holders = place.node.put(key, token.clone().into_bytes()).await;
    assert_eq!(holders, Ok(Ok(0)));
    let found = place.get(&path).await.unwrap();
    assert_eq!(found["record"]["seq"], 5);
    assert_eq!(found["record"]["kind"], "account");
    assert_eq!(found["record"]["token"], token);
    assert_eq!(place.status().await["records"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_get_an_error_and_the_node_goes_on() {
    let place = Place::new();
    for (path, expected) in [
        ("/", 404),
        ("/v1/stop", 404),
        ("/v1/dht/00", 400),
        ("/v1/dht/%ff", 400),
        ("/v1/contacts", 501),
        ("/v1/events", 501),
    ] {
        let refused = place.get(path).await;
        assert!(
            matches!(&refused, Err(AskError::Refused { status, message })
                if *status == expected && !message.is_empty()),
            "{path}: {refused:?}"
        );
    }
    let head = "POST /v1/offers HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let length = BODY_BYTES_MAX + 1;
    let long = format!(
        "{head}content-length: {length}\r\n\r\n{}",
        " ".repeat(length)
    );
    let unknown = format!("{head}content-length: 12\r\n\r\n{{\"life\":\"1\"}}");
    for (request, status) in [
        ("GET /v1/status HTTP/9\r\n\r\n", "400"),
        (
            "PUT /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "405",
        ),
        ("{\"ask\":\"status\"}\n\r\n\r\n", "400"),
        (&unknown, "422"),
        (&long, "413"),
    ] {
        let answer = place.send(request.as_bytes()).await;
        let first = answer.lines().next().unwrap_or_default();
        assert!(first.contains(status), "{request:.40}: {answer}");
    }
    assert!(place.status().await["peer_id"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_text_for_prometheus() {
    let place = Place::new();
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = place.send(request).await;
    assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
    assert!(
        answer.contains("# TYPE streembit_peers gauge\nstreembit_peers 0\n"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_clients_hold_nobody_up() {
    let place = Place::new();
    let silent: Vec<Client> = (0..100)
        .map(|_| Client::connect(place.path()).unwrap())
        .collect();
    assert!(place.status().await["peer_id"].is_string());
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socket_is_its_owners_and_goes_with_the_node() {
    let mut place = Place::new();
    let metadata = fs::metadata(place.path()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    drop(place.socket.take());
    assert!(!place.path().exists());
    assert!(place.get("/v1/status").await.is_err());
    // A leftover of a killed node is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(place.path()).unwrap());
    assert!(place.get("/v1/status").await.is_err());
    place.socket = Some(serve(place.folder.path(), place.node.clone()).unwrap());
    assert!(place.status().await["peer_id"].is_string());
}
