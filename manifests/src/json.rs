//! The strict JSON reader and OLPC canonical JSON.
//!
//! One reader, one meaning: duplicate keys, floats, integers beyond 2^53 - 1, lone surrogates, a
//! byte order mark, trailing bytes and deep nesting are errors (threats M23). Canonical form is
//! OLPC's, not RFC 8785: only `\` and `"` are escaped, line feeds stay raw (TUF 1.0.34 section 4.2).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::limits::{INTEGER_MAX, JSON_DEPTH_MAX};

/// A JSON value without floats. Object members are ordered by key, as canonical form demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer, -(2^53 - 1) to 2^53 - 1.
    Integer(i64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(BTreeMap<String, Self>),
}

/// Why bytes are not JSON of the strict kind, or not of the expected shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not strict JSON; the reader's words, with line and column.
    #[error("not strict JSON: {0}")]
    Syntax(String),
    /// A member is absent.
    #[error("member `{0}` is missing")]
    Missing(&'static str),
    /// A member has another type or is out of its bounds.
    #[error("member `{name}` is not {expected}")]
    Type {
        /// The member's name.
        name: String,
        /// What the format asks for.
        expected: &'static str,
    },
}

/// Parses one JSON value that fills `bytes` entirely.
///
/// # Errors
/// [`JsonError::Syntax`] for anything but strict JSON.
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let syntax = |error: serde_json::Error| JsonError::Syntax(error.to_string());
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .map_err(syntax)?;
    reader.end().map_err(syntax)?;
    Ok(value)
}

/// Encodes in OLPC canonical form, the bytes that TUF signs.
pub fn canonical(value: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Json::String(text) => write_canonical_string(text, out),
        Json::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            out.push(b'{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical_string(key, out);
                out.push(b':');
                write_canonical(member, out);
            }
            out.push(b'}');
        }
    }
}

fn write_canonical_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Encodes as ordinary JSON (RFC 8259), one line, for files and messages.
pub fn encode(value: &Json) -> Vec<u8> {
    to_serde(value).to_string().into_bytes()
}

/// Encodes as indented JSON with a final line feed, for files that people read.
pub fn encode_pretty(value: &Json) -> Vec<u8> {
    format!("{:#}\n", to_serde(value)).into_bytes()
}

fn to_serde(value: &Json) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(flag) => (*flag).into(),
        Json::Integer(number) => (*number).into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(to_serde).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), to_serde(member)))
            .collect(),
    }
}

impl Json {
    /// Makes an object of members; later duplicates win.
    pub fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// Makes an array of strings.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::Array(
            items
                .into_iter()
                .map(|item| Self::from(item.as_ref()))
                .collect(),
        )
    }

    /// Returns the member `name` of an object, if it is there.
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.as_object().and_then(|members| members.get(name))
    }

    /// Returns the member `name`.
    ///
    /// # Errors
    /// [`JsonError::Missing`] if `self` is no object or has no such member.
    pub fn require(&self, name: &'static str) -> Result<&Self, JsonError> {
        self.member(name).ok_or(JsonError::Missing(name))
    }

    /// Returns the string member `name`.
    ///
    /// # Errors
    /// [`JsonError`] if it is missing or no string.
    pub fn string(&self, name: &'static str) -> Result<&str, JsonError> {
        self.require(name)?
            .as_str()
            .ok_or_else(|| wrong(name, "a string"))
    }

    /// Returns the member `name`, an integer of at least `min`.
    ///
    /// # Errors
    /// [`JsonError`] if it is missing, no integer or below `min`.
    pub fn integer(&self, name: &'static str, min: u64) -> Result<u64, JsonError> {
        let Self::Integer(number) = self.require(name)? else {
            return Err(wrong(name, "an integer"));
        };
        u64::try_from(*number)
            .ok()
            .filter(|number| *number >= min)
            .ok_or_else(|| wrong(name, "an integer in range"))
    }

    /// Returns the object member `name` with at most `max` entries.
    ///
    /// # Errors
    /// [`JsonError`] if it is missing, no object or too large.
    pub fn members(
        &self,
        name: &'static str,
        max: usize,
    ) -> Result<&BTreeMap<String, Self>, JsonError> {
        self.require(name)?
            .as_object()
            .filter(|members| members.len() <= max)
            .ok_or_else(|| wrong(name, "an object of allowed size"))
    }

    /// The names of an object's members; `None` if it is none.
    pub fn names(&self) -> Option<impl Iterator<Item = &String>> {
        self.as_object().map(BTreeMap::keys)
    }

    /// Returns the array member `name` with at most `max` items.
    ///
    /// # Errors
    /// [`JsonError`] if it is missing, no array or too long.
    pub fn items(&self, name: &'static str, max: usize) -> Result<&[Self], JsonError> {
        match self.require(name)? {
            Self::Array(items) if items.len() <= max => Ok(items),
            Self::Array(_)
            | Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::String(_)
            | Self::Object(_) => Err(wrong(name, "an array of allowed size")),
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Object(members) = self {
            Some(members)
        } else {
            None
        }
    }
}

/// Builds the error for a member of the wrong type.
pub fn wrong(name: &str, expected: &'static str) -> JsonError {
    JsonError::Type {
        name: name.to_owned(),
        expected,
    }
}

impl FromIterator<Self> for Json {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<u64> for Json {
    /// Numbers above [`INTEGER_MAX`] saturate; every counter of ours is checked long before.
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number.min(INTEGER_MAX)).unwrap_or(i64::MAX))
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: u32,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > JSON_DEPTH_MAX {
            return Err(E::custom("nested too deep"));
        }
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without floats and duplicate keys")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Json, E> {
        if number.unsigned_abs() > INTEGER_MAX {
            return Err(E::custom("integer beyond 2^53 - 1"));
        }
        Ok(Json::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Json, E> {
        let signed = i64::try_from(number).map_err(|_| E::custom("integer beyond 2^53 - 1"))?;
        self.visit_i64(signed)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Json, E> {
        Err(E::custom(
            "floats and numbers beyond 64 bits are not allowed",
        ))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut members = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(inner)?;
            if members.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests;
