//! `streembit network invite`, `members`, `remove`, `renew`: who is in.

use std::path::Path;

use cli::durable;
use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use hyper::Method;
use keys::{AccountName, AgreementPublicKey, PublicKey};
use libp2p::Multiaddr;
use protocol::limits::INVITATION_ADDRESSES_MAX;
use protocol::network::Membership;
use protocol::network::charter::Admin;
use protocol::network::invitation::Invitation;
use protocol::network::members::Member;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Signer, Which, load, refused, show, summary, tell_node};
use crate::clock::unix_now;
use crate::command::asking::ask;
use crate::identity;
use crate::network::place::Place;
use crate::swarm::addresses::worth_telling;

/// Bytes of a file that describes a member.
const MEMBER_BYTES_MAX: u64 = 4096;
/// How members are named on the command line.
const MEMBER_FORM: &str =
    "PUBLIC_KEY:AGREEMENT_KEY:NAME, or a file, as `streembit account show --member` prints it";

/// What is taken of `streembit account show --member --json`.
#[derive(Deserialize)]
struct Described {
    name: AccountName,
    public_key: String,
    agreement_key: AgreementPublicKey,
}

pub(super) fn invite(
    (named, admin, at): (&[String], bool, &[Multiaddr]),
    which: &Which,
    signer: &Signer,
    output: Output,
) -> Result<Exit, CliError> {
    let place = which.choose()?;
    let newcomers: Vec<Member> = named
        .iter()
        .map(|text| parse(text))
        .collect::<Result<_, _>>()?;
    if !newcomers.is_empty() {
        let (key, _) = signer.open(&which.place)?;
        let change = |held: &mut Membership| {
            let (mut admins, mut members) = held.last_named();
            for newcomer in &newcomers {
                members.retain(|member| member.key != newcomer.key);
                members.push(newcomer.clone());
            }
            if !admin {
                return held.sign_members(&key, members, unix_now());
            }
            for newcomer in &newcomers {
                admins.retain(|admin| admin.key != newcomer.key);
                admins.push(Admin {
                    key: newcomer.key.clone(),
                    name: newcomer.name.clone(),
                });
            }
            admins.sort_by_key(|admin| admin.key != *held.founder());
            held.sign_charter(&key, admins, members, unix_now())
        };
        place.change(change).map_err(|error| refused(&error))?;
    }
    let held = load(&place)?;
    let told = tell_node(&which.place, &place, output);
    let invitation = invitation(&held, &place, at, told.then_some(which))?;
    if invitation.addresses.is_empty() {
        output.note("the invitation names no address: give --at, or run the node and invite again");
    }
    let mut value = summary(&held, told);
    if let Some(object) = value.as_object_mut() {
        object.insert("invitation".to_owned(), json!(invitation.to_string()));
    }
    output.result(&value, &invitation)?;
    Ok(Exit::Done)
}

