//! Names that a publisher chose, as file names and in URLs (threats M22).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

/// All but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same, but for the separator of path segments.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');
/// Bytes of a file name, well below the 255 that file systems take.
const FILE_NAME_BYTES_MAX: usize = 200;

/// Encodes a name as one path segment.
pub(super) fn encode(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

/// Encodes a path, whose segments stay apart.
pub(super) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, RESERVED_IN_PATH).to_string()
}

/// The name that [`encode`] encoded; `None` if it is not its text.
pub(super) fn decode(text: &str) -> Option<String> {
    let name = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    (encode(&name) == text).then_some(name)
}

/// A file name for any path: its encoding, or where that is too long or has a meaning of its own, a part
/// of it and its hash.
pub(super) fn file_name(path: &str) -> String {
    let encoded = encode(path);
    if encoded.len() <= FILE_NAME_BYTES_MAX && !encoded.is_empty() && !encoded.starts_with('.') {
        return encoded;
    }
    let start: String = encoded.trim_start_matches('.').chars().take(64).collect();
    // No encoded name has a `%` before a `-`.
    format!("{start}%-{}", hex::encode(Sha256::digest(path)))
}

/// A file name for a role's document: `<role>.json`, encoded. One too long for a file name is shortened,
/// and then not found again: it is fetched each time.
pub(super) fn document(name: &str) -> String {
    let encoded = encode(name);
    if encoded.len() <= FILE_NAME_BYTES_MAX {
        return encoded;
    }
    let start: String = encoded.chars().take(64).collect();
    format!("{start}%-{}.json", hex::encode(Sha256::digest(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder_and_apart_m22() {
        let paths = [
            "",
            ".",
            "..",
            "../x",
            "/etc/passwd",
            "a/b",
            "a%2Fb",
            "a b",
            "é",
            "a\0b",
            ".hidden",
            "A",
            "a",
        ];
        let mut names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
        names.push(file_name(&"x".repeat(1024)));
        names.push(file_name(&"/".repeat(1024)));
        for name in &names {
            assert!(
                !name.contains('/') && !name.starts_with('.') && name.len() <= 255,
                "{name}"
            );
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn long_names_of_documents_are_shortened_apart_and_not_taken_back() {
        let name = |length: usize| format!("{}.json", "x".repeat(length - 5));
        let longest = name(FILE_NAME_BYTES_MAX);
        assert_eq!(document(&longest), longest);
        let shortened = document(&name(FILE_NAME_BYTES_MAX + 1));
        assert!(shortened.len() <= FILE_NAME_BYTES_MAX, "{shortened}");
        assert_ne!(shortened, document(&name(FILE_NAME_BYTES_MAX + 2)));
        assert_eq!(decode(&shortened), None);
        assert_eq!(document("a/b.json"), "a%2Fb.json");
    }

    #[test]
    fn decode_takes_back_what_encode_made_and_nothing_else() {
        for name in ["role", "a/b", "..", "%", "é", "a b", "\0"] {
            assert_eq!(decode(&encode(name)).unwrap(), name);
        }
        for text in ["a/b", "%2f", "%zz", "é", "%C3", "a b"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(encode("1.r/é.json"), "1.r%2F%C3%A9.json");
        assert_eq!(encode_path("d/é f"), "d/%C3%A9%20f");
    }
}
