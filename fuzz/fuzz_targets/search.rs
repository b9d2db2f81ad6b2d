//! Searches through random graphs of delegated roles, over a source that lies. The input chooses who
//! delegates what to whom, who signs, where the target is, what the device has stored, and with what each
//! request is answered.
#![no_main]

use std::collections::BTreeSet;

use fuzz::choices::Choices;
use fuzz::edit;
use fuzz::graph::{Graph, TOP, edge, paths};
use fuzz::repository::{Files, authority, now};
use keys::RoleKey;
use libfuzzer_sys::fuzz_target;
use manifests::client::{Client, Effect, Found, Stored};
use manifests::delegations::{Delegation, Delegations, Scope};
use manifests::digest::Sha256;
use manifests::envelope::{Authority, Envelope, Metadata};
use manifests::json::Json;
use manifests::limits::ROLES_VISITED_MAX;
use manifests::targets::Targets;

/// Names of delegated roles; also the labels of their keys.
const ROLES: [&str; 8] = ["a", "b", "c", "d", "e", "f/g", "..", "é"];
/// Paths that are searched for.
const PATHS: [&str; 4] = ["file", "d/file", "d/e/file", ".."];
/// Patterns of delegations.
const PATTERNS: [&str; 6] = ["*", "d/*", "*/*/*", "?ile", "..", ""];
/// Delegations of one graph, beside bins.
const EDGES_MAX: usize = 24;
/// Requests before the first search: root, timestamp, snapshot, targets.
const REFRESH_REQUESTS: usize = 4;
/// Searches of one run.
const SEARCHES_MAX: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let graph = graph(&mut choices);
    let honest = graph.files();
    let mut stored = graph.fresh_device();
    for (role, draft) in &graph.roles {
        // As if an earlier run had stored it, or something else.
        match choices.byte() % 8 {
            1 => drop(stored.roles.insert(role.clone(), draft.encode())),
            2 => {
                let mut bytes = draft.encode();
                edit::damage(&mut bytes, &mut choices);
                stored.roles.insert(role.clone(), bytes);
            }
            _ => {}
        }
    }
    let Ok(mut client) = Client::start(stored.clone(), now()) else {
        return;
    };
    let mut run = Run {
        honest,
        choices,
        requests: 0,
    };
    if !run.follow(&mut client, &mut stored) {
        return;
    }
    assert_eq!(run.requests, REFRESH_REQUESTS);
    for _ in 0..SEARCHES_MAX {
        let Some(path) = run.choices.one_of(&PATHS) else {
            return;
        };
        run.requests = 0;
        if client.search(path).is_err() || !run.follow(&mut client, &mut stored) {
            assert_eq!(client.request(), None);
            assert!(client.found().is_none());
            return;
        }
        assert!(run.requests < ROLES_VISITED_MAX);
        check(&stored, path, client.found());
    }
});

fn graph(choices: &mut Choices<'_>) -> Graph {
    let mut graph = match choices.byte() % 2 {
        0 => Graph::new(),
        _ => Graph::unhashed(),
    };
    for _ in 0..choices.below(EDGES_MAX) {
        let delegator = match choices.below(ROLES.len() + 2).checked_sub(2) {
            Some(index) if graph.roles.contains_key(ROLES[index]) => ROLES[index],
            _ => TOP,
        };
        let delegation = delegation(choices);
        let known = Delegations::parse(&graph.role(delegator).signed);
        let is_new = known.is_ok_and(|known| known.role(&delegation.name).is_none());
        if is_new {
            graph.delegate(delegator, delegation);
        }
    }
    let roles: Vec<String> = graph.roles.keys().cloned().collect();
    for _ in 0..choices.below(4) {
        let Some(role) = choices.one_of(&roles) else {
            break;
        };
        match choices.byte() % 6 {
            0 => drop(graph.unlisted.insert(role.clone())),
            1 => graph
                .role(role)
                .sign_with(&[ROLES[choices.below(ROLES.len())]]),
            2 => graph.role(role).set(&["version"], choices.number() >> 11),
            3 => damage(&mut graph.role(role).signed, choices),
            4 => {
                let path = PATHS[choices.below(PATHS.len())];
                let bits = u32::from(choices.byte() % 32) + 1;
                let bin = bin_of(bits, path);
                graph.delegate_bins(role, bits, "bin", &[&bin]);
            }
            _ => {
                let path = PATHS[choices.below(PATHS.len())];
                graph.publish(role, path, b"content");
            }
        }
    }
    for path in PATHS {
        if let (1, Some(role)) = (choices.byte() % 4, choices.one_of(&roles)) {
            graph.publish(role, path, b"content");
        }
    }
    graph
}

/// Damages a role, but for what its file name and further changes need.
fn damage(signed: &mut Json, choices: &mut Choices<'_>) {
    let mut damaged = signed.clone();
    edit::damage_json(&mut damaged, choices);
    let is_object = matches!(damaged.member("targets"), Some(Json::Object(_)));
    if is_object && damaged.integer("version", 0).is_ok() {
        *signed = damaged;
    }
}

