//! Nodes and devices compare what they have seen of a log, so that one history for many and another for one device is
//! found out by both (threats K78, M18).

use std::fs;
use std::path::Path;

use cli::Exit;
use manifests::evidence::log_view::LogView;
use manifests::limits::LOG_VIEW_SIZES_MAX;
use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::{Seen, Subject};
use support::device::{Device, Kind, Published, noise};
use support::logged::{Publisher, Witness, record_of};
use support::mirror::Mirror;
use support::network::{TestNode, network, now, until};
use support::programs::{Running, run, text};
use tlog::split_view::SplitView;
use tlog::vkey::VerifierKey;

/// A network of nodes, and a publisher whose log two sides continue in different ways.
struct Scene {
    published: std::sync::Arc<Published>,
    publisher: Publisher,
    other: Publisher,
    nodes: Vec<TestNode>,
}

impl Scene {
    /// Both histories have release 2.0.0 in common, and as many entries of their own.
    async fn new(policy: impl FnOnce(&Publisher) -> String) -> Self {
        let scene = Self::in_common(policy).await;
        release(&scene.publisher, "2.1.0", "2.1.0");
        scene
    }

    /// Neither history has entries of its own.
    async fn in_common(policy: impl FnOnce(&Publisher) -> String) -> Self {
        let published = Published::shared(Kind::Raw);
        let publisher = Publisher::copy_of(&published.repository());
        let policy = policy(&publisher);
        fs::write(publisher.path("repository/log/policy"), policy).unwrap();
        release(&publisher, "2.0.0", "2.0.0");
        let other = publisher.twin();
        Self {
            published,
            publisher,
            other,
            nodes: network(3).await,
        }
    }

    fn key(&self) -> VerifierKey {
        self.publisher.key.parse().unwrap()
    }

    fn dht_key(&self) -> DhtKey {
        DhtKey::log_checkpoint(&self.subject())
    }

    fn subject(&self) -> Subject {
        Subject::of(self.key())
    }

    /// A device that asks a mirror for releases, and the network what others have seen.
    fn device(&self, mirror: &Mirror) -> Device {
        let pin = self.publisher.path("device.pin");
        self.publisher.ok(&["pin", "-o", pin.to_str().unwrap()]);
        let mut device = Device::pinned(&self.published, &mirror.url(), &pin, "cam-r3");
        device.bootstrap = Some(self.nodes[0].address.to_string());
        device.asks_both = true;
        device
    }

    /// What somebody has seen, as a record.
    fn token(&self, note: &str) -> Vec<u8> {
        record_of(note, &self.subject())
    }

    /// Somebody has seen this.
    async fn tell(&self, note: &str) {
        let token = self.token(note);
        let put = async || {
            let put = self.nodes[1].handle.put(self.dht_key(), token.clone());
            Some(put.await.unwrap().ok()?).filter(|holders| *holders > 0)
        };
        until("others hold what was seen", put).await;
    }

    async fn seen(&self) -> Option<Seen> {
        let found = self.nodes[2].handle.get(self.dht_key()).await.unwrap();
        found.seen().next()
    }

    /// Whether a file is evidence to anybody who has the log's key.
    fn is_evidence(&self, path: &Path) -> bool {
        let view = SplitView::parse(&fs::read(path).unwrap()).unwrap();
        view.verify(&self.key()).is_ok()
    }
}

fn release(publisher: &Publisher, version: &str, label: &str) {
    let image = publisher.path(label);
    fs::write(&image, noise(label, 300_000)).unwrap();
    let image = image.to_str().unwrap();
    publisher.ok(&["release", image, "--version", version, "--deltas", "0"]);
}

fn checkpoint(publisher: &Publisher) -> String {
    fs::read_to_string(publisher.path("repository/log/checkpoint")).unwrap()
}

fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// A command of the agent, beside the nodes of this process.
async fn runs(device: Device, command: &'static str) -> (Device, Result<Exit, cli::CliError>) {
    let ran = tokio::task::spawn_blocking(move || {
        let result = device.run(&[command]);
        (device, result)
    });
    ran.await.unwrap()
}

