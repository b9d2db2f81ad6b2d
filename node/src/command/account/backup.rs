//! `streembit account export`, `import` and `change-passcode`.
//!
//! A backup is text: the key file, and after it what became of the account and its contacts, sealed for that key.

use std::path::Path;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit};
use keys::AgreementKey;
use protocol::contacts::book::Book;
use protocol::jose::jwe;
use serde::{Deserialize, Serialize};

use super::Shown;
use crate::accounts::{Account, AccountFolder, Past};
use crate::messenger::{read_book, write_book};

/// `typ` of what is sealed.
const TYP: &str = "streembit-backup";
const BEGIN: &str = "-----BEGIN STREEMBIT ACCOUNT-----";
const END: &str = "-----END STREEMBIT ACCOUNT-----";
/// Bytes of a backup: a thousand contacts.
const BACKUP_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    past: Past,
    contacts: Book,
}

/// Writes a backup, encrypted under a passcode whatever the key file is.
pub(super) fn export((past, folder): (Past, AccountFolder), to: &Path) -> Result<Shown, CliError> {
    if to.exists() {
        let message = format!("{} exists already", to.display());
        return Err(CliError::new(Exit::No, message).hint("choose another path"));
    }
    let shown = super::show(&(past.clone(), folder.clone()))?;
    let account = Account::open(&folder, past, None)?;
    let contacts = read_book(folder.path()).context(Exit::No, "contacts")?;
    let content = Content {
        past: account.past.clone(),
        contacts,
    };
    let content = serde_json::to_vec(&content).context(Exit::No, "backup")?;
    let mut rng = keyfile::os_rng();
    let sealed = jwe::seal(&account.agreement.public(), TYP, &content, &mut rng);
    let sealed = sealed.context(Exit::Key, "backup")?;
    let what = to.display().to_string();
    let key = keyfile::seal(
        &account.key,
        account.name.as_str(),
        NewKey::Encrypted,
        &what,
    )?;
    let text = format!("{}\n{BEGIN}\n{sealed}\n{END}\n", key.trim_end());
    durable::replace(to, text.as_bytes(), Access::Owner).context(Exit::No, "backup")?;
    Ok(shown)
}

/// Takes an account from a backup into the data folder.
pub(super) fn import(data: &Path, from: &Path) -> Result<Shown, CliError> {
    let bytes = durable::read(from, BACKUP_BYTES_MAX).context(Exit::No, "backup")?;
    let place = from.display();
    let malformed = || {
        CliError::new(Exit::No, format_args!("{place} is no backup of an account"))
            .hint("one is made by `streembit account export`")
    };
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (key_file, rest) = text.split_once(BEGIN).ok_or_else(malformed)?;
    let (sealed, after) = rest.split_once(END).ok_or_else(malformed)?;
    if !after.trim().is_empty() {
        return Err(malformed());
    }
    let key = keyfile::open_text(key_file, &place.to_string())?;
    let agreement = AgreementKey::of_account(&key).context(Exit::Key, &place)?;
    let limit = usize::try_from(BACKUP_BYTES_MAX).unwrap_or(usize::MAX);
    let content = jwe::open(&agreement, TYP, sealed.trim().as_bytes(), limit);
    let content = content.context(Exit::Key, &place)?;
    let content: Content = serde_json::from_slice(content.expose()).map_err(|_| malformed())?;
    let folder = AccountFolder::of(data, &content.past.name);
    if folder.past().context(Exit::No, "account")?.is_some() {
        let message = format!(
            "{} has an account {:?} already",
            data.display(),
            content.past.name.as_str()
        );
        return Err(CliError::new(Exit::No, message));
    }
    durable::create_folder(folder.path()).context(Exit::No, "account")?;
    durable::replace(&folder.key_file(), key_file.as_bytes(), Access::Owner)
        .context(Exit::No, "key file")?;
    write_book(folder.path(), &content.contacts).context(Exit::No, "contacts")?;
    // Last: with this the account is there.
    folder
        .write_past(&content.past)
        .context(Exit::No, "account")?;
    super::show(&(content.past, folder))
}

/// Seals the key file under another passcode.
pub(super) fn change_passcode(
    (past, folder): (Past, AccountFolder),
    protection: NewKey,
) -> Result<Shown, CliError> {
    let path = folder.key_file();
    let account = Account::open(&folder, past.clone(), None)?;
    let what = path.display().to_string();
    let text = keyfile::seal(&account.key, account.name.as_str(), protection, &what)?;
    durable::replace(&path, text.as_bytes(), Access::Owner).context(Exit::Key, "key file")?;
    super::show(&(past, folder))
}
