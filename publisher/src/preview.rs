//! What a signature would change, in words: the difference between what is trusted now and what is
//! staged.

use std::collections::{BTreeMap, BTreeSet};

use manifests::author::Draft;
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::envelope::{Authority, Metadata as _};
use manifests::json::{self, Json};
use manifests::root::{Role, Root};
use manifests::targets::Targets;

use crate::edit::short_id;
use crate::staged::Drafts;

/// What a signature over one document would change.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Preview {
    /// The document.
    pub role: String,
    /// SHA-256 of the bytes that are signed, for people to compare.
    pub digest: String,
    /// In words, then every member that changes: nothing is signed that is not here.
    pub changes: Vec<String>,
}

impl Preview {
    /// The previews of a whole change.
    pub fn of(in_force: &Drafts, staged: &Drafts) -> Vec<Self> {
        let preview = |(role, draft): (&String, &Draft)| {
            let old = in_force.get(role).map(Draft::signed);
            Self {
                role: role.clone(),
                digest: grouped(&draft.digest().to_string()),
                changes: changes(role, old, draft.signed()),
            }
        };
        staged.iter().map(preview).collect()
    }

    /// All of them as text.
    pub fn text(previews: &[Self]) -> String {
        let text = |preview: &Self| {
            let lines = preview.changes.iter().map(|line| format!("\n  {line}"));
            let lines: String = lines.collect();
            format!("{}{lines}\n  digest {}", preview.role, preview.digest)
        };
        previews.iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

/// A digest in groups of eight, so that people can read it to each other.
fn grouped(digest: &str) -> String {
    let characters: Vec<char> = digest.chars().collect();
    let groups = characters.chunks(8);
    let groups: Vec<String> = groups.map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// The lines about one document; `old` is absent for a role that is new.
fn changes(role: &str, old: Option<&Json>, new: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    match role {
        "root" => roots(old, new, &mut lines),
        _ => targets(old, new, &mut lines),
    }
    leaves("", old, Some(new), &mut lines);
    lines
}

/// Every member that differs, by its path; items of arrays by their places.
fn leaves(path: &str, old: Option<&Json>, new: Option<&Json>, lines: &mut Vec<String>) {
    if old == new {
        return;
    }
    // Where one side is empty or of another kind, both are shown as they are: `{}` is not nothing.
    let same_kind = match (old, new) {
        (Some(old), Some(new)) => std::mem::discriminant(old) == std::mem::discriminant(new),
        _ => true,
    };
    let (before, after) = (old.map(children), new.map(children));
    let whole = |side: &Option<Children<'_>>| side.as_ref().is_some_and(BTreeMap::is_empty);
    if same_kind && !whole(&before) && !whole(&after) {
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let path = format!("{path}/{}", one_line(name));
            let (old, new) = (before.get(name), after.get(name));
            leaves(&path, old.copied(), new.copied(), lines);
        }
        return;
    }
    let text = |json: &Json| one_line(&String::from_utf8_lossy(&json::encode(json)));
    lines.push(match (old, new) {
        (Some(old), Some(new)) => format!("  {path} {} -> {}", text(old), text(new)),
        (Some(old), None) => format!("- {path} {}", text(old)),
        (None, Some(new)) => format!("+ {path} {}", text(new)),
        (None, None) => return,
    });
}

type Children<'a> = BTreeMap<String, &'a Json>;

/// What a member holds, by name or place.
fn children(json: &Json) -> Children<'_> {
    match json {
        Json::Object(members) => {
            let members = members.iter();
            members.map(|(name, json)| (name.clone(), json)).collect()
        }
        Json::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered
                .map(|(index, json)| (index.to_string(), json))
                .collect()
        }
        _ => Children::new(),
    }
}

