//! Frames that want too much.

use zstd::zstd_safe::DCtx;

use super::{Packed, decode, encode, take, window};
use crate::{CodecError, images::noise, limits::WINDOW_BYTES_MAX};

/// The window check must not refuse what [`encode`] makes, at any level and size.
#[test]
fn accepts_own_frames() {
    for level in [-5, 1, 3, 12, 19, 22] {
        for size in [1, 255, 256, 65_791, 65_792, 1 << 20] {
            let bytes = noise(7, size);
            let frame = encode(&bytes, level).unwrap();
            assert_eq!(decode("literals", &frame, size).unwrap(), bytes);
            assert!(window(&frame).unwrap() <= WINDOW_BYTES_MAX);
        }
    }
}

/// What a frame makes no smaller is left as it is.
#[test]
fn stores_what_does_not_compress() {
    for (bytes, is_stored) in [
        (noise(7, 0), true),
        (noise(7, 1000), true),
        (vec![7; 1000], false),
    ] {
        let packed = Packed::new(&bytes, 19).unwrap();
        assert_eq!(packed.told() == 0, is_stored);
        let payload = [&packed.bytes[..], b"rest"].concat();
        let mut rest = &payload[..];
        let sizes = (packed.size, packed.told());
        let taken = take(&mut DCtx::create(), ("literals", &mut rest), sizes);
        assert_eq!((taken.unwrap().into_owned(), rest), (bytes, &b"rest"[..]));
    }
    let too_long = (5, 0);
    assert!(
        take(
            &mut DCtx::create(),
            ("literals", &mut &b"four"[..]),
            too_long
        )
        .is_err()
    );
}

/// D34: 64 MiB of zeros in 2 KiB, said to be less: never more than `size` bytes are made.
#[test]
fn rejects_bomb() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    assert!(matches!(
        decode("literals", &bomb, 1000),
        Err(CodecError::Window { .. })
    ));
    let mut small_window = zstd::bulk::Compressor::new(3).unwrap();
    small_window
        .set_parameter(zstd::zstd_safe::CParameter::WindowLog(20))
        .unwrap();
    let bomb = small_window.compress(&vec![0; 64 << 20]).unwrap();
    assert!(bomb.len() < 8192);
    assert!(matches!(
        decode("literals", &bomb, 1000),
        Err(CodecError::Decompress { .. })
    ));
}

/// D34: a frame that declares a window of 2 GiB, with little in it.
#[test]
fn rejects_window_of_2_gib() {
    // Magic, descriptor without single segment, window 2^31, one last raw block of one byte.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 0x09, 0, 0, b'x'];
    let result = decode("literals", &frame, 1);
    let expected = 1 << 31;
    assert!(matches!(result, Err(CodecError::Window { actual, .. }) if actual == expected));
    let mut honest = frame;
    honest[5] = 10 << 3;
    assert_eq!(decode("literals", &honest, 1).unwrap(), b"x");
}

/// D34: the size that zstd takes for "not told": a second encoding of the same frame.
#[test]
fn rejects_content_of_unknown_size() {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    frame.extend([0xff; 8]);
    frame.extend([0x09, 0, 0, b'x']);
    assert!(zstd::bulk::decompress(&frame, 1).is_ok());
    let refused = decode("literals", &frame, 1);
    assert!(matches!(
        refused,
        Err(CodecError::Window {
            actual: u64::MAX,
            ..
        })
    ));
}

/// An id of a dictionary, even the one that says that there is none: a second encoding of the same frame.
#[test]
fn rejects_dictionary_ids() {
    for bytes in 1..=3 {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, bytes, 0];
        frame.resize(frame.len() + [1, 2, 4][usize::from(bytes) - 1], 0);
        frame.extend([0x09, 0, 0, b'x']);
        assert!(zstd::bulk::decompress(&frame, 1).is_ok());
        assert!(decode("literals", &frame, 1).is_err(), "{bytes}");
    }
}

/// D33: a frame that makes less or more than was declared.
#[test]
fn rejects_other_size() {
    let frame = encode(&noise(1, 100), 3).unwrap();
    for size in [0, 1, 99, 101, 1000] {
        assert!(decode("literals", &frame, size).is_err(), "{size}");
    }
    assert!(decode("literals", &[], 1).is_err());
    assert!(decode("literals", &[], 0).unwrap().is_empty());
}

/// D35: cut at every byte, a second frame, a skippable frame, trailing data.
#[test]
fn rejects_more_or_less_than_one_frame() {
    let frame = encode(b"literal literal literal", 3).unwrap();
    for size in 0..frame.len() {
        assert!(decode("literals", &frame[..size], 23).is_err(), "{size}");
    }
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    for more in [&frame[..], &skippable, &[0]] {
        assert!(decode("literals", &[&frame, more].concat(), 23).is_err());
        assert!(decode("literals", &[more, &frame].concat(), 23).is_err());
    }
}
