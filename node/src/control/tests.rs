//! Tests of the control socket, as another program on the machine uses and misuses it.

use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream as Client;

use keys::{AccountName, Algorithm, SigningKey};
use protocol::identity::account;

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

    async fn ask(&self, question: Question) -> serde_json::Value {
        let folder = self.folder.path().to_owned();
        let asked = tokio::task::spawn_blocking(move || ask(&folder, &question));
        asked.await.unwrap().unwrap()
    }

    /// Sends bytes and returns all that comes back.
    async fn send(&self, bytes: &[u8]) -> String {
        let (path, bytes) = (self.path(), bytes.to_vec());
        let sent = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(path).unwrap();
            client.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
            // The node may answer before it has taken all of it.
            drop(client.write_all(&bytes));
            drop(client.shutdown(std::net::Shutdown::Write));
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
    let status = place.ask(Question::Status).await;
    assert_eq!(status["peer_id"], place.node.peer_id.to_string());
    assert_eq!(status["records"], 0);
    assert_eq!(place.ask(Question::Peers).await, serde_json::json!([]));

    let name: AccountName = "alice".parse().unwrap();
    let key = DhtKey::account(&keys::node_id(&place.key.public(), &name).unwrap());
    let question = Question::Get {
        key: key.to_string(),
    };
    let missing = place.ask(question.clone()).await;
    assert!(missing["record"].is_null());
    let token = account::sign(&place.key, &name, 5, unix_now()).unwrap();
    let holders = place.node.put(key, token.clone().into_bytes()).await;
    assert_eq!(holders, Ok(Ok(0)));
    let found = place.ask(question).await;
    assert_eq!(found["record"]["seq"], 5);
    assert_eq!(found["record"]["kind"], "account");
    assert_eq!(found["record"]["token"], token);
    assert_eq!(place.ask(Question::Status).await["records"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_questions_get_an_error_and_the_node_goes_on() {
    let place = Place::new();
    let long = format!("{{\"ask\":\"status\",\"x\":\"{}\"}}\n", "x".repeat(100_000));
    let questions = [
        "\n",
        "{}\n",
        "null\n",
        "{\"ask\":\"stop\"}\n",
        "{\"ask\":\"get\"}\n",
        "{\"ask\":\"get\",\"key\":7}\n",
        "{\"ask\":\"get\",\"key\":\"00\"}\n",
        "{\"ask\":\"get\",\"key\":\"00\",\"also\":1}\n",
        "{\"ask\":\"status\"",
        "GET / HTTP/1.1\r\n\r\n",
        &long,
    ];
    for question in questions {
        let answer = place.send(question.as_bytes()).await;
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["error"].is_string(), "{question:.40}: {answer}");
    }
    assert_eq!(place.send(&[0xff, 0xfe, b'\n']).await, "");
    assert!(place.ask(Question::Status).await["peer_id"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_clients_hold_nobody_up() {
    let place = Place::new();
    let silent: Vec<Client> = (0..100)
        .map(|_| Client::connect(place.path()).unwrap())
        .collect();
    assert!(place.ask(Question::Status).await["peer_id"].is_string());
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
    assert!(ask(place.folder.path(), &Question::Status).is_err());
    // A leftover of a killed node is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(place.path()).unwrap());
    assert!(ask(place.folder.path(), &Question::Status).is_err());
    place.socket = Some(serve(place.folder.path(), place.node.clone()).unwrap());
    assert!(place.ask(Question::Status).await["peer_id"].is_string());
}
