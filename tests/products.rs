//! Several products in one repository: each has its role, its keys and its devices (threats M21, K71).

use std::fs;
use std::path::PathBuf;

use cli::{CliError, Exit};
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::publisher::{done, key_uri, publisher};

/// A repository with the products `cam`, which has releases, and `router`.
struct Two {
    published: Published,
    router_pin: PathBuf,
}

impl Two {
    fn new() -> Self {
        let published = Published::new(Kind::Raw);
        let router_pin = published.repository().join("router.pin");
        let two = Self {
            published,
            router_pin,
        };
        two.done(&[
            "product",
            "add",
            "router",
            "--hardware",
            "r1",
            "--no-passcode",
        ]);
        two.done(&["sign"]);
        two.done(&["publish"]);
        two
    }

    fn repository(&self) -> PathBuf {
        self.published.repository()
    }

    fn publisher(&self, args: &[&str]) -> Result<Exit, CliError> {
        publisher(&self.repository(), args)
    }

    #[track_caller]
    fn done(&self, args: &[&str]) {
        done(&self.repository(), args);
    }

    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let error = self.publisher(args).unwrap_err();
        format!("{error} {}", error.fix().unwrap_or_default())
    }

    fn release(&self, product: &str, version: &str) -> Result<Exit, CliError> {
        let image = self.repository().join("router.img");
        fs::write(&image, version.repeat(100_000)).unwrap();
        let image = image.to_str().unwrap();
        self.publisher(&["release", image, "--product", product, "--version", version])
    }

    fn key(&self, name: &str) -> PathBuf {
        self.repository().join("keys").join(format!("{name}.key"))
    }

    fn key_uri(&self, name: &str) -> String {
        key_uri(&self.repository(), name)
    }

    fn metadata(&self, name: &str) -> String {
        fs::read_to_string(self.repository().join("metadata").join(name)).unwrap()
    }
}

