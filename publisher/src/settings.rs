//! `publisher.toml`: what a repository is for, which keys sign it, how long signatures live.

mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::durable::Access;
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, durable, human, keyfile};
use keys::{KeyUri, PublicKey, RoleKey};
use manifests::client::Repository;
use manifests::envelope::Authority;
use manifests::name::Name;
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Table};

pub use log::{BuilderSettings, ExpectingBuilder, LogSettings};

/// Bytes of the file.
const SETTINGS_BYTES_MAX: u64 = 64 * 1024;

/// The settings of a repository. Unknown members are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The channel that releases go to.
    pub channel: String,
    /// How many earlier releases get a delta to a new one.
    pub deltas: usize,
    /// The keys of the top-level roles.
    pub keys: KeyUris,
    /// How long signatures live.
    pub life: Lives,
    /// The transparency log, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSettings>,
    /// The products, by the names of their delegated roles.
    #[serde(default)]
    pub products: BTreeMap<String, ProductSettings>,
}

/// A product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductSettings {
    /// Hardware ids that a release fits unless it says otherwise.
    #[serde(default)]
    pub hardware: Vec<String>,
    /// Key URIs of its role.
    pub keys: Vec<String>,
}

/// Key URIs of the top-level roles; a relative `file:` path starts at the folder of `publisher.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUris {
    /// Root keys: kept offline, needed for new roots alone.
    pub root: Vec<String>,
    /// Keys of the top-level targets.
    pub targets: Vec<String>,
    /// Keys of the snapshot.
    pub snapshot: Vec<String>,
    /// Keys of the timestamp.
    pub timestamp: Vec<String>,
    /// The account that signs release heads and is the seeding node; more than one while it changes.
    pub account: Vec<String>,
}

