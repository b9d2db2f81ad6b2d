//! `streembit network`: private networks, by changing files; a running node is told.

mod files;
mod people;

use std::path::PathBuf;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, keyfile};
use hyper::Method;
use keys::{AccountName, SigningKey};
use protocol::network::{Membership, MembershipError, NetworkName};
use serde_json::{Value, json};

use super::DataDirectory;
use super::asking::ask;
use crate::accounts::{Account, AccountFolder};
use crate::clock::unix_now;
use crate::network::place::{self, Place, PlaceError};

/// Commands of private networks
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Found a network
    Create {
        /// The network's name: a-z, 0-9 and -
        network: NetworkName,
        /// The founder's name, with --key
        #[arg(long, value_name = "NAME", requires = "key")]
        name: Option<AccountName>,
        /// Make a key that all members share: who doesn't have it can't even begin a handshake
        #[arg(long)]
        psk: bool,
        /// Whose key it is
        #[command(flatten)]
        signer: Signer,
        /// Where the network is kept
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Take members in, and print what they join with
    Invite {
        /// PUBLIC_KEY:AGREEMENT_KEY:NAME, or a file, as `streembit account show --member` prints it (--json)
        #[arg(value_name = "MEMBER")]
        members: Vec<String>,
        /// Make them admins, who take in and remove members, too; only the founder can
        #[arg(long)]
        admin: bool,
        /// Address of a member's node, ending in /p2p/PEER_ID, that the invitation names (repeatable)
        #[arg(long, value_name = "MULTIADDR")]
        at: Vec<libp2p::Multiaddr>,
        /// The network
        #[command(flatten)]
        which: Which,
        /// The admin's key
        #[command(flatten)]
        signer: Signer,
    },
    /// Join a network by an invitation
    Join {
        /// streembit:network/…; - reads it from standard input
        invitation: String,
        /// Where the network is kept
        #[command(flatten)]
        place: DataDirectory,
    },
    /// List members
    Members(Which),
    /// Remove members; their connections are cut off at once
    Remove {
        /// Public keys, account ids, or names that only one member has
        #[arg(value_name = "MEMBER", required = true)]
        members: Vec<String>,
        /// The network
        #[command(flatten)]
        which: Which,
        /// The admin's key
        #[command(flatten)]
        signer: Signer,
    },
    /// Sign charter and member list again, before they expire
    Renew {
        /// The network
        #[command(flatten)]
        which: Which,
        /// An admin's key; the founder's signs the charter, too
        #[command(flatten)]
        signer: Signer,
    },
    /// Forget a network here; an admin removes the member
    Leave(Which),
    /// Take charter and member list from a file; makes the network if it isn't there
    Import {
        /// What `streembit network export` wrote
        file: PathBuf,
        /// Where the network is kept
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Write charter and member list to a file, for nodes that are loaded by hand; no secret is in it
    Export {
        /// The file
        file: PathBuf,
        /// The network
        #[command(flatten)]
        which: Which,
    },
}

/// Who signs
#[derive(Debug, clap::Args)]
pub struct Signer {
    /// The account in the data folder; needed if there are several
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    pub account: Option<AccountName>,
    /// Take this key, a file or key URI, instead of one in the data folder
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

impl Signer {
    /// The key, and the account's name if it is one of the data folder.
    fn open(&self, data: &DataDirectory) -> Result<(SigningKey, Option<AccountName>), CliError> {
        if let Some(uri) = &self.key {
            let key = keyfile::open(uri)?;
            // Anything but P-256 is no account's.
            crate::identity::peer_id(&key.public()).context(Exit::Key, uri)?;
            return Ok((key, None));
        }
        let (past, folder) = AccountFolder::choose(&data.data_directory, self.account.as_ref())?;
        let account = Account::open(&folder, past, None)?;
        Ok((account.key, Some(account.name)))
    }
}

/// Which network
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The network; needed if there are several
    #[arg(long, value_name = "NAME")]
    pub network: Option<NetworkName>,
    /// Where it is kept
    #[command(flatten)]
    pub place: DataDirectory,
}

impl Which {
    /// The network that is meant: the one named, else the only one.
    fn choose(&self) -> Result<Place, CliError> {
        let folder = &self.place.data_directory;
        if let Some(name) = &self.network {
            return Ok(Place::of(folder, name));
        }
        let names = place::names(folder).map_err(|error| refused(&error))?;
        match names.as_slice() {
            [name] => Ok(Place::of(folder, name)),
            [] => Err(CliError::new(
                Exit::Usage,
                format_args!("no private network in {}", folder.display()),
            )
            .hint("`streembit network create`, `join` or `import`; or name its --data-directory")),
            several => {
                let names: Vec<&str> = several.iter().map(NetworkName::as_str).collect();
                let names = names.join(", ");
                let message = format!("several private networks in {}", folder.display());
                Err(CliError::new(Exit::Usage, message).hint(format!("--network: one of {names}")))
            }
        }
    }
}

/// Runs `streembit network`.
///
/// # Errors
/// [`CliError`].
pub fn run(command: &Command, output: Output) -> Result<Exit, CliError> {
    match command {
        Command::Create {
            network,
            name,
            psk,
            signer,
            place,
        } => files::create((network, name.as_ref(), *psk), signer, place, output),
        Command::Invite {
            members,
            admin,
            at,
            which,
            signer,
        } => people::invite((members, *admin, at), which, signer, output),
        Command::Join { invitation, place } => files::join(invitation, place, output),
        Command::Members(which) => people::members(which, output),
        Command::Remove {
            members,
            which,
            signer,
        } => people::remove(members, which, signer, output),
        Command::Renew { which, signer } => people::renew(which, signer, output),
        Command::Leave(which) => files::leave(which, output),
        Command::Import { file, place } => files::import(file, place, output),
        Command::Export { file, which } => files::export(file, which, output),
    }
}

/// Tells the node that runs in the data folder, if one does and runs in this network. Returns whether it was told.
fn tell_node(folder: &DataDirectory, place: &Place, output: Output) -> bool {
    let asked = ask(
        &folder.data_directory,
        Method::POST,
        "/v1/network/reload",
        None,
    );
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if error.exit == Exit::Undecided => return false,
        Err(error) => {
            output.note(format_args!("the running node was not told: {error}"));
            return false;
        }
    };
    answer.get("network").and_then(Value::as_str) == Some(&place.name())
}

