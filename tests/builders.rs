//! Whose provenance a publisher takes: by named builders, about the image, of what these may build (threats M29), and
//! what the release then says of itself.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use support::device::noise;
use support::logged::Publisher;
use support::stated::{BUILDER, Scene};

/// A copy of a publisher who has released 1.1.0, and an image that isn't released.
struct Workshop {
    publisher: Publisher,
    image: String,
}

impl Workshop {
    fn new() -> Self {
        let scene = Scene::shared();
        let publisher = scene.publisher.twin();
        for name in ["builder.key", "provenance"] {
            fs::copy(scene.path(name), publisher.path(name)).unwrap();
        }
        // The witnesses have seen another history.
        let policy = format!("log {}\nquorum none\n", publisher.key);
        fs::write(publisher.path("repository/log/policy"), policy).unwrap();
        let image = publisher.path("2.0.0");
        fs::write(&image, noise("2.0.0", 50_000)).unwrap();
        let image = image.to_str().unwrap().to_owned();
        Self { publisher, image }
    }

    fn release(&self) -> [&str; 8] {
        let image = self.image.as_str();
        let words = ["release", image, "--version", "2.0.0", "--deltas", "0"];
        let [a, b, c, d, e, f] = words;
        [a, b, c, d, e, f, "--provenance", "provenance"]
    }

    /// Signs provenance of the image.
    fn build(&self, builder: &str, key: &str) {
        let commit = "cd".repeat(20);
        let words = [
            &["provenance", self.image.as_str(), "--from", "generic"][..],
            &["--builder", builder, "--source", "x", "--commit", &commit],
            &["--key", key, "-o", "provenance"],
        ];
        self.publisher.ok(&words.concat());
    }

    #[track_caller]
    fn is_refused(&self, exit: i32, why: &str) {
        let (code, said) = self.publisher.fails(&self.release());
        assert_eq!(code, Some(exit), "{said}");
        assert!(said.contains(why), "{said}");
    }

    /// What is said of a release: the number of its entry, and our part of the predicate.
    fn stated(&self, version: &str) -> (u64, Value) {
        let file = format!("repository/log/evidence/cam-{version}.bin/release.sigstore.json");
        let bundle = fs::read(self.publisher.path(&file)).unwrap();
        let bundle: Value = serde_json::from_slice(&bundle).unwrap();
        let index = &bundle["verificationMaterial"]["tlogEntries"][0]["logIndex"];
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let payload = STANDARD.decode(payload).unwrap();
        let statement: Value = serde_json::from_slice(&payload).unwrap();
        let ours = statement["predicate"]["streembit"].clone();
        (index.as_str().unwrap().parse().unwrap(), ours)
    }
}

#[test]
fn foreign_provenance_is_not_released_m29() {
    let workshop = Workshop::new();
    workshop.is_refused(1, "not about this image");
    workshop.build("https://stranger.example", "file:builder.key");
    workshop.is_refused(8, "no builder of ours");
    workshop.publisher.make_key("other.key");
    workshop.build(BUILDER, "file:other.key");
    workshop.is_refused(8, "signature");
}

/// The right key, of a builder that may build this product from one repository alone.
#[test]
fn provenance_of_another_repository_is_not_released_m29() {
    let workshop = Workshop::new();
    workshop.build(BUILDER, "file:builder.key");
    let settings = workshop.publisher.path("repository/publisher.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let known = format!("{BUILDER:?} = \"file:../builder.key\"");
    assert!(text.contains(&known), "{text}");
    let expecting = |source: &str| {
        let value = format!("{{ key = \"file:../builder.key\", source = {source:?} }}");
        let builder = format!("{BUILDER:?} = {value}");
        fs::write(&settings, text.replace(&known, &builder)).unwrap();
    };
    expecting("git+https://example.com/cam");
    workshop.is_refused(1, "source x is not what is expected of this builder");
    expecting("x");
    workshop.publisher.ok(&workshop.release());
    // It says which release came before it, and that stands before it in the log.
    let [(before, _), (index, ours)] = ["1.1.0", "2.0.0"].map(|it| workshop.stated(it));
    assert!(before < index);
    assert_eq!(ours["prevRelease"], before);
    let role = fs::read(workshop.publisher.path("repository/metadata/4.cam.json"));
    let role: Value = serde_json::from_slice(&role.unwrap()).unwrap();
    assert_eq!(ours["tufTargetsVersion"], role["signed"]["version"]);
    assert_eq!(
        role["signed"]["x-streembit-statements"]["builders"][0]["source"],
        "x"
    );
}
