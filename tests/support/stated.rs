//! A publisher whose releases have all the evidence there is.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::device::noise;
use crate::logged::{Publisher, Witness};

/// A list of components, CycloneDX.
const CYCLONE_DX: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
    "metadata": {"component": {"type": "firmware", "name": "cam", "version": "1.1.0"}},
    "components": [{"type": "library", "name": "openssl", "version": "3.0.16"}]}"#;

/// A list of components, SPDX.
const SPDX: &str = r#"{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0",
    "name": "cam-1.0.0", "documentNamespace": "https://acme.example/cam-1.0.0",
    "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: build"]},
    "documentDescribes": ["SPDXRef-cam"],
    "packages": [{"SPDXID": "SPDXRef-cam", "name": "cam", "versionInfo": "1.0.0", "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false, "primaryPackagePurpose": "FIRMWARE"}]}"#;

/// A release with provenance, a list of components, a statement of a CI platform, and two witnesses.
#[derive(Debug)]
pub struct Scene {
    /// The publisher.
    pub publisher: Publisher,
    _witnesses: [Witness; 2],
}

/// Who builds.
pub const BUILDER: &str = "https://ci.acme.example/firmware";

impl Scene {
    /// One for all tests; nobody changes it.
    pub fn shared() -> &'static Self {
        static SCENE: OnceLock<Scene> = OnceLock::new();
        SCENE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let publisher = Publisher::empty();
        let mut witnesses = ["w.example/1", "w.example/2"].map(Witness::new);
        let urls = witnesses.each_mut().map(|witness| {
            let [url, _] = witness.start();
            witness.watch(&publisher.key);
            url
        });
        let [first, second] = &witnesses;
        let parties = [
            ("w1", first.key.as_str(), urls[0].as_str()),
            ("w2", &second.key, &urls[1]),
        ];
        publisher.set_policy(&parties, "all");
        let scene = Self {
            publisher,
            _witnesses: witnesses,
        };
        scene.prepare();
        scene
    }

    fn prepare(&self) {
        let publisher = &self.publisher;
        publisher.name_builder(BUILDER);
        fs::write(publisher.path("1.0.0.sbom"), SPDX).unwrap();
        fs::write(publisher.path("1.1.0.sbom"), CYCLONE_DX).unwrap();
        fs::write(
            publisher.path("platform"),
            r#"{"mediaType":"of somebody else"}"#,
        )
        .unwrap();
        for version in ["1.0.0", "1.1.0"] {
            self.release(version);
        }
        let pack = publisher.path("good.pack");
        publisher.ok(&["evidence", "pack", "1.1.0", "-o", pack.to_str().unwrap()]);
        let old = publisher.path("old.pack");
        publisher.ok(&["evidence", "pack", "1.0.0", "-o", old.to_str().unwrap()]);
        publisher.ok(&["pin", "-o", "cam.pin", "--grade", "B1", "--sbom"]);
    }

    fn release(&self, version: &str) {
        let image = self.publisher.path(version);
        fs::write(&image, noise(version, 50_000)).unwrap();
        let image = image.to_str().unwrap().to_owned();
        let provenance = [
            "provenance",
            &image,
            "--from",
            "generic",
            "--builder",
            BUILDER,
            "--source",
            "git+https://example.com/cam",
            "--commit",
            &"ab".repeat(20),
            "--key",
            "file:builder.key",
            "-o",
            "provenance",
        ];
        self.publisher.ok(&provenance);
        let sbom = format!("{version}.sbom");
        let release = [
            "release",
            &image,
            "--version",
            version,
            "--deltas",
            "0",
            "--provenance",
            "provenance",
            "--sbom",
            &sbom,
            "--attach",
            "platform",
        ];
        self.publisher.ok(&release);
    }

    /// A file of the publisher's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.publisher.path(name)
    }
}