/// Prints what is held of a network after a change.
fn show(held: &Membership, told: bool, output: Output) -> Result<Exit, CliError> {
    let value = summary(held, told);
    let (charter, list) = held.sequences();
    let seq =
        |seq: Option<u64>| seq.map_or_else(|| "not here yet".to_owned(), |seq| seq.to_string());
    let text = format!(
        "network   {}\nid        {}\nfounder   {}\ncharter   {}\nlist      {}\nmembers   {}",
        held.name(),
        held.network(),
        held.founder().to_hex(),
        seq(charter),
        seq(list),
        held.members(unix_now()).len(),
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn summary(held: &Membership, told: bool) -> Value {
    let (charter, list) = held.sequences();
    json!({
        "network": held.name(), "id": held.network(), "founder": held.founder().to_hex(),
        "charter": charter, "list": list, "expires": held.expires(),
        "members": held.members(unix_now()).len(), "node_told": told,
    })
}

/// An error of a network's files, with what to do about it.
fn refused(error: &PlaceError) -> CliError {
    let (exit, hint) = match error {
        PlaceError::Missing(_) | PlaceError::Taken(_) => (Exit::Usage, None),
        PlaceError::Locked(_) => (Exit::Retry, None),
        PlaceError::Membership(MembershipError::NotAdmin) => (
            Exit::No,
            Some("sign with an admin's --key; `streembit network members` shows them"),
        ),
        PlaceError::Membership(MembershipError::NotFounder) => (
            Exit::No,
            Some("sign with the founder's --key: only it makes and removes admins"),
        ),
        PlaceError::Membership(MembershipError::NoCharter) => (
            Exit::Undecided,
            Some("run the node until it has met a member, or `streembit network import` a file"),
        ),
        PlaceError::Membership(_) | PlaceError::Path(_) | PlaceError::Json { .. } => {
            (Exit::No, None)
        }
    };
    let error = CliError::from_error(exit, "private network", error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn load(place: &Place) -> Result<Membership, CliError> {
    place.load().map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests;
