//! Devices that ask for evidence: what isn't in a log which witnesses watch, or lacks what the pin demands, is not
//! installed (threats M29, K78, M18; reference/provenance.md section 4.6).

use std::fs;
use std::path::PathBuf;

use cli::Exit;
use support::device::{Device, Kind, Published, noise};
use support::logged::{Publisher, Witness};
use support::mirror::Mirror;

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
