//! `streembit account`: a P-256 key and a name.

use std::path::PathBuf;

use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit, Output};
use keys::{AccountName, AgreementKey, Algorithm, KeyUri, PublicKey, SigningKey};
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
    /// Show an account's ids; needs no passcode but for --member
    Show {
        /// The account's name
        name: AccountName,
        /// Key: a file or key URI
        #[arg(long, value_name = "KEY", default_value = "account.key")]
        key: String,
        /// Show the agreement key too, and what `streembit network invite` takes
        #[arg(long)]
        member: bool,
    },
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    account: String,
    public_key: String,
    node_id: String,
    peer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_key: Option<String>,
    key: String,
}

/// Runs `streembit account`.
///
/// # Errors
/// [`CliError`] with [`Exit::Key`].
pub fn run(command: &Command, output: Output) -> Result<Exit, CliError> {
    let (public, agreement, name, key) = match command {
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
                Some(agreement_key(&created)?),
                name,
                KeyUri::File(key.display().to_string()).to_string(),
            )
        }
        Command::Show { name, key, member } => {
            let opened = member.then(|| agreement_key(&keyfile::open(key)?));
            (
                keyfile::public(key)?,
                opened.transpose()?,
                name,
                key.clone(),
            )
        }
    };
    let mut shown = describe(&public, name, key)?;
    shown.agreement_key = agreement;
    let mut text = format!(
        "account     {}\nname        {}\npublic key  {}\nnode id     {}\npeer id     {}\nkey         {}",
        shown.account, shown.name, shown.public_key, shown.node_id, shown.peer_id, shown.key
    );
    if let Some(agreement) = &shown.agreement_key {
        let (public, name) = (&shown.public_key, &shown.name);
        text.push_str(&format!(
            "\nagreement   {agreement}\nmember      {public}:{agreement}:{name}"
        ));
    }
    output.result(&shown, text)?;
    Ok(Exit::Done)
}

fn agreement_key(key: &SigningKey) -> Result<String, CliError> {
    let agreement = AgreementKey::of_account(key).context(Exit::Key, "agreement key")?;
    Ok(agreement.public().into())
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
        agreement_key: None,
        key,
    })
}
