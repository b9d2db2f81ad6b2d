//! Devices that ask for evidence: what isn't in a log which witnesses watch, or lacks what the pin demands, is not
//! installed (threats M29, K78, M18).

use std::fs;
use std::path::PathBuf;

use cli::Exit;
use support::device::{Device, Kind, Published, noise};
use support::logged::{Publisher, Witness};
use support::mirror::Mirror;
use support::programs::{run, seed, text};

use crate::clock::{NO_CLOCK, at_time, can_fake};

/// A publisher whose release 2.0.0 is in a log that a witness watches, and a device of it.
struct Scene {
    published: std::sync::Arc<Published>,
    publisher: Publisher,
    witness: Witness,
}

impl Scene {
    fn new() -> Self {
        let published = Published::shared(Kind::Raw);
        let publisher = Publisher::copy_of(&published.repository());
        let mut witness = Witness::new("w.example/1");
        let [url, _] = witness.start();
        witness.watch(&publisher.key);
        publisher.set_policy(&[("w", &witness.key, &url)], "all");
        Self {
            published,
            publisher,
            witness,
        }
    }

    /// Puts an image there; its path.
    fn image(&self, label: &str) -> String {
        let path = self.publisher.path(label);
        fs::write(&path, noise(label, 300_000)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn release(&self, version: &str, more: &[&str]) {
        let image = self.image(version);
        let words = ["release", &image, "--version", version, "--deltas", "0"];
        self.publisher.ok(&[&words[..], more].concat());
    }

    fn pin(&self, more: &[&str]) -> PathBuf {
        let pin = self.publisher.path("device.pin");
        let words = ["pin", "-o", pin.to_str().unwrap()];
        self.publisher.ok(&[&words[..], more].concat());
        pin
    }

    fn repository(&self) -> PathBuf {
        self.publisher.path("repository")
    }

    /// A device that asks for what the pin demands, from a mirror.
    fn device(&self, pin: &[&str], mirror: &Mirror) -> Device {
        Device::pinned(&self.published, &mirror.url(), &self.pin(pin), "cam-r3")
    }
}

fn installs(device: &Device) {
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done);
}

#[track_caller]
fn refuses(device: &Device, exit: Exit, word: &str) {
    let before = (device.slot("a"), device.slot("b"));
    let error = device.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, exit, "{error}");
    assert!(error.to_string().contains(word), "{error}");
    assert!(
        (device.slot("a"), device.slot("b")) == before,
        "a slot has changed"
    );
}

#[test]
fn release_in_the_log_is_installed_and_the_log_is_followed() {
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    installs(&device);
    let seen = fs::read_to_string(device.data("trusted/log.checkpoint")).unwrap();
    assert!(seen.starts_with("fwlog.acme.example\n"), "{seen}");
    // The next release: the log has grown from what the device saw.
    scene.release("2.1.0", &[]);
    installs(&device);
    let later = fs::read_to_string(device.data("trusted/log.checkpoint")).unwrap();
    assert_ne!(seen, later);
    assert!(scene.witness.cosigned() >= 4);
}

#[test]
fn release_that_no_log_holds_is_refused_m29() {
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    let evidence = scene
        .publisher
        .path("repository/log/evidence/cam-2.0.0.bin");
    fs::rename(&evidence, scene.publisher.path("taken away")).unwrap();
    refuses(&device, Exit::Undecided, "the statement of the release");
    fs::rename(scene.publisher.path("taken away"), &evidence).unwrap();
    installs(&device);
}

#[test]
fn publisher_whose_witnesses_are_away_publishes_later() {
    let mut scene = Scene::new();
    scene.witness.stop();
    let image = scene.image("2.0.0");
    let (exit, said) =
        scene
            .publisher
            .fails(&["release", &image, "--version", "2.0.0", "--deltas", "0"]);
    assert_eq!(exit, Some(7), "{said}");
    let (exit, said) = scene.publisher.fails(&["publish"]);
    assert_eq!(exit, Some(7), "{said}");
    let [url, _] = scene.witness.start();
    let key = scene.witness.key.clone();
    scene.publisher.set_policy(&[("w", &key, &url)], "all");
    scene.publisher.ok(&["publish"]);
    let mirror = Mirror::start(&scene.repository());
    installs(&scene.device(&[], &mirror));
}

