//! `streembit account`: a P-256 key and a name.

use std::path::PathBuf;

use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit, Output};
use keys::{AccountName, Algorithm, KeyUri, PublicKey};
use serde::Serialize;

use crate::identity;

/// Account commands
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create an account: a P-256 key file
    Create {
        /// The account's name
        name: AccountName,
        /// Where to write the key file
        #[arg(long, value_name = "FILE", default_value = "account.key")]
        key: PathBuf,
        /// Don't encrypt the key file: for nodes that start unattended
        #[arg(long)]
        no_passcode: bool,
    },
    /// Show an account's ids; needs no passcode
    Show {
        /// The account's name
        name: AccountName,
        /// Key: a file or key URI
        #[arg(long, value_name = "KEY", default_value = "account.key")]
        key: String,
    },
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    account: String,
    public_key: String,
    node_id: String,
    peer_id: String,
    key: String,
}

/// Runs `streembit account`.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn run(command: &Command, output: Output) -> Result<Exit, CliError> {
    let (public, name, key) = match command {
        Command::Create {
            name,
            key,
            no_passcode,
        } => {
            let protection = if *no_passcode {
                NewKey::Unprotected
            } else {
                NewKey::Encrypted
            };
            let created = keyfile::create(key, Algorithm::P256, name.as_str(), protection)?;
            (
                created.public(),
                name,
                KeyUri::File(key.display().to_string()).to_string(),
            )
        }
        Command::Show { name, key } => (keyfile::public(key)?, name, key.clone()),
    };
    let shown = describe(&public, name, key)?;
    let text = format!(
        "account     {}\nname        {}\npublic key  {}\nnode id     {}\npeer id     {}\nkey         {}",
        shown.account, shown.name, shown.public_key, shown.node_id, shown.peer_id, shown.key
    );
    output.result(&shown, text)?;
    Ok(Exit::Done)
}

fn describe(public: &PublicKey, name: &AccountName, key: String) -> Result<Shown, CliError> {
    let node_id = keys::node_id(public, name).context(Exit::Key, &key)?;
    let peer_id = identity::peer_id(public).context(Exit::Key, &key)?;
    Ok(Shown {
        name: name.to_string(),
        account: node_id.account_id(),
        public_key: public.to_hex(),
        node_id: node_id.to_string(),
        peer_id: peer_id.to_string(),
        key,
    })
}