/// The bin of a path, by TAP 15.
fn bin_of(bits: u32, path: &str) -> String {
    let digest = Sha256::of(path.as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    let bin = u64::from(u32::from_be_bytes([a, b, c, d])) >> (32 - bits);
    let digits = bits.div_ceil(4) as usize;
    format!("bin-{bin:0digits$x}")
}

fn delegation(choices: &mut Choices<'_>) -> Delegation {
    let name = ROLES[choices.below(ROLES.len())];
    let pick = choices.byte();
    let scope = match pick % 4 {
        0 => paths(&["*", "*/*", "*/*/*"]),
        1 | 2 => paths(&[PATTERNS[choices.below(PATTERNS.len())]]),
        _ => {
            let hash = Sha256::of(PATHS[choices.below(PATHS.len())].as_bytes()).to_string();
            Scope::HashPrefixes(vec![hash.chars().take(choices.below(65)).collect()])
        }
    };
    let other = ROLES[choices.below(ROLES.len())];
    let authority = match pick >> 6 {
        0 | 1 => authority(&[name], 1),
        2 => authority(&[name, other], 1),
        _ => authority(&[name, other], 2),
    };
    Delegation {
        authority,
        scope,
        terminating: pick & 4 != 0,
        ..edge(name)
    }
}

/// A source that answers, and what was asked of it.
struct Run<'a> {
    honest: Files,
    choices: Choices<'a>,
    requests: usize,
}

impl Run<'_> {
    /// Answers until nothing is wanted; whether no rule was broken.
    fn follow(&mut self, client: &mut Client, stored: &mut Stored) -> bool {
        while let Some(request) = client.request() {
            self.requests += 1;
            assert!(self.requests <= ROLES_VISITED_MAX);
            let answer = self.answer(&request.name);
            let Ok(effects) = client.respond(answer.as_deref()) else {
                assert_eq!(client.request(), None);
                return false;
            };
            for effect in &effects {
                let Effect::Store(_, bytes) = effect else {
                    panic!("no key was rotated");
                };
                assert_eq!(Some(bytes), answer.as_ref());
                assert!(bytes.len() as u64 <= request.length_max);
                stored.apply(effect);
            }
        }
        client.outcome().is_ok()
    }

    fn answer(&mut self, name: &str) -> Option<Vec<u8>> {
        let honest = self.honest.get(name).cloned();
        match self.choices.byte() % 16 {
            1 => None,
            2 => {
                let all: Vec<&Vec<u8>> = self.honest.values().collect();
                self.choices.one_of(&all).map(|bytes| (*bytes).clone())
            }
            3 => {
                let mut bytes = honest?;
                edit::damage(&mut bytes, &mut self.choices);
                Some(bytes)
            }
            // Also what an input that has ended means.
            _ => honest,
        }
        .filter(|_| name != "2.root.json")
    }
}

/// What was found is published by a role to which a chain leads from the top-level targets, each link
/// verified by the keys of the one above and each for a scope that has the path.
fn check(stored: &Stored, path: &str, found: Option<&Found>) {
    let Some(found) = found else {
        return;
    };
    let Some(top) = stored.targets.as_deref().and_then(parse) else {
        panic!("no targets");
    };
    let mut chained = BTreeSet::from([TOP.to_owned()]);
    let mut open = vec![top.0];
    while let Some(role) = open.pop() {
        for name in in_scope(role.delegations(), path) {
            let bytes = stored.roles.get(&name);
            let Some((child, envelope)) = bytes.and_then(|bytes| parse(bytes)) else {
                continue;
            };
            let Some(authority) = role.delegations().authority(&name) else {
                panic!("{name} has no keys");
            };
            if is_signed(envelope, authority) && chained.insert(name) {
                open.push(child);
            }
        }
    }
    assert!(chained.contains(&found.role), "{} for {path}", found.role);
    let bytes = match found.role.as_str() {
        TOP => stored.targets.as_ref(),
        role => stored.roles.get(role),
    };
    let says = bytes.and_then(|bytes| parse(bytes));
    let says = says.and_then(|(role, _)| role.targets().get(path).cloned());
    assert_eq!(says.as_ref(), Some(&found.target));
}

fn in_scope(delegations: &Delegations, path: &str) -> Vec<String> {
    match delegations {
        Delegations::Roles(roles) => {
            let roles = roles.iter().filter(|role| role.matches(path));
            roles.map(|role| role.name.clone()).collect()
        }
        Delegations::Succinct(bins) => vec![bins.role_of(path)],
    }
}

fn parse(bytes: &[u8]) -> Option<(Targets, Envelope<Targets>)> {
    let document = manifests::json::parse(bytes).ok()?;
    let content = Targets::from_signed(document.member("signed")?).ok()?;
    Some((content, Envelope::parse(bytes).ok()?))
}

fn is_signed(envelope: Envelope<Targets>, authority: &Authority) -> bool {
    let Ok(role) = envelope.verify(authority) else {
        return false;
    };
    let keys = authority.distinct_keys();
    let signers: BTreeSet<&RoleKey> = role.signers().iter().collect();
    signers.intersection(&keys).count() >= authority.threshold()
}