fn alone(publisher: &Publisher) -> String {
    format!("log {}\nquorum none\n", publisher.key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_tells_what_it_saw_and_learns_what_others_saw_m18() {
    let scene = Scene::new(alone).await;
    let mirror = Mirror::start(&scene.other.path("repository"));
    let device = scene.device(&mirror);
    let (device, installed) = runs(device, "install").await;
    assert_eq!(installed.unwrap(), Exit::Reboot);
    let shown = size(&checkpoint(&scene.other));
    let seen = async || match scene.seen().await {
        Some(Seen::Checkpoint { checkpoint, .. }) if checkpoint.size == shown => Some(()),
        _ => None,
    };
    until("the network knows what the device saw", seen).await;
    // Others saw a release that the device's mirror withholds: it waits for it, not for ever.
    scene.tell(&checkpoint(&scene.publisher)).await;
    let (device, checked) = runs(device, "check").await;
    checked.unwrap();
    let ahead = device.data("trusted/log-others.json");
    let text = fs::read_to_string(&ahead).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["since"] = (now() - 40 * 24 * 3600).into();
    fs::write(&ahead, value.to_string()).unwrap();
    let (device, checked) = runs(device, "check").await;
    let error = checked.unwrap_err();
    assert_eq!(error.exit, Exit::Stale, "{error}");
    // A mirror that shows it.
    drop(mirror);
    let mirror = Mirror::start(&scene.publisher.path("repository"));
    let mut device = device.twin(&mirror.url());
    device.bootstrap = Some(scene.nodes[0].address.to_string());
    device.asks_both = true;
    let (device, checked) = runs(device, "check").await;
    checked.unwrap();
    assert!(!device.data("trusted/log-others.json").exists());
}

/// The split-view drill: a publisher with all its keys, and nobody in the way, shows one device another release. It
/// refuses, and what it keeps proves it to a third; so does what the nodes keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_that_alone_is_shown_a_release_refuses_and_all_learn_of_it_k78() {
    let scene = Scene::new(alone).await;
    scene.tell(&checkpoint(&scene.publisher)).await;
    release(&scene.other, "2.1.0", "for one device alone");
    let mirror = Mirror::start(&scene.other.path("repository"));
    let device = scene.device(&mirror);
    let before = (device.slot("a"), device.slot("b"));
    let (device, installed) = runs(device, "install").await;
    let error = installed.unwrap_err();
    assert_eq!(error.exit, Exit::Equivocation, "{error}");
    assert!((device.slot("a"), device.slot("b")) == before);
    let kept = device.data("trusted/evidence/split-view.json");
    assert!(scene.is_evidence(&kept));
    let words = ["split", kept.to_str().unwrap(), "--pin", "device.pin"];
    let third = run("streembit-audit", &words, scene.publisher.folder());
    assert_eq!(third.status.code(), Some(6), "{}", text(&third));
    let told = async || matches!(scene.seen().await, Some(Seen::SplitView(_))).then_some(());
    until("the network knows of both", told).await;
}

/// The same with programs alone: a node, two agents, the auditor. What the first device tells, the second one hears.
#[test]
fn split_view_drill_of_programs_k78() {
    let published = Published::shared(Kind::Raw);
    let publisher = Publisher::copy_of(&published.repository());
    release(&publisher, "2.0.0", "2.0.0");
    let other = publisher.twin();
    release(&publisher, "2.1.0", "2.1.0");
    release(&other, "2.1.0", "for one device alone");
    let mut node = Witness::new("n.example/1");
    let [_, address] = node.start();
    let pin = publisher.path("device.pin");
    publisher.ok(&["pin", "-o", pin.to_str().unwrap()]);
    let [first, second] = [&publisher, &other].map(|shown| {
        let mirror = Mirror::start(&shown.path("repository"));
        let mut device = Device::pinned(&published, &mirror.url(), &pin, "cam-r3");
        device.bootstrap = Some(address.clone());
        device.asks_both = true;
        (device, mirror)
    });
    let checked = first.0.command(&["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
    let before = (second.0.slot("a"), second.0.slot("b"));
    let refused = second.0.command(&["install"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    assert!((second.0.slot("a"), second.0.slot("b")) == before);
    let kept = second.0.data("trusted/evidence/split-view.json");
    let words = ["split", kept.to_str().unwrap(), "--pin", "device.pin"];
    let third = run("streembit-audit", &words, publisher.folder());
    assert_eq!(third.status.code(), Some(6), "{}", text(&third));
}

/// Whoever shows another history also writes how it has grown: leaving out the size that others know hides nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn longer_history_that_hides_where_it_parted_is_refused_k78() {
    let scene = Scene::new(alone).await;
    let known = checkpoint(&scene.publisher);
    scene.tell(&known).await;
    scene
        .other
        .append(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    release(&scene.other, "2.1.0", "for one device alone");
    let view = fs::read(scene.other.path("repository/log/view")).unwrap();
    let view = LogView::parse(&view).unwrap();
    assert!(size(&view.checkpoint.to_string()) > size(&known));
    assert!(!view.prefixes.contains_key(&size(&known)));
    let mirror = Mirror::start(&scene.other.path("repository"));
    let device = scene.device(&mirror);
    let before = (device.slot("a"), device.slot("b"));
    let (device, installed) = runs(device, "install").await;
    let error = installed.unwrap_err();
    assert_eq!(error.exit, Exit::Undecided, "{error}");
    assert!(
        error.to_string().contains("doesn't show how it grew"),
        "{error}"
    );
    assert!((device.slot("a"), device.slot("b")) == before);
    // Nor do sizes without number that are nobody's: a view that is full of them is no excuse.
    let text =
        String::from_utf8(fs::read(scene.other.path("repository/log/view")).unwrap()).unwrap();
    let (head, note) = text.split_once("\n\n").unwrap();
    let first = head.lines().nth(1).unwrap();
    let (_, hashes) = first.split_once(' ').unwrap();
    let sizes = (0..LOG_VIEW_SIZES_MAX).map(|size| format!("\n{} {hashes}", size + 1_000_000));
    let header = head.lines().next().unwrap();
    let full = format!("{header}{}\n\n{note}", sizes.collect::<String>());
    fs::write(scene.other.path("repository/log/view"), full).unwrap();
    let (device, checked) = runs(device, "check").await;
    assert_eq!(checked.unwrap_err().exit, Exit::Undecided);
    // It is remembered, also by a device that nobody tells any more.
    let mut alone = device.twin(&mirror.url());
    alone.asks_both = false;
    let (_, checked) = runs(alone, "check").await;
    assert_eq!(checked.unwrap_err().exit, Exit::Undecided);
}

/// Two checkpoints of one size meet at the nodes that hold what was seen of a log: the first stays, and both are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_keep_evidence_when_two_histories_meet_k78() {
    let scene = Scene::new(alone).await;
    scene.tell(&checkpoint(&scene.publisher)).await;
    release(&scene.other, "2.1.0", "for one device alone");
    let token = scene.token(&checkpoint(&scene.other));
    let fresh = TestNode::start(&[&scene.nodes[0]]).await;
    let name = format!("{}.json", scene.dht_key());
    let kept = until("a node has met both", async || {
        let put = fresh.handle.put(scene.dht_key(), token.clone());
        drop(put.await.unwrap());
        let files = scene.nodes.iter().map(|node| {
            let folder = node.config.data_directory.join("evidence");
            folder.join(&name)
        });
        let mut files = files.filter(|file| file.exists());
        files.next()
    });
    assert!(scene.is_evidence(&kept.await));
}

/// Whoever has the log's key and no witness can make evidence, but stops no device: it keeps what it found, goes on, and
/// tells others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_that_no_witness_cosigned_stops_nobody_and_is_told_k78() {
    let mut witness = Witness::new("w.example/1");
    let [url, _] = witness.start();
    let scene = Scene::new(|publisher| {
        witness.watch(&publisher.key);
        publisher.set_policy(&[("w", &witness.key, &url)], "all");
        fs::read_to_string(publisher.path("repository/log/policy")).unwrap()
    })
    .await;
    // As many entries as the other history has, signed by the log's key alone.
    let there = scene.other.log("integrate")["size"].as_u64().unwrap();
    let count = size(&checkpoint(&scene.publisher)) - there;
    let entries: Vec<String> = (0..count)
        .map(|number| format!("forged {number}"))
        .collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    scene.other.append(&entries);
    scene.other.log("integrate");
    scene.other.log("sign");
    let forged = fs::read_to_string(scene.other.path("repository/log/signed")).unwrap();
    assert_eq!(size(&forged), size(&checkpoint(&scene.publisher)));
    scene.tell(&forged).await;
    let mirror = Mirror::start(&scene.publisher.path("repository"));
    let (device, installed) = runs(scene.device(&mirror), "install").await;
    assert_eq!(installed.unwrap(), Exit::Reboot);
    assert!(scene.is_evidence(&device.data("trusted/evidence/split-view.json")));
    let journal = device.journal();
    assert!(journal.iter().any(|entry| entry.event == "split-view"));
    let told = async || matches!(scene.seen().await, Some(Seen::SplitView(_))).then_some(());
    until("the network knows of both", told).await;
}

/// A log that two witnesses watch, either of whom is enough.
struct Either {
    scene: Scene,
    witnesses: [Witness; 2],
}

impl Either {
    /// Each history has a release that one witness alone has seen.
    async fn new() -> Self {
        let mut witnesses = ["w.example/1", "v.example/1"].map(Witness::new);
        let urls = witnesses
            .each_mut()
            .map(|witness| witness.start()[0].clone());
        let scene = Scene::in_common(|publisher| {
            for witness in &witnesses {
                witness.watch(&publisher.key);
            }
            policy(publisher, &witnesses, &urls)
        })
        .await;
        let pin = scene.publisher.path("device.pin");
        scene.publisher.ok(&["pin", "-o", pin.to_str().unwrap()]);
        let nobody = "http://127.0.0.1:1".to_owned();
        let [first, second] = &urls;
        let sides = [
            (&scene.publisher, [first.clone(), nobody.clone()], "2.1.0"),
            (
                &scene.other,
                [nobody, second.clone()],
                "for one device alone",
            ),
        ];
        for (side, urls, label) in sides {
            let policy = policy(side, &witnesses, &urls);
            fs::write(side.path("repository/log/policy"), policy).unwrap();
            release(side, "2.1.0", label);
        }
        Self { scene, witnesses }
    }

    fn subject(&self, witness: usize) -> Subject {
        Subject {
            log: self.scene.key(),
            witness: Some(self.witnesses[witness].key.parse().unwrap()),
        }
    }
}

fn policy(publisher: &Publisher, witnesses: &[Witness; 2], urls: &[String; 2]) -> String {
    let [w, v] = witnesses;
    let named = [("w", &w.key[..], &urls[0][..]), ("v", &v.key, &urls[1])];
    publisher.set_policy(&named, "any");
    fs::read_to_string(publisher.path("repository/log/policy")).unwrap()
}

/// A publisher shows one device a release that a witness cosigned, who was not shown the other one. It also puts a
/// checkpoint that is larger than all others where everybody looks. The first witness has told the network itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_witness_cosigned_is_heard_whatever_the_log_signs_k78() {
    let mut either = Either::new().await;
    // The witness was no part of this network before: what it cosigned it tells when it starts.
    either.witnesses[0].stop();
    let [_, address] = either.witnesses[0].start();
    let scene = &either.scene;
    scene.nodes[0]
        .handle
        .dial(address.parse().unwrap())
        .await
        .unwrap();
    let subject = DhtKey::log_checkpoint(&either.subject(0));
    let told = async || {
        let found = scene.nodes[2].handle.get(subject).await.unwrap();
        found.seen().next()
    };
    let told = until("the network knows what the witness cosigned", told).await;
    let Seen::Checkpoint {
        checkpoint: honest, ..
    } = told
    else {
        panic!("{told:?}");
    };
    let thief = scene.other.twin();
    thief.append(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    thief.log("integrate");
    thief.log("sign");
    let huge = fs::read_to_string(thief.path("repository/log/signed")).unwrap();
    assert!(size(&huge) > honest.size);
    scene.tell(&huge).await;
    let mirror = Mirror::start(&scene.other.path("repository"));
    let pin = scene.publisher.path("device.pin");
    let mut device = Device::pinned(&scene.published, &mirror.url(), &pin, "cam-r3");
    device.bootstrap = Some(scene.nodes[1].address.to_string());
    device.asks_both = true;
    let before = (device.slot("a"), device.slot("b"));
    let (device, installed) = runs(device, "install").await;
    let error = installed.unwrap_err();
    assert_eq!(error.exit, Exit::Equivocation, "{error}");
    assert!((device.slot("a"), device.slot("b")) == before);
    assert!(scene.is_evidence(&device.data("trusted/evidence/split-view.json")));
    // Nor is it silent about who signs where no witness looks.
    let journal = device.journal();
    assert!(journal.iter().any(|entry| entry.event == "log-unwitnessed"));
}

/// Somebody signs with the log's key what its folder has never seen: the publisher's seeder says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeder_says_that_somebody_else_signs_with_the_log_key_k70() {
    let scene = Scene::new(alone).await;
    scene
        .other
        .append(&["1", "2", "3", "4", "5", "6", "7", "8"]);
    scene.other.log("integrate");
    scene.other.log("sign");
    let signed = fs::read_to_string(scene.other.path("repository/log/signed")).unwrap();
    scene.tell(&signed).await;
    let log = scene.publisher.path("seed.log");
    let (address, folder) = (scene.nodes[0].address.to_string(), scene.publisher.folder());
    let words = [
        "seed",
        "--no-mdns",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--bootstrap",
        &address,
    ];
    let _seeder = Running::start_logged("streembit-publisher", &words, folder, &log);
    let warned = until("the seeder warns", async || {
        let log = fs::read_to_string(&log).ok()?;
        log.contains("somebody else has the log's key")
            .then_some(log)
    });
    let (seen, signed) = (size(&signed), size(&checkpoint(&scene.publisher)));
    let says = format!("has seen {seen} entries, and this folder has signed {signed}");
    let warned = warned.await;
    assert!(warned.contains(&says), "{warned}");
}
