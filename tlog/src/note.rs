//! Signed notes: a text, and lines of signatures below it (C2SP signed-note).
//!
//! Lines of strangers are kept and mean nothing. One broken line of a known key doesn't spoil the others: whoever
//! carries a note could else make it worthless by touching a byte. What counts is who
//! signed well.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::PublicKey;

use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use crate::vkey::{Scheme, VerifierKey, is_name};

/// What a line of a signature begins with.
const DASH: &str = "\u{2014} ";
/// What a cosigned text begins with.
const COSIGNATURE_HEADER: &str = "cosignature/v1";
/// Bytes of a key's id and of a time.
const ID_BYTES: usize = 4;
const TIME_BYTES: usize = 8;

/// One line below the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    name: String,
    id: u32,
    /// What follows the id: of a cosignature a time comes first.
    signature: Vec<u8>,
}

/// A text, and who is said to have signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<Line>,
}

/// A good signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Of the note.
    Note,
    /// Of the checkpoint in it, at a time: seconds since 1970.
    At(u64),
}

/// Why bytes are no note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Too long.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes")]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("a note is text without control characters")]
    Text,
    /// No blank line between text and signatures, or no line end after either.
    #[error("a note is a text, a blank line and lines of signatures")]
    Shape,
    /// Not `— name base64`.
    #[error("line {0} below the text is no signature")]
    Line(usize),
    /// Too many signatures.
    #[error("a note has at most {NOTE_SIGNATURES_MAX} signatures")]
    Signatures,
}

impl Note {
    /// A text that nobody has signed.
    ///
    /// # Errors
    /// [`NoteError::Text`], [`NoteError::Shape`] unless it ends with a line end, [`NoteError::TooLong`].
    pub fn unsigned(text: &str) -> Result<Self, NoteError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        if !is_plain(text) {
            return Err(NoteError::Text);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Shape);
        }
        Ok(Self {
            text: text.to_owned(),
            lines: Vec::new(),
        })
    }

    /// Reads a note with at least one signature line.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let whole = str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        // The last blank line: the text may have some, too.
        let at = whole.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, below) = whole.split_at(at.saturating_add(1));
        let mut note = Self::unsigned(text)?;
        let below = below.strip_prefix('\n').ok_or(NoteError::Shape)?;
        note.lines = parse_lines(below)?;
        if note.lines.is_empty() {
            return Err(NoteError::Shape);
        }
        Ok(note)
    }

    /// The text, with its final line end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines below it.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Adds a line, once.
    pub fn add(&mut self, line: Line) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// The good signature of a key; of several the newest.
    pub fn signed_by(&self, key: &VerifierKey) -> Option<Signed> {
        self.signature_by(key).map(|(signed, _)| signed)
    }

    /// The same with the bytes of the signature, its time left out.
    pub fn signature_by(&self, key: &VerifierKey) -> Option<(Signed, &[u8])> {
        let good = self.lines.iter().filter_map(|line| {
            let signed = line.verify(key, &self.text)?;
            let bytes = &line.signature[..];
            match signed {
                Signed::Note => Some((signed, bytes)),
                Signed::At(_) => Some((signed, bytes.get(TIME_BYTES..)?)),
            }
        });
        good.max_by_key(|(signed, _)| match signed {
            Signed::Note => 0,
            Signed::At(time) => *time,
        })
    }

    /// The same text with the good lines of these keys alone, one of each: what may be passed on.
    pub fn reassembled<'a>(&self, keys: impl IntoIterator<Item = &'a VerifierKey>) -> Self {
        let mut note = Self {
            text: self.text.clone(),
            lines: Vec::new(),
        };
        for key in keys {
            let signed = self.signed_by(key);
            let is_it = |line: &&Line| signed.is_some() && line.verify(key, &self.text) == signed;
            if let Some(line) = self.lines.iter().find(is_it) {
                note.add(line.clone());
            }
        }
        note
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        self.lines
            .iter()
            .try_for_each(|line| write!(formatter, "{line}"))
    }
}

/// Reads lines of signatures, as a witness answers with.
///
/// # Errors
/// [`NoteError`].
pub fn parse_lines(text: &str) -> Result<Vec<Line>, NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong);
    }
    if !is_plain(text) {
        return Err(NoteError::Text);
    }
    if text.lines().count() > NOTE_SIGNATURES_MAX {
        return Err(NoteError::Signatures);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(NoteError::Shape);
    }
    let lines = text.split_terminator('\n').zip(1..);
    lines
        .map(|(line, number)| Line::parse(line).ok_or(NoteError::Line(number)))
        .collect()
}

/// What a key signs of a text.
///
/// * `time`: seconds since 1970; of no use for a key that signs notes.
///
/// `None` for a key whose scheme isn't known here.
pub fn message(key: &VerifierKey, text: &str, time: u64) -> Option<Vec<u8>> {
    match key.scheme() {
        Scheme::Note(_) => Some(text.as_bytes().to_vec()),
        Scheme::Cosignature(_) => {
            Some(format!("{COSIGNATURE_HEADER}\ntime {time}\n{text}").into_bytes())
        }
        Scheme::Unknown { .. } => None,
    }
}

impl Line {
    /// The line of a signature over [`message`].
    pub fn new(key: &VerifierKey, time: u64, signature: &[u8]) -> Self {
        let time = match key.scheme() {
            Scheme::Cosignature(_) => &time.to_be_bytes()[..],
            Scheme::Note(_) | Scheme::Unknown { .. } => &[],
        };
        Self {
            name: key.name().to_owned(),
            id: key.id(),
            signature: [time, signature].concat(),
        }
    }

    /// The name that it bears.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key that it is said to be of.
    pub const fn id(&self) -> u32 {
        self.id
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<ID_BYTES>()?;
        let is_sound = is_name(name) && !signature.is_empty();
        is_sound.then(|| Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(*id),
            signature: signature.to_vec(),
        })
    }

    /// Whether it is a good signature of this key.
    fn verify(&self, key: &VerifierKey, text: &str) -> Option<Signed> {
        if self.name != key.name() || self.id != key.id() {
            return None;
        }
        let is_good = |key: &PublicKey, message: &[u8], signature: &[u8]| {
            key.verify(message, signature).is_ok()
        };
        match key.scheme() {
            Scheme::Note(public) => {
                is_good(public, text.as_bytes(), &self.signature).then_some(Signed::Note)
            }
            Scheme::Cosignature(public) => {
                let (time, signature) = self.signature.split_first_chunk::<TIME_BYTES>()?;
                let time = u64::from_be_bytes(*time);
                let message = message(key, text, time)?;
                let is_time = i64::try_from(time).is_ok();
                (is_time && is_good(public, &message, signature)).then_some(Signed::At(time))
            }
            Scheme::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes()[..], &self.signature].concat();
        writeln!(formatter, "{DASH}{} {}", self.name, STANDARD.encode(bytes))
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\n' || byte >= b' ')
}

#[cfg(test)]
mod tests;
