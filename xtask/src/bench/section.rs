//! A section of a document that a bench writes, between two markers.

use std::fs;
use std::io;
use std::path::Path;

/// Writes the section of the bench `name`.
pub(super) fn write(document: &Path, name: &str, section: &str) -> io::Result<()> {
    let text = fs::read_to_string(document)?;
    let missing = || {
        let (begin, end) = markers(name);
        io::Error::other(format!("no section to write; add `{begin}` and `{end}`"))
    };
    let text = replace(&text, name, section).ok_or_else(missing)?;
    fs::write(document, text)
}

fn markers(name: &str) -> (String, String) {
    let marker = |word: &str| format!("<!-- bench {name}: {word} -->");
    (marker("begin"), marker("end"))
}

/// Replaces what stands between the markers; `None` if they are not there.
fn replace(text: &str, name: &str, section: &str) -> Option<String> {
    let (begin, end) = markers(name);
    let (head, rest) = text.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!(
        "{head}{begin}\n{}\n{end}{tail}",
        section.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_the_section_between_the_markers_is_replaced() {
        let text = "a\n<!-- bench node: begin -->\nold\n<!-- bench node: end -->\nb\n";
        let new = replace(text, "node", "new\n").unwrap();
        assert_eq!(new, text.replace("old", "new"));
        assert!(replace(text, "other", "new").is_none());
    }
}
