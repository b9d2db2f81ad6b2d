//! What unit tests of several modules share: a pin, releases, an opened device.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keys::{Algorithm, SigningKey};
use manifests::author;
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::digest::{Blake3, Sha256};
use manifests::envelope::{Authority, Envelope};
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::name::Name;
use manifests::pin::Pin;
use manifests::product::{Product, ProductTarget};
use manifests::release::{Content, ImageFormat, Release};
use manifests::root::{Role, Root};
use manifests::targets::Targets;

use crate::config::Config;
use crate::device::Device;
use crate::state::Image;

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A pin of the product `cam` on the channel `stable`, the same in every run.
pub(crate) fn pin() -> Pin {
    let key = SigningKey::from_secret(Algorithm::P256, &[7; 32]).unwrap();
    let id = author::key_id(&key.public());
    let authority = Authority::new(BTreeMap::from([(id, key.public().into())]), 1).unwrap();
    let roles = Role::ALL.map(|role| (role, authority.clone()));
    let root = Root::new(header(), roles.into(), Some(key.public())).unwrap();
    let root = author::sign(root.to_signed(), &[&key]);
    let day = Duration::from_secs(86_400);
    Pin::new(&root, name("cam"), name("stable"), day).unwrap()
}

fn header() -> Header {
    Header {
        version: 1,
        expires: UtcTime::from_unix(4_000_000_000),
    }
}

/// A content address that nothing has.
pub(crate) fn content(label: &str, size: u64) -> Content {
    let blake3 = Blake3::new(*blake3::hash(label.as_bytes()).as_bytes());
    Content { blake3, size }
}

/// The content address of bytes.
pub(crate) fn content_of(bytes: &[u8]) -> Content {
    Content {
        blake3: Blake3::new(*blake3::hash(bytes).as_bytes()),
        size: bytes.len() as u64,
    }
}

/// A raw release for `cam-r3` with this counter.
pub(crate) fn release(counter: u64) -> Release {
    Release {
        product: name("cam"),
        channel: name("stable"),
        version: format!("1.{counter}"),
        release: counter,
        security_version: 0,
        hardware: vec![name("cam-r2"), name("cam-r3")],
        format: ImageFormat::Raw,
        image: content(&format!("image {counter}"), 1000),
        deltas: Vec::new(),
    }
}

/// A product role that publishes these, in whatever order.
pub(crate) fn product(releases: &[Release]) -> Product {
    let files: Vec<Option<&Release>> = releases.iter().map(Some).collect();
    product_of(&files)
}

/// A product role whose files are these releases, or no release at all.
pub(crate) fn product_of(files: &[Option<&Release>]) -> Product {
    let targets = files.iter().enumerate().map(|(index, release)| {
        let target = ProductTarget {
            length: release.map_or(10, |release| release.image.size),
            sha256: Sha256::new([8; 32]),
            release: release.cloned(),
        };
        (format!("cam-{index}.bin"), target.to_target())
    });
    let role = Targets::new(header(), targets.collect(), Delegations::default());
    let key = SigningKey::from_secret(Algorithm::P256, &[7; 32]).unwrap();
    let keys = BTreeMap::from([(author::key_id(&key.public()), key.public().into())]);
    let delegation = Delegation {
        name: "cam".to_owned(),
        authority: Authority::new(keys, 1).unwrap(),
        scope: Scope::Paths(vec!["cam-*".to_owned()]),
        terminating: true,
    };
    let signed = author::sign(role.to_signed(), &[&key]);
    let envelope = Envelope::<Targets>::parse(&signed).unwrap();
    let verified = envelope.verify(&delegation.authority).unwrap();
    Product::of(&verified, &delegation).unwrap()
}

/// What the state says of an image with this content.
pub(crate) fn image(counter: u64, bytes: &[u8]) -> Image {
    let content = content_of(bytes);
    Image {
        version: format!("1.{counter}"),
        release: counter,
        security_version: counter,
        blake3: content.blake3.to_string(),
        size: content.size,
    }
}

/// A configuration with two slots under `folder`; `extra` is added at its end.
pub(crate) fn config(folder: &Path, kind: &str, extra: &str) -> Config {
    let text = format!(
        "[system]\ncompatible = 'cam-r3'\ndata-directory = '{0}/data'\n\
         [slot.rootfs.0]\ndevice = '{0}/a'\ntype = '{kind}'\nbootname = 'A'\n\
         [slot.rootfs.1]\ndevice = '{0}/b'\ntype = '{kind}'\nbootname = 'B'\n{extra}",
        folder.display()
    );
    Config::parse(&text).unwrap()
}

/// A pinned device whose first slot holds `running`.
pub(crate) fn device(folder: &Path, running: &[u8], extra: &str) -> Device {
    let config = config(folder, "raw", extra);
    Device::create(&config, &pin()).unwrap();
    fs::write(folder.join("a"), running).unwrap();
    Device::open(config).unwrap()
}

/// Every file below a folder, by path; symbolic links by their target.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let bytes = if kind.is_dir() {
                open.push(path.clone());
                b"directory".to_vec()
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                target.into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
        }
    }
    found
}
