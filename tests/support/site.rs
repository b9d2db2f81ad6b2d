//! A TUF repository as a web site, and folders that `streembit-tuf` keeps for it as a real process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use manifests::client::Stored;
use manifests::digest::Sha256;
use tempfile::TempDir;

use crate::graph::Graph;
use crate::mirror::Mirror;
use crate::programs;

/// The client.
pub const PROGRAM: &str = "streembit-tuf";
/// Proxies that a test must not go through.
const PROXIES: [&str; 6] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// Bytes of a file name; what has a longer one is answered without a file.
const FILE_NAME_BYTES_MAX: usize = 255;

/// Files by name.
pub type Named = BTreeMap<String, Vec<u8>>;

/// A folder on the web, and below it the clients of one test.
#[derive(Debug)]
pub struct Site {
    /// Serves it; metadata below `/metadata`, targets below `/blobs`.
    pub mirror: Mirror,
    place: TempDir,
    clients: AtomicUsize,
}

/// A client's folders, `metadata` and `targets`.
#[derive(Clone, Debug)]
pub struct Client {
    /// They are in here, and nothing else.
    pub folder: PathBuf,
    url: String,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// An empty site.
    pub fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let site = place.path().join("site");
        fs::create_dir_all(&site).unwrap();
        Self {
            mirror: Mirror::start(&site),
            place,
            clients: AtomicUsize::new(0),
        }
    }

    /// Where everything of this test is.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// Replaces what is published, targets by their paths, and is honest about it.
    pub fn publish(&self, graph: &Graph, targets: &[(&str, &[u8])]) {
        let site = self.place.path().join("site");
        fs::remove_dir_all(&site).unwrap();
        let metadata = graph.files().into_iter();
        let metadata =
            metadata.map(|(name, bytes)| (format!("/metadata/{}", encode(&name)), bytes));
        let targets = targets
            .iter()
            .map(|(path, it)| (blob(path, it), it.to_vec()));
        let (long, short): (Named, Named) = metadata.chain(targets).partition(|(url, _)| {
            let mut segments = url.split('/');
            segments.any(|segment| segment.len() > FILE_NAME_BYTES_MAX)
        });
        for (url, bytes) in short {
            write(&site.join(url.trim_start_matches('/')), &bytes);
        }
        self.mirror.tamper(move |asked, answer| {
            if let Some(bytes) = long.get(&asked.path) {
                answer.status = 200;
                answer.set_body(bytes.clone());
            }
        });
    }

    /// A client that trusts root version 1 and has seen nothing else.
    pub fn client(&self, graph: &Graph) -> Client {
        let client = self.client_at(self.clients.fetch_add(1, Ordering::SeqCst));
        fs::create_dir_all(&client.folder).unwrap();
        let root = self.place.path().join("1.root.json");
        write(&root, &graph.base.roots[0].encode());
        let init = client
            .command(&["init", root.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", programs::text(&init));
        client
    }

    /// A copy of a client.
    pub fn twin(&self, client: &Client) -> Client {
        let twin = self.client_at(self.clients.fetch_add(1, Ordering::SeqCst));
        for folder in ["metadata", "targets"] {
            fs::create_dir_all(twin.folder.join(folder)).unwrap();
            for (name, bytes) in files(&client.folder.join(folder)) {
                write(&twin.folder.join(folder).join(name), &bytes);
            }
        }
        twin
    }

    fn client_at(&self, number: usize) -> Client {
        Client {
            folder: self.place.path().join(format!("client-{number}")),
            url: self.mirror.url(),
        }
    }
}

impl Client {
    /// A command line of the client with these final arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = programs::command(PROGRAM, &self.folder);
        command.args(["--metadata-dir", "metadata", "--target-dir", "targets"]);
        command.args(["--metadata-url", &format!("{}/metadata", self.url)]);
        command.args(["--target-base-url", &format!("{}/blobs", self.url)]);
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The command line that downloads targets.
    pub fn download(&self, targets: &[&str]) -> Command {
        let names = targets.iter().map(|it| format!("--target-name={it}"));
        let args: Vec<String> = names.chain(["download".to_owned()]).collect();
        self.command(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs a command that must succeed.
    pub fn succeed(&self, mut command: Command) {
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{command:?}: {}",
            programs::text(&output)
        );
    }

    /// Runs a command that must fail with exit code 1 and without a panic; what it printed.
    pub fn fail(&self, mut command: Command) -> String {
        refused(&command.output().unwrap())
    }

    /// The trusted metadata.
    pub fn metadata(&self) -> Named {
        files(&self.folder.join("metadata"))
    }

    /// The target folder.
    pub fn targets(&self) -> Named {
        files(&self.folder.join("targets"))
    }
}

/// Asserts exit code 1 without a panic; what was printed.
pub fn refused(output: &Output) -> String {
    let text = programs::text(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// The files of a folder but its lock; none if it isn't there.
pub fn files(folder: &Path) -> Named {
    let mut files = Named::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != ".lock" {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

/// The files that a client holds that stored these.
pub fn as_files(stored: &Stored) -> Named {
    let mut files = Named::from([("root.json".to_owned(), stored.root.clone())]);
    for (name, bytes) in [
        ("timestamp.json", &stored.timestamp),
        ("snapshot.json", &stored.snapshot),
        ("targets.json", &stored.targets),
    ] {
        files.extend(bytes.clone().map(|bytes| (name.to_owned(), bytes)));
    }
    for (role, bytes) in &stored.roles {
        files.insert(format!("{}.json", encode(role)), bytes.clone());
    }
    files
}

/// The path of a target's URL.
pub fn blob(path: &str, bytes: &[u8]) -> String {
    let hash = Sha256::of(bytes);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut segments: Vec<String> = folder.split('/').map(encode).collect();
    segments.retain(|segment| path.contains('/') || !segment.is_empty());
    segments.push(format!("{hash}.{}", encode(name)));
    format!("/blobs/{}", segments.join("/"))
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn encode(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
