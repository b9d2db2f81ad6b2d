//! What is inside a frame of a channel: `0x00 ‖ message token`, or `0x01 ‖ file id ‖ offset u64 ‖ bytes`.
//!
//! Pieces are not signed one by one: the offer that its sender signed has the hash of the whole file.

use super::MessageId;
use crate::limits::{FILE_PIECE_BYTES_MAX, MESSAGE_BYTES_MAX};

const MESSAGE: u8 = 0;
const PIECE: u8 = 1;

/// What is inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message, still to be verified.
    Message(&'a [u8]),
    /// Bytes of a file.
    Piece(Piece<'a>),
}

/// Bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The message that offered it.
    pub file: MessageId,
    /// Where they belong.
    pub offset: u64,
    /// 1..=[`FILE_PIECE_BYTES_MAX`] bytes.
    pub bytes: &'a [u8],
}

/// Not a frame of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a message nor a piece of a file")]
pub struct FrameError;

impl<'a> Frame<'a> {
    /// Reads what was in a frame.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        match bytes.split_first() {
            Some((&MESSAGE, token)) if token.len() <= MESSAGE_BYTES_MAX => Ok(Self::Message(token)),
            Some((&PIECE, rest)) => Piece::parse(rest).map(Self::Piece),
            _ => Err(FrameError),
        }
    }

    /// The bytes to seal.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Message(token) => [&[MESSAGE], *token].concat(),
            Self::Piece(piece) => [
                &[PIECE],
                &piece.file.as_bytes()[..],
                &piece.offset.to_be_bytes(),
                piece.bytes,
            ]
            .concat(),
        }
    }
}

impl<'a> Piece<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (file, rest) = bytes.split_first_chunk().ok_or(FrameError)?;
        let (offset, bytes) = rest.split_first_chunk().ok_or(FrameError)?;
        if !(1..=FILE_PIECE_BYTES_MAX).contains(&bytes.len()) {
            return Err(FrameError);
        }
        Ok(Self {
            file: MessageId::from_bytes(*file),
            offset: u64::from_be_bytes(*offset),
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let piece = Frame::Piece(Piece {
            file: MessageId::from_bytes([7; 16]),
            offset: u64::MAX,
            bytes: b"bytes",
        });
        for frame in [Frame::Message(b"a.b.c"), piece] {
            assert_eq!(Frame::parse(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn refuses_empty_and_endless_pieces() {
        let long = vec![0; 25 + FILE_PIECE_BYTES_MAX + 1];
        for mut bytes in [vec![], vec![0; 24], vec![0; 25], long] {
            if let Some(first) = bytes.first_mut() {
                *first = PIECE;
            }
            assert_eq!(Frame::parse(&bytes), Err(FrameError));
        }
        assert_eq!(Frame::parse(&[2, 0]), Err(FrameError));
        assert_eq!(Frame::parse(&[0; 2 + MESSAGE_BYTES_MAX]), Err(FrameError));
    }

    proptest! {
        #[test]
        fn one_reading(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(frame) = Frame::parse(&bytes) {
                prop_assert_eq!(frame.encode(), bytes);
            }
        }
    }
}
