//! Graphs of delegations (TUF 1.0.34 section 5.6.7, TAP 15): which roles a search visits, in which order,
//! and where it ends (threats M20, M21).

use manifests::delegations::{Delegation, Scope};
use manifests::digest::Sha256;
use manifests::limits::{DELEGATIONS_MAX, ROLES_VISITED_MAX};
use support::graph::{Graph, Searched, TOP, edge, paths, search};
use support::repository::now;

/// Searches as a new device.
fn search_anew(graph: &Graph, path: &str) -> Searched {
    search(&mut graph.fresh_device(), &graph.files(), &[path], now())
}

/// Asserts which delegated roles, in their version 1, a new device asks for and stores, in this order, and
/// where it finds `path`.
fn assert_visits(graph: &Graph, path: &str, roles: &[&str], found: Option<&str>) {
    let run = search_anew(graph, path);
    assert_eq!(run.found_in(), found, "{path}");
    let asked: Vec<String> = roles.iter().map(|role| graph.file_name(role)).collect();
    assert_eq!(run.roles_asked(), asked, "{path}");
    let top = ["timestamp.json", "snapshot.json", "targets.json"].map(str::to_owned);
    let stored = roles.iter().map(|role| format!("{role}.json"));
    let stored: Vec<String> = top.into_iter().chain(stored).collect();
    assert_eq!(run.stored(), stored, "{path}");
}

#[test]
fn search_is_in_pre_order_and_stores_as_it_goes_m20() {
    let graph = Graph::of(&[
        (TOP, "a"),
        (TOP, "b"),
        ("a", "a1"),
        ("a", "a2"),
        ("a1", "deep"),
        ("b", "b1"),
    ]);
    let run = search_anew(&graph, "nowhere");
    let asked = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
        "1.a.json",
        "1.a1.json",
        "1.deep.json",
        "1.a2.json",
        "1.b.json",
        "1.b1.json",
    ];
    assert_eq!(run.asked(), asked);
    assert_visits(
        &graph,
        "nowhere",
        &["a", "a1", "deep", "a2", "b", "b1"],
        None,
    );
}

/// The order of the delegations is that of priority: a later role can't override an earlier one, nor a
/// child its parent.
#[test]
fn first_role_in_order_decides_m21() {
    let mut graph = Graph::of(&[(TOP, "z"), (TOP, "a"), ("z", "child")]);
    for (role, content) in [("a", "1"), ("child", "22"), ("z", "333"), (TOP, "4444")] {
        graph.publish(role, "file", content.as_bytes());
        let mut visited = vec!["z", "child", "a"];
        match role {
            "child" => visited.truncate(2),
            "z" => visited.truncate(1),
            TOP => visited.clear(),
            _ => {}
        }
        let found = search_anew(&graph, "file").result.unwrap();
        assert_eq!(
            found[0].as_ref().unwrap().target.length,
            content.len() as u64
        );
        assert_visits(&graph, "file", &visited, Some(role));
    }
}

/// A terminating role cuts its later siblings and everything above; its own children are visited, and so
/// is what stands before it.
#[test]
fn terminating_role_cuts_siblings_and_the_way_back_m20() {
    let mut graph = Graph::of(&[(TOP, "first"), (TOP, "outer"), (TOP, "uncle")]);
    graph.delegate("outer", edge("early"));
    graph.delegate(
        "outer",
        Delegation {
            terminating: true,
            ..edge("end")
        },
    );
    graph.delegate("outer", edge("late"));
    graph.delegate("end", edge("child"));
    graph.delegate("child", edge("grandchild"));
    let visited = ["first", "outer", "early", "end", "child", "grandchild"];
    assert_visits(&graph, "file", &visited, None);
    for hidden in ["late", "uncle"] {
        graph.publish(hidden, "file", b"hidden");
    }
    assert_visits(&graph, "file", &visited, None);
    graph.publish("grandchild", "file", b"seen");
    assert_visits(&graph, "file", &visited, Some("grandchild"));
}

/// A terminating role that the path does not belong to cuts nothing.
#[test]
fn terminating_role_of_other_paths_cuts_nothing_m20() {
    let mut graph = Graph::new();
    graph.delegate(
        TOP,
        Delegation {
            terminating: true,
            scope: paths(&["other-*"]),
            ..edge("end")
        },
    );
    graph.delegate(TOP, edge("next"));
    graph.publish("next", "file", b"1");
    graph.publish("next", "other-file", b"2");
    assert_visits(&graph, "file", &["next"], Some("next"));
    assert_visits(&graph, "other-file", &["end"], None);
}

#[test]
fn cycles_and_self_delegations_end_m20() {
    for (edges, visited) in [
        (&[(TOP, "a"), ("a", "a")][..], &["a"][..]),
        (&[(TOP, "a"), ("a", "b"), ("b", "a")], &["a", "b"]),
        (
            &[
                (TOP, "a"),
                ("a", "b"),
                ("b", "c"),
                ("c", "a"),
                ("c", "b"),
                (TOP, "d"),
            ],
            &["a", "b", "c", "d"],
        ),
    ] {
        let mut graph = Graph::of(edges);
        assert_visits(&graph, "file", visited, None);
        let last = visited.last().unwrap();
        graph.publish(last, "file", b"1");
        assert_visits(&graph, "file", visited, Some(last));
    }
}

