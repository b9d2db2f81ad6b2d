//! Edits of role documents as JSON, so that members that we don't know stay.

use std::collections::BTreeMap;

use cli::{CliError, Exit};
use keys::{PublicKey, RoleKey};
use manifests::author::key_id;
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::envelope::Metadata as _;
use manifests::instant::UtcTime;
use manifests::json::Json;
use manifests::root::ACCOUNT;
use manifests::statement_keys::{self, StatementKeys};
use manifests::targets::Targets;

/// The member of a product role that remembers counters of releases, which never go back.
const NEWEST: &str = "x-streembit-newest";

/// Where the keys of a role are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A top-level role, in the root.
    Root(&'static str),
    /// A delegated role, in the top-level targets.
    Delegated(String),
}

impl Place {
    /// Finds the place of a role by its name.
    pub fn of(role: &str) -> Self {
        match role {
            "root" => Self::Root("root"),
            "targets" => Self::Root("targets"),
            "snapshot" => Self::Root("snapshot"),
            "timestamp" => Self::Root("timestamp"),
            other => Self::Delegated(other.to_owned()),
        }
    }

    /// The role in whose document the keys are named.
    pub const fn document(&self) -> &'static str {
        match self {
            Self::Root(_) => "root",
            Self::Delegated(_) => "targets",
        }
    }

    /// The role's name.
    pub fn role(&self) -> &str {
        match self {
            Self::Root(role) => role,
            Self::Delegated(role) => role,
        }
    }
}

fn members(json: &mut Json) -> Result<&mut BTreeMap<String, Json>, CliError> {
    match json {
        Json::Object(members) => Ok(members),
        _ => Err(malformed()),
    }
}

fn items(json: &mut Json) -> Result<&mut Vec<Json>, CliError> {
    match json {
        Json::Array(items) => Ok(items),
        _ => Err(malformed()),
    }
}

fn member<'a>(json: &'a mut Json, name: &str) -> Result<&'a mut Json, CliError> {
    members(json)?.get_mut(name).ok_or_else(malformed)
}

fn malformed() -> CliError {
    CliError::new(Exit::No, "the document in force has another shape")
        .hint("streembit-publisher verify")
}

/// Raises the version by one and sets the expiry.
///
/// # Errors
/// [`CliError`] if the document is malformed.
pub fn next_version(signed: &mut Json, expires: UtcTime) -> Result<(), CliError> {
    let version = signed.integer("version", 1).map_err(|_| malformed())?;
    *member(signed, "version")? = Json::from(version + 1);
    set_expires(signed, expires)
}

/// Sets the expiry.
///
/// # Errors
/// [`CliError`] if the document is malformed.
pub fn set_expires(signed: &mut Json, expires: UtcTime) -> Result<(), CliError> {
    *member(signed, "expires")? = Json::from(expires.to_string().as_str());
    Ok(())
}

/// Names the account that signs release heads.
///
/// # Errors
/// [`CliError`] if the document is malformed.
pub fn set_account(root: &mut Json, account: &PublicKey) -> Result<(), CliError> {
    *member(root, ACCOUNT)? = Json::from(account.to_hex().as_str());
    Ok(())
}

/// The object with `keyids` and `threshold` of a role.
fn role_entry<'a>(signed: &'a mut Json, place: &Place) -> Result<&'a mut Json, CliError> {
    match place {
        Place::Root(role) => member(member(signed, "roles")?, role),
        Place::Delegated(name) => {
            let roles = items(member(member(signed, "delegations")?, "roles")?)?;
            let named = |role: &&mut Json| role.string("name").is_ok_and(|found| found == name);
            roles.iter_mut().find(named).ok_or_else(|| {
                CliError::new(Exit::Usage, format_args!("there is no role {name}"))
                    .hint("streembit-publisher keys list")
            })
        }
    }
}

fn keys_of<'a>(signed: &'a mut Json, place: &Place) -> Result<&'a mut Json, CliError> {
    match place {
        Place::Root(_) => member(signed, "keys"),
        Place::Delegated(_) => member(member(signed, "delegations")?, "keys"),
    }
}

fn key_to_json(key: &PublicKey) -> Json {
    let tuf = key.to_tuf();
    Json::object([
        ("keytype", Json::from(tuf.keytype.as_str())),
        ("scheme", Json::from(tuf.scheme.as_str())),
        (
            "keyval",
            Json::object([("public", Json::from(tuf.public.as_str()))]),
        ),
    ])
}

