//! Strict text forms of bytes: lower-case hex, unpadded base64url, and base64 armour.
//!
//! Strict means that a value has one text: whatever would encode differently is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Columns of a line of armour (RFC 7468 section 2).
const ARMOUR_COLUMNS: usize = 64;

/// Parses lower-case hex of exactly `N` bytes. `None` for any other length or character.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Encodes as base64url without padding (RFC 4648 section 5, RFC 7515 section 2).
pub(crate) fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Parses unpadded base64url of exactly `N` bytes; non-zero trailing bits are refused.
pub(crate) fn from_base64url<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Encodes `bytes` between `-----BEGIN label-----` and `-----END label-----`: base64 in lines of 64
/// columns, LF, one newline at the end (RFC 7468 section 2, the stricter form).
pub(crate) fn to_armour(label: &str, bytes: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(bytes));
    // Sized in advance: a buffer that grows leaves unwiped copies of a plain key behind.
    let lines = body.len().div_ceil(ARMOUR_COLUMNS);
    let frame = label.len().saturating_mul(2).saturating_add(64);
    let mut text = String::with_capacity(body.len().saturating_add(lines).saturating_add(frame));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(ARMOUR_COLUMNS).unwrap_or((rest, ""));
        text.extend([line, "\n"]);
        rest = tail;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

/// Parses what [`to_armour`] makes, with or without its last newline. `None` for anything else:
/// other line lengths, CRLF, headers, text before or after.
pub(crate) fn from_armour(label: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    base64.extend(
        text.strip_prefix("-----BEGIN ")?
            .strip_prefix(label)?
            .strip_prefix("-----\n")?
            .split("-----END ")
            .next()?
            .lines(),
    );
    let bytes = Zeroizing::new(STANDARD.decode(base64.as_bytes()).ok()?);
    let canonical = Zeroizing::new(to_armour(label, &bytes));
    (text == *canonical || Some(text) == canonical.strip_suffix('\n')).then_some(bytes)
}

#[cfg(test)]
mod tests;
