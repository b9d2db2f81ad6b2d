//! Path patterns: `*` and `?` within a segment, nothing else is special.

/// Matches a whole path; constant space, at most pattern × path steps.
pub(super) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (mut rest, mut tail) = (pattern, path);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest.split_first(), tail.split_first()) {
            (None, None) => return true,
            (Some((b'*', after)), _) => {
                retry = Some((after, tail));
                rest = after;
                continue;
            }
            (Some((b'?', after)), Some((byte, left))) if *byte != b'/' => {
                (rest, tail) = (after, skip_character(*byte, left));
                continue;
            }
            (Some((wanted, after)), Some((byte, left))) if wanted == byte => {
                (rest, tail) = (after, left);
                continue;
            }
            _ => {}
        }
        // A `*` takes one more byte, never a `/`.
        match retry.and_then(|(after, from)| Some((after, from.split_first()?))) {
            Some((after, (byte, left))) if *byte != b'/' => {
                retry = Some((after, left));
                (rest, tail) = (after, left);
            }
            _ => return false,
        }
    }
}

/// The rest after the UTF-8 character that starts with `first`.
fn skip_character(first: u8, left: &[u8]) -> &[u8] {
    let more = match first {
        0xc0..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xff => 3,
        _ => 0,
    };
    left.get(more..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_per_segment() {
        for (pattern, path, expected) in [
            ("acme-cam-*", "acme-cam-1.2.bin", true),
            ("acme-cam-*", "acme-cam-", true),
            ("acme-cam-*", "acme-car-1", false),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("a/*", "a/", true),
            ("a/*", "a", false),
            ("*/b", "a/b", true),
            ("*b", "a/b", false),
            ("a*/b", "a/b", true),
            ("*a*b", "xxaxxbxb", true),
            ("*a*b", "xxaxxbx", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a?c", "aéc", true),
            ("a?c", "a€c", true),
            ("a?c", "a🦀c", true),
            ("??", "é", false),
            ("??", "€", false),
            ("??", "🦀", false),
            ("a?c", "ac", false),
            ("a?", "a?", true),
            ("A", "a", false),
            ("[a]", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            let matched = matches(pattern.as_bytes(), path.as_bytes());
            assert_eq!(matched, expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time_m20() {
        let pattern = "*a".repeat(500);
        let path = "a".repeat(499);
        assert!(!matches(pattern.as_bytes(), path.as_bytes()));
    }
}