/// Each device follows its own product; neither sees the other's releases.
#[test]
fn devices_follow_their_own_product() {
    let two = Two::new();
    let mirror = Mirror::start(&two.repository());
    let cam = Device::new(&two.published, &mirror.url());
    let router = Device::pinned(&two.published, &mirror.url(), &two.router_pin, "r1");
    assert_eq!(two.release("router", "7.0").unwrap(), Exit::Done);
    assert_eq!(cam.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(router.run(&["install"]).unwrap(), Exit::Reboot);
    for (device, image) in [
        (&cam, two.published.image(2)),
        (&router, two.repository().join("router.img")),
    ] {
        let slot = fs::read(device.slot_path("b")).unwrap();
        assert!(slot.starts_with(&fs::read(image).unwrap()));
    }
    assert!(router.data("trusted/router.json").exists());
    assert!(!router.data("trusted/cam.json").exists());
    two.done(&["verify"]);
}

/// A device of one product refuses an image of the other, whatever its keys sign (M21).
#[test]
fn key_of_one_product_publishes_nothing_of_another_m21() {
    let two = Two::new();
    let error = two.refused(&[
        "role",
        "add",
        "rout",
        "--key",
        &two.key_uri("cam"),
        "--path",
        "router-*",
    ]);
    assert!(error.contains("can fit one path"), "{error}");
    for name in ["cam-mini", "ca", "router-2"] {
        let error = two.publisher(&["product", "add", name, "--hardware", "x", "--no-passcode"]);
        let overlaps = name != "ca";
        assert_eq!(error.is_err(), overlaps, "{name}");
    }
}

/// Which product is meant must be said where there are several.
#[test]
fn product_is_named_where_there_are_several() {
    let two = Two::new();
    let image = two.published.image(2);
    let image = image.to_str().unwrap();
    for args in [
        &["release", image, "--version", "9"][..],
        &["yank", "1.1.0"],
        &["show", "1.1.0"],
    ] {
        let error = two.refused(args);
        for word in ["several products: cam router", "--product"] {
            assert!(error.contains(word), "{args:?}: {error}");
        }
    }
    two.done(&["show", "1.1.0", "--product", "cam"]);
    assert!(
        two.refused(&["show", "1.1.0", "--product", "tv"])
            .contains("no product tv")
    );
    two.done(&["yank", "1.1.0", "--product", "cam"]);
    assert!(
        two.refused(&["show", "1.1.0", "--product", "cam"])
            .contains("no release 1.1.0")
    );
}

/// Several keys without a threshold are no rule at all.
#[test]
fn threshold_must_be_set_where_there_are_several_keys() {
    let two = Two::new();
    let (first, second) = (two.key_uri("cam"), two.key_uri("router"));
    let add = [
        "product",
        "add",
        "tv",
        "--hardware",
        "t1",
        "--key",
        &first,
        "--key",
        &second,
    ];
    let error = two.refused(&add);
    for word in ["tv has 2 keys and no threshold", "--threshold N"] {
        assert!(error.contains(word), "{error}");
    }
    let error = two.refused(&[&add[..], &["--threshold", "3"]].concat());
    assert!(error.contains("threshold 3 with 2 keys"), "{error}");
    two.done(&[&add[..], &["--threshold", "2"]].concat());
    let unsigned = two.publisher(&["publish"]).unwrap_err();
    assert_eq!(unsigned.exit, Exit::Quorum, "{unsigned}");
    two.done(&["sign"]);
    two.done(&["publish"]);
    assert_eq!(two.release("tv", "1").unwrap(), Exit::Done);
}

/// A role that is removed is offered no more; added again it goes on where it was.
#[test]
fn removed_role_comes_back_with_a_higher_version() {
    let two = Two::new();
    let mirror = Mirror::start(&two.repository());
    let router = Device::pinned(&two.published, &mirror.url(), &two.router_pin, "r1");
    assert_eq!(two.release("router", "7.0").unwrap(), Exit::Done);
    assert_eq!(router.run(&["check"]).unwrap(), Exit::Done);
    two.done(&["role", "remove", "router"]);
    two.done(&["sign"]);
    two.done(&["publish"]);
    let error = router.run(&["check"]).unwrap_err().to_string();
    assert!(
        error.contains("no delegation to the product router"),
        "{error}"
    );
    assert!(
        two.refused(&["release", "x", "--version", "8", "--product", "router"])
            .contains("no product router")
    );
    let key = two.key_uri("router");
    two.done(&[
        "product",
        "add",
        "router",
        "--hardware",
        "r1",
        "--key",
        &key,
    ]);
    two.done(&["sign"]);
    two.done(&["publish"]);
    let empty = two.metadata("3.router.json");
    let empty: serde_json::Value = serde_json::from_str(&empty).unwrap();
    assert_eq!(empty["signed"]["targets"], serde_json::json!({}));
    assert_eq!(two.release("router", "8.0").unwrap(), Exit::Done);
    assert_eq!(router.run(&["install"]).unwrap(), Exit::Reboot);
}

/// Root and products are made one after another, and what people wrote into the settings stays.
#[test]
fn root_first_then_products() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    let run = |args: &[&str]| publisher(&repository, args);
    for args in [
        &["--timestamp-life", "soon"][..],
        &["--root-keys", "1", "--root-threshold", "2"],
    ] {
        let init = ["root", "init", "--no-passcode"];
        assert_eq!(
            run(&[&init[..], args].concat()).unwrap_err().exit,
            Exit::Usage
        );
        assert!(!repository.exists(), "{args:?}");
    }
    assert_eq!(run(&["root", "init", "--no-passcode"]).unwrap(), Exit::Done);
    for command in ["verify", "refresh", "list"] {
        assert_eq!(run(&[command]).unwrap(), Exit::Done, "{command}");
    }
    let image = folder.path().join("image");
    fs::write(&image, "image").unwrap();
    let image = image.to_str().unwrap();
    let error = run(&["release", image, "--version", "1"]).unwrap_err();
    assert!(error.to_string().contains("there is no product"), "{error}");
    let settings = repository.join("publisher.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("# by Erin\n{text}")).unwrap();
    for name in ["Targets", "root", "account"] {
        let error = run(&["product", "add", name, "--hardware", "h"]).unwrap_err();
        assert!(
            error.to_string().contains("is the name of something else"),
            "{error}"
        );
    }
    let add = ["product", "add", "lamp", "--hardware", "h", "--no-passcode"];
    assert_eq!(run(&add).unwrap(), Exit::Done);
    assert!(
        run(&add)
            .unwrap_err()
            .to_string()
            .contains("is staged already")
    );
    assert_eq!(run(&["sign"]).unwrap(), Exit::Done);
    assert_eq!(run(&["publish"]).unwrap(), Exit::Done);
    assert_eq!(
        run(&["release", image, "--version", "1"]).unwrap(),
        Exit::Done
    );
    assert_eq!(run(&["verify"]).unwrap(), Exit::Done);
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.starts_with("# by Erin\n"), "{text}");
    assert!(text.contains("[products.lamp]"), "{text}");
    assert!(repository.join("lamp.pin").exists());
}

