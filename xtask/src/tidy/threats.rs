//! Every threat has an answer: docs/threat-model.md has one row for each id, and each row names
//! tests that exist or says `open`; a test that cites an id in its name stands in that row. Owns the
//! ids; whether a test proves what its row says is for review.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::source;
use super::workspace::{File, Workspace};

const RULE: &str = "threats";

const DOCUMENT: &str = "docs/threat-model.md";

/// Letter, first and last number of each group.
const IDS: &[(char, u32, u32)] = &[
    ('M', 1, 29),
    ('D', 30, 41),
    ('A', 42, 48),
    ('P', 49, 61),
    ('H', 62, 69),
    ('K', 70, 78),
    ('S', 79, 89),
    ('C', 90, 92),
    ('Q', 93, 96),
    ('L', 97, 100),
];

/// A test's attribute stands at most this many lines above its `fn`.
const ATTRIBUTE_LINES_MAX: usize = 5;

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let Some(document) = workspace.file(DOCUMENT) else {
        let fix = "write it with a table row for each threat id";
        return vec![Finding::file(RULE, DOCUMENT, "is missing", fix)];
    };
    let tests = tests(workspace);
    let text = document.text();
    let mut unseen = ids();
    let mut findings = Vec::new();
    for (index, row) in text.lines().enumerate() {
        let Some((id, answer)) = id_and_answer(row) else {
            continue;
        };
        let mut find = |message: String, fix: &str| {
            findings.push(Finding::file(RULE, DOCUMENT, message, fix).at(index + 1));
        };
        if !unseen.remove(id) {
            find(
                format!("{id} has a second row, or is no threat id"),
                "drop the row",
            );
        }
        for problem in problems(answer, &tests, &workspace.members) {
            find(
                format!("{id}: {problem}"),
                "name an existing test in backticks, or write `open`",
            );
        }
        let cites = |name: &&&str| cited(name).any(|cited| cited == id);
        for name in tests.keys().filter(cites) {
            if !answer.split(['`', ':']).any(|part| part == *name) {
                find(
                    format!("{id}: the test `{name}` cites it and is not named"),
                    "add it to the row",
                );
            }
        }
    }
    for id in unseen {
        let fix = format!("add `| {id} | … | open |`");
        findings.push(Finding::file(
            RULE,
            DOCUMENT,
            format!("{id} has no row"),
            fix,
        ));
    }
    findings
}

/// Returns all threat ids.
pub(super) fn ids() -> BTreeSet<String> {
    let numbered = |(letter, first, last): &(char, u32, u32)| {
        let letter = *letter;
        (*first..=*last).map(move |number| format!("{letter}{number}"))
    };
    IDS.iter().flat_map(numbered).collect()
}

/// Returns first and last cell of a table row whose first cell looks like an id.
fn id_and_answer(row: &str) -> Option<(&str, &str)> {
    let cells = row.trim().strip_prefix('|')?.strip_suffix('|')?;
    let (id, rest) = cells.split_once('|')?;
    let (id, answer) = (id.trim(), rest.rsplit('|').next().unwrap_or(rest).trim());
    let number = id.strip_prefix(|c: char| c.is_ascii_uppercase())?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((id, answer))
}

/// The ids at the end of a test's name: `refuses_both_m1_s79` cites M1 and S79.
fn cited(name: &str) -> impl Iterator<Item = String> + '_ {
    let ids = ids();
    let words = name.rsplit('_').map(str::to_ascii_uppercase);
    words.take_while(move |word| ids.contains(word))
}

/// Test name → crates that have a test of this name.
type Tests<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn problems(answer: &str, tests: &Tests<'_>, members: &[String]) -> Vec<String> {
    if answer == "open" || answer.starts_with("open: ") {
        return Vec::new();
    }
    let parts: Vec<&str> = answer.split('`').collect();
    let (names, between): (Vec<_>, Vec<_>) = parts
        .iter()
        .enumerate()
        .partition(|(index, _)| index % 2 == 1);
    let is_list = parts.len() > 1
        && parts.len() % 2 == 1
        && between
            .iter()
            .all(|(_, text)| text.trim_matches([',', ' ']).is_empty());
    if !is_list {
        return vec![format!("`{answer}` is neither `open` nor a list of tests")];
    }
    let missing = names
        .iter()
        .filter(|(_, name)| !exists(name, tests, members));
    missing
        .map(|(_, name)| format!("there is no test `{name}`"))
        .collect()
}

/// A path that starts with a crate must be a test of that crate.
fn exists(path: &str, tests: &Tests<'_>, members: &[String]) -> bool {
    let segments: Vec<&str> = path.split("::").collect();
    let crates = segments.last().and_then(|name| tests.get(name));
    let first = segments[0];
    let names_crate = members.iter().any(|member| member == first);
    crates.is_some_and(|crates| !names_crate || crates.contains(first))
}

fn tests(workspace: &Workspace) -> Tests<'_> {
    let mut tests = Tests::new();
    for file in workspace.rust_files() {
        for name in test_names(file) {
            tests.entry(name).or_default().insert(file.top_folder());
        }
    }
    tests
}

fn test_names(file: &File) -> Vec<&str> {
    let lines: Vec<&str> = file.code.lines().collect();
    let tokens = source::tokens(&file.code);
    let functions = tokens.windows(2).filter(|pair| pair[0].text == "fn");
    let tested = functions.filter(|pair| {
        let line = source::line_of(&file.code, pair[0].at) - 1;
        let own = lines[line].split("fn ").next().unwrap_or_default();
        let above = lines[line.saturating_sub(ATTRIBUTE_LINES_MAX)..line]
            .iter()
            .rev();
        // The attribute of the function before is not this one's.
        let above = above.take_while(|line| !line.contains("fn "));
        [own]
            .into_iter()
            .chain(above.copied())
            .any(has_test_attribute)
    });
    tested.map(|pair| pair[1].text).collect()
}

fn has_test_attribute(line: &str) -> bool {
    line.contains("#[test]") || line.contains("#[tokio::test")
}

#[cfg(test)]
mod tests;
