//! `pkcs11:` URIs, RFC 7512: which key in which token.

use super::KeyUriError;

/// Bytes of one attribute's value; labels in tokens have 32.
const VALUE_BYTES_MAX: usize = 256;

/// Which private key in which token. What is absent matches anything; the token must then be the only
/// one that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pkcs11Uri {
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `serial`: the token's serial number.
    pub serial: Option<String>,
    /// `object`: the key's label (CKA_LABEL).
    pub object: Option<String>,
    /// `id`: the key's id (CKA_ID), any bytes.
    pub id: Option<Vec<u8>>,
    /// `module-path`: the token's library.
    pub module_path: Option<String>,
    /// `pin-source`: a file with the PIN.
    pub pin_source: Option<String>,
    text: String,
}

impl Pkcs11Uri {
    /// Parses what follows `pkcs11:`.
    ///
    /// # Errors
    /// [`KeyUriError::Malformed`] for bad percent-encoding and attributes that are given twice,
    /// [`KeyUriError::UnknownAttribute`] for those that would narrow the choice and are not known here,
    /// [`KeyUriError::Secret`] for `pin-value`: a PIN on a command line is seen by everybody.
    pub(super) fn parse(rest: &str) -> Result<Self, KeyUriError> {
        let mut uri = Self {
            text: rest.to_owned(),
            ..Self::default()
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(KeyUriError::Malformed)?;
            match name {
                "token" => set(&mut uri.token, text(value)?)?,
                "serial" => set(&mut uri.serial, text(value)?)?,
                "object" => set(&mut uri.object, text(value)?)?,
                "id" => set(&mut uri.id, decode(value)?)?,
                // What follows from using it to sign.
                "type" if value == "private" => {}
                // They describe the library, not the key.
                "manufacturer"
                | "model"
                | "library-manufacturer"
                | "library-description"
                | "library-version"
                | "slot-description"
                | "slot-manufacturer" => {}
                _ => return Err(KeyUriError::UnknownAttribute),
            }
        }
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(KeyUriError::Malformed)?;
            match name {
                "module-path" => set(&mut uri.module_path, text(value)?)?,
                "pin-source" => {
                    let source = text(value)?;
                    let path = source.strip_prefix("file:").unwrap_or(&source);
                    set(&mut uri.pin_source, path.to_owned())?;
                }
                "pin-value" => return Err(KeyUriError::Secret),
                _ => return Err(KeyUriError::UnknownAttribute),
            }
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(KeyUriError::Malformed);
        }
        Ok(uri)
    }

    /// What follows `pkcs11:`, as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), KeyUriError> {
    if slot.replace(value).is_some() {
        return Err(KeyUriError::Malformed);
    }
    Ok(())
}

fn text(value: &str) -> Result<String, KeyUriError> {
    String::from_utf8(decode(value)?).map_err(|_| KeyUriError::Malformed)
}

fn decode(value: &str) -> Result<Vec<u8>, KeyUriError> {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next(), rest.next()].map(|digit| digit.unwrap_or_default());
            let mut decoded = [0];
            hex::decode_to_slice(pair, &mut decoded).map_err(|_| KeyUriError::Malformed)?;
            bytes.extend(decoded);
        } else {
            bytes.push(byte);
        }
    }
    if bytes.is_empty() || bytes.len() > VALUE_BYTES_MAX {
        return Err(KeyUriError::Malformed);
    }
    Ok(bytes)
}
