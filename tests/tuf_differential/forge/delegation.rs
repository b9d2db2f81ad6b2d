//! Who delegates what to whom: chains, diamonds, cycles, hash prefixes, bins.

use manifests::json::Json;

use super::{Repository, Signers, authority, document, keys_of, signers};
use crate::tuf_differential::seeded::Seeded;

/// Patterns of delegations.
const PATTERNS: [&str; 11] = [
    "*",
    "*/*",
    "cam/*",
    "cam/?.bin",
    "cam/*/b",
    "x",
    "../*",
    "é/*",
    "sets/x?",
    "*x",
    "cam/*.bin",
];

/// Names of delegated roles; encoding them is up to the clients' shells.
const NAMES: [&str; 8] = ["r1", "r2", "r3", "../up", "a/b", "é", "x%2fy", "Mixed Case"];

/// A delegation that is still to be written down: from one role to another.
struct Edge {
    from: usize,
    to: usize,
    scope: (&'static str, Json),
    terminating: bool,
}

/// Shapes of delegations: pairs of delegating and delegated role; 0 is the top-level role.
const SHAPES: [&[(usize, usize)]; 8] = [
    &[],
    &[(0, 1)],
    &[(0, 1), (0, 2), (0, 3)],
    &[(0, 1), (1, 2), (2, 3)],
    &[(0, 1), (0, 2), (1, 3), (2, 3)],
    &[(0, 1), (1, 2), (2, 1)],
    &[(0, 1), (1, 2), (2, 3), (3, 1), (0, 3)],
    &[(0, 1), (0, 2), (1, 3), (2, 4), (3, 2)],
];

impl Repository {
    pub(super) fn delegate(&mut self, choices: &mut Seeded) {
        let shape = SHAPES[choices.below(SHAPES.len())];
        let count = shape.iter().map(|(_, to)| *to).max().unwrap_or(0);
        let first = choices.below(NAMES.len());
        let names: Vec<_> = NAMES.iter().cycle().skip(first).take(count).collect();
        let by: Vec<Signers> = (0..count).map(|_| signers(choices)).collect();
        for (name, by) in names.iter().zip(&by) {
            let role = document(name, "targets", by, &[("targets", Json::object([]))]);
            self.delegated.push(role);
        }
        let edges: Vec<Edge> = shape.iter().map(|ends| edge(*ends, choices)).collect();
        for from in 0..=count {
            let mine: Vec<&Edge> = edges.iter().filter(|edge| edge.from == from).collect();
            if mine.is_empty() {
                continue;
            }
            let keys = keys_of(mine.iter().map(|edge| &by[edge.to - 1]));
            let written = mine.iter().map(|edge| {
                let [ids, threshold] = authority(&by[edge.to - 1]);
                let name = ("name", Json::from(*names[edge.to - 1]));
                let terminating = ("terminating", Json::Bool(edge.terminating));
                Json::object([name, ids, threshold, edge.scope.clone(), terminating])
            });
            let roles = Json::Array(written.collect());
            self.role(from).set(
                &["delegations"],
                Json::object([("keys", keys), ("roles", roles)]),
            );
        }
    }

    pub(super) fn delegate_to_bins(&mut self, choices: &mut Seeded) {
        let by = signers(choices);
        let bits = 1 + choices.below(3);
        for bin in 0..1_usize << bits {
            let role = document(
                &format!("bin-{bin:x}"),
                "targets",
                &by,
                &[("targets", Json::object([]))],
            );
            self.delegated.push(role);
        }
        let [ids, threshold] = authority(&by);
        let bits = ("bit_length", Json::from(u64::try_from(bits).unwrap()));
        let bins = Json::object([bits, ("name_prefix", Json::from("bin")), ids, threshold]);
        let keys = keys_of([&by]);
        self.targets.set(
            &["delegations"],
            Json::object([("keys", keys), ("succinct_roles", bins)]),
        );
    }
}

fn edge((from, to): (usize, usize), choices: &mut Seeded) -> Edge {
    let scope = if choices.percent(12) {
        let prefixes = (0..10).map(|_| format!("{:x}", choices.below(16)));
        (
            "path_hash_prefixes",
            Json::strings(prefixes.collect::<Vec<_>>()),
        )
    } else {
        let patterns = (0..1 + choices.below(3)).map(|_| choices.pick(&PATTERNS));
        let patterns: Vec<&str> = patterns.collect();
        let all = choices.percent(30);
        (
            "paths",
            Json::strings(if all { vec!["*", "*/*"] } else { patterns }),
        )
    };
    Edge {
        from,
        to,
        scope,
        terminating: choices.percent(20),
    }
}
