//! OpenSSH's SSHSIG (PROTOCOL.sshsig) with SHA-512, keys and signatures as in RFC 4253, 5656 and 8709.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::{Algorithm, PublicKey};

/// What signatures are for: plain files, as in ssh-keygen(1).
pub const NAMESPACE: &str = "file";

const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: [u8; 4] = 1u32.to_be_bytes();
const HASH: &str = "sha512";
/// Columns of a line of armour, as ssh-keygen writes it.
const ARMOUR_COLUMNS: usize = 70;

/// What is signed of a file with this SHA-512.
pub fn message(digest: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [NAMESPACE.as_bytes(), b"", HASH.as_bytes(), digest] {
        put(&mut bytes, field);
    }
    bytes
}

/// A signature file. `signature` is as [`PublicKey::verify`] takes it.
pub fn signature(key: &PublicKey, signature: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    put(&mut inner, key.ssh_algorithm().as_bytes());
    match key.algorithm() {
        Algorithm::Ed25519 => put(&mut inner, signature),
        Algorithm::P256 => put(&mut inner, &from_der(signature)),
    }
    let mut blob = [MAGIC.as_slice(), &VERSION].concat();
    for field in [
        &key.to_ssh_wire(),
        NAMESPACE.as_bytes(),
        b"",
        HASH.as_bytes(),
        &inner,
    ] {
        put(&mut blob, field);
    }
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    let base64 = STANDARD.encode(blob);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(ARMOUR_COLUMNS).unwrap_or((rest, ""));
        text.extend([line, "\n"]);
        rest = tail;
    }
    text.push_str("-----END SSH SIGNATURE-----\n");
    text.into_bytes()
}

/// An allowed_signers file with one line: this key signs files in the name of the product.
pub fn allowed_signers(key: &PublicKey, product: &str) -> String {
    format!(
        "{product} namespaces=\"{NAMESPACE}\" {}\n",
        key.to_ssh_line()
    )
}

/// `r` and `s` as SSH writes them. Minimal DER integers (X.690 section 8.3) and mpint (RFC 4251
/// section 5) have the same bytes; of a P-256 signature all lengths are below 128, hence one byte each.
fn from_der(signature: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = signature.get(2..).unwrap_or_default();
    while let [_, length, tail @ ..] = rest {
        let Some((integer, next)) = tail.split_at_checked(usize::from(*length)) else {
            break;
        };
        put(&mut bytes, integer);
        rest = next;
    }
    bytes
}

/// A string with its length before it (RFC 4251 section 5).
fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    // No field is longer than a key, a signature or a digest.
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}
