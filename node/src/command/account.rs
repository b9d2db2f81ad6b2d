//! `streembit account`: a P-256 key and a name, in a folder of its own or a key file alone.

mod backup;
mod provision;
mod succession;

use std::path::{Path, PathBuf};

use cli::exit::Context as _;
use cli::keyfile::{self, NewKey};
use cli::{CliError, Exit, Output};
use keys::{AccountName, AgreementKey, Algorithm, KeyUri, PublicKey};
use serde::Serialize;

use super::DataDirectory;
use super::run::NetworkArgs;
use crate::accounts::{AccountFolder, Past};
use crate::identity;

/// Account commands
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Encrypt the key file under another passcode (from STREEMBIT_NEW_PASSCODE, or asked)
    ChangePasscode {
        /// The account
        #[command(flatten)]
        which: Which,
        /// Don't encrypt it any longer
        #[arg(long)]
        no_passcode: bool,
    },
    /// Create an account: a P-256 key and a name
    Create {
        /// The account's name
        name: AccountName,
        /// Write the key file here, instead of an account in the data folder
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Don't encrypt the key file: for nodes that start unattended
        #[arg(long)]
        no_passcode: bool,
        /// Where accounts are
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Delete an account for good, for everybody: the network is told first
    Delete {
        /// The account's name
        name: AccountName,
        /// Delete without asking again
        #[arg(long, required = true)]
        yes: bool,
        /// The network
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Write a backup of key and contacts, encrypted, as text
    Export {
        /// The account
        #[command(flatten)]
        which: Which,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Take an account from a backup
    Import {
        /// The backup
        file: PathBuf,
        /// Where accounts are
        #[command(flatten)]
        place: DataDirectory,
    },
    /// List the accounts in the data folder
    List(DataDirectory),
    /// Make an account for a device, without any question, and an offer for its label
    Provision {
        /// Folder to make it in: the device's data folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The device's name; made up if left out
        #[arg(long)]
        name: Option<AccountName>,
    },
    /// Replace the key by a new one, signed by the old one: contacts follow
    RotateKey(Which),
    /// Show an account's ids; needs no passcode but for --member
    Show {
        /// The account's name; the only one in the data folder if left out
        name: Option<AccountName>,
        /// Key: a file or key URI, instead of an account in the data folder
        #[arg(long, value_name = "KEY", requires = "name")]
        key: Option<String>,
        /// Show the agreement key too, and what `streembit network invite` takes
        #[arg(long)]
        member: bool,
        /// Where accounts are
        #[command(flatten)]
        place: DataDirectory,
    },
}

/// An account in the data folder
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The account's name; the only one in the data folder if left out
    name: Option<AccountName>,
    /// Where accounts are
    #[command(flatten)]
    place: DataDirectory,
}

impl Which {
    fn choose(&self) -> Result<(Past, AccountFolder), CliError> {
        AccountFolder::choose(&self.place.data_directory, self.name.as_ref())
    }
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
    let protection = |no_passcode: bool| match no_passcode {
        true => NewKey::Unprotected,
        false => NewKey::Encrypted,
    };
    let shown = match command {
        Command::ChangePasscode { which, no_passcode } => {
            backup::change_passcode(which.choose()?, protection(*no_passcode))?
        }
        Command::Create {
            name,
            key,
            no_passcode,
            place,
        } => match key {
            Some(path) => create(path, name, protection(*no_passcode))?,
            None => create_in(&place.data_directory, name, protection(*no_passcode))?.0,
        },
        Command::Delete { name, network, .. } => {
            let data = network.resolve()?.data_directory;
            let chosen = AccountFolder::choose(&data, Some(name))?;
            succession::delete(&data, chosen, network)?
        }
        Command::Export { which, to } => backup::export(which.choose()?, to)?,
        Command::Import { file, place } => backup::import(&place.data_directory, file)?,
        Command::List(place) => return list(&place.data_directory, output),
        Command::Provision { out, name } => {
            let made = provision::provision(out, name.as_ref())?;
            output.result(&made, made.text())?;
            return Ok(Exit::Done);
        }
        Command::RotateKey(which) => {
            succession::rotate_key(&which.place.data_directory, which.choose()?)?
        }
        Command::Show {
            name,
            key,
            member,
            place,
        } => {
            let data = &place.data_directory;
            let shown = match (name, key) {
                (Some(name), Some(uri)) => describe(&keyfile::public(uri)?, name, uri.clone())?,
                _ => show(&AccountFolder::choose(data, name.as_ref())?)?,
            };
            if *member {
                with_agreement(shown)?
            } else {
                shown
            }
        }
    };
    output.result(&shown, text(&shown))?;
    Ok(Exit::Done)
}

fn create(path: &Path, name: &AccountName, protection: NewKey) -> Result<Shown, CliError> {
    let created = keyfile::create(path, Algorithm::P256, name.as_str(), protection)?;
    let uri = KeyUri::File(path.display().to_string()).to_string();
    describe(&created.public(), name, uri)
}

fn create_in(
    data: &Path,
    name: &AccountName,
    protection: NewKey,
) -> Result<(Shown, AccountFolder), CliError> {
    let folder = AccountFolder::of(data, name);
    cli::durable::create_folder(folder.path()).context(Exit::No, "account")?;
    // The key first: without what comes next there is no account, and the key file is named in what goes wrong.
    let shown = create(&folder.key_file(), name, protection)?;
    folder
        .write_past(&Past::none(name.clone()))
        .context(Exit::No, "account")?;
    Ok((shown, folder))
}

fn show((past, folder): &(Past, AccountFolder)) -> Result<Shown, CliError> {
    let uri = KeyUri::File(folder.key_file().display().to_string()).to_string();
    describe(&keyfile::public(&uri)?, &past.name, uri)
}

fn list(data: &Path, output: Output) -> Result<Exit, CliError> {
    let accounts = AccountFolder::list(data).context(Exit::No, "accounts")?;
    let shown: Vec<Shown> = accounts.iter().map(show).collect::<Result<_, _>>()?;
    let lines = shown
        .iter()
        .map(|shown| format!("{}  {}", shown.account, shown.name));
    let lines: Vec<String> = lines.collect();
    let text = if lines.is_empty() {
        format!("no accounts in {}", data.display())
    } else {
        lines.join("\n")
    };
    output.result(&shown, text)?;
    Ok(Exit::Done)
}

fn text(shown: &Shown) -> String {
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
    text
}

/// Adds the agreement key, for which the key has to be opened.
fn with_agreement(mut shown: Shown) -> Result<Shown, CliError> {
    let key = keyfile::open(&shown.key)?;
    let agreement = AgreementKey::of_account(&key).context(Exit::Key, "agreement key")?;
    shown.agreement_key = Some(agreement.public().into());
    Ok(shown)
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