/// A role that two delegate to is visited once, where it comes first. Whom the second delegator would
/// have trusted makes no difference then.
#[test]
fn diamond_is_visited_once_m20() {
    let mut graph = Graph::of(&[(TOP, "a"), (TOP, "b"), ("a", "shared"), ("b", "b1")]);
    let mut other = edge("shared");
    other.authority = support::repository::authority(&["stranger"], 1);
    graph.delegate("b", other);
    graph.delegate("shared", edge("below"));
    assert_visits(&graph, "file", &["a", "shared", "below", "b", "b1"], None);
}

/// 31 delegated roles beside the top-level one, however they hang together.
#[test]
fn search_ends_after_a_bounded_number_of_roles_m20() {
    let delegated = ROLES_VISITED_MAX - 1;
    let name = |index: usize| format!("r{index:03}");
    let (mut chain, mut star) = (Graph::new(), Graph::new());
    for index in 0..delegated + 5 {
        let above = if index == 0 {
            TOP.to_owned()
        } else {
            name(index - 1)
        };
        chain.delegate(&above, edge(&name(index)));
        star.delegate(TOP, edge(&name(index)));
    }
    let names: Vec<String> = (0..delegated).map(name).collect();
    let visited: Vec<&str> = names.iter().map(String::as_str).collect();
    for graph in [&mut chain, &mut star] {
        assert_visits(graph, "file", &visited, None);
        graph.publish(&name(delegated), "file", b"beyond");
        assert_visits(graph, "file", &visited, None);
        graph.publish(&name(delegated - 1), "file", b"the last one");
        assert_visits(graph, "file", &visited, visited.last().copied());
    }
}

#[test]
fn as_many_delegations_as_the_limit_and_no_more_m20() {
    let mut graph = Graph::new();
    for index in 0..DELEGATIONS_MAX - 1 {
        // One key for all: a role's delegations have at most 128.
        let delegation = Delegation {
            scope: paths(&["other"]),
            authority: support::repository::authority(&["one"], 1),
            ..edge(&format!("r{index}"))
        };
        graph.delegate(TOP, delegation);
    }
    graph.delegate(TOP, edge("last"));
    graph.publish("last", "file", b"1");
    assert_visits(&graph, "file", &["last"], Some("last"));
    graph.delegate(TOP, edge("beyond"));
    let run = search_anew(&graph, "file");
    assert_eq!(run.error().0, "1.targets.json");
    assert_eq!(run.stored(), ["timestamp.json", "snapshot.json"]);
}

/// Each level narrows: a role that delegates more than it has gets no more visited, and what a role
/// publishes outside of its own scope is not found.
#[test]
fn children_widen_nothing_m21() {
    let mut graph = Graph::new();
    let under = |name: &str, patterns: &[&str]| Delegation {
        scope: paths(patterns),
        ..edge(name)
    };
    graph.delegate(TOP, under("a", &["a/*", "a/*/*"]));
    graph.delegate("a", under("wide", &["*", "*/*", "*/*/*"]));
    graph.delegate("wide", under("narrow", &["a/x/*"]));
    graph.delegate("narrow", under("widest", &["*", "*/*", "*/*/*"]));
    for path in ["b/x", "a", "a/x/y/z", "A/x", "a/"] {
        for role in ["a", "wide", "narrow", "widest"] {
            graph.publish(role, path, b"stolen");
        }
    }
    for path in ["b/x", "a", "a/x/y/z", "A/x"] {
        assert_visits(&graph, path, &[], None);
    }
    assert_visits(&graph, "a/", &["a"], Some("a"));
    assert_visits(&graph, "a/y", &["a", "wide"], None);
    assert_visits(&graph, "a/y/z", &["a", "wide"], None);
    assert_visits(&graph, "a/x/z", &["a", "wide", "narrow", "widest"], None);
    graph.publish("widest", "a/y/z", b"stolen");
    assert_visits(&graph, "a/y/z", &["a", "wide"], None);
    graph.publish("widest", "a/x/z", b"given");
    assert_visits(
        &graph,
        "a/x/z",
        &["a", "wide", "narrow", "widest"],
        Some("widest"),
    );
}

#[test]
fn hash_prefixes_narrow_at_every_level_m21() {
    let hash = |path: &str| Sha256::of(path.as_bytes()).to_string();
    let (path, other) = ("file", "another file");
    assert_ne!(hash(path)[..1], hash(other)[..1]);
    let prefixed = |name: &str, prefix: &str| Delegation {
        scope: Scope::HashPrefixes(vec![prefix.to_owned()]),
        ..edge(name)
    };
    let mut graph = Graph::new();
    graph.delegate(TOP, prefixed("whole", &hash(path)));
    graph.delegate(TOP, prefixed("digit", &hash(path)[..1]));
    // Too long by one, upper case, of the other path: nobody's.
    graph.delegate(TOP, prefixed("long", &format!("{}0", hash(path))));
    graph.delegate(TOP, prefixed("upper", &hash(path)[..6].to_uppercase()));
    graph.delegate("digit", prefixed("two", &hash(path)[..2]));
    graph.delegate("digit", prefixed("foreign", &hash(other)[..1]));
    graph.delegate("two", edge("all"));
    assert_visits(&graph, path, &["whole", "digit", "two", "all"], None);
    assert_visits(&graph, other, &[], None);
    graph.publish("all", path, b"1");
    graph.publish("all", other, b"2");
    assert_visits(&graph, path, &["whole", "digit", "two", "all"], Some("all"));
    assert_visits(&graph, other, &[], None);
}