/// A key that its role has no more goes from the settings; its file is the owner's to destroy (K71).
#[test]
fn rotated_key_leaves_the_settings_k71() {
    let two = Two::new();
    two.done(&[
        "keys",
        "rotate",
        "router",
        "--no-passcode",
        "--algorithm",
        "p256",
    ]);
    two.done(&["role", "renew", "router"]);
    let settings = || fs::read_to_string(two.repository().join("publisher.toml")).unwrap();
    assert!(settings().contains("keys/router.key") && settings().contains("keys/router-2.key"));
    two.done(&["sign"]);
    two.done(&["publish"]);
    assert!(!settings().contains("keys/router.key") && settings().contains("keys/router-2.key"));
    assert!(two.key("router").exists());
    assert_eq!(two.release("router", "7.1").unwrap(), Exit::Done);
}

/// Counters of yanked releases are not given out again: devices that took one get the next.
#[test]
fn release_after_a_yank_reaches_devices_that_took_the_yanked_one_d41() {
    let two = Two::new();
    let mirror = Mirror::start(&two.repository());
    let device = Device::new(&two.published, &mirror.url());
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done);
    two.done(&["yank", "1.2.0", "--product", "cam"]);
    assert_eq!(two.release("cam", "1.2.1").unwrap(), Exit::Done);
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    let pending = device.state().pending.unwrap().image;
    assert_eq!((pending.version.as_str(), pending.release), ("1.2.1", 3));
    // Neither does a role that was removed and comes back forget them.
    two.done(&["role", "remove", "cam"]);
    two.done(&["sign"]);
    two.done(&["publish"]);
    let key = two.key_uri("cam");
    two.done(&[
        "product",
        "add",
        "cam",
        "--hardware",
        "cam-r3",
        "--key",
        &key,
    ]);
    two.done(&["sign"]);
    two.done(&["publish"]);
    assert_eq!(two.release("cam", "1.3.0").unwrap(), Exit::Done);
    assert!(two.metadata("7.cam.json").contains("\"release\": 4"));
}

/// What new keys and thresholds leave unsigned is staged with them: what is complete can be published.
#[test]
fn complete_change_can_be_published() {
    let two = Two::new();
    for args in [
        &["keys", "rotate", "targets", "--no-passcode"][..],
        &[
            "keys",
            "rotate",
            "router",
            "--no-passcode",
            "--algorithm",
            "p256",
        ],
        &["role", "add-key", "cam", &two.key_uri("router-2")],
        &["role", "set-threshold", "cam", "2"],
    ] {
        two.done(args);
        let staged = fs::read_to_string(two.repository().join("staged.json")).unwrap();
        assert!(staged.contains("targets"), "{args:?}");
        two.done(&["sign"]);
        two.done(&["publish"]);
        two.done(&["verify"]);
    }
}

/// A product that is staged, or was and is given up, changes nothing for the others.
#[test]
fn staged_product_stops_no_release() {
    let published = Published::new(Kind::Raw);
    let repository = published.repository();
    let run = |args: &[&str]| publisher(&repository, args);
    let add = [
        "product",
        "add",
        "lamp",
        "--hardware",
        "l1",
        "--no-passcode",
    ];
    let error = run(&[&add[..], &["--threshold", "2"]].concat()).unwrap_err();
    assert_eq!(error.exit, Exit::Usage, "{error}");
    assert_eq!(run(&add).unwrap(), Exit::Done);
    let image = published.image(2);
    let release = ["release", image.to_str().unwrap(), "--version"];
    assert_eq!(run(&[&release[..], &["3.0"]].concat()).unwrap(), Exit::Done);
    assert_eq!(run(&["stage", "--discard"]).unwrap(), Exit::Done);
    assert_eq!(run(&[&release[..], &["3.1"]].concat()).unwrap(), Exit::Done);
    let settings = fs::read_to_string(repository.join("publisher.toml")).unwrap();
    assert!(!settings.contains("lamp"), "{settings}");
    let key = format!("file:{}", repository.join("keys/lamp.key").display());
    assert_eq!(
        run(&["product", "add", "lamp", "--hardware", "l1", "--key", &key]).unwrap(),
        Exit::Done
    );
}
