//! `streembit account rotate-key` and `delete`: what contacts follow, and what is for good.

use std::path::Path;
use std::time::{Duration, Instant};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit};
use keys::{AgreementKey, Algorithm, SigningKey};
use protocol::dht::key::DhtKey;
use protocol::identity::account::{self, Moved, State};
use protocol::identity::account_change;
use protocol::limits::KEY_CHANGES_MAX;

use super::Shown;
use crate::accounts::{Account, AccountFolder, Past};
use crate::clock::unix_now;
use crate::command::asking::wait_for;
use crate::command::run::NetworkArgs;
use crate::messenger::history;
use crate::{control, runtime};

/// How long it is tried to tell the network that an account is deleted.
const DELETE_TIME: Duration = Duration::from_secs(60);
/// Between two tries.
const DELETE_RETRY: Duration = Duration::from_millis(500);

/// Makes a new key, signed by the old one. The next run announces it.
pub(super) fn rotate_key(
    data: &Path,
    (mut past, folder): (Past, AccountFolder),
) -> Result<Shown, CliError> {
    refuse_if_running(data)?;
    let uri = folder.key_file().display().to_string();
    let is_encrypted = keyfile::is_encrypted(&uri)?;
    let account = Account::open(&folder, past.clone(), None)?;
    let next = SigningKey::generate(Algorithm::P256, &mut keyfile::os_rng());
    let agreement = AgreementKey::of_account(&next).context(Exit::Key, "new key")?;
    let now = unix_now();
    let scope = account.node_id;
    let change = account_change::sign(&account.key, scope.as_bytes(), &next.public(), now);
    past.changes
        .push(change.context(Exit::Key, "change of key")?);
    // Who missed more than a record shows follows what the old keys say.
    let missed = past.changes.len().saturating_sub(KEY_CHANGES_MAX);
    past.changes.drain(..missed);
    let moved = State::Moved(Moved {
        successor: next.public().to_hex(),
    });
    let farewell = account::sign_state(&account.key, &account.name, (now, moved), now);
    past.farewells
        .push(farewell.context(Exit::Key, "change of key")?);

    let protection = if is_encrypted {
        NewKey::Encrypted
    } else {
        NewKey::Unprotected
    };
    let text = keyfile::seal(&next, account.name.as_str(), protection, &uri)?;
    history::hand_over(folder.path(), &account.agreement, &agreement.public())
        .context(Exit::No, "history")?;
    durable::replace(&folder.next_key_file(), text.as_bytes(), Access::Owner)
        .context(Exit::Key, "key file")?;
    // With this the new key is the account's, whatever happens next.
    folder.write_past(&past).context(Exit::No, "account")?;
    folder.finish_change(&past).context(Exit::No, "account")?;
    super::show(&(past, folder))
}

/// Tells the network that an account is no longer used, and removes it here.
pub(super) fn delete(
    data: &Path,
    (past, folder): (Past, AccountFolder),
    network: &NetworkArgs,
) -> Result<Shown, CliError> {
    refuse_if_running(data)?;
    let shown = super::show(&(past.clone(), folder.clone()))?;
    let config = network.resolve()?;
    let account = Account::open(&folder, past, None)?;
    let now = unix_now();
    let tombstone = account::sign_state(&account.key, &account.name, (now, State::Deleted), now);
    let tombstone = tombstone.context(Exit::Key, "account")?.into_bytes();
    let key = DhtKey::account(&account.node_id);
    let told = wait_for(async {
        let node = runtime::start(&config, &account.key).context(Exit::No, "node")?;
        let end = Instant::now() + DELETE_TIME;
        while Instant::now() < end {
            match node.put(key, tombstone.clone()).await {
                Ok(Ok(holders)) if holders > 0 => return Ok(()),
                Ok(_) => tokio::time::sleep(DELETE_RETRY).await,
                Err(error) => return Err(error).context(Exit::No, "node"),
            }
        }
        Err(CliError::new(
            Exit::Retry,
            "no other node has taken note; nothing was removed",
        )
        .hint("name a --bootstrap node, and run again"))
    })?;
    told?;
    std::fs::remove_dir_all(folder.path())
        .map_err(|error| durable::PathError::new(folder.path(), error))
        .context(Exit::No, "account")?;
    Ok(shown)
}

/// A running node has the key in memory and would go on with the old one.
fn refuse_if_running(data: &Path) -> Result<(), CliError> {
    let ask = control::client::ask(data, (hyper::Method::GET, "/v1/status"), None);
    if wait_for(ask)?.is_err() {
        return Ok(());
    }
    let message = format!("a node runs in {}", data.display());
    Err(CliError::new(Exit::No, message).hint("stop it, run this again, start it again"))
}
