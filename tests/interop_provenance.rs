//! One release of ours, checked by the tools that others use: each sees that it is good, and each its own negative.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::foreign;
use support::programs::{repository_root, text};
use support::stated::Scene;
use tempfile::TempDir;

/// Of Debian forky, by version.
pub(crate) const FORKY: [&str; 3] = ["cosign", "torchwood", "sigsum-go"];
const NODE_PACKAGES: [&str; 3] = [
    "@sigstore/verify@4.1.3",
    "@sigstore/bundle@5",
    "@sigstore/protobuf-specs@0.5",
];
const PYTHON_PACKAGES: [&str; 5] = [
    "securesystemslib==1.6.0",
    "cryptography",
    "in-toto-attestation",
    "cyclonedx-python-lib[json-validation]",
    "spdx-tools",
];

/// The files of a pack, unpacked, and what is asked of them.
pub(crate) struct Unpacked {
    folder: TempDir,
    image: PathBuf,
}

impl Unpacked {
    pub(crate) fn new(pack: &str, version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::shared();
        let unpack = Command::new("tar")
            .arg("xf")
            .arg(scene.path(pack))
            .arg("-C")
            .arg(folder.path())
            .status();
        assert!(unpack.unwrap().success());
        Self {
            image: scene.path(version),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn evidence(&self, name: &str) -> PathBuf {
        self.path("evidence").join(name)
    }

    /// The image with a byte more.
    fn other_image(&self) -> PathBuf {
        let other = self.path("other");
        let image = fs::read(&self.image).unwrap();
        fs::write(&other, [&image[..], b"x"].concat()).unwrap();
        other
    }

    /// A bundle without its entry in the log.
    fn without_entry(&self, name: &str) -> PathBuf {
        let mut bundle: serde_json::Value =
            serde_json::from_slice(&fs::read(self.evidence(name)).unwrap()).unwrap();
        bundle["verificationMaterial"]["tlogEntries"] = serde_json::json!([]);
        let path = self.path("without-entry.json");
        fs::write(&path, bundle.to_string()).unwrap();
        path
    }

    /// What the log holds of a bundle.
    pub(crate) fn entry(&self, name: &str) -> Vec<u8> {
        let bundle = fs::read(self.evidence(name)).unwrap();
        let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        let entry = &bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"];
        STANDARD.decode(entry.as_str().unwrap()).unwrap()
    }

    /// A bundle with one byte of a member changed.
    fn changed(&self, name: &str, member: &str) -> PathBuf {
        let mut bytes = fs::read(self.evidence(name)).unwrap();
        let member = format!("\"{member}\": \"");
        let at = bytes
            .windows(member.len())
            .position(|part| part == member.as_bytes())
            .unwrap()
            + member.len()
            + 30;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let path = self.path("changed.json");
        fs::write(&path, bytes).unwrap();
        path
    }
}

#[track_caller]
pub(crate) fn accepts(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

#[track_caller]
pub(crate) fn refuses(output: &Output) {
    assert!(!output.status.success(), "{}", text(output));
}

#[test]
fn openssl_verifies_the_image() {
    let unpacked = Unpacked::new("good.pack", "1.1.0");
    let bundle = fs::read(unpacked.evidence("image.sigstore.json")).unwrap();
    let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    let signature = bundle["messageSignature"]["signature"].as_str().unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    fs::write(unpacked.path("signature"), signature).unwrap();
    let verify = |image: &Path| {
        Command::new("openssl")
            .args([
                "dgst",
                "-sha256",
                "-verify",
                "keys/release.pem",
                "-signature",
                "signature",
            ])
            .arg(image)
            .current_dir(unpacked.folder.path())
            .output()
            .unwrap()
    };
    accepts(&verify(&unpacked.image));
    refuses(&verify(&unpacked.other_image()));
}

#[test]
fn cosign_verifies_image_and_statements() {
    let Some(programs) = foreign::debian("forky", &FORKY, "cosign") else {
        eprintln!("SKIPPED: no cosign 3 here (apt, Debian forky)");
        return;
    };
    let unpacked = Unpacked::new("good.pack", "1.1.0");
    let builder = unpacked.path("builder.pem");
    fs::write(&builder, builder_key()).unwrap();
    let release = unpacked.path("keys/release.pem");
    let verify = |command: &[&str], key: &Path, bundle: &Path, image: &Path| {
        Command::new(programs.join("cosign"))
            .args(command)
            .arg("--key")
            .arg(key)
            .arg("--bundle")
            .arg(bundle)
            .arg("--trusted-root")
            .arg(unpacked.path("keys/trusted_root.json"))
            .arg(image)
            .output()
            .unwrap()
    };
    let (image, other) = (unpacked.image.clone(), unpacked.other_image());
    let statement = |kind: &'static str| ["verify-blob-attestation", "--type", kind];
    let cases: [(&[&str], &Path, &str, &str); 3] = [
        (
            &["verify-blob"],
            &release,
            "image.sigstore.json",
            "signature",
        ),
        (
            &statement("https://in-toto.io/attestation/release/v0.1"),
            &release,
            "release.sigstore.json",
            "payload",
        ),
        (
            &statement("slsaprovenance1"),
            &builder,
            "provenance.sigstore.json",
            "payload",
        ),
    ];
    for (command, key, name, member) in cases {
        let bundle = unpacked.evidence(name);
        accepts(&verify(command, key, &bundle, &image));
        refuses(&verify(command, key, &bundle, &other));
        refuses(&verify(
            command,
            key,
            &unpacked.changed(name, member),
            &image,
        ));
        refuses(&verify(command, key, &unpacked.without_entry(name), &image));
    }
}

/// The builder's public key, as the product's role names it.
fn builder_key() -> String {
    let scene = Scene::shared();
    let role = fs::read_dir(scene.path("repository/metadata")).unwrap();
    let roles = role.map(|entry| entry.unwrap().path());
    let newest = roles
        .filter(|path| path.to_string_lossy().ends_with(".cam.json"))
        .max()
        .unwrap();
    let role: serde_json::Value = serde_json::from_slice(&fs::read(newest).unwrap()).unwrap();
    role["signed"]["x-streembit-statements"]["builders"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn sigstore_js_verifies_image_and_statements() {
    let works = |folder: &Path| {
        let modules = folder.join("node_modules");
        let mut node = Command::new("node");
        foreign::runs(
            node.args(["-e", "require('@sigstore/verify')"])
                .env("NODE_PATH", modules),
        )
    };
    let steps = |folder: &Path| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
        foreign::runs(npm.arg(folder).args(NODE_PACKAGES))
    };
    if !foreign::install("sigstore-js", works, steps) {
        eprintln!("SKIPPED: no @sigstore/verify here (node and npm)");
        return;
    }
    let unpacked = Unpacked::new("good.pack", "1.1.0");
    let verify = |bundle: &Path, image: Option<&Path>| {
        let mut node = Command::new("node");
        node.arg(repository_root().join("tests/node/sigstore_verify.cjs"))
            .arg(bundle)
            .arg(unpacked.path("keys/trusted_root.json"))
            .arg(unpacked.path("keys/release.pem"))
            .args(image)
            .env(
                "NODE_PATH",
                foreign::installed().join("sigstore-js/node_modules"),
            );
        node.output().unwrap()
    };
    accepts(&verify(
        &unpacked.evidence("image.sigstore.json"),
        Some(&unpacked.image),
    ));
    refuses(&verify(
        &unpacked.evidence("image.sigstore.json"),
        Some(&unpacked.other_image()),
    ));
    accepts(&verify(&unpacked.evidence("release.sigstore.json"), None));
    refuses(&verify(
        &unpacked.changed("release.sigstore.json", "payload"),
        None,
    ));
    refuses(&verify(
        &unpacked.changed("release.sigstore.json", "canonicalizedBody"),
        None,
    ));
    refuses(&verify(
        &unpacked.without_entry("release.sigstore.json"),
        None,
    ));
}

#[test]
fn securesystemslib_in_toto_and_validators_of_components_read_ours() {
    let import = "import securesystemslib, in_toto_attestation, cyclonedx, spdx_tools";
    let Some(python) = foreign::python("statements", &PYTHON_PACKAGES, import) else {
        eprintln!(
            "SKIPPED: no securesystemslib, in-toto-attestation, cyclonedx, spdx-tools here (python3-venv)"
        );
        return;
    };
    for (pack, version) in [("good.pack", "1.1.0"), ("old.pack", "1.0.0")] {
        let unpacked = Unpacked::new(pack, version);
        let sbom = unpacked.path(if version == "1.0.0" {
            "sbom.spdx.json"
        } else {
            "sbom.cdx.json"
        });
        fs::copy(unpacked.evidence("sbom.json"), &sbom).unwrap();
        let builder = unpacked.path("builder.pem");
        fs::write(&builder, builder_key()).unwrap();
        let read = |bundle: &Path, key: &Path, sbom: &Path| {
            let mut read = Command::new(&python);
            read.arg(repository_root().join("tests/python/statements.py"));
            read.arg(bundle).arg(key).arg(sbom).output().unwrap()
        };
        let release = unpacked.path("keys/release.pem");
        accepts(&read(
            &unpacked.evidence("release.sigstore.json"),
            &release,
            &sbom,
        ));
        accepts(&read(
            &unpacked.evidence("provenance.sigstore.json"),
            &builder,
            &sbom,
        ));
        refuses(&read(
            &unpacked.changed("release.sigstore.json", "payload"),
            &release,
            &sbom,
        ));
        refuses(&read(
            &unpacked.evidence("release.sigstore.json"),
            &builder,
            &sbom,
        ));
        // Words that neither CycloneDX nor SPDX have.
        let text = fs::read_to_string(&sbom).unwrap();
        let bad = text.replacen("\"library\"", "\"nothing\"", 1);
        let bad = bad.replacen("\"FIRMWARE\"", "\"NOTHING\"", 1);
        assert_ne!(bad, text);
        fs::write(&sbom, bad).unwrap();
        refuses(&read(
            &unpacked.evidence("release.sigstore.json"),
            &release,
            &sbom,
        ));
    }
}
