//! Tests of masking, tokens, brackets and test items.

use super::{closing, line_of, mask, tokens, tokens_without_tests};

fn words(code: &str) -> String {
    tokens(code)
        .iter()
        .map(|token| token.text)
        .collect::<Vec<_>>()
        .join(" ")
}

fn masked(source: &str) -> String {
    words(&mask(source.as_bytes()))
}

#[test]
fn blanks_comments() {
    assert_eq!(masked("a // b\nc /* d /* e */ f */ g"), "a c g");
    assert_eq!(masked("a // no line end"), "a");
    assert_eq!(masked("a /* never closed"), "a");
}

#[test]
fn blanks_strings() {
    assert_eq!(masked(r#"a "b \" c" d "e\\" f"#), "a d f");
    assert_eq!(
        masked("a r\"b\\\" c r##\"d \"# e\"## f br#\"g\"# h"),
        "a c f b h"
    );
    assert_eq!(masked("a \"// b\" c"), "a c");
    assert_eq!(masked("a \"never closed"), "a");
}

#[test]
fn tells_characters_from_lifetimes() {
    assert_eq!(
        masked("a '{' b '\\'' c '\u{20ac}' d b'\"' e"),
        "a b c d b e"
    );
    assert_eq!(
        masked("f<'a, 'b>(x: &'a str) '\\u{7d}'"),
        "f < ' a , ' b > ( x : & ' a str )"
    );
}

#[test]
fn keeps_raw_identifiers() {
    assert_eq!(masked("r#type r"), "r # type r");
}

#[test]
fn keeps_offsets() {
    let source = "/* \u{20ac}\n */ \"x\ny\" z";
    let code = mask(source.as_bytes());
    assert_eq!(code.len(), source.len());
    assert_eq!(line_of(&code, code.find('z').unwrap()), 3);
}

#[test]
fn splits_tokens() {
    assert_eq!(
        words("crate::a_1::{B,c}=>'"),
        "crate :: a_1 :: { B , c } = > '"
    );
}

#[test]
fn matches_brackets() {
    let tokens = tokens("f ( [ ) ] ) g { }");
    assert_eq!(closing(&tokens, 7), 8);
    assert_eq!(closing(&tokens, 1), 4);
    assert_eq!(closing(&tokens[..4], 1), 3, "never closed: the last token");
}

fn kept(code: &str) -> String {
    tokens_without_tests(code)
        .iter()
        .map(|token| token.text)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn leaves_out_test_items() {
    assert_eq!(kept("a #[cfg(test)] mod tests { fn f() { {} } } b"), "a b");
    assert_eq!(kept("a #[cfg(test)] mod tests; b"), "a b");
    assert_eq!(
        kept("a #[cfg(test)] #[allow(x)] fn f(y: [u8; 3]) -> u8 { 1 } b"),
        "a b"
    );
    assert_eq!(kept("a #[cfg(all(test, unix))] use x; b"), "a b");
    assert_eq!(kept("struct A { #[cfg(test)] x: u8 } b"), "struct A { } b");
    assert_eq!(kept("#![cfg(test)] a"), "");
    assert_eq!(kept("#[cfg(feature)] a"), "# [ cfg ( feature ) ] a");
}

#[test]
fn test_attribute_at_the_end_of_a_file_is_no_panic() {
    assert_eq!(kept("a #[cfg(test)]"), "a");
}
