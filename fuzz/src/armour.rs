//! Base64 armour (RFC 7468) around arbitrary bytes: a fuzzer rarely finds valid base64 in lines of
//! 64 columns, so what is inside would never be reached.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Puts `bytes` between `-----BEGIN label-----` and `-----END label-----`.
pub fn armour(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, letter) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    if !body.is_empty() {
        text.push('\n');
    }
    format!("{text}-----END {label}-----\n")
}
