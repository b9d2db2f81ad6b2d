//! `streembit network create`, `join`, `leave`, `import`, `export`: networks as a whole.

use std::io::{self, Read as _};
use std::path::Path;

use cli::durable::{self, Access as FileAccess};
use cli::exit::Context as _;
use cli::keyfile::os_rng;
use cli::{CliError, Exit, Output};
use keys::{AccountName, AgreementKey};
use libp2p::Multiaddr;
use protocol::limits::INVITATION_BYTES_MAX;
use protocol::network::id::generate_nonce;
use protocol::network::invitation::{Invitation, PresharedKey};
use protocol::network::members::Member;
use protocol::network::{Membership, NetworkName};
use serde_json::json;

use super::{DataDirectory, Signer, Which, load, refused, show, tell_node};
use crate::clock::unix_now;
use crate::network::place::{self, Access, Exported, Place};

pub(super) fn create(
    (network, name, psk): (&NetworkName, Option<&AccountName>, bool),
    signer: &Signer,
    place: &DataDirectory,
    output: Output,
) -> Result<Exit, CliError> {
    let (key, account) = signer.open(place)?;
    let name = name
        .cloned()
        .or(account)
        .ok_or_else(|| CliError::new(Exit::Usage, "--key needs the founder's --name"))?;
    let agreement = AgreementKey::of_account(&key).context(Exit::Key, "key")?;
    let founder = Member {
        key: key.public(),
        name,
        agreement: agreement.public(),
    };
    let mut rng = os_rng();
    let nonce = generate_nonce(&mut rng);
    let founded = Membership::found(&key, network.clone(), nonce, founder, unix_now());
    let founded = founded.context(Exit::No, "charter")?;
    let access = Access {
        addresses: Vec::new(),
        psk: psk.then(|| PresharedKey::generate(&mut rng)),
    };
    let folder = Place::of(&place.data_directory, network);
    folder
        .create(&founded, &access)
        .map_err(|error| refused(&error))?;
    show(&founded, false, output)
}

pub(super) fn join(
    invitation: &str,
    place: &DataDirectory,
    output: Output,
) -> Result<Exit, CliError> {
    let text = match invitation {
        "-" => {
            let mut text = String::new();
            let limit = u64::try_from(INVITATION_BYTES_MAX).unwrap_or(u64::MAX);
            let stdin = io::stdin().lock().take(limit.saturating_add(2));
            { stdin }
                .read_to_string(&mut text)
                .context(Exit::Usage, "standard input")?;
            text
        }
        given => given.to_owned(),
    };
    let invitation: Invitation = text.parse().context(Exit::Usage, "invitation")?;
    for address in &invitation.addresses {
        let parsed: Result<Multiaddr, _> = address.parse();
        parsed.context(
            Exit::Usage,
            format_args!("address {address:?} of the invitation"),
        )?;
    }
    let folder = Place::of(&place.data_directory, &invitation.name);
    let access = Access {
        addresses: invitation.addresses,
        psk: invitation.psk,
    };
    let joined = if folder.exists() {
        let held = load(&folder)?;
        if (held.network(), held.founder()) != (invitation.network, &invitation.founder) {
            let message = format!("another network named {} is here", invitation.name);
            return Err(CliError::new(Exit::No, message)
                .hint("`streembit network leave` it first, or use another --data-directory"));
        }
        folder
            .set_access(&access)
            .map_err(|error| refused(&error))?;
        held
    } else {
        let joined = Membership::invited(invitation.network, invitation.name, invitation.founder);
        folder
            .create(&joined, &access)
            .map_err(|error| refused(&error))?;
        joined
    };
    output.note(format_args!(
        "start the node with: streembit run --network {}",
        joined.name()
    ));
    show(&joined, tell_node(place, &folder, output), output)
}

pub(super) fn leave(which: &Which, output: Output) -> Result<Exit, CliError> {
    let folder = which.choose()?;
    let held = load(&folder)?;
    folder.remove().map_err(|error| refused(&error))?;
    let told = tell_node(&which.place, &folder, output);
    output.note("an admin still has to remove this account from the network");
    let value = json!({ "left": held.name(), "id": held.network(), "node_told": told });
    output.result(&value, format_args!("left {}", held.name()))?;
    Ok(Exit::Done)
}

pub(super) fn import(file: &Path, place: &DataDirectory, output: Output) -> Result<Exit, CliError> {
    let exported = place::read_exported(file).map_err(|error| refused(&error))?;
    let named = Membership::of_charter(&exported.charter, unix_now());
    let named = named.context(Exit::No, file.display())?;
    let folder = Place::of(&place.data_directory, named.name());
    folder
        .import(file, unix_now())
        .map_err(|error| refused(&error))?;
    let told = tell_node(place, &folder, output);
    show(&load(&folder)?, told, output)
}

pub(super) fn export(file: &Path, which: &Which, output: Output) -> Result<Exit, CliError> {
    let held = load(&which.choose()?)?;
    let tokens: Vec<&str> = held.tokens().collect();
    let &[charter, members] = tokens.as_slice() else {
        let error = CliError::new(Exit::Undecided, "charter or member list aren't here yet");
        return Err(error.hint("run the node until it has met a member"));
    };
    let exported = Exported {
        charter: charter.to_owned(),
        members: members.to_owned(),
    };
    let text = serde_json::to_string_pretty(&exported).context(Exit::No, "export")?;
    durable::replace(file, text.as_bytes(), FileAccess::World).context(Exit::No, "export")?;
    show(&held, false, output)
}