/// Lives by role, as people write durations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lives {
    /// Of the root.
    pub root: String,
    /// Of the top-level targets.
    pub targets: String,
    /// Of products' roles.
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
    /// Of products' roles.
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
        settings.channel_name()?;
        for product in settings.products.keys() {
            Name::parse(product).context(Exit::Usage, "publisher.toml: products")?;
        }
        Ok(settings)
    }

    /// Writes the settings. Comments and order of the file that is there stay.
    ///
    /// # Errors
    /// [`CliError`]; the file is as before then.
    pub fn save(&self, folder: &Path) -> Result<(), CliError> {
        let path = path_in(folder);
        let there = durable::read_if_there(&path, SETTINGS_BYTES_MAX);
        let there = there.context(Exit::No, "settings")?.unwrap_or_default();
        let mut document: DocumentMut = String::from_utf8_lossy(&there)
            .parse()
            .context(Exit::Usage, path.display())?;
        let new = toml::to_string_pretty(self).context(Exit::No, "settings")?;
        let new: DocumentMut = new.parse().context(Exit::No, "settings")?;
        merge(document.as_table_mut(), new.as_table());
        durable::replace(&path, document.to_string().as_bytes(), Access::World)
            .context(Exit::No, "settings")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }

    /// The product that is meant: the named one, or the only one.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] if none is named and there is not one alone.
    pub fn product(&self, named: Option<&Name>, repository: &Repository) -> Result<Name, CliError> {
        let published = |name: &&String| repository.products.contains_key(*name);
        let mut names = self.products.keys().filter(published);
        match (named, names.next(), names.next()) {
            (Some(name), _, _) => Ok(name.clone()),
            (None, Some(only), None) => Name::parse(only).context(Exit::Usage, "publisher.toml"),
            (None, None, _) => Err(CliError::new(Exit::Usage, "there is no product")
                .hint("streembit-publisher product add NAME --hardware ID")),
            (None, Some(_), Some(_)) => {
                let names = self.products.keys().filter(published);
                let names: Vec<&str> = names.map(String::as_str).collect();
                let message = format!("there are several products: {}", names.join(" "));
                Err(CliError::new(Exit::Usage, message).hint("name one: --product NAME"))
            }
        }
    }

    /// The key URIs of a role.
    pub fn keys_of(&self, role: &str) -> &[String] {
        match role {
            "root" => &self.keys.root,
            "targets" => &self.keys.targets,
            "snapshot" => &self.keys.snapshot,
            "timestamp" => &self.keys.timestamp,
            product => self.products.get(product).map_or(&[], |it| &it.keys),
        }
    }

    /// The same, to be changed; `None` if the settings don't have the role.
    pub fn keys_of_mut(&mut self, role: &str) -> Option<&mut Vec<String>> {
        Some(match role {
            "root" => &mut self.keys.root,
            "targets" => &mut self.keys.targets,
            "snapshot" => &mut self.keys.snapshot,
            "timestamp" => &mut self.keys.timestamp,
            product => &mut self.products.get_mut(product)?.keys,
        })
    }

    /// The URI of an account's key, its path resolved.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`] if it is not here.
    pub fn account_uri(&self, folder: &Path, account: &PublicKey) -> Result<String, CliError> {
        for uri in &self.keys.account {
            let uri = resolve(folder, uri)?;
            if keyfile::public(&uri).is_ok_and(|public| public == *account) {
                return Ok(uri);
            }
        }
        let message = format!("the key of the account {} is not here", account.to_hex());
        Err(CliError::new(Exit::Key, message).hint("publisher.toml: keys.account"))
    }

    /// Forgets roles that there are no more, and keys that are here and that their role has no more.
    /// Returns what it forgot.
    pub fn retire(
        &mut self,
        folder: &Path,
        roles: &[(String, Authority)],
        account: Option<&PublicKey>,
    ) -> Vec<String> {
        let authority = |name: &str| roles.iter().find(|(role, _)| role == name);
        let mut retired = Vec::new();
        self.products.retain(|name, _| {
            let there = authority(name).is_some();
            if !there {
                retired.push(format!("product {name}"));
            }
            there
        });
        self.keys.account.retain(|uri| {
            let public = resolve(folder, uri).and_then(|uri| keyfile::public(&uri));
            let gone = public.is_ok_and(|public| Some(&public) != account);
            if gone {
                retired.push(uri.clone());
            }
            !gone
        });
        for (role, authority) in roles {
            let Some(uris) = self.keys_of_mut(role) else {
                continue;
            };
            uris.retain(|uri| {
                let public = resolve(folder, uri).and_then(|uri| Signer::public_of(&uri));
                let gone = public.is_ok_and(|key| {
                    let key = RoleKey::from(key);
                    !authority.distinct_keys().contains(&key)
                });
                if gone {
                    retired.push(uri.clone());
                }
                !gone
            });
        }
        retired
    }

    /// All URIs of roles that people sign, each once.
    pub fn uris(&self) -> Vec<String> {
        let products = self.products.values().flat_map(|product| &product.keys);
        let uris: BTreeSet<&String> = self
            .keys
            .root
            .iter()
            .chain(&self.keys.targets)
            .chain(products)
            .collect();
        uris.into_iter().cloned().collect()
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

/// Makes a table say what another says, and touches nothing else of it.
fn merge(table: &mut Table, new: &Table) {
    table.retain(|name, _| new.contains_key(name));
    for (name, item) in new {
        match (table.get_mut(name), item) {
            (Some(Item::Table(old)), Item::Table(new)) => merge(old, new),
            (Some(old), item) if old.to_string().trim() == item.to_string().trim() => {}
            (_, item) => {
                table.insert(name, item.clone());
            }
        }
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

/// Opens the keys at hand whose public halves are `wanted`. One that is elsewhere is passed over: a key
/// file that is not there, as root keys are, a token or program that does not answer.
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
        let public = match Signer::public_of(&uri) {
            Err(error) if !uri.starts_with("file:") => {
                tracing::warn!(%error, "key passed over");
                continue;
            }
            public => public?,
        };
        if wanted(&public.into()) {
            signers.push(Signer::open(&uri)?);
        }
    }
    Ok(signers)
}

/// Where the settings of a repository are.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("publisher.toml")
}

/// A key URI of the command line as the settings keep it: its path starts at the current folder there, at
/// the repository's here.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`] for a malformed URI.
pub fn given(folder: &Path, uri: &str) -> Result<String, CliError> {
    let KeyUri::File(path) = KeyUri::parse(uri).context(Exit::Key, format_args!("key {uri:?}"))?
    else {
        return Ok(uri.to_owned());
    };
    let absolute = |path: &Path| std::path::absolute(path).context(Exit::Key, path.display());
    let (path, folder) = (absolute(Path::new(&path))?, absolute(folder)?);
    let path = path.strip_prefix(folder).unwrap_or(&path);
    Ok(format!("file:{}", path.display()))
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