/// The same over the network of nodes: all is in the catalog.
#[test]
fn release_in_the_log_is_installed_from_peers() {
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let (_seeder, address) = seed(&scene.repository());
    let mirror = Mirror::start(&scene.repository());
    let mut device = scene.device(&[], &mirror);
    drop(mirror);
    device.bootstrap = Some(address);
    installs(&device);
    assert!(device.data("trusted/log.checkpoint").exists());
}

#[test]
fn what_the_pin_demands_of_the_build_is_asked_for_m29() {
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    refuses(
        &scene.device(&["--grade", "B1"], &mirror),
        Exit::Undecided,
        "provenance",
    );
    refuses(
        &scene.device(&["--sbom"], &mirror),
        Exit::Undecided,
        "list of components",
    );
    let rebuilder = scene.publisher.make_key("rebuilder.key");
    let rebuilder = rebuilder.to_str().unwrap();
    let demands = ["--rebuilder", rebuilder, "--rebuilds", "1"];
    refuses(
        &scene.device(&demands, &mirror),
        Exit::Undecided,
        "provenance",
    );
}

/// A publisher with all its keys, and no witness in the way, shows one device another history: the device refuses, and
/// what it keeps proves it to a third.
#[test]
fn device_that_is_shown_another_history_refuses_and_keeps_the_evidence_k78() {
    let scene = Scene::new();
    let alone = format!("log {}\nquorum none\n", scene.publisher.key);
    fs::write(scene.publisher.path("repository/log/policy"), alone).unwrap();
    scene.release("2.0.0", &[]);
    let other = scene.publisher.twin();
    scene.release("2.1.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    installs(&device);
    drop(mirror);
    // The other history goes on behind release 2.0.0 with another image of the same and of a later version.
    for (version, label) in [("2.1.0", "not the same"), ("2.2.0", "nor this")] {
        let image = other.path(label);
        fs::write(&image, noise(label, 300_000)).unwrap();
        let image = image.to_str().unwrap();
        other.ok(&["release", image, "--version", version, "--deltas", "0"]);
    }
    let mirror = Mirror::start(&other.path("repository"));
    let shown = device.twin(&mirror.url());
    let error = shown.run(&["install"]).unwrap_err();
    assert_eq!(error.exit, Exit::Equivocation, "{error}");
    let log = shown.data("trusted/evidence/split-view.json");
    let words = ["split", log.to_str().unwrap(), "--pin", "device.pin"];
    let third = run("streembit-audit", &words, scene.publisher.folder());
    assert_eq!(third.status.code(), Some(6), "{}", text(&third));
}

/// The metadata is good for days still, but no witness has seen the log of late; and what time it was at least is known.
#[test]
fn cosignatures_that_are_old_are_stale_m18() {
    if !can_fake() {
        return;
    }
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&["--max-staleness", "1d"], &mirror);
    let late = at_time("+3d", &device, &["check"]).output().unwrap();
    assert_eq!(late.status.code(), Some(4), "{}", text(&late));
    let said = text(&late);
    assert!(
        said.contains("witnesses last cosigned the log 72 h ago"),
        "{said}"
    );
    let device = scene.device(&["--max-staleness", "1d"], &mirror);
    installs(&device);
}