/// TAP 15: the bin by the first bits of the path's SHA-256, as many digits as the last bin has.
#[test]
fn bins_are_asked_for_by_the_first_bits_m20() {
    let path = "some/path with é";
    let digest = Sha256::of(path.as_bytes());
    let first = u32::from_be_bytes(digest.as_bytes()[..4].try_into().unwrap());
    for bits in [1_u32, 2, 4, 5, 8, 9, 16, 31, 32] {
        let bin = u64::from(first) >> (32 - bits);
        let name = format!("bin-{bin:0digits$x}", digits = bits.div_ceil(4) as usize);
        let mut graph = Graph::new();
        graph.delegate_bins(TOP, bits, "bin", &[&name]);
        assert_visits(&graph, path, &[&name], None);
        graph.publish(&name, path, b"1");
        assert_visits(&graph, path, &[&name], Some(&name));
    }
    for bits in [0_u64, 33, 1 << 32, (1 << 32) + 1] {
        let mut graph = Graph::new();
        graph.delegate_bins(TOP, 8, "bin", &[]);
        let place = ["delegations", "succinct_roles", "bit_length"];
        graph.role(TOP).set(&place, bits);
        assert_eq!(search_anew(&graph, path).error().0, "1.targets.json");
    }
}

/// Bins end the search (TAP 15), and may delegate on.
#[test]
fn bins_are_terminating_and_may_have_children_m20() {
    let path = "file";
    let bin = format!("bin-{}", &Sha256::of(path.as_bytes()).to_string()[..2]);
    let mut graph = Graph::of(&[(TOP, "a"), (TOP, "late")]);
    graph.delegate_bins("a", 8, "bin", &[&bin]);
    graph.delegate(&bin, edge("child"));
    graph.publish("late", path, b"hidden");
    assert_visits(&graph, path, &["a", &bin, "child"], None);
    graph.publish("child", path, b"1");
    assert_visits(&graph, path, &["a", &bin, "child"], Some("child"));
}

/// Without consistent snapshots no name carries a version, in the same order.
#[test]
fn names_without_versions_where_snapshots_are_not_consistent_m20() {
    let mut graph = Graph::of(&[(TOP, "a"), ("a", "b")]);
    for root in &mut graph.base.roots {
        root.set(&["consistent_snapshot"], manifests::json::Json::Bool(false));
    }
    graph.publish("b", "file", b"1");
    let asked = [
        "2.root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "a.json",
        "b.json",
    ];
    assert_eq!(search_anew(&graph, "file").asked(), asked);
    assert_visits(&graph, "file", &["a", "b"], Some("b"));
}

/// Paths and role names are any text: compared as they are, never cleaned up.
#[test]
fn odd_names_are_taken_literally_m22() {
    let odd = [
        "",
        ".",
        "..",
        "../x",
        "/x",
        "a//b",
        "a\0b",
        "a\nb",
        "a\"b\\",
        "é",
        "e\u{301}",
        "%2e",
        "\u{202e}x",
        "*",
        "?",
        "#",
        "A",
        "a",
    ];
    let mut graph = Graph::new();
    for (index, path) in odd.iter().enumerate() {
        graph.publish(TOP, path, &vec![0; index]);
        if !path.is_empty() {
            let scope = paths(&["never"]);
            graph.delegate(
                TOP,
                Delegation {
                    scope,
                    ..edge(path)
                },
            );
        }
    }
    let mut stored = graph.fresh_device();
    let run = search(&mut stored, &graph.files(), &odd, now());
    for (index, found) in run.result.unwrap().into_iter().enumerate() {
        assert_eq!(
            found.unwrap().target.length,
            index as u64,
            "{:?}",
            odd[index]
        );
    }
    assert_visits(&graph, "x", &[], None);
    let mut graph = Graph::new();
    let named: Vec<&str> = odd
        .iter()
        .copied()
        .filter(|name| !name.is_empty())
        .collect();
    for name in &named {
        graph.delegate(TOP, edge(name));
    }
    assert_visits(&graph, "file", &named, None);
    for name in ["Root", "TIMESTAMP", "snapshot", "tArgets"] {
        let mut graph = Graph::new();
        graph.delegate(TOP, edge("a"));
        let place = ["delegations", "roles", "0", "name"];
        graph
            .role(TOP)
            .set(&place, manifests::json::Json::from(name));
        assert_eq!(search_anew(&graph, "file").error().0, "1.targets.json");
    }
}
