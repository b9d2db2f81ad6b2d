//! What an auditor does beside verifying: explaining, comparing, checking a journal, building again (grade B3).

use std::fs;
use std::path::Path;
use std::process::Command;

use cli::Exit;
use serde_json::Value;
use support::device::{Device, Kind, Published};
use support::logged::Publisher;
use support::mirror::Mirror;
use support::programs::{json, run, text};
use support::stated::{BUILDER, Scene};

fn audit(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = run("streembit-audit", words, folder);
    (output.status.code(), text(&output))
}

#[test]
fn every_line_of_verify_is_explained() {
    let scene = Scene::shared();
    let words = ["explain", "good.pack", "--pin", "cam.pin"];
    let shown = json("streembit-audit", &words, scene.publisher.folder());
    let lines = shown["lines"].as_array().unwrap();
    assert!(lines.len() > 10);
    are_explained(lines);
    // Of what is wrong, too: nothing is in force in a hundred years.
    let late = ["--at", "2126-01-01T00:00:00Z", "--json"];
    let words = [&words[..], &late].concat();
    let output = run("streembit-audit", &words, scene.publisher.folder());
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = shown["lines"].as_array().unwrap();
    assert!(
        lines.iter().any(|line| line["rule"] == "metadata"),
        "{shown:#}"
    );
    are_explained(lines);
}

fn are_explained(lines: &[Value]) {
    for line in lines {
        assert!(line["means"].as_str().unwrap().len() > 20, "{line}");
        assert!(line["faked_by"].as_str().unwrap().len() > 5, "{line}");
    }
}

#[test]
fn two_releases_are_compared() {
    let scene = Scene::shared();
    let words = ["diff", "old.pack", "good.pack", "--pin", "cam.pin"];
    let shown = json("streembit-audit", &words, scene.publisher.folder());
    let changes = shown["changes"].as_array().unwrap();
    let change = |what: &str| changes.iter().find(|change| change["what"] == what);
    let version = change("version").unwrap();
    assert_eq!(
        (&version["from"], &version["to"]),
        (&"1.0.0".into(), &"1.1.0".into())
    );
    assert_eq!(change("component openssl").unwrap()["to"], "3.0.16");
    assert!(change("builder").is_none(), "{changes:?}");
    let same = ["diff", "good.pack", "good.pack", "--pin", "cam.pin"];
    let same = json("streembit-audit", &same, scene.publisher.folder());
    assert_eq!(same["changes"], Value::Array(Vec::new()));
}

#[test]
fn journal_that_was_changed_is_told_from_a_whole_one() {
    let published = Published::shared(Kind::Raw);
    let mirror = Mirror::start(&published.repository());
    let device = Device::new(&published, &mirror.url());
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    let data = device.data("");
    let folder = data.to_str().unwrap();
    let whole = json("streembit-audit", &["journal", folder], &data);
    assert_eq!(
        (&whole["result"], &whole["first"]),
        (&"whole".into(), &1.into())
    );
    assert_eq!(whole["lines"], device.journal().len());
    // What has proved itself is signed for, with a line of the journal.
    assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done);
    let key = format!("file:{}", device.data("account.key").display());
    let account = cli::keyfile::public(&key).unwrap().to_hex();
    let words = ["journal", folder, "--account", &account];
    let signed = json("streembit-audit", &words, &data);
    let receipt = &signed["receipts"][0];
    assert_eq!(
        (&receipt["is_signed"], &receipt["is_in_journal"]),
        (&true.into(), &true.into()),
        "{signed:#}"
    );
    let stranger = support::network::key(3).public().to_hex();
    let (exit, said) = audit(&data, &["journal", folder, "--account", &stranger]);
    assert!(
        exit == Some(1) && said.contains("not signed by the account"),
        "{said}"
    );
    let path = device.data("journal.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let without_second: Vec<&str> = [&lines[..1], &lines[2..]].concat();
    for changed in [
        good.replacen("\"event\":\"planning\"", "\"event\":\"nothing\"", 1),
        good.replacen("\"seq\":2", "\"seq\":3", 1),
        without_second.join("\n"),
    ] {
        assert_ne!(changed, good);
        fs::write(&path, changed).unwrap();
        let (exit, said) = audit(&data, &["journal", folder]);
        assert!(exit == Some(1) && said.contains("journal.jsonl:"), "{said}");
    }
    // What is cut off at the end leaves no gap, but a receipt that names a line of it.
    fs::write(&path, lines[..2].join("\n")).unwrap();
    let (exit, said) = audit(&data, &["journal", folder]);
    assert!(exit == Some(1) && said.contains("ends before"), "{said}");
}

fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A publisher who builds from a git repository, by a recipe.
struct Workshop {
    publisher: Publisher,
    commit: String,
}

impl Workshop {
    fn new(published: &Published) -> Self {
        let publisher = Publisher::copy_of(&published.repository());
        let sources = publisher.path("sources");
        fs::create_dir(&sources).unwrap();
        fs::write(sources.join("firmware.txt"), "firmware\n").unwrap();
        git(&sources, &["init", "--quiet"]);
        git(&sources, &["add", "."]);
        git(&sources, &["commit", "--quiet", "-m", "first"]);
        let commit = git(&sources, &["rev-parse", "HEAD"]);
        publisher.name_builder(BUILDER);
        publisher.make_key("rebuilder.key");
        Self { publisher, commit }
    }

