//! An auditor with a pin and a pack, and nothing else: what is shown, what isn't, and every way to fake it (attack table
//! of reference/provenance.md section 4.6; threats M26, M29, K76, K77, K78).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::logged::{ORIGIN, Publisher};
use support::programs::{command, json, run, text};
use support::stated::Scene;

/// A place with a pin, and packs that are changed.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::shared();
        fs::create_dir(folder.path().join("pin")).unwrap();
        fs::copy(scene.path("cam.pin"), folder.path().join("pin/cam.pin")).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The good pack with its files changed.
    fn pack(&self, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> PathBuf {
        self.repack("good.pack", change)
    }

    fn repack(&self, name: &str, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> PathBuf {
        let pack = audit::pack::Pack::open(&Scene::shared().path(name)).unwrap();
        let mut files: Vec<(String, Vec<u8>)> = pack.files.into_iter().collect();
        change(&mut files);
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            builder
                .append_data(&mut header, name, bytes.as_slice())
                .unwrap();
        }
        let path = self.path().join("changed.pack");
        fs::write(&path, builder.into_inner().unwrap()).unwrap();
        path
    }

    fn verify(&self, pack: &Path, more: &[&str]) -> (Option<i32>, Value) {
        let words = ["verify", pack.to_str().unwrap(), "--pin", "pin", "--json"];
        let output = run("streembit-audit", &[&words[..], more].concat(), self.path());
        let value = serde_json::from_slice(&output.stdout);
        (
            output.status.code(),
            value.unwrap_or_else(|_| panic!("{}", text(&output))),
        )
    }

    /// The status of a rule.
    #[track_caller]
    fn assert_found(&self, pack: &Path, exit: i32, rule: &str, status: &str) {
        let (code, value) = self.verify(pack, &[]);
        let findings = value["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["rule"] == rule);
        let found = found.unwrap_or_else(|| panic!("no {rule} in {value:#}"));
        assert_eq!(
            (code, found["status"].as_str()),
            (Some(exit), Some(status)),
            "{value:#}"
        );
    }
}

fn file<'a>(files: &'a mut [(String, Vec<u8>)], name: &str) -> &'a mut Vec<u8> {
    let found = files.iter_mut().find(|(it, _)| it == name);
    &mut found.unwrap_or_else(|| panic!("{name}")).1
}

#[test]
fn good_release_is_verified_with_its_grade_and_what_is_not_shown() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    let image = scene.path("1.1.0");
    let (exit, value) = desk.verify(&scene.path("good.pack"), &[image.to_str().unwrap()]);
    assert_eq!(
        (exit, &value["grade"], &value["verdict"]),
        (Some(0), &"B1".into(), &"VERIFIED".into()),
        "{value:#}"
    );
    let status = |rule: &str| {
        let findings = value["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["rule"] == rule);
        found.unwrap()["status"].as_str().unwrap().to_owned()
    };
    for rule in [
        "root/chain",
        "role/target",
        "image/hash",
        "image/signature",
        "release/statement",
        "build/provenance",
        "sbom",
        "log/consistency",
        "log/witnesses",
        "log/fresh",
    ] {
        assert_eq!(status(rule), "OK", "{rule}");
    }
    for rule in ["build/rebuilds", "build/platform"] {
        assert_eq!(status(rule), "NOT SHOWN", "{rule}");
    }
    let words = ["verify", "good.pack", "--pin", "cam.pin"];
    let shown = run("streembit-audit", &words, scene.publisher.folder());
    let shown = text(&shown);
    assert!(
        shown.lines().count() < 30 && shown.contains("git+https://example.com/cam at abababababab"),
        "{shown}"
    );
}

#[test]
fn wrong_image_is_told_from_the_release() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    let other = scene.path("1.0.0");
    let (exit, _) = desk.verify(&scene.path("good.pack"), &[other.to_str().unwrap()]);
    assert_eq!(exit, Some(1));
}

