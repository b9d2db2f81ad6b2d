//! Which names the paths of one file lead to: by `crate::`, by `super::`, and in the crate root by
//! `use`. Knows tokens only, neither files nor the graph.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::tidy::source::{self, Token};

/// Words before the name of an item.
const DEFINING: &[&str] = &[
    "struct", "enum", "union", "trait", "fn", "type", "const", "static", "mod",
];

/// Returns the names of items; `mod name;` is a file, not an item.
pub(super) fn definitions<'a>(tokens: &[Token<'a>]) -> BTreeSet<&'a str> {
    let defining = tokens.windows(3).filter(|item| {
        DEFINING.contains(&item[0].text)
            && is_name(item[1].text)
            && (item[0].text != "mod" || item[2].text == "{")
    });
    defining.map(|item| item[1].text).collect()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns the names right below the crate root that a file names by `crate::` or `super::`.
/// `depth` is the length of the file's module path.
pub(super) fn named_from_root<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Token<'a>> {
    let inline = inline_modules(tokens);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let continues = index > 0 && tokens[index - 1].text == "::";
        let after_self = index > 1 && continues && tokens[index - 2].text == "self";
        let starts = !continues || after_self;
        if token.text == "crate" && source::reads(tokens, index + 1, &["::"]) {
            found.extend(heads(tokens, index + 2));
        } else if token.text == "super" && starts {
            let mut up = 0;
            while source::reads(tokens, index + 2 * up, &["super", "::"]) {
                up += 1;
            }
            let inner = inline.iter().filter(|range| range.contains(&index)).count();
            if up > 0 && up == depth + inner {
                found.extend(heads(tokens, index + 2 * up));
            }
        }
    }
    found
}

/// Returns the token ranges of `mod name { … }`.
fn inline_modules(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let opens = (0..tokens.len())
        .filter(|index| tokens[*index].text == "mod" && source::reads(tokens, index + 2, &["{"]));
    opens
        .map(|index| index..source::closing(tokens, index + 2))
        .collect()
}

/// Returns the name at `index`, or the first name of each branch of a `{…}` group there.
fn heads<'a>(tokens: &[Token<'a>], index: usize) -> Vec<Token<'a>> {
    let Some(first) = tokens.get(index) else {
        return Vec::new();
    };
    if first.text != "{" {
        return vec![*first];
    }
    let mut found = Vec::new();
    let close = source::closing(tokens, index);
    let mut at = index + 1;
    while at < close {
        found.push(tokens[at]);
        while at < close && tokens[at].text != "," {
            at = if tokens[at].text == "{" {
                source::closing(tokens, at)
            } else {
                at
            } + 1;
        }
        at += 1;
    }
    found
}

/// Returns the first names of paths in the crate root, `pub use` left out.
pub(super) fn named_by_root<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let statements = use_statements(tokens);
    let mut found = Vec::new();
    for range in &statements {
        let is_public = range.start > 0 && ["pub", ")"].contains(&tokens[range.start - 1].text);
        if !is_public {
            let at = tokens[range.start].at;
            let leaves = use_leaves(&tokens[range.clone()]);
            let firsts = leaves.iter().filter_map(|(path, _)| path.first());
            found.extend(firsts.map(|text| Token { text, at }));
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        let continues = index > 1 && tokens[index - 1].text == "::";
        let starts = !continues || ["crate", "self"].contains(&tokens[index - 2].text);
        let in_use = statements.iter().any(|range| range.contains(&index));
        if starts && !in_use && source::reads(tokens, index + 1, &["::"]) {
            found.push(*token);
        }
    }
    found
}

/// Returns what the `use` statements bring in: the path, and the name that it is known by.
pub(super) fn used<'a>(tokens: &[Token<'a>]) -> Vec<(Vec<&'a str>, &'a str)> {
    use_statements(tokens)
        .into_iter()
        .flat_map(|range| use_leaves(&tokens[range]))
        .collect()
}

/// Returns the token ranges of `use …;`.
fn use_statements(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    // `use<…>` is a capture list.
    let starts = (0..tokens.len())
        .filter(|index| tokens[*index].text == "use" && !source::reads(tokens, index + 1, &["<"]));
    starts
        .map(|start| {
            let end = tokens[start..].iter().position(|token| token.text == ";");
            start..end.map_or(tokens.len(), |length| start + length)
        })
        .collect()
}

/// Returns each leaf of a use tree as its path, without leading `crate` and `self`, and the name
/// that it is known by.
fn use_leaves<'a>(statement: &[Token<'a>]) -> Vec<(Vec<&'a str>, &'a str)> {
    let mut leaves = Vec::new();
    let mut outer: Vec<usize> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    let mut name = "";
    let end = Token { text: ",", at: 0 };
    for token in statement.iter().skip(1).chain([&end]) {
        match token.text {
            "{" => outer.push(path.len()),
            "::" | "as" => {}
            "," | "}" => {
                if !name.is_empty() {
                    leaves.push((path.clone(), name));
                }
                name = "";
                if token.text == "}" {
                    outer.pop();
                }
                path.truncate(outer.last().copied().unwrap_or(0));
            }
            "crate" => {}
            "self" => name = path.last().copied().unwrap_or_default(),
            text => {
                if !is_after_as(statement, token) {
                    path.push(text);
                }
                name = text;
            }
        }
    }
    leaves
}

fn is_after_as(statement: &[Token<'_>], token: &Token<'_>) -> bool {
    statement
        .windows(2)
        .any(|pair| pair[0].text == "as" && pair[1].at == token.at)
}
