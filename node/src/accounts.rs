//! Accounts on this machine: a folder each in the data folder, with the key and what became of the account.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit, keyfile};
use keys::{AccountName, AgreementKey, NodeId, SigningKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::identity::account::{self, Live, State};
use protocol::identity::account_change;
use serde::{Deserialize, Serialize};

/// Folder of accounts in the data folder.
const FOLDER: &str = "accounts";
/// The key, and what became of the account.
const KEY: &str = "account.key";
const HISTORY: &str = "account.json";
/// The next key, while it takes over.
const NEXT_KEY: &str = "account.next.key";
/// Bytes of what became of an account: as many changes of key as a record shows, a farewell for each.
const HISTORY_BYTES_MAX: u64 = 256 * 1024;
/// What a name is as a folder: any file system takes it, and no name leads elsewhere.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Where an account lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFolder {
    path: PathBuf,
}

impl Past {
    /// Of an account that is new.
    pub const fn none(name: AccountName) -> Self {
        Self {
            name,
            changes: Vec::new(),
            farewells: Vec::new(),
        }
    }
}

/// What became of an account, beside its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// The account's name.
    pub name: AccountName,
    /// Changes of key that led to the key that it has, the oldest first: tokens.
    #[serde(default)]
    pub changes: Vec<String>,
    /// Records that say of its former keys that they moved, to be announced.
    #[serde(default)]
    pub farewells: Vec<String>,
}

impl AccountFolder {
    /// The folder of an account of this name, whether it exists or not.
    pub fn of(data: &Path, name: &AccountName) -> Self {
        let folder = utf8_percent_encode(name.as_str(), PLAIN).to_string();
        Self {
            path: data.join(FOLDER).join(folder),
        }
    }

    /// All accounts in a data folder, by name.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn list(data: &Path) -> Result<Vec<(Past, Self)>, PathError> {
        let folder = data.join(FOLDER);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| PathError::new(&folder, error))?,
        };
        let mut accounts = Vec::new();
        for entry in entries {
            let path = entry
                .map_err(|error| PathError::new(&folder, error))?
                .path();
            let account = Self { path };
            if let Some(past) = account.past()? {
                account.finish_change(&past)?;
                // An account whose key is elsewhere has only what became of it here.
                if !account.key_file().exists() {
                    continue;
                }
                accounts.push((past, account));
            }
        }
        accounts.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        Ok(accounts)
    }

    /// The account of this name, or the only one.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] that names those that there are.
    pub fn choose(data: &Path, name: Option<&AccountName>) -> Result<(Past, Self), CliError> {
        let mut accounts = Self::list(data).context(Exit::No, "accounts")?;
        let names: Vec<String> = accounts
            .iter()
            .map(|(past, _)| past.name.to_string())
            .collect();
        let all = names.join(", ");
        if let Some(name) = name {
            let found = accounts.into_iter().find(|(past, _)| past.name == *name);
            return found.ok_or_else(|| {
                let message = format!("no account {:?} in {}", name.as_str(), data.display());
                let fix = format!("there are: {all}; or `streembit account create NAME`");
                CliError::new(Exit::Usage, message).hint(fix)
            });
        }
        match (accounts.pop(), accounts.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => {
                let message = format!("no account in {}", data.display());
                Err(CliError::new(Exit::Usage, message)
                    .hint("make one: `streembit account create NAME`"))
            }
            (Some(_), false) => {
                let message = format!("several accounts in {}: {all}", data.display());
                Err(CliError::new(Exit::Usage, message).hint("say which by --account NAME"))
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its key file.
    pub fn key_file(&self) -> PathBuf {
        self.path.join(KEY)
    }

    /// Its next key file, while that takes over.
    pub fn next_key_file(&self) -> PathBuf {
        self.path.join(NEXT_KEY)
    }

    /// Ends a change of key that was cut off: once what became of the account says so, the next key is the key;
    /// before, it never was one.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn finish_change(&self, past: &Past) -> Result<(), PathError> {
        let next = self.next_key_file();
        let limit = u64::try_from(keys::file::KEY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
        let Some(bytes) = durable::read_if_there(&next, limit)? else {
            return Ok(());
        };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let key = keys::KeyFile::parse(&text).ok();
        let named = past
            .changes
            .last()
            .map(|token| account_change::verify_named(token, &past.name));
        let is_named =
            matches!((key, named), (Some(key), Some(Ok((_, new)))) if *key.public() == new);
        if !is_named {
            return durable::remove(&next);
        }
        fs::rename(&next, self.key_file())
            .and_then(|()| durable::sync_folder_of(&next))
            .map_err(|error| PathError::new(&next, error))
    }

    /// What became of the account; `None` if there is none here.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn past(&self) -> Result<Option<Past>, PathError> {
        let path = self.path.join(HISTORY);
        let Some(bytes) = durable::read_if_there(&path, HISTORY_BYTES_MAX)? else {
            return Ok(None);
        };
        let past = serde_json::from_slice(&bytes);
        past.map(Some).map_err(|error| {
            PathError::new(&path, io::Error::new(io::ErrorKind::InvalidData, error))
        })
    }

    /// Writes what became of the account.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn write_past(&self, past: &Past) -> Result<(), PathError> {
        durable::create_folder(&self.path)?;
        let path = self.path.join(HISTORY);
        let mut bytes =
            serde_json::to_vec_pretty(past).map_err(|error| PathError::new(&path, error.into()))?;
        bytes.push(b'\n');
        durable::replace(&path, &bytes, Access::Owner)
    }
}

/// An account whose key is open.
#[derive(Debug)]
pub struct Account {
    /// Its key.
    pub key: SigningKey,
    /// What others encrypt for.
    pub agreement: AgreementKey,
    /// Its name.
    pub name: AccountName,
    /// Computed from key and name.
    pub node_id: NodeId,
    /// What became of it before.
    pub past: Past,
}

impl Account {
    /// Takes a key.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`] if it is no P-256 key.
    pub fn new(key: SigningKey, past: Past) -> Result<Self, CliError> {
        let name = past.name.clone();
        let what = format!("key of {name}");
        Ok(Self {
            agreement: AgreementKey::of_account(&key).context(Exit::Key, &what)?,
            node_id: keys::node_id(&key.public(), &name).context(Exit::Key, &what)?,
            key,
            name,
            past,
        })
    }

    /// Opens the account in a folder.
    ///
    /// * `uri`: its key, if that is not in the folder.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub fn open(folder: &AccountFolder, past: Past, uri: Option<&str>) -> Result<Self, CliError> {
        let file = folder.key_file().display().to_string();
        Self::new(keyfile::open(uri.unwrap_or(&file))?, past)
    }

    /// Signs the account's record at `now`, which is its sequence too.
    ///
    /// # Errors
    /// [`account::AccountError`].
    pub fn record(&self, now: u64) -> Result<String, account::AccountError> {
        let live = Live {
            agreement: self.agreement.public(),
            changes: self.past.changes.clone(),
        };
        let state = State::Live(Box::new(live));
        account::sign_state(&self.key, &self.name, (now, state), now)
    }
}