/// Gives a role one more key.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if it has the key already.
pub fn add_key(signed: &mut Json, place: &Place, key: &PublicKey) -> Result<(), CliError> {
    let id = key_id(key);
    let ids = items(member(role_entry(signed, place)?, "keyids")?)?;
    if ids.iter().any(|known| known.as_str() == Some(&id)) {
        let message = format!("role {} has the key {} already", place.role(), short(&id));
        return Err(CliError::new(Exit::Usage, message).hint("streembit-publisher keys list"));
    }
    ids.push(Json::from(id.as_str()));
    members(keys_of(signed, place)?)?.insert(id, key_to_json(key));
    Ok(())
}

/// Whether a new role may be delegated to, before a key is made for it.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if there is one of this name, or its patterns and another's can fit
/// one path: whoever searches would find the file of either.
pub fn check_new_role(signed: &Json, name: &str, patterns: &[String]) -> Result<(), CliError> {
    let targets = Targets::from_signed(signed).map_err(|_| malformed())?;
    let Delegations::Roles(roles) = targets.delegations() else {
        return Err(malformed());
    };
    let fixed = |pattern: &str| {
        pattern
            .split(['*', '?'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    for other in roles {
        if other.name == name {
            let message = format!("there is a role {name} already");
            return Err(CliError::new(Exit::Usage, message).hint("streembit-publisher keys list"));
        }
        let Scope::Paths(theirs) = &other.scope else {
            continue;
        };
        let mut pairs = theirs
            .iter()
            .flat_map(|old| patterns.iter().map(move |new| (old, new)));
        let clash = pairs.find(|(old, new)| {
            let (old, new) = (fixed(old), fixed(new));
            old.starts_with(&new) || new.starts_with(&old)
        });
        if let Some((old, new)) = clash {
            let message = format!(
                "{new} of {name} and {old} of {} can fit one path",
                other.name
            );
            return Err(CliError::new(Exit::Usage, message)
                .hint("choose a name that does not begin with another's"));
        }
    }
    Ok(())
}

/// Delegates to a new role.
///
/// # Errors
/// As [`check_new_role`].
pub fn add_role(signed: &mut Json, role: &Delegation) -> Result<(), CliError> {
    if let Scope::Paths(patterns) = &role.scope {
        check_new_role(signed, &role.name, patterns)?;
    }
    let mut new = Delegations::Roles(vec![role.clone()]).to_json();
    let delegations = members(signed)?.entry("delegations".to_owned());
    let delegations = delegations.or_insert_with(|| Delegations::default().to_json());
    let keys = members(member(&mut new, "keys")?)?;
    members(member(delegations, "keys")?)?.append(keys);
    let roles = items(member(&mut new, "roles")?)?;
    items(member(delegations, "roles")?)?.append(roles);
    Ok(())
}

/// Delegates to a role no more.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if there is none of this name.
pub fn remove_role(signed: &mut Json, name: &str) -> Result<(), CliError> {
    let place = Place::Delegated(name.to_owned());
    role_entry(signed, &place)?;
    let roles = items(member(member(signed, "delegations")?, "roles")?)?;
    roles.retain(|role| role.string("name").is_ok_and(|found| found != name));
    drop_unused_keys(signed, &place)
}

fn fits(known: &Json, id: &str) -> bool {
    known.as_str().is_some_and(|known| known.starts_with(id))
}

/// Whether a role has one key of this id, which may be shortened.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if it has none, or several.
pub fn check_key(signed: &mut Json, place: &Place, id: &str) -> Result<(), CliError> {
    let ids = items(member(role_entry(signed, place)?, "keyids")?)?;
    let found = ids.iter().filter(|known| fits(known, id)).count();
    if found != 1 || id.is_empty() {
        let message = format!("role {}: {found} keys have the id {id}", place.role());
        return Err(CliError::new(Exit::Usage, message).hint("streembit-publisher keys list"));
    }
    Ok(())
}

/// Takes a key from a role. Ids may be shortened.
///
/// # Errors
/// As [`check_key`]; or too few keys would be left.
pub fn remove_key(signed: &mut Json, place: &Place, id: &str) -> Result<(), CliError> {
    check_key(signed, place, id)?;
    let entry = role_entry(signed, place)?;
    let threshold = entry.integer("threshold", 1).map_err(|_| malformed())?;
    let ids = items(member(entry, "keyids")?)?;
    if (ids.len() as u64) <= threshold {
        let message = format!(
            "role {} would have {} keys for a threshold of {threshold}",
            place.role(),
            ids.len() - 1
        );
        return Err(
            CliError::new(Exit::Usage, message).hint("add a key first, or lower the threshold")
        );
    }
    ids.retain(|known| !fits(known, id));
    drop_unused_keys(signed, place)
}

/// Keys that no role of the document names any more go from it.
fn drop_unused_keys(signed: &mut Json, place: &Place) -> Result<(), CliError> {
    let mut used = Vec::new();
    let mut note = |entry: &mut Json| -> Result<(), CliError> {
        for id in items(member(entry, "keyids")?)? {
            used.extend(id.as_str().map(str::to_owned));
        }
        Ok(())
    };
    match place {
        Place::Root(_) => {
            for entry in members(member(signed, "roles")?)?.values_mut() {
                note(entry)?;
            }
        }
        Place::Delegated(_) => {
            for entry in items(member(member(signed, "delegations")?, "roles")?)? {
                note(entry)?;
            }
        }
    }
    members(keys_of(signed, place)?)?.retain(|id, _| used.contains(id));
    Ok(())
}

/// Sets how many keys of a role must sign.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if the role has fewer keys.
pub fn set_threshold(signed: &mut Json, place: &Place, threshold: u64) -> Result<(), CliError> {
    let entry = role_entry(signed, place)?;
    let keys = items(member(entry, "keyids")?)?.len() as u64;
    if threshold == 0 {
        let message = format!("role {}: a threshold of 0 asks for nobody", place.role());
        return Err(CliError::new(Exit::Usage, message).hint("at least 1"));
    }
    if threshold > keys {
        let message = format!(
            "role {}: threshold {threshold} with {keys} keys",
            place.role()
        );
        return Err(CliError::new(Exit::Usage, message).hint("add keys first"));
    }
    *member(entry, "threshold")? = Json::from(threshold);
    Ok(())
}

/// Removes a target of a product role.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if there is none of this name.
pub fn remove_target(signed: &mut Json, name: &str) -> Result<(), CliError> {
    let removed = members(member(signed, "targets")?)?.remove(name);
    removed.map(drop).ok_or_else(|| {
        CliError::new(Exit::Usage, format_args!("there is no target {name}"))
            .hint("streembit-publisher list")
    })
}

/// The highest counters that a product role ever had, also of releases that are offered no more:
/// release and security version.
pub fn newest(signed: &Json) -> (u64, u64) {
    let newest = signed.member(NEWEST);
    let counter = |name| newest.and_then(|it| it.integer(name, 0).ok()).unwrap_or(0);
    (counter("release"), counter("security_version"))
}

/// Notes them.
///
/// # Errors
/// [`CliError`] if the document is malformed.
pub fn set_newest(signed: &mut Json, (release, security): (u64, u64)) -> Result<(), CliError> {
    let newest = Json::object([
        ("release", Json::from(release)),
        ("security_version", Json::from(security)),
    ]);
    members(signed)?.insert(NEWEST.to_owned(), newest);
    Ok(())
}

/// Names whose statements of a product's releases count.
///
/// # Errors
/// [`CliError`] if the document is malformed.
pub fn set_statement_keys(signed: &mut Json, keys: &StatementKeys) -> Result<(), CliError> {
    members(signed)?.insert(statement_keys::MEMBER.to_owned(), keys.to_json());
    Ok(())
}

/// Adds a target to a product role.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] if the name is taken.
pub fn add_target(signed: &mut Json, name: &str, target: Json) -> Result<(), CliError> {
    let targets = members(member(signed, "targets")?)?;
    if targets.contains_key(name) {
        return Err(
            CliError::new(Exit::Usage, format_args!("{name} is published already"))
                .hint("choose another --version"),
        );
    }
    targets.insert(name.to_owned(), target);
    Ok(())
}

/// The first digits of a key id, as people see it.
pub fn short(id: &str) -> String {
    id.chars().take(16).collect()
}

/// The first digits of a key's id.
pub fn short_id(key: &RoleKey) -> String {
    short(&key.id())
}
