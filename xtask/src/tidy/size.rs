//! Sizes that a reader can hold: lines of a file, of a function, of ARCHITECTURE.md. Owns the
//! figures and the exceptions from them.
//!
//! Test items inside a file do not count towards its length.

use super::finding::Finding;
use super::source::{self, Token};
use super::workspace::{File, Workspace};

const RULE: &str = "size";

const FILE_LINES_MAX: usize = 400;
const TEST_FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const TEST_FUNCTION_LINES_MAX: usize = 120;
const ARCHITECTURE: &str = "ARCHITECTURE.md";
const ARCHITECTURE_LINES_MAX: usize = 250;

/// Longer files that are let through: path and lines. The list may only shrink: an entry that
/// allows more than the file has is a finding.
const EXCEPTIONS: &[(&str, usize)] = &[];

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    check_with(workspace, EXCEPTIONS)
}

fn check_with(workspace: &Workspace, exceptions: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in workspace.rust_files() {
        findings.extend(check_file(file, exceptions));
        findings.extend(check_functions(file));
    }
    for (path, _) in exceptions {
        if workspace.file(path).is_none() {
            let message = "has an exception from the size rule but does not exist";
            findings.push(Finding::file(RULE, path, message, shrink(path)));
        }
    }
    if let Some(file) = workspace.file(ARCHITECTURE) {
        let lines = file.text().lines().count();
        if lines > ARCHITECTURE_LINES_MAX {
            let message = format!("{lines} lines, at most {ARCHITECTURE_LINES_MAX}");
            findings.push(Finding::file(
                RULE,
                ARCHITECTURE,
                message,
                "move detail to docs/",
            ));
        }
    }
    findings
}

fn shrink(path: &str) -> String {
    format!("shrink the entry of {path} in EXCEPTIONS of xtask/src/tidy/size.rs")
}

fn check_file(file: &File, exceptions: &[(&str, usize)]) -> Option<Finding> {
    let (lines, max) = if file.is_test() {
        (file.text().lines().count(), TEST_FILE_LINES_MAX)
    } else {
        (lines_without_tests(file), FILE_LINES_MAX)
    };
    let exception = exceptions.iter().find(|(path, _)| *path == file.path);
    let allowed = exception.map_or(max, |(_, allowed)| *allowed);
    if lines > allowed {
        let message = format!("{lines} lines, at most {allowed}");
        return Some(Finding::file(
            RULE,
            &file.path,
            message,
            "split the file by noun",
        ));
    }
    if exception.is_some() && lines < allowed {
        let message = format!("{lines} lines, but its exception allows {allowed}");
        return Some(Finding::file(RULE, &file.path, message, shrink(&file.path)));
    }
    None
}

fn lines_without_tests(file: &File) -> usize {
    let total = file.text().lines().count();
    let line = |at| source::line_of(&file.code, at);
    let spans = source::test_spans(&source::tokens(&file.code));
    let in_tests: usize = spans
        .iter()
        .map(|span| line(span.end) - line(span.start) + 1)
        .sum();
    total.saturating_sub(in_tests)
}

fn check_functions(file: &File) -> Vec<Finding> {
    let tokens = source::tokens(&file.code);
    let spans = source::test_spans(&tokens);
    let mut findings = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let Some((name, close)) = function(&tokens, index) else {
            continue;
        };
        let first = source::line_of(&file.code, token.at);
        let lines = source::line_of(&file.code, close.at) - first + 1;
        let is_test = file.is_test() || spans.iter().any(|span| span.contains(&token.at));
        let max = if is_test {
            TEST_FUNCTION_LINES_MAX
        } else {
            FUNCTION_LINES_MAX
        };
        if lines > max {
            let message = format!("function `{name}` has {lines} lines, at most {max}");
            let fix = "give its steps functions of their own";
            findings.push(Finding::file(RULE, &file.path, message, fix).at(first));
        }
    }
    findings
}

/// Returns name and closing brace of the function whose `fn` is at `index`; `None` for function
/// pointer types and functions without a body.
fn function<'a>(tokens: &[Token<'a>], index: usize) -> Option<(&'a str, Token<'a>)> {
    let opens = tokens
        .get(index + 2)
        .is_some_and(|token| ["(", "<"].contains(&token.text));
    if tokens[index].text != "fn" || !opens {
        return None;
    }
    let mut at = index + 2;
    loop {
        match tokens.get(at)?.text {
            "{" => return Some((tokens[index + 1].text, tokens[source::closing(tokens, at)])),
            "(" | "[" => at = source::closing(tokens, at),
            ";" => return None,
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests;