/// Each piece of evidence is changed, taken from another release, and taken away.
#[test]
fn changed_exchanged_and_missing_evidence_is_refused_m29() {
    let desk = Desk::new();
    for (name, rule) in [
        ("evidence/image.sigstore.json", "image/signature"),
        ("evidence/release.sigstore.json", "release/statement"),
        ("evidence/provenance.sigstore.json", "build/provenance"),
        ("evidence/sbom.sigstore.json", "sbom"),
    ] {
        for member in [
            "\"hint\": \"SHA256:",
            "\"canonicalizedBody\": \"",
            "\"rootHash\": \"",
        ] {
            let pack = desk.pack(|files| {
                let bytes = file(files, name);
                let text = String::from_utf8(bytes.clone()).unwrap();
                let at = text
                    .find(member)
                    .unwrap_or_else(|| panic!("{member}: {text}"))
                    + member.len()
                    + 4;
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            });
            // The hint is for finding a key, and nobody signs it: with an envelope it has to be the same twice.
            if member.contains("hint") && !name.contains("release") && !name.contains("prov") {
                continue;
            }
            desk.assert_found(&pack, 1, rule, "FAIL");
        }
        let old = audit::pack::Pack::open(&Scene::shared().path("old.pack")).unwrap();
        let pack = desk.pack(|files| *file(files, name) = old.file(name).unwrap().to_vec());
        // The same list of components is published with both: its signature is good for both.
        if !name.contains("sbom") {
            desk.assert_found(&pack, 1, rule, "FAIL");
        }
        let pack = desk.pack(|files| files.retain(|(it, _)| it != name));
        desk.assert_found(&pack, 3, rule, "NOT SHOWN");
    }
    let pack = desk.pack(|files| file(files, "evidence/sbom.json").push(b' '));
    desk.assert_found(&pack, 1, "sbom", "FAIL");
}

#[test]
fn too_few_witnesses_are_exit_7() {
    let desk = Desk::new();
    let without_second = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let lines = text.lines().filter(|line| !line.contains("w.example/2"));
        *bytes = lines
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .into_bytes();
    };
    let pack = desk.pack(|files| without_second(file(files, "log/view")));
    desk.assert_found(&pack, 7, "log/witnesses", "FAIL");
    // One broken line of a known witness spoils no other, and is not counted.
    let pack = desk.pack(|files| {
        let bytes = file(files, "log/view");
        let text = String::from_utf8(bytes.clone()).unwrap();
        let at = text.find("w.example/2 ").unwrap() + 40;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    });
    desk.assert_found(&pack, 7, "log/witnesses", "FAIL");
}

#[test]
fn pack_that_is_older_than_what_was_seen_is_a_rollback() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    let checkpoint = scene.path("repository/log/checkpoint");
    let text = fs::read_to_string(&checkpoint).unwrap();
    let size: u64 = text.lines().nth(1).unwrap().parse().unwrap();
    let later = text.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    fs::write(desk.path().join("pin/checkpoint"), later).unwrap();
    desk.assert_found(&scene.path("good.pack"), 5, "log/consistency", "FAIL");
}