/// The metadata is the newest, and the log beside it an old one.
#[test]
fn log_that_shrinks_is_refused_m11() {
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let view = scene.publisher.path("repository/log/view");
    let old = fs::read(&view).unwrap();
    scene.release("2.1.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    installs(&device);
    fs::write(&view, old).unwrap();
    let error = device.run(&["check"]).unwrap_err();
    assert_eq!(error.exit, Exit::Rollback, "{error}");
    assert!(error.to_string().contains("and had"), "{error}");
}

/// Neither a clock nor a head tells the time: a quorum's cosignatures do.
#[test]
fn device_without_a_clock_knows_the_time_from_witnesses_c90() {
    if !can_fake() {
        return;
    }
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    fs::remove_dir_all(scene.publisher.path("repository/heads")).unwrap();
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    let now = node::clock::unix_now();
    assert!(device.state().time_floor < now - 24 * 3600);
    let checked = at_time(NO_CLOCK, &device, &["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
    assert!(device.state().time_floor.abs_diff(now) < 3600);
}

/// However many strangers cosign: witnesses are those of the pin.
#[test]
fn witnesses_that_nobody_pinned_count_for_nothing_k78() {
    let scene = Scene::new();
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    let mut strangers = ["s.example/1", "s.example/2"].map(Witness::new);
    let mut parties = Vec::new();
    for stranger in &mut strangers {
        let [url, _] = stranger.start();
        stranger.watch(&scene.publisher.key);
        parties.push((stranger.key.clone(), url));
    }
    let named = ["s1", "s2"].into_iter().zip(&parties);
    let named: Vec<(&str, &str, &str)> = named
        .map(|(name, (key, url))| (name, key.as_str(), url.as_str()))
        .collect();
    scene.publisher.set_policy(&named, "all");
    scene.release("2.0.0", &[]);
    refuses(&device, Exit::Quorum, "no quorum");
}

/// Other witnesses: a device follows by what the witnesses before have cosigned, also if it missed the change.
#[test]
fn changed_policy_is_followed_if_it_was_logged_under_the_one_before() {
    let scene = Scene::new();
    let mut second = Witness::new("w.example/2");
    let [url, _] = second.start();
    second.watch(&scene.publisher.key);
    scene.release("2.0.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let (device, late) = (scene.device(&[], &mirror), scene.device(&[], &mirror));
    installs(&device);
    let policy = format!(
        "log {}\nwitness second {} {url}\nquorum second\n",
        scene.publisher.key, second.key
    );
    let next = scene.publisher.path("next policy");
    fs::write(&next, &policy).unwrap();
    scene
        .publisher
        .ok(&["log", "policy", next.to_str().unwrap()]);
    scene.publisher.ok(&["verify"]);
    let before = scene.witness.cosigned();
    scene.release("2.1.0", &[]);
    assert_eq!(
        scene.witness.cosigned(),
        before,
        "the first witness is asked no more"
    );
    // Who says that the policy has changed, and can't show that it was logged, changes nothing.
    mirror.tamper(|asked, answer| {
        if asked.path.ends_with("policy-1.sigstore.json") {
            answer.fail(404);
        }
    });
    refuses(&late, Exit::Undecided, "log policy");
    mirror.be_honest();
    for device in [&device, &late] {
        installs(device);
        let adopted = fs::read_to_string(device.data("trusted/log-policy.json")).unwrap();
        assert!(adopted.contains(&second.key), "{adopted}");
    }
}

/// Policies on the way to the signed one are believed only if they lead to it: an entry in the log alone changes nothing.
#[test]
fn policies_that_lead_to_no_signed_one_are_not_taken() {
    let scene = Scene::new();
    scene.release("2.0.0", &[]);
    let mirror = Mirror::start(&scene.repository());
    let device = scene.device(&[], &mirror);
    let policy = fs::read_to_string(scene.publisher.path("repository/log/policy")).unwrap();
    for number in 1..=2 {
        let next = scene.publisher.path(&format!("policy {number}"));
        fs::write(&next, format!("{policy}# {number}\n")).unwrap();
        let next = next.to_str().unwrap();
        scene.publisher.ok(&["log", "policy", next]);
    }
    mirror.tamper(|asked, answer| {
        if asked.path.ends_with("policy-2.sigstore.json") {
            answer.fail(404);
        }
    });
    refuses(&device, Exit::Undecided, "log policy");
    assert!(!device.data("trusted/log-policy.json").exists());
    mirror.be_honest();
    installs(&device);
    let adopted = fs::read_to_string(device.data("trusted/log-policy.json")).unwrap();
    assert!(adopted.contains("# 2"), "{adopted}");
}

/// What was logged of an image that wasn't published in the end doesn't stand for another of the same name.
#[test]
fn evidence_of_another_image_publishes_nothing() {
    let mut scene = Scene::new();
    let key = scene.witness.key.clone();
    let words = |image: &'static str| ["release", image, "--version", "2.0.0", "--deltas", "0"];
    scene.image("first");
    scene.image("second");
    scene.witness.stop();
    assert_eq!(scene.publisher.fails(&words("first")).0, Some(7));
    scene.publisher.ok(&["stage", "--discard"]);
    let [url, _] = scene.witness.start();
    scene.publisher.set_policy(&[("w", &key, &url)], "all");
    scene.publisher.log("update");
    scene.witness.stop();
    assert_eq!(scene.publisher.fails(&words("second")).0, Some(7));
    let (exit, said) = scene.publisher.fails(&["publish"]);
    assert!(exit == Some(7) && said.contains("not in the log"), "{said}");
}
