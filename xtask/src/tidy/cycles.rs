//! Module cycles inside one crate: collects which top-level module names which, outside tests, and
//! fails on any loop. Owns the graph; which crate imports which is `layers`' question.
//!
//! `crate::Thing` counts for the module that the crate root re-exports `Thing` from, or for the
//! root itself if the root defines it. Not seen: names that a macro makes.

mod imports;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::finding::Finding;
use super::source;
use super::workspace::{File, Workspace};

const RULE: &str = "cycles";

/// module → module it names → where it first does.
type Graph = BTreeMap<String, BTreeMap<String, Place>>;

#[derive(Debug, Clone)]
struct Place {
    file: String,
    line: usize,
}

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace
        .members
        .iter()
        .flat_map(|member| check_member(workspace, member))
        .collect()
}

fn check_member(workspace: &Workspace, member: &str) -> Vec<Finding> {
    let Some(crate_source) = CrateSource::find(workspace, member) else {
        return Vec::new();
    };
    let graph = crate_source.graph();
    loops(&graph)
        .iter()
        .filter_map(|names| describe(&graph, names))
        .collect()
}

fn describe(graph: &Graph, names: &[String]) -> Option<Finding> {
    let [first, second, ..] = names else {
        return None;
    };
    let place = graph.get(first)?.get(second)?;
    let path = names.join(" -> ");
    let message = format!("modules import each other: {path} -> {first}");
    let fix =
        "let errors flow up, configuration flow down, and traits sit below what implements them";
    Some(Finding::file(RULE, &place.file, message, fix).at(place.line))
}

/// The files of one crate's library, or of its binary if it has no library.
struct CrateSource<'a> {
    root: &'a File,
    root_name: &'static str,
    /// Files below the root's folder with their module path, tests left out.
    files: Vec<(Vec<&'a str>, &'a File)>,
    /// Name in the root → top-level module that it is re-exported from.
    reexports: BTreeMap<&'a str, &'a str>,
}

impl<'a> CrateSource<'a> {
    fn find(workspace: &'a Workspace, member: &str) -> Option<Self> {
        let manifest = workspace
            .manifest(&format!("{member}/Cargo.toml"))
            .unwrap_or_default();
        let named = manifest
            .get("lib")
            .and_then(|lib| lib.get("path")?.as_str());
        let library = format!("{member}/{}", named.unwrap_or("src/lib.rs"));
        let (root, root_name) = match workspace.file(&library) {
            Some(root) => (root, "lib"),
            None => (workspace.file(&format!("{member}/src/main.rs"))?, "main"),
        };
        let folder = root.path.strip_suffix(root.name())?;
        let mut files = Vec::new();
        for file in workspace.rust_files() {
            let Some(inner) = file.path.strip_prefix(folder) else {
                continue;
            };
            let stem = inner.strip_suffix(".rs").unwrap_or(inner);
            let is_test = inner
                .split('/')
                .any(|part| part == "tests" || part == "tests.rs");
            if !is_test && !["lib", "main"].contains(&stem) && !stem.starts_with("bin/") {
                files.push((stem.split('/').collect(), file));
            }
        }
        let mut found = Self {
            root,
            root_name,
            files,
            reexports: BTreeMap::new(),
        };
        found.reexports = found.read_reexports();
        Some(found)
    }

    fn is_module(&self, name: &str) -> bool {
        self.files.iter().any(|(path, _)| path[0] == name)
    }

    fn read_reexports(&self) -> BTreeMap<&'a str, &'a str> {
        let tokens = source::tokens_without_tests(&self.root.code);
        let mut found = BTreeMap::new();
        for (path, name) in imports::used(&tokens) {
            let [module, _, ..] = path.as_slice() else {
                continue;
            };
            if name == "*" {
                let names = self.public_names(module);
                found.extend(names.into_iter().map(|name| (name, *module)));
            } else if self.is_module(module) {
                found.insert(name, module);
            }
        }
        found
    }

    /// Names that a module's own file defines, for `pub use module::*`.
    fn public_names(&self, module: &str) -> BTreeSet<&'a str> {
        let own = self
            .files
            .iter()
            .find(|(path, _)| path.len() == 1 && path[0] == module);
        own.map(|(_, file)| imports::definitions(&source::tokens_without_tests(&file.code)))
            .unwrap_or_default()
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        let root_tokens = source::tokens_without_tests(&self.root.code);
        let root_names = imports::definitions(&root_tokens);
        let mut add = |from: &str, to: &str, file: &File, at: usize| {
            if from != to {
                let line = source::line_of(&file.code, at);
                let place = Place {
                    file: file.path.clone(),
                    line,
                };
                let edges = graph.entry(from.to_owned()).or_default();
                edges.entry(to.to_owned()).or_insert(place);
            }
        };
        for (path, file) in &self.files {
            let tokens = source::tokens_without_tests(&file.code);
            for named in imports::named_from_root(&tokens, path.len()) {
                if self.is_module(named.text) {
                    add(path[0], named.text, file, named.at);
                } else if let Some(module) = self.reexports.get(named.text) {
                    add(path[0], module, file, named.at);
                } else if root_names.contains(named.text) {
                    add(path[0], self.root_name, file, named.at);
                }
            }
        }
        for named in imports::named_by_root(&root_tokens) {
            if self.is_module(named.text) {
                add(self.root_name, named.text, self.root, named.at);
            }
        }
        graph
    }
}

/// Returns one shortest loop for each set of modules that reach each other.
fn loops(graph: &Graph) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut done: BTreeSet<&String> = BTreeSet::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        let set: Vec<&String> = graph
            .keys()
            .filter(|other| {
                path(graph, start, other).is_some() && path(graph, other, start).is_some()
            })
            .collect();
        let shortest = set
            .iter()
            .filter_map(|name| path(graph, name, name))
            .min_by_key(Vec::len);
        found.extend(shortest);
        done.extend(set);
    }
    found
}

/// Returns the modules on a shortest way of one edge or more, `to` left out.
fn path(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([vec![from.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let next = way
            .last()
            .and_then(|last| graph.get(last))
            .into_iter()
            .flatten();
        for (name, _) in next {
            if name == to {
                return Some(way);
            }
            if seen.insert(name) {
                let mut longer = way.clone();
                longer.push(name.clone());
                ways.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
