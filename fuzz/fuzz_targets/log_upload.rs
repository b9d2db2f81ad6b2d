//! Uploads to a mirror: in pieces or whole, the same is read, and no more is held than was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::mirror::{Incoming, MirrorInfo};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(info) = MirrorInfo::parse(text)
    {
        assert_eq!(MirrorInfo::parse(&info.to_string()), Ok(info));
    }
    let (mut whole, mut pieces) = (Incoming::default(), Incoming::default());
    whole.push(bytes);
    let expected = whole.upload();
    let mut found = Ok(None);
    for piece in bytes.chunks(7) {
        pieces.push(piece);
        found = pieces.upload();
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    assert_eq!(found, expected);
    let Ok(Some(upload)) = expected else { return };
    for range in upload.packages().take(4) {
        let Ok(Some(package)) = whole.package(range.end - range.start) else {
            return;
        };
        let encoded = package.encode();
        assert!(
            encoded.is_some_and(|encoded| bytes.windows(encoded.len()).any(|part| part == encoded))
        );
    }
});
