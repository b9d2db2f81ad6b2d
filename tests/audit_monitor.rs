//! Who follows a log reads every entry, asks of what it is, and is told of what is wrong: a log that hides a release, one
//! that changes, entries of strangers.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use manifests::attestation::log_entry::{LogEntry, hashedrekord};
use serde_json::Value;
use support::device::noise;
use support::logged::Publisher;
use support::mirror::Mirror;
use support::programs::{run, text};

/// A publisher without witnesses, and what it exports.
pub(crate) struct Scene {
    pub(crate) publisher: Publisher,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(Publisher::empty(), &[])
    }

    /// * `pin`: what the auditor's pin asks for.
    pub(crate) fn of(publisher: Publisher, pin: &[&str]) -> Self {
        let scene = Self { publisher };
        let words = [&["pin", "-o", "cam.pin"][..], pin].concat();
        scene.publisher.ok(&words);
        scene.release("1.0.0");
        scene
    }

    /// The same publisher with all its keys, and an auditor of its own.
    pub(crate) fn twin(&self) -> Self {
        let publisher = self.publisher.twin();
        publisher.ok(&["pin", "-o", "cam.pin"]);
        Self { publisher }
    }

    /// The newest bundle of entries on the mirror.
    fn entries(&self) -> PathBuf {
        let files = fs::read_dir(self.public("log/tile/entries/000.p")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let newest = files.max_by_key(|path| fs::metadata(path).unwrap().len());
        newest.unwrap()
    }

    pub(crate) fn release(&self, version: &str) {
        self.release_of(version, version);
    }

    /// * `content`: another makes another image.
    pub(crate) fn release_of(&self, version: &str, content: &str) {
        let image = self.publisher.path(version);
        fs::write(&image, noise(content, 5000)).unwrap();
        let image = image.to_str().unwrap();
        self.publisher
            .ok(&["release", image, "--version", version, "--deltas", "0"]);
        self.export();
    }

    fn export(&self) {
        self.publisher.log("update");
        self.publisher.ok(&["export", "public"]);
    }

    pub(crate) fn public(&self, name: &str) -> PathBuf {
        self.publisher.path("public").join(name)
    }

    /// Looks once: the exit code, and all events.
    pub(crate) fn look(&self, mirror: &str, more: &[&str]) -> (Option<i32>, Vec<Value>) {
        let words = ["monitor", mirror, "--pin", "cam.pin", "--once", "--json"];
        let output = run(
            "streembit-audit",
            &[&words[..], more].concat(),
            self.publisher.folder(),
        );
        let lines = String::from_utf8(output.stdout.clone()).unwrap();
        let events = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", text(&output))));
        (output.status.code(), events.collect())
    }
}

pub(crate) fn of<'a>(events: &'a [Value], event: &str) -> Vec<&'a Value> {
    events.iter().filter(|it| it["event"] == event).collect()
}