    /// Builds by a recipe and releases; the pack.
    fn release(&self, version: &str, recipe: &str) -> String {
        let sources = self.publisher.path("sources");
        let built = Command::new("sh")
            .args(["-euc", recipe])
            .current_dir(&sources)
            .status();
        assert!(built.unwrap().success());
        let (image, sources) = (sources.join("out.bin"), sources.display().to_string());
        let image = image.to_str().unwrap();
        self.publisher.ok(&[
            "provenance",
            image,
            "--from",
            "generic",
            "--builder",
            BUILDER,
            "--source",
            &sources,
            "--commit",
            &self.commit,
            "--recipe",
            recipe,
            "--artifact",
            "out.bin",
            "--key",
            "file:builder.key",
            "-o",
            "provenance",
        ]);
        let release = [
            "release",
            image,
            "--version",
            version,
            "--deltas",
            "0",
            "--provenance",
            "provenance",
        ];
        self.publisher.ok(&release);
        let pack = format!("{version}.pack");
        self.publisher
            .ok(&["evidence", "pack", version, "-o", &pack]);
        pack
    }

    fn rebuild(&self, pack: &str) -> (Option<i32>, String) {
        let words = [
            "rebuild",
            pack,
            "--pin",
            "plain.pin",
            "--key",
            "file:rebuilder.key",
            "-o",
            "rebuild.json",
        ];
        audit(self.publisher.folder(), &words)
    }
}

#[test]
fn rebuild_to_the_same_bytes_counts_for_devices_that_ask_for_it() {
    let published = Published::shared(Kind::Raw);
    let shop = Workshop::new(&published);
    let publisher = &shop.publisher;
    publisher.ok(&["pin", "-o", "plain.pin", "--grade", "B1"]);
    publisher.ok(&[
        "pin",
        "-o",
        "strict.pin",
        "--grade",
        "B3",
        "--rebuilder",
        "rebuilder.key",
        "--rebuilds",
        "1",
    ]);
    let pack = shop.release(
        "2.0.0",
        "for n in $(seq 9999); do cat firmware.txt; done > out.bin",
    );
    let mirror = Mirror::start(&publisher.path("repository"));
    let device = Device::pinned(
        &published,
        &mirror.url(),
        &publisher.path("strict.pin"),
        "cam-r3",
    );
    let error = device.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, Exit::Undecided, "{error}");
    let (exit, said) = shop.rebuild(&pack);
    assert_eq!(exit, Some(0), "{said}");
    publisher.ok(&["evidence", "add", "2.0.0", "rebuild.json"]);
    publisher.ok(&["evidence", "pack", "2.0.0", "-o", &pack]);
    let words = ["verify", &pack, "--pin", "strict.pin"];
    let verified = json("streembit-audit", &words, publisher.folder());
    assert_eq!(verified["grade"], "B3", "{verified:#}");
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    // With a pin that names no rebuilder, the same pack shows no more than before.
    let words = ["verify", &pack, "--pin", "plain.pin"];
    let plain = json("streembit-audit", &words, publisher.folder());
    assert_eq!(plain["grade"], "B1");
}

/// The same bytes may come from other sources: whoever built those has confirmed nothing of what the provenance says.
#[test]
fn rebuild_of_other_sources_raises_no_grade() {
    let published = Published::shared(Kind::Raw);
    let mut shop = Workshop::new(&published);
    shop.publisher.ok(&["pin", "-o", "plain.pin"]);
    let strict = ["pin", "-o", "strict.pin", "--rebuilder", "rebuilder.key"];
    let strict = [&strict[..], &["--rebuilds", "1"]].concat();
    shop.publisher.ok(&strict);
    let recipe = "for n in $(seq 9999); do cat firmware.txt; done > out.bin";
    let pack = shop.release("2.0.0", recipe);
    let (exit, said) = shop.rebuild(&pack);
    assert_eq!(exit, Some(0), "{said}");
    let sources = shop.publisher.path("sources");
    fs::write(sources.join("backdoor.txt"), "not in the image\n").unwrap();
    git(&sources, &["add", "backdoor.txt"]);
    git(&sources, &["commit", "--quiet", "-m", "second"]);
    shop.commit = git(&sources, &["rev-parse", "HEAD"]);
    let pack = shop.release("2.1.0", recipe);
    let publisher = &shop.publisher;
    publisher.ok(&["evidence", "add", "2.1.0", "rebuild.json"]);
    publisher.ok(&["evidence", "pack", "2.1.0", "-o", &pack]);
    let words = ["verify", &pack, "--pin", "strict.pin", "--json"];
    let output = run("streembit-audit", &words, publisher.folder());
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verified["grade"], "B1", "{verified:#}");
    assert_eq!(output.status.code(), Some(3), "{verified:#}");
    let mirror = Mirror::start(&publisher.path("repository"));
    let pin = publisher.path("strict.pin");
    let device = Device::pinned(&published, &mirror.url(), &pin, "cam-r3");
    let error = device.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, Exit::Undecided, "{error}");
    assert!(error.to_string().contains("0 of 1 rebuilds"), "{error}");
}

#[test]
fn rebuild_to_other_bytes_signs_nothing() {
    let shop = Workshop::new(&Published::shared(Kind::Raw));
    shop.publisher
        .ok(&["pin", "-o", "plain.pin", "--grade", "B1"]);
    let pack = shop.release("2.0.0", "od -An -tx1 -N 64 /dev/urandom > out.bin");
    let (exit, said) = shop.rebuild(&pack);
    assert!(exit == Some(1) && said.contains("other bytes"), "{said}");
    let pack = shop.release(
        "2.1.0",
        "cp firmware.txt out.bin; if [ -e .streembit-rebuild.log ]; then exit 3; fi",
    );
    let (exit, said) = shop.rebuild(&pack);
    assert!(
        exit == Some(3) && said.contains("the recipe failed"),
        "{said}"
    );
    assert!(!shop.publisher.path("rebuild.json").exists());
}