/// A publisher with all its keys and no honest witness: two histories, of one size and of several.
#[test]
fn two_histories_are_exit_6_and_proved_to_a_third_k78() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    let [ours, theirs] = [(); 2].map(|()| scene.publisher.twin());
    for publisher in [&ours, &theirs] {
        let policy = format!("log {}\nquorum none\n", publisher.key);
        fs::write(publisher.path("repository/log/policy"), policy).unwrap();
    }
    fs::copy(
        ours.path("repository/log/policy"),
        desk.path().join("pin/policy"),
    )
    .unwrap();
    ours.append(&["one"]);
    ours.log("update");
    theirs.append(&["two"]);
    theirs.log("update");
    for more in [&[][..], &["three", "four"]] {
        if !more.is_empty() {
            ours.append(more);
            ours.log("update");
        }
        let seen = desk.path().join("pin/checkpoint");
        fs::copy(theirs.path("repository/log/checkpoint"), &seen).unwrap();
        let pack = ours.path("split.pack");
        ours.ok(&["evidence", "pack", "1.1.0", "-o", pack.to_str().unwrap()]);
        desk.assert_found(&pack, 6, "log/consistency", "FAIL");
        let words = [
            "split",
            seen.to_str().unwrap(),
            pack.to_str().unwrap(),
            "--pin",
            "pin",
            "-o",
            "evidence.json",
        ];
        let split = run("streembit-audit", &words, desk.path());
        assert_eq!(split.status.code(), Some(6), "{}", text(&split));
        // A third, with the pin and the evidence alone.
        fs::remove_file(&seen).unwrap();
        let third = run(
            "streembit-audit",
            &["split", "evidence.json", "--pin", "pin", "--json"],
            desk.path(),
        );
        let shown: Value = serde_json::from_slice(&third.stdout).unwrap();
        assert_eq!(
            (third.status.code(), &shown["origin"]),
            (Some(6), &ORIGIN.into())
        );
    }
    // A log that has only grown is no evidence.
    let words = [
        "split",
        scene.path("repository/log/checkpoint").to_str().unwrap(),
        ours.path("repository/log/view").to_str().unwrap(),
        "--pin",
        "pin",
    ]
    .map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let grown = run("streembit-audit", &words, desk.path());
    assert_eq!(grown.status.code(), Some(0), "{}", text(&grown));
}

#[test]
fn stale_packs_and_other_pins_are_refused() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    let pack = scene.path("good.pack");
    let (exit, value) = desk.verify(&pack, &["--at", "2099-01-01T00:00:00Z"]);
    assert_eq!(exit, Some(4), "{value:#}");
    let stranger = Publisher::empty();
    stranger.ok(&["pin", "-o", "stranger.pin"]);
    fs::copy(
        stranger.path("stranger.pin"),
        desk.path().join("pin/cam.pin"),
    )
    .unwrap();
    let (exit, value) = desk.verify(&pack, &[]);
    assert_eq!(exit, Some(1), "{value:#}");
}

#[test]
fn pin_without_a_log_policy_shows_nothing_of_the_log() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    scene.publisher.ok(&["pin", "-o", "plain.pin", "--no-log"]);
    fs::copy(scene.path("plain.pin"), desk.path().join("pin/cam.pin")).unwrap();
    let (exit, value) = desk.verify(&scene.path("good.pack"), &[]);
    assert_eq!(
        (exit, &value["grade"]),
        (Some(0), &"none".into()),
        "{value:#}"
    );
    desk.assert_found(&scene.path("good.pack"), 0, "log/policy", "NOT SHOWN");
}

#[test]
fn sarif_names_rule_level_and_file() {
    let (desk, scene) = (Desk::new(), Scene::shared());
    let pack = desk.pack(|files| files.retain(|(it, _)| it != "log/view"));
    let output = command("streembit-audit", desk.path())
        .args(["verify", pack.to_str().unwrap(), "--pin", "pin", "--sarif"])
        .output()
        .unwrap();
    let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let log = results
        .iter()
        .find(|result| result["ruleId"] == "log/checkpoint")
        .unwrap();
    assert_eq!(log["level"], "warning");
    let uri = &log["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(
        uri.as_str().unwrap().ends_with("changed.pack!/log/view"),
        "{uri}"
    );
    let good = json(
        "streembit-audit",
        &["verify", "good.pack", "--pin", "cam.pin"],
        scene.publisher.folder(),
    );
    assert_eq!(good["schema"], "streembit-verify/1");
}

/// The part that works offline opens no socket: it has nothing to open one with.
#[test]
fn offline_auditor_is_built_without_network_and_event_loop() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = std::process::Command::new(cargo)
        .args([
            "tree",
            "--package",
            "audit",
            "--no-default-features",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--offline"])
        .current_dir(support::programs::repository_root())
        .output()
        .unwrap();
    let tree = text(&tree);
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains(&"manifests"), "{tree}");
    for name in [
        "tokio", "libp2p", "reqwest", "hyper", "node", "mio", "socket2",
    ] {
        assert!(!names.contains(&name), "{name}");
    }
}
