//! `publisher.toml`: what a repository is for, which keys sign it, how long signatures live.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, durable, human};
use keys::{KeyUri, PublicKey, RoleKey};
use manifests::name::Name;
use serde::{Deserialize, Serialize};

/// Bytes of the file.
const SETTINGS_BYTES_MAX: u64 = 64 * 1024;

/// The settings of a repository. Unknown members are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The product, also the name of its delegated role.
    pub product: String,
    /// The channel that releases go to.
    pub channel: String,
    /// Hardware ids that a release fits unless it says otherwise.
    pub hardware: Vec<String>,
    /// How many earlier releases get a delta to a new one.
    pub deltas: usize,
    /// The signing keys.
    pub keys: KeyUris,
    /// How many keys of a role must sign.
    pub threshold: Thresholds,
    /// How long signatures live.
    pub life: Lives,
}

/// Key URIs by role; a relative `file:` path starts at the folder of `publisher.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUris {
    /// Root keys: kept offline, needed for new roots alone.
    pub root: Vec<String>,
    /// Keys of the top-level targets.
    pub targets: Vec<String>,
    /// Keys of the product's role, for every release.
    pub product: Vec<String>,
    /// Keys of the snapshot.
    pub snapshot: Vec<String>,
    /// Keys of the timestamp.
    pub timestamp: Vec<String>,
    /// The account that signs release heads and is the seeding node.
    pub account: String,
}

/// Thresholds by role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Of the root.
    pub root: u64,
    /// Of the top-level targets.
    pub targets: u64,
    /// Of the product's role.
    pub product: u64,
}

/// Lives by role, as people write durations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lives {
    /// Of the root.
    pub root: String,
    /// Of the top-level targets.
    pub targets: String,
    /// Of the product's role.
    pub product: String,
    /// Of snapshot, timestamp and release head.
    pub timestamp: String,
}

/// Parsed lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeSpans {
    /// Of the root.
    pub root: Duration,
    /// Of the top-level targets.
    pub targets: Duration,
    /// Of the product's role.
    pub product: Duration,
    /// Of snapshot, timestamp and release head.
    pub timestamp: Duration,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            root: "1y".to_owned(),
            targets: "180d".to_owned(),
            product: "90d".to_owned(),
            timestamp: "7d".to_owned(),
        }
    }
}

impl Settings {
    /// Reads the settings of the repository in `folder`.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] naming file and line.
    pub fn load(folder: &Path) -> Result<Self, CliError> {
        let path = path_in(folder);
        let bytes = durable::read(&path, SETTINGS_BYTES_MAX)
            .context(Exit::Usage, "no repository here")
            .map_err(|error| error.hint("streembit-publisher init, or name its --repository"))?;
        let text = String::from_utf8(bytes).context(Exit::Usage, path.display())?;
        let settings: Self = toml::from_str(&text).context(Exit::Usage, path.display())?;
        settings.lives()?;
        settings.product_name()?;
        settings.channel_name()?;
        Ok(settings)
    }

    /// Encodes the settings as TOML.
    ///
    /// # Errors
    /// [`CliError`] if they can't be encoded.
    pub fn encode(&self) -> Result<String, CliError> {
        toml::to_string_pretty(self).context(Exit::No, "publisher.toml")
    }

    /// The product.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] if it is no flat name.
    pub fn product_name(&self) -> Result<Name, CliError> {
        Name::parse(&self.product).context(Exit::Usage, "publisher.toml: product")
    }

    /// The channel.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] if it is no flat name.
    pub fn channel_name(&self) -> Result<Name, CliError> {
        Name::parse(&self.channel).context(Exit::Usage, "publisher.toml: channel")
    }

    /// The lives, parsed.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] naming the role.
    pub fn lives(&self) -> Result<LifeSpans, CliError> {
        let parse = |role: &str, text: &str| {
            human::parse_duration(text)
                .context(Exit::Usage, format_args!("publisher.toml: life.{role}"))
        };
        Ok(LifeSpans {
            root: parse("root", &self.life.root)?,
            targets: parse("targets", &self.life.targets)?,
            product: parse("product", &self.life.product)?,
            timestamp: parse("timestamp", &self.life.timestamp)?,
        })
    }
}

impl KeyUris {
    /// The URIs of a role; those of any delegated role are the product's.
    pub fn of(&self, role: &str) -> &[String] {
        match role {
            "root" => &self.root,
            "targets" => &self.targets,
            "snapshot" => &self.snapshot,
            "timestamp" => &self.timestamp,
            _ => &self.product,
        }
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, role: &str) -> &mut Vec<String> {
        match role {
            "root" => &mut self.root,
            "targets" => &mut self.targets,
            "snapshot" => &mut self.snapshot,
            "timestamp" => &mut self.timestamp,
            _ => &mut self.product,
        }
    }

    /// All URIs of roles that people sign, each once.
    pub fn uris(&self) -> Vec<String> {
        let mut uris = [self.root.as_slice(), &self.targets, &self.product].concat();
        uris.sort();
        uris.dedup();
        uris
    }
}

impl LifeSpans {
    /// How long a role's document lives.
    pub fn of(&self, role: &str) -> Duration {
        match role {
            "root" => self.root,
            "targets" => self.targets,
            "snapshot" | "timestamp" => self.timestamp,
            _ => self.product,
        }
    }
}

/// Opens the keys at hand whose public halves are `wanted`. A key file that is not there, as root keys
/// are, is passed over.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`] if a wanted key that is there can't be opened.
pub fn signers(
    folder: &Path,
    uris: &[String],
    wanted: impl Fn(&RoleKey) -> bool,
) -> Result<Vec<Signer>, CliError> {
    let mut signers = Vec::new();
    for uri in uris {
        let uri = resolve(folder, uri)?;
        if let Some(path) = uri.strip_prefix("file:")
            && !Path::new(path).exists()
        {
            continue;
        }
        if wanted(&Signer::public_of(&uri)?.into()) {
            signers.push(Signer::open(&uri)?);
        }
    }
    Ok(signers)
}

/// Where the settings of a repository are.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("publisher.toml")
}

/// A key URI with its relative path resolved against the repository's folder.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`] for a malformed URI.
pub fn resolve(folder: &Path, uri: &str) -> Result<String, CliError> {
    match KeyUri::parse(uri).context(Exit::Key, format_args!("key {uri:?}"))? {
        KeyUri::File(path) => Ok(format!("file:{}", folder.join(path).display())),
        other => Ok(other.to_string()),
    }
}

/// The public halves of the keys of a role; needs no passcode.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn public_all(folder: &Path, uris: &[String]) -> Result<Vec<PublicKey>, CliError> {
    uris.iter()
        .map(|uri| Signer::public_of(&resolve(folder, uri)?))
        .collect()
}
