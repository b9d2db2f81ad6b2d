//! Every command in the README runs, in the order in which it stands there, against a real network;
//! other documents hold only commands that are known to exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use support::programs::{Running, json, repository_root, run, substitute, text};

/// Commands of Cargo that documents may name; CI runs each of them.
const CHORES: [&str; 8] = [
    "cargo clippy --workspace --all-targets -- -D warnings",
    "cargo demo",
    "cargo deny",
    "cargo doc --workspace --no-deps",
    "cargo fmt --all",
    "cargo fuzz",
    "cargo test",
    "cargo xtask tidy",
];

/// Other commands that documents may name: CI itself; what it leaves out, as benchmarks take hours, Debian's archive
/// and other tools (`xtask` has tests of their parts); what only shows one of the tests here.
const BY_HAND: [&str; 4] = [
    ".ci/run",
    "bash .ci/run",
    "cargo xtask bench",
    "cargo xtask scenario people",
];

/// The fenced blocks of a language in a Markdown text.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let after = markdown.split(fence.as_str()).skip(1);
    after.filter_map(|rest| rest.split("```").next()).collect()
}

/// The commands of a block, without comments.
fn commands(block: &str) -> impl Iterator<Item = &str> {
    block
        .lines()
        .map(|line| line.split("  #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What the README's placeholders stand for.
struct Tour {
    folder: tempfile::TempDir,
    with: BTreeMap<&'static str, String>,
    running: Vec<Running>,
}

impl Tour {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one command as written, but for addresses and placeholders.
    fn take(&mut self, line: &str) {
        let line = substitute(line, &self.with);
        let words: Vec<&str> = line.split_whitespace().collect();
        let (program, args) = words.split_first().unwrap();
        match (*program, args.first().copied()) {
            ("streembit", Some("run")) => self.run_node(args),
            ("streembit", Some("account")) if !args.contains(&"--key") => {
                self.new_machine();
                assert!(run(program, args, self.path()).status.success(), "{line}");
            }
            ("streembit-publisher", Some("seed")) => self.seed(args),
            ("streembit", Some("dht")) => self.until_success(program, args),
            _ => {
                let output = run(program, args, self.path());
                let expected = if args.contains(&"install") || args.contains(&"rollback") {
                    40
                } else {
                    0
                };
                assert_eq!(
                    output.status.code(),
                    Some(expected),
                    "{line}: {}",
                    text(&output)
                );
            }
        }
    }

    fn until_success(&mut self, program: &str, args: &[&str]) {
        let folder = self.path().to_owned();
        let node = self.running.last_mut().unwrap();
        node.wait_for("a successful look-up", || {
            run(program, args, &folder).status.success().then_some(())
        });
    }

    /// The default folder is another machine's from now on.
    fn new_machine(&self) {
        let default = self.path().join("streembit-data");
        drop(fs::remove_file(&default));
        fs::create_dir(&default).unwrap();
    }

    /// Starts a node; the first one is the gate that the others start from.
    fn run_node(&mut self, args: &[&str]) {
        let has_account = !args.contains(&"--key");
        let data = if has_account {
            "streembit-data".to_owned()
        } else {
            format!("data-{}", self.running.len())
        };
        let mut all = args.to_vec();
        all.extend(["--data-directory", &data, "--no-mdns"]);
        let gate = self
            .with
            .get("/ip4/192.0.2.1/tcp/4001/p2p/PEER_ID")
            .cloned();
        if let Some(gate) = &gate {
            all.extend(["--listen", "/ip4/127.0.0.1/tcp/0", "--bootstrap", gate]);
        }
        let folder = self.path().to_owned();
        let mut node = Running::start("streembit", &all, &folder);
        let address = node.wait_for("listening", || {
            let ask = ["status", "--data-directory", &data, "--json"];
            let status = run("streembit", &ask, &folder);
            let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
            status.pointer("/listening/0")?.as_str().map(str::to_owned)
        });
        if gate.is_none() {
            self.with
                .insert("/ip4/192.0.2.1/tcp/4001/p2p/PEER_ID", address);
        }
        self.running.push(node);
        if has_account {
            return;
        }
        // Later commands ask the node of the default folder.
        let default = folder.join("streembit-data");
        drop(fs::remove_file(&default));
        std::os::unix::fs::symlink(&data, &default).unwrap();
    }

    fn seed(&mut self, args: &[&str]) {
        let mut all = args.to_vec();
        all.extend(["--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"]);
        let folder = self.path().to_owned();
        let mut seeder = Running::start("streembit-publisher", &all, &folder);
        seeder.wait_for("the head held by the gate", || {
            let ask = ["status", "--data-directory", "data-0", "--json"];
            let status = run("streembit", &ask, &folder);
            let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
            (status.get("records")?.as_u64()? >= 1).then_some(())
        });
        self.running.push(seeder);
    }
}

/// The README's agent.toml with the paths and addresses of the test.
fn configuration(readme: &str, tour: &Tour, gate: &str) -> String {
    let template = blocks(readme, "toml")[0];
    let start = template.find("bootstrap = ").unwrap();
    let end = template[start..].find('\n').unwrap() + start;
    let network =
        format!("bootstrap = [{gate:?}]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nmdns = false");
    let text = format!("{}{network}{}", &template[..start], &template[end..]);
    let local = |name: &str| tour.path().join(name).display().to_string();
    text.replace("/var/lib/streembit", &local("device"))
        .replace("/dev/mmcblk0p2", &local("slot-a.img"))
        .replace("/dev/mmcblk0p3", &local("slot-b.img"))
        .replace("https://firmware.example/acme-cam", "http://127.0.0.1:9")
        .replace("/usr/lib/acme/health", "/bin/true")
}

/// Two images that differ like two builds.
fn images(folder: &Path) {
    let old: Vec<u8> = (0..3_000_000u32)
        .flat_map(|n| (n / 3).to_le_bytes())
        .collect();
    let mut new = old.clone();
    new[100_000..100_010].copy_from_slice(b"new build!");
    new.splice(5_000_000..5_000_000, *b"inserted");
    fs::write(folder.join("image-1.0.0.img"), &old).unwrap();
    fs::write(folder.join("image-1.1.0.img"), &new).unwrap();
    fs::write(folder.join("slot-a.img"), &old).unwrap();
    new.extend_from_slice(b"more");
    fs::write(folder.join("image-1.2.0.img"), &new).unwrap();
}

#[test]
fn every_command_of_the_readme_runs() {
    let readme = fs::read_to_string(repository_root().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    images(folder.path());
    let with = BTreeMap::from([("/ip4/0.0.0.0/tcp/4001", "/ip4/127.0.0.1/tcp/0".to_owned())]);
    let mut tour = Tour {
        folder,
        with,
        running: Vec::new(),
    };
    let mut taken = 0;
    for block in blocks(&readme, "sh") {
        for line in commands(block).filter(|line| !line.starts_with("cargo ")) {
            if line.contains("PUBLISHER_ID") {
                let shown = json(
                    "streembit-agent",
                    &["-c", "agent.toml", "status"],
                    tour.path(),
                );
                let id = shown["publisher_id"].as_str().unwrap().to_owned();
                tour.with.insert("PUBLISHER_ID", id);
            }
            if line.contains("init --pin") {
                let gate = tour
                    .with
                    .values()
                    .find(|value| value.contains("/p2p/"))
                    .unwrap();
                let text = configuration(&readme, &tour, gate);
                fs::write(tour.path().join("agent.toml"), text).unwrap();
                let pin = tour.path().join("repository/acme-cam.pin");
                fs::copy(pin, tour.path().join("acme-cam.pin")).unwrap();
            }
            tour.take(line);
            taken += 1;
        }
    }
    assert!(taken >= 20, "only {taken} commands found in the README");
    let [slot, rebuilt, image] = ["slot-b.img", "rebuilt.img", "image-1.1.0.img"]
        .map(|name| fs::read(tour.path().join(name)).unwrap());
    assert!(slot == image && rebuilt == image);
}

#[test]
fn chores_in_documents_exist() {
    let root = repository_root();
    let mut documents = vec![
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
    ]
    .into_iter()
    .map(|name| root.join(name))
    .collect::<Vec<_>>();
    documents.extend(
        fs::read_dir(root.join("docs"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    let mut seen = 0;
    for document in documents
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
    {
        let markdown = fs::read_to_string(document).unwrap();
        for line in blocks(&markdown, "sh").into_iter().flat_map(commands) {
            let mut chores = CHORES.iter().chain(&BY_HAND);
            let chore = chores.any(|chore| line.starts_with(chore));
            // tests/operations.rs runs the guide.
            let readme = document.ends_with("README.md") || document.ends_with("operations.md");
            assert!(
                chore || readme,
                "{}: {line:?} is run by no test",
                document.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 20);
    let ci = fs::read_to_string(root.join(".ci/run")).unwrap();
    for chore in CHORES {
        assert!(ci.contains(chore), "CI doesn't run {chore:?}");
    }
    let aliases = fs::read_to_string(root.join(".cargo/config.toml")).unwrap();
    assert!(aliases.contains("demo =") && aliases.contains("xtask ="));
}

#[test]
fn every_command_has_help_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    for program in [
        "streembit",
        "streembit-publisher",
        "streembit-agent",
        "streembit-audit",
    ] {
        for args in [&["--help"][..], &["--version"], &["completions", "bash"]] {
            let output = run(program, args, folder.path());
            assert!(
                output.status.success(),
                "{program} {args:?}: {}",
                text(&output)
            );
            assert!(!output.stdout.is_empty());
        }
        let output = run(program, &["no-such-command"], folder.path());
        assert_eq!(output.status.code(), Some(2), "{program}");
    }
}
