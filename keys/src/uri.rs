//! Where a key lives, as written on a command line or in a configuration file.
//!
//! Only parses: opening what it names is the shell's work.

mod pkcs11;

use std::fmt;
use std::str::FromStr;

pub use pkcs11::Pkcs11Uri;

/// Longest key URI in bytes: the path limit of Linux (`PATH_MAX`).
pub const KEY_URI_BYTES_MAX: usize = 4096;

/// Where a key lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUri {
    /// `env:NAME`: an environment variable that holds the text of a key file.
    Env(String),
    /// `exec:PROGRAM [ARGUMENT …]`: a program that signs, for any KMS. Split at spaces, no shell.
    Exec(Vec<String>),
    /// `file:PATH`, `file:///PATH`, or a bare path. Taken literally: no percent-decoding, no `~`.
    File(String),
    /// `pkcs11:…`: a key in a token, RFC 7512.
    Pkcs11(Pkcs11Uri),
    /// `-`: the text of a key file on standard input.
    Stdin,
}

/// Why a key URI was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// Empty, too long, a NUL byte, or a `file://` URI that names a host.
    #[error("malformed key uri")]
    Malformed,
    /// The name of the variable isn't `[A-Za-z_][A-Za-z0-9_]*`.
    #[error("malformed environment variable name in key uri")]
    MalformedName,
    /// A PIN in the URI: whoever lists the processes would read it.
    #[error("a key uri holds no PIN: use pin-source, STREEMBIT_PKCS11_PIN or the prompt")]
    Secret,
    /// A `pkcs11:` attribute that would narrow the choice and is not known here.
    #[error("unknown attribute in pkcs11 uri")]
    UnknownAttribute,
    /// Any other scheme. A file whose path looks like one is written `./a:b` or `file:a:b`.
    #[error("unknown key uri scheme, expected file:, env:, pkcs11:, exec: or -")]
    UnknownScheme,
}

impl KeyUri {
    /// Parses a key URI or a bare path.
    ///
    /// # Errors
    /// [`KeyUriError`].
    pub fn parse(text: &str) -> Result<Self, KeyUriError> {
        if text.len() > KEY_URI_BYTES_MAX || text.contains('\0') {
            return Err(KeyUriError::Malformed);
        }
        match text.split_once(':') {
            Some(("env", name)) if is_variable_name(name) => Ok(Self::Env(name.to_owned())),
            Some(("env", _)) => Err(KeyUriError::MalformedName),
            Some(("exec", command)) => {
                let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
                if words.iter().any(String::is_empty) {
                    return Err(KeyUriError::Malformed);
                }
                Ok(Self::Exec(words))
            }
            Some(("file", path)) => file(path),
            Some(("pkcs11", rest)) => Pkcs11Uri::parse(rest).map(Self::Pkcs11),
            Some((scheme, _)) if is_scheme(scheme) => Err(KeyUriError::UnknownScheme),
            None if text == "-" => Ok(Self::Stdin),
            _ if text.is_empty() => Err(KeyUriError::Malformed),
            _ => Ok(Self::File(text.to_owned())),
        }
    }
}

fn file(path: &str) -> Result<KeyUri, KeyUriError> {
    // RFC 8089: after `//` stands a host, which is empty for a local file.
    let path = match path.strip_prefix("//") {
        Some(local) if local.starts_with('/') => local,
        Some(_) => return Err(KeyUriError::Malformed),
        None => path,
    };
    if path.is_empty() {
        return Err(KeyUriError::Malformed);
    }
    Ok(KeyUri::File(path.to_owned()))
}

fn is_variable_name(name: &str) -> bool {
    let name_like = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.bytes().all(name_like)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// RFC 3986 section 3.1, but two characters or more, so that `C:\key` is a path.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, KeyUriError> {
        Self::parse(text)
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Exec(words) => write!(f, "exec:{}", words.join(" ")),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Pkcs11(uri) => write!(f, "pkcs11:{}", uri.as_str()),
            Self::Stdin => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests;
