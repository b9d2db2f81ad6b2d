//! Tests of the threat table.

use super::{DOCUMENT, check, ids};
use crate::tidy::workspace::fixture;

const TESTS: &str = "#[test]\nfn rejects_older() {}\nfn plain() {}\n\
    #[tokio::test(flavor = \"x\")]\n#[ignore]\nasync fn waits() {}\n// #[test]\nfn commented() {}\n\
    #[test] fn on_one_line() {}\n";

/// Checks a table of `open` rows, in which the row of M1 ends in `answer`.
fn answered(answer: &str) -> Vec<String> {
    let rows = ids().into_iter().map(|id| match id.as_str() {
        "M1" => format!("| M1 | one byte | {answer} |\n"),
        _ => format!("| {id} | x | open |\n"),
    });
    document(&rows.collect::<String>())
}

fn document(text: &str) -> Vec<String> {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"tests\"]\n"),
        ("a/src/x/tests.rs", TESTS),
        (DOCUMENT, text),
    ];
    check(&fixture(&files))
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

#[test]
fn there_are_a_hundred_ids() {
    assert_eq!(ids().len(), 100);
}

#[test]
fn accepts_open_rows_and_existing_tests() {
    let answers = [
        "open",
        "open: needs hardware",
        "`a::x::tests::rejects_older`",
        "`x::rejects_older`, `a::x::tests::waits` `on_one_line`",
    ];
    for answer in answers {
        assert_eq!(answered(answer), [""; 0], "{answer}");
    }
}

#[test]
fn rejects_tests_that_their_row_does_not_name() {
    let with = |test: &str, answer: &str| {
        let test = format!("#[test] fn {test}() {{}}\n#[test] fn other() {{}}\n");
        let row = format!("| M1 | one byte | {answer} |\n");
        let open = ids().into_iter().filter(|id| id != "M1");
        let rows: String = open.map(|id| format!("| {id} | x | open |\n")).collect();
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"tests\"]\n"),
            ("a/src/x/tests.rs", &*test),
            (DOCUMENT, &*format!("{rows}{row}")),
        ];
        let found = check(&fixture(&files)).into_iter();
        found.map(|finding| finding.message).collect::<Vec<_>>()
    };
    for test in ["flips_m1", "flips_m1_x9_m1", "flips_m19", "m1_flips"] {
        assert_eq!(
            with(test, &format!("open: more; shown: `{test}`"))[..],
            ["M19: the test `flips_m19` cites it and is not named"]
                [..usize::from(test == "flips_m19")],
            "{test}"
        );
    }
    assert_eq!(
        with("flips_m1", "`other`"),
        ["M1: the test `flips_m1` cites it and is not named"]
    );
    assert_eq!(with("flips_m1", "`a::x::tests::flips_m1`"), [""; 0]);
}

#[test]
fn rejects_tests_that_do_not_exist() {
    for name in [
        "a::x::absent",
        "a::x::tests::plain",
        "commented",
        "tests::x::rejects_older",
    ] {
        let found = answered(&format!("`waits`, `{name}`"));
        assert_eq!(found, [format!("M1: there is no test `{name}`")]);
    }
}

#[test]
fn rejects_other_answers() {
    for answer in ["", "done", "opened", "see `waits`", "`waits", "waits"] {
        let found = answered(answer);
        let message = format!("M1: `{answer}` is neither `open` nor a list of tests");
        assert_eq!(found, [message], "{answer}");
    }
}

#[test]
fn rejects_missing_double_and_unknown_rows() {
    let all: String = ids()
        .into_iter()
        .map(|id| format!("| {id} | open |\n"))
        .collect();
    assert_eq!(document(&all), [""; 0]);
    assert_eq!(
        document(&all.replace("| Q94 | open |\n", "")),
        ["Q94 has no row"]
    );
    let twice = document(&format!(
        "{all}| M30 | open |\n| M2 | open |\n| Id | x |\n|---|---|\n"
    ));
    let expected = [
        "M30 has a second row, or is no threat id",
        "M2 has a second row, or is no threat id",
    ];
    assert_eq!(twice, expected);
}

#[test]
fn rejects_missing_document() {
    assert_eq!(check(&fixture(&[])).len(), 1);
}
