//! What a signature would change, in words: the difference between what is trusted now and what is
//! staged.

use std::collections::BTreeSet;

use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::envelope::{Authority, Metadata as _};
use manifests::json::Json;
use manifests::root::{Role, Root};
use manifests::targets::Targets;

use crate::edit::short_id;

/// The lines of a preview of role `role`; `old` is absent for a role that is new.
pub fn differences(role: &str, old: Option<&Json>, new: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    let text = |json: &Json, name: &'static str| match json.member(name) {
        Some(Json::Integer(number)) => number.to_string(),
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    };
    for name in ["version", "expires"] {
        let (before, after) = (old.map(|old| text(old, name)), text(new, name));
        match before {
            Some(before) if before != after => lines.push(format!("  {name} {before} -> {after}")),
            Some(_) => {}
            None => lines.push(format!("+ {name} {after}")),
        }
    }
    match role {
        "root" => roots(old, new, &mut lines),
        _ => targets(old, new, &mut lines),
    }
    others(old, new, &mut lines);
    lines
}

/// Members that are shown by no other line.
fn others(old: Option<&Json>, new: &Json, lines: &mut Vec<String>) {
    const SHOWN: &[&str] = &[
        "_type",
        "version",
        "expires",
        "keys",
        "roles",
        "targets",
        "delegations",
    ];
    let empty = std::collections::BTreeMap::new();
    let members = |json: Option<&Json>| match json {
        Some(Json::Object(members)) => members.clone(),
        _ => empty.clone(),
    };
    let (before, after) = (members(old), members(Some(new)));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        if !SHOWN.contains(&name.as_str()) && old.is_some() && before.get(name) != after.get(name) {
            lines.push(format!("  {name} changes"));
        }
    }
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
    let none = std::collections::BTreeMap::new();
    let before = old.as_ref().map_or(&none, |old| old.targets());
    for (path, target) in new.targets() {
        match before.get(path) {
            None => lines.push(format!("+ {path}, {} bytes", target.length)),
            Some(old) if old != target => lines.push(format!("! {path} gets other content")),
            Some(_) => {}
        }
    }
    let gone = before
        .keys()
        .filter(|path| !new.targets().contains_key(*path));
    lines.extend(gone.map(|path| format!("- {path}")));
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
            None => lines.push(format!("+ role {} may publish {scope}", role.name)),
            Some(previous)
                if previous.scope != role.scope || previous.terminating != role.terminating =>
            {
                lines.push(format!("! role {} may now publish {scope}", role.name));
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
        lines.push(format!("- role {}", role.name));
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
        Scope::Paths(patterns) => patterns.join(" "),
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
        format!("key {} ({kind}) of {role}", short_id(key))
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
            "  threshold of {role} {} -> {}",
            number(before),
            number(after)
        ));
    }
}
