//! Receipts: the device's signed word that a release has proved itself here, for whoever looks after it. Each names the
//! journal's last line, so that a journal which was rewritten since does not fit its receipts.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit, keyfile};
use manifests::attestation::dsse::{Envelope, IN_TOTO, pae};
use manifests::attestation::statement::{INSTALL, Statement, Subject};
use manifests::digest::Sha256;
use manifests::instant::UtcTime;
use manifests::json::{self, Json};

use crate::device::Device;
use crate::state::Image;

/// Name of the device's account key in the data folder.
pub const KEY_FILE: &str = "account.key";
/// The file, a receipt on each line.
const RECEIPTS: &str = "receipts.jsonl";
/// Receipts that are kept, the newest.
const RECEIPTS_MAX: usize = 256;
/// Bytes of the file.
const RECEIPTS_BYTES_MAX: u64 = 1 << 20;

/// Signs and keeps a receipt for an image that has proved itself. A device without a key, or one whose trusted metadata
/// names the release no more, writes none.
///
/// # Errors
/// [`CliError`]: a release that works is not given up for it.
pub fn write(device: &Device, image: &Image) -> Result<(), CliError> {
    let Some((name, sha256)) = target_of(device, image)? else {
        return Ok(());
    };
    let key = device.config.data_directory.join(KEY_FILE);
    let key = keyfile::open(&format!("file:{}", key.display()))?;
    let statement = Statement {
        subjects: vec![Subject { name, sha256 }],
        predicate_type: INSTALL.to_owned(),
        predicate: predicate(device, image),
    };
    let payload = statement.encode();
    let signature = key.sign(&pae(IN_TOTO, &payload));
    let envelope = Envelope::new(IN_TOTO, payload, &key.public(), signature);
    append(
        &device.config.data_directory,
        &json::encode(&envelope.to_json()),
    )
}

fn predicate(device: &Device, image: &Image) -> Json {
    let (seq, hash) = device.journal.head();
    let text = |text: &str| Json::from(text);
    Json::object([
        ("product", text(device.pin.product.as_str())),
        ("channel", text(device.pin.channel.as_str())),
        ("version", text(&image.version)),
        ("release", Json::from(image.release)),
        (
            "time",
            text(&UtcTime::from_system(SystemTime::now()).to_string()),
        ),
        ("journalSeq", Json::from(seq)),
        ("journalSha256", text(hash)),
    ])
}

/// The target and its SHA-256, by the trusted role.
fn target_of(device: &Device, image: &Image) -> Result<Option<(String, Sha256)>, CliError> {
    let stored = device
        .trust
        .load(&device.pin)
        .context(Exit::No, "trusted files")?;
    let role = stored.roles.get(device.pin.product.as_str());
    let found = role.and_then(|bytes| {
        let json = json::parse(bytes).ok()?;
        let targets = json
            .member("signed")?
            .members("targets", manifests::limits::TARGETS_MAX)
            .ok()?;
        targets.iter().find_map(|(name, target)| {
            let release = target.member("custom")?.integer("release", 0).ok()?;
            let sha256 = Sha256::parse(target.member("hashes")?.string("sha256").ok()?).ok()?;
            (release == image.release).then(|| (name.clone(), sha256))
        })
    });
    Ok(found)
}

fn append(data: &Path, line: &[u8]) -> Result<(), CliError> {
    let path: PathBuf = data.join(RECEIPTS);
    let before = durable::read_if_there(&path, RECEIPTS_BYTES_MAX).context(Exit::No, "receipts")?;
    let before = String::from_utf8_lossy(&before.unwrap_or_default()).into_owned();
    let mut lines: Vec<&str> = before.lines().collect();
    let line = String::from_utf8_lossy(line).into_owned();
    lines.push(&line);
    let newest = lines
        .get(lines.len().saturating_sub(RECEIPTS_MAX)..)
        .unwrap_or_default();
    let text: String = newest.iter().map(|line| format!("{line}\n")).collect();
    durable::replace(&path, text.as_bytes(), Access::World).context(Exit::No, "receipts")
}