#[test]
fn every_release_is_seen_and_what_was_read_is_read_once() {
    let scene = Scene::new();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(exit, Some(0), "{events:#?}");
    let releases = |events: &[Value]| -> Vec<String> {
        let entries = of(events, "entry").into_iter();
        let releases = entries.filter(|entry| entry["kind"] == "release");
        releases
            .map(|entry| entry["version"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(releases(&events), ["1.0.0"]);
    assert!(
        of(&events, "entry")
            .iter()
            .any(|entry| entry["kind"] == "role"),
        "{events:#?}"
    );
    assert_eq!(scene.look("public", &[]), (Some(0), Vec::new()));
    scene.release("1.1.0");
    scene.publisher.ok(&["yank", "1.0.0"]);
    scene.export();
    let mirror = Mirror::start(&scene.publisher.path("public"));
    let (exit, events) = scene.look(&mirror.url(), &[]);
    assert_eq!(
        (exit, releases(&events)),
        (Some(0), vec!["1.1.0".to_owned()])
    );
    let withdrawn = of(&events, "entry")
        .into_iter()
        .find(|entry| entry["kind"] == "withdrawal");
    assert_eq!(withdrawn.unwrap()["version"], "1.0.0");
    assert!(scene.look("public", &[]).1.is_empty());
}

#[test]
fn hidden_contents_and_foreign_entries_raise_an_alarm() {
    let scene = Scene::new();
    let preimages = scene.public("log/preimages");
    let taken: Vec<PathBuf> = fs::read_dir(&preimages)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let hidden = taken.iter().find(|path| {
        String::from_utf8_lossy(&fs::read(path).unwrap()).contains("attestation/release")
    });
    let (hidden, aside) = (hidden.unwrap(), scene.publisher.path("aside"));
    fs::rename(hidden, &aside).unwrap();
    let (exit, events) = scene.look("public", &[]);
    // The image is known by the statement alone: both are unexplained without it.
    assert_eq!(
        (exit, of(&events, "alert").len()),
        (Some(1), 2),
        "{events:#?}"
    );
    fs::rename(&aside, hidden).unwrap();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(
        (exit, of(&events, "alert").len()),
        (Some(0), 0),
        "{events:#?}"
    );
    scene.publisher.append(&["not a signature"]);
    scene.export();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(
        (exit, &of(&events, "alert")[0]["rule"]),
        (Some(1), &"log/entry".into()),
        "{events:#?}"
    );
}

/// Whoever may write to the log, but has no key of the publisher, makes entries that name it.
#[test]
fn entry_that_its_key_has_not_signed_raises_an_alarm_k71() {
    let scene = Scene::new();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(exit, Some(0), "{events:#?}");
    let [key] = of(&events, "key")[..] else {
        panic!("{events:#?}")
    };
    assert!(key["key"].as_str().unwrap().starts_with("SHA256:"));
    // Of what is there already: another signature of the same key, over something else.
    let bundle = |index: usize| {
        let bytes = fs::read(scene.entries()).unwrap();
        let mut rest = &bytes[..];
        let mut entries = std::iter::from_fn(|| {
            let (length, after) = rest.split_first_chunk()?;
            let (entry, after) = after.split_at(u16::from_be_bytes(*length).into());
            rest = after;
            Some(LogEntry::parse(entry).unwrap())
        });
        entries.nth(index).unwrap()
    };
    let [known, other] = [0, 1].map(bundle);
    let forged = hashedrekord(&known.digest, &other.signature, &known.key).unwrap();
    fs::write(scene.publisher.path("forged"), forged).unwrap();
    scene.publisher.ok(&["log", "append", "forged"]);
    scene.export();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(
        (exit, &of(&events, "alert")[0]["rule"]),
        (Some(1), &"log/signature".into()),
        "{events:#?}"
    );
}

/// The roots that were there before the log are in it, too.
#[test]
fn every_root_is_logged() {
    let scene = Scene::new();
    let roots = |events: &[Value]| -> Vec<u64> {
        let entries = of(events, "entry").into_iter();
        let roots = entries.filter(|entry| entry["role"] == "root");
        roots
            .map(|entry| entry["version"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(roots(&scene.look("public", &[]).1), [1]);
    for words in [
        &["root", "expire", "in 2 years"][..],
        &["sign"],
        &["publish"],
    ] {
        let done = run("streembit-publisher", words, scene.publisher.folder());
        assert!(done.status.success(), "{words:?}: {}", text(&done));
    }
    scene.export();
    assert_eq!(roots(&scene.look("public", &[]).1), [2]);
}

/// A mirror that hides the log silences nobody; what nobody was told is told again.
#[test]
fn alarms_reach_the_webhook_or_come_again() {
    let scene = Scene::new();
    scene.publisher.append(&["not a signature"]);
    scene.export();
    let deaf = ["--webhook", "http://127.0.0.1:1/alarm"];
    for _ in 0..2 {
        let (exit, events) = scene.look("public", &deaf);
        assert_eq!(exit, Some(1), "{events:#?}");
        assert_eq!(of(&events, "alert").len(), 1, "{events:#?}");
        assert_eq!(of(&events, "grown").len(), 1, "{events:#?}");
    }
    let (exit, events) = scene.look("public", &[]);
    assert_eq!((exit, of(&events, "alert").len()), (Some(1), 1));
    assert_eq!(scene.look("public", &[]), (Some(0), Vec::new()));
    fs::remove_file(scene.public("log/view")).unwrap();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(
        (exit, &of(&events, "alert")[0]["rule"]),
        (Some(3), &"log/unreadable".into()),
        "{events:#?}"
    );
}

#[test]
fn changed_entries_and_other_histories_raise_an_alarm_k78() {
    let scene = Scene::new();
    let twin = scene.twin();
    assert_eq!(scene.look("public", &[]).0, Some(0));
    scene.release("1.1.0");
    // An entry that was changed on the mirror is not the one that was signed.
    let newest = scene.entries();
    let good = fs::read(&newest).unwrap();
    let mut bytes = good.clone();
    let last = bytes.len() - 60;
    bytes[last] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let (exit, events) = scene.look("public", &[]);
    assert_eq!(
        (exit, &of(&events, "alert")[0]["rule"]),
        (Some(1), &"log/entries".into()),
        "{events:#?}"
    );
    fs::write(&newest, good).unwrap();
    assert_eq!(scene.look("public", &[]).0, Some(0));
    // The twin goes on in another way, and further.
    for version in ["2.0.0", "2.1.0"] {
        twin.release(version);
    }
    let other = twin.publisher.path("public");
    let webhook = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alarm", webhook.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = webhook.accept().unwrap();
        let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&heard).contains("evidence") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&buffer[..count]);
        }
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
        String::from_utf8(heard).unwrap()
    });
    let (exit, events) = scene.look(other.to_str().unwrap(), &["--webhook", &url]);
    assert_eq!(exit, Some(6), "{events:#?}");
    assert!(heard.join().unwrap().contains("log/consistency"));
    let words = ["split", "monitor/split-view.json", "--pin", "cam.pin"];
    let third = run("streembit-audit", &words, scene.publisher.folder());
    assert_eq!(third.status.code(), Some(6), "{}", text(&third));
}