/// What newcomers join with: addresses given, of the running node, and those by which this node came in.
fn invitation(
    held: &Membership,
    place: &Place,
    at: &[Multiaddr],
    running: Option<&Which>,
) -> Result<Invitation, CliError> {
    let access = place.access().map_err(|error| refused(&error))?;
    let mut addresses: Vec<String> = at.iter().map(Multiaddr::to_string).collect();
    if let Some(which) = running {
        let status = ask(&which.place.data_directory, Method::GET, "/v1/status", None);
        addresses.extend(own_addresses(&status.unwrap_or(Value::Null)));
    }
    for address in access.addresses {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.truncate(INVITATION_ADDRESSES_MAX);
    Ok(Invitation {
        network: held.network(),
        name: held.name().clone(),
        founder: held.founder().clone(),
        addresses,
        psk: access.psk,
    })
}

/// Where the running node can be dialled.
fn own_addresses(status: &Value) -> Vec<String> {
    let listening = status.get("listening").and_then(Value::as_array);
    let listening = listening.into_iter().flatten().filter_map(Value::as_str);
    let peer = status.get("peer_id").and_then(Value::as_str);
    let ends = worth_telling(listening);
    let with_peer = |address: String| Some(format!("{address}/p2p/{}", peer?));
    ends.into_iter().filter_map(with_peer).collect()
}

/// Reads a member from the command line, or from the file that it names.
fn parse(text: &str) -> Result<Member, CliError> {
    let malformed = || {
        CliError::new(
            Exit::Usage,
            format_args!("{text:?} does not describe a member"),
        )
        .hint(MEMBER_FORM)
    };
    if Path::new(text).is_file() {
        let bytes = durable::read(Path::new(text), MEMBER_BYTES_MAX).context(Exit::Usage, text)?;
        let described: Described = serde_json::from_slice(&bytes)
            .context(Exit::Usage, text)
            .map_err(|error| error.hint(MEMBER_FORM))?;
        return Ok(Member {
            key: PublicKey::from_p256_hex(&described.public_key).map_err(|_| malformed())?,
            name: described.name,
            agreement: described.agreement_key,
        });
    }
    let mut parts = text.splitn(3, ':');
    let (Some(key), Some(agreement), Some(name)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    let agreement = AgreementPublicKey::try_from(agreement.to_owned());
    let member = Member {
        key: PublicKey::from_p256_hex(key).map_err(|_| malformed())?,
        name: name.parse().map_err(|_| malformed())?,
        agreement: agreement.map_err(|_| malformed())?,
    };
    if member.agreement.as_bytes() == member.key.as_bytes() {
        return Err(malformed());
    }
    Ok(member)
}

pub(super) fn members(which: &Which, output: Output) -> Result<Exit, CliError> {
    let held = load(&which.choose()?)?;
    let now = unix_now();
    let mut lines = Vec::new();
    let mut values = Vec::new();
    for member in held.members(now) {
        let is_admin = held.admins(now).iter().any(|admin| admin.key == member.key);
        let role = match (member.key == *held.founder(), is_admin) {
            (true, _) => "founder",
            (false, true) => "admin",
            (false, false) => "member",
        };
        let (account, public_key) = (account_id(member), member.key.to_hex());
        lines.push(format!(
            "{account}  {role:<7}  {}  {public_key}",
            member.name
        ));
        values.push(json!({
            "name": member.name, "account": account, "public_key": public_key,
            "agreement_key": member.agreement, "role": role,
            "peer_id": identity::peer_id(&member.key).map(|peer| peer.to_string()).ok(),
        }));
    }
    if lines.is_empty() {
        lines.push("no member list is here yet, or it has expired".to_owned());
    }
    output.result(&values, lines.join("\n"))?;
    Ok(Exit::Done)
}

fn account_id(member: &Member) -> String {
    let node_id = keys::node_id(&member.key, &member.name);
    node_id.map(|id| id.account_id()).unwrap_or_default()
}

pub(super) fn remove(
    named: &[String],
    which: &Which,
    signer: &Signer,
    output: Output,
) -> Result<Exit, CliError> {
    let place = which.choose()?;
    let (admins, members) = load(&place)?.last_named();
    let found = named.iter().map(|text| find(text, &members));
    let gone: Vec<PublicKey> = found.collect::<Result<_, _>>()?;
    let founder = load(&place)?.founder().clone();
    if gone.contains(&founder) {
        return Err(CliError::new(Exit::No, "the founder can't be removed")
            .hint("found another network, or `streembit network leave`"));
    }
    let is_out = |key: &PublicKey| gone.contains(key);
    let (key, _) = signer.open(&which.place)?;
    let change = |held: &mut Membership| {
        let (mut admins, mut members) = held.last_named();
        members.retain(|member| !is_out(&member.key));
        if !admins.iter().any(|admin| is_out(&admin.key)) {
            return held.sign_members(&key, members, unix_now());
        }
        admins.retain(|admin| !is_out(&admin.key));
        held.sign_charter(&key, admins, members, unix_now())
    };
    place.change(change).map_err(|error| refused(&error))?;
    let told = tell_node(&which.place, &place, output);
    if !told {
        output.note("no node of this network runs here: the others hear of it when one does");
    }
    if admins.iter().any(|admin| is_out(&admin.key)) {
        output.note("lists that the removed admin signed are void");
    }
    show(&load(&place)?, told, output)
}

/// The one member that is meant.
fn find(text: &str, members: &[Member]) -> Result<PublicKey, CliError> {
    let is_meant = |member: &&Member| {
        member.key.to_hex() == text || account_id(member) == text || member.name.as_str() == text
    };
    let found: Vec<&Member> = members.iter().filter(is_meant).collect();
    match found.as_slice() {
        [member] => Ok(member.key.clone()),
        [] => Err(CliError::new(
            Exit::No,
            format_args!("{text:?} is no member's key, account id or name"),
        )
        .hint("`streembit network members` lists them")),
        _ => Err(CliError::new(
            Exit::Usage,
            format_args!("several members are named {text:?}"),
        )
        .hint("give the public key or the account id")),
    }
}

pub(super) fn renew(which: &Which, signer: &Signer, output: Output) -> Result<Exit, CliError> {
    let place = which.choose()?;
    let (key, _) = signer.open(&which.place)?;
    let change = |held: &mut Membership| {
        let (admins, members) = held.last_named();
        if key.public() == *held.founder() {
            return held.sign_charter(&key, admins, members, unix_now());
        }
        held.sign_members(&key, members, unix_now())
    };
    place.change(change).map_err(|error| refused(&error))?;
    let told = tell_node(&which.place, &place, output);
    show(&load(&place)?, told, output)
}