/// A name that a stranger may have chosen: a line feed in it must not look like another line.
fn one_line(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn roots(old: Option<&Json>, new: &Json, lines: &mut Vec<String>) {
    let old = old.and_then(|old| Root::from_signed(old).ok());
    let Ok(new) = Root::from_signed(new) else {
        lines.push("! this is no root that a device would take".to_owned());
        return;
    };
    for role in Role::ALL {
        let before = old.as_ref().map(|old| old.role(role));
        authorities(role.name(), before, Some(new.role(role)), lines);
    }
}

fn targets(old: Option<&Json>, new: &Json, lines: &mut Vec<String>) {
    let old = old.and_then(|old| Targets::from_signed(old).ok());
    let Ok(new) = Targets::from_signed(new) else {
        lines.push("! this is no role that a device would take".to_owned());
        return;
    };
    let none = BTreeMap::new();
    let before = old.as_ref().map_or(&none, |old| old.targets());
    for (path, target) in new.targets() {
        match before.get(path) {
            None => lines.push(format!("+ {}, {} bytes", one_line(path), target.length)),
            Some(old) if old != target => {
                lines.push(format!("! {} gets other content", one_line(path)))
            }
            Some(_) => {}
        }
    }
    let gone = before
        .keys()
        .filter(|path| !new.targets().contains_key(*path));
    lines.extend(gone.map(|path| format!("- {}", one_line(path))));
    let none = Delegations::default();
    let before = old.as_ref().map_or(&none, Targets::delegations);
    delegations(before, new.delegations(), lines);
}

fn delegations(old: &Delegations, new: &Delegations, lines: &mut Vec<String>) {
    let (Delegations::Roles(before), Delegations::Roles(after)) = (old, new) else {
        if old != new {
            lines.push("! delegations change to or from hash bins".to_owned());
        }
        return;
    };
    let named =
        |roles: &[Delegation], name: &str| roles.iter().find(|role| role.name == name).cloned();
    for role in after {
        let previous = named(before, &role.name);
        let scope = scope(role);
        match &previous {
            None => lines.push(format!(
                "+ role {} may publish {scope}",
                one_line(&role.name)
            )),
            Some(previous)
                if previous.scope != role.scope || previous.terminating != role.terminating =>
            {
                lines.push(format!(
                    "! role {} may now publish {scope}",
                    one_line(&role.name)
                ));
            }
            Some(_) => {}
        }
        let previous = previous.as_ref().map(|role| &role.authority);
        authorities(&role.name, previous, Some(&role.authority), lines);
    }
    for role in before
        .iter()
        .filter(|role| named(after, &role.name).is_none())
    {
        lines.push(format!("- role {}", one_line(&role.name)));
    }
    let order = |roles: &[Delegation]| {
        roles
            .iter()
            .map(|role| role.name.clone())
            .collect::<Vec<_>>()
    };
    let kept: Vec<String> = order(before)
        .into_iter()
        .filter(|name| named(after, name).is_some())
        .collect();
    let now: Vec<String> = order(after)
        .into_iter()
        .filter(|name| named(before, name).is_some())
        .collect();
    if kept != now {
        lines.push("! the order of the roles changes".to_owned());
    }
}

fn scope(role: &Delegation) -> String {
    match &role.scope {
        Scope::Paths(patterns) => one_line(&patterns.join(" ")),
        Scope::HashPrefixes(prefixes) => format!("{} hash prefixes", prefixes.len()),
    }
}

fn authorities(
    role: &str,
    old: Option<&Authority>,
    new: Option<&Authority>,
    lines: &mut Vec<String>,
) {
    let none = BTreeSet::new();
    let before = old.map_or_else(|| none.clone(), Authority::distinct_keys);
    let after = new.map_or(none, Authority::distinct_keys);
    let name = |key: &keys::RoleKey| {
        let kind = key.ours().map_or("rsa", |key| key.algorithm().name());
        format!("key {} ({kind}) of {}", short_id(key), one_line(role))
    };
    lines.extend(
        before
            .difference(&after)
            .map(|key| format!("- {}", name(key))),
    );
    lines.extend(
        after
            .difference(&before)
            .map(|key| format!("+ {}", name(key))),
    );
    let (before, after) = (old.map(Authority::threshold), new.map(Authority::threshold));
    if before != after {
        let number = |threshold: Option<usize>| {
            threshold.map_or_else(|| "none".to_owned(), |it| it.to_string())
        };
        lines.push(format!(
            "  threshold of {} {} -> {}",
            one_line(role),
            number(before),
            number(after)
        ));
    }
}

#[cfg(test)]
mod tests;
