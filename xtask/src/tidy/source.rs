//! Just enough of Rust's lexis to look at code: blanks comments and literals, splits into tokens,
//! matches brackets, finds test items. Does not parse: rustc has already accepted the file.
//!
//! Source: the Rust reference, chapters "Comments" and "Tokens".

use std::ops::Range;

/// An identifier, keyword or number, `::`, or one other character.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Byte offset in the masked code.
    pub(crate) at: usize,
}

/// Returns `source` with the bytes of comments, strings and character literals replaced by blanks.
/// Line breaks stay, so offsets and line numbers stay true.
pub(crate) fn mask(source: &[u8]) -> String {
    let mut out = source.to_vec();
    let mut at = 0;
    while at < source.len() {
        match opaque_end(&source[at..]) {
            Some(length) => {
                let end = source.len().min(at + length);
                blank(&mut out, at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in &mut bytes[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Returns the length of the comment or literal that `rest` starts with.
fn opaque_end(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'/', b'/', ..] => rest
            .iter()
            .position(|byte| *byte == b'\n')
            .or(Some(rest.len())),
        [b'/', b'*', ..] => Some(block_comment_end(rest)),
        [b'"', ..] => Some(quoted_end(rest, b'"')),
        [b'\'', b'\\', ..] => Some(quoted_end(rest, b'\'')),
        [b'\'', first, ..] => {
            // A lifetime has no closing quote right after its first character.
            let close = 1 + character_length(*first);
            (rest.get(close) == Some(&b'\'')).then_some(close + 1)
        }
        [b'r', b'"' | b'#', ..] => raw_string_end(rest),
        _ => None,
    }
}

fn character_length(first_byte: u8) -> usize {
    match first_byte {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

fn block_comment_end(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_end(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// `None` for raw identifiers such as `r#type`.
fn raw_string_end(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    let open = 1 + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = &rest[open + 1..];
    let length = body.windows(close.len()).position(|window| window == close);
    Some(length.map_or(rest.len(), |length| open + 1 + length + close.len()))
}

/// Splits masked code into tokens.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            found.push(Token {
                text: &rest[..length],
                at,
            });
        }
        at += length;
    }
    found
}

/// Whether the tokens from `start` on read `texts`.
pub(crate) fn reads(tokens: &[Token<'_>], start: usize, texts: &[&str]) -> bool {
    tokens.len() >= start + texts.len()
        && tokens[start..]
            .iter()
            .zip(texts)
            .all(|(token, text)| token.text == *text)
}

/// Returns the index of the bracket that closes the one at `open`, or the last index.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len().saturating_sub(1)
}

/// Returns the byte ranges of items under `#[cfg(test)]` (or `cfg(all(test, …))`), attribute
/// included.
pub(crate) fn test_spans(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        if reads(
            tokens,
            index,
            &["#", "!", "[", "cfg", "(", "test", ")", "]"],
        ) {
            spans.push(tokens[index].at..usize::MAX);
            return spans;
        }
        let is_test = reads(tokens, index, &["#", "[", "cfg", "(", "test", ")", "]"])
            || reads(tokens, index, &["#", "[", "cfg", "(", "all", "(", "test"]);
        if is_test {
            let last = item_end(tokens, index);
            spans.push(tokens[index].at..tokens[last].at + tokens[last].text.len());
            index = last;
        }
        index += 1;
    }
    spans
}

/// Returns the index of the last token of the item whose first attribute starts at `start`.
fn item_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut index = start;
    while reads(tokens, index, &["#", "["]) {
        index = closing(tokens, index + 1) + 1;
    }
    while index < tokens.len() {
        match tokens[index].text {
            ";" => return index,
            "{" => return closing(tokens, index),
            "(" | "[" => index = closing(tokens, index),
            ")" | "]" | "}" => return index - 1,
            _ => {}
        }
        index += 1;
    }
    tokens.len() - 1
}

/// Splits masked code into tokens and leaves out test items.
pub(crate) fn tokens_without_tests(code: &str) -> Vec<Token<'_>> {
    let mut kept = tokens(code);
    let spans = test_spans(&kept);
    kept.retain(|token| !spans.iter().any(|span| span.contains(&token.at)));
    kept
}

/// Returns the 1-based line of a byte offset.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests;
