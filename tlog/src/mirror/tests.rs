//! Uploads as the specification has them, byte by byte, and broken ones.

use super::*;

fn upload(start: u64, end: u64) -> Upload {
    Upload {
        origin: "log.example".to_owned(),
        start,
        end,
        ticket: vec![7, 8],
    }
}

/// Ranges of C2SP tlog-mirror: aligned at multiples of 256, cut by the upload's ends.
#[test]
fn packages_follow_the_bundles() {
    let ranges = |start, end| upload(start, end).packages().collect::<Vec<_>>();
    assert_eq!(ranges(3, 3), []);
    assert_eq!(ranges(0, 256).len(), 1);
    assert_eq!(ranges(255, 257), [255..256, 256..257]);
    assert_eq!(ranges(300, 1000), [300..512, 512..768, 768..1000]);
    let last = upload(u64::MAX - 1, u64::MAX).packages().count();
    assert_eq!(last, 1);
    assert_eq!(Package::bundle_start(&(300..512)), 256);
}

#[test]
fn upload_has_the_bytes_of_the_specification() {
    let bytes = upload(1, 258).encode().unwrap();
    let mut expected = vec![0, 11];
    expected.extend_from_slice(b"log.example");
    expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 2, 7, 8]);
    assert_eq!(bytes, expected);
    let package = Package {
        entries: vec![b"ab".to_vec(), Vec::new()],
        proof: vec![Hash::from_bytes([9; 32])],
    };
    let head = [0, 2, b'a', b'b', 0, 0, 1];
    assert_eq!(package.encode().unwrap(), [&head[..], &[9; 32]].concat());
}

/// Whatever pieces bytes come in, the same is read; what comes after stays.
#[test]
fn pieces_of_any_size_are_put_together() {
    let package = Package {
        entries: vec![b"one".to_vec(), b"two".to_vec()],
        proof: vec![Hash::of_nothing(), Hash::of_leaf(b"x")],
    };
    let (head, body) = (upload(5, 7).encode().unwrap(), package.encode().unwrap());
    let all = [&head[..], &body, b"rest"].concat();
    for piece in [1, 2, 7, all.len()] {
        let (mut incoming, mut pieces) = (Incoming::default(), all.chunks(piece));
        let read = loop {
            if let Some(read) = incoming.upload().unwrap() {
                break read;
            }
            incoming.push(pieces.next().unwrap());
        };
        assert_eq!(read, upload(5, 7));
        let read = loop {
            if let Some(read) = incoming.package(2).unwrap() {
                break read;
            }
            incoming.push(pieces.next().unwrap());
        };
        assert_eq!(read, package);
        pieces.for_each(|piece| incoming.push(piece));
        assert_eq!(incoming.bytes, b"rest");
    }
}

#[test]
fn lengths_out_of_bounds_are_refused_before_they_are_waited_for() {
    let refused = |bytes: &[u8]| {
        let mut incoming = Incoming::default();
        incoming.push(bytes);
        incoming.upload() == Err(Malformed)
    };
    assert!(refused(&[0xff, 0xff]));
    let mut bytes = upload(5, 4).encode().unwrap();
    assert!(refused(&bytes));
    bytes[2] = 0xff;
    assert!(refused(&bytes));
    let mut incoming = Incoming::default();
    incoming.push(&[0, 0, 64]);
    assert_eq!(incoming.package(1), Err(Malformed));
}

#[test]
fn info_is_three_lines() {
    let info = MirrorInfo {
        size: 70_000,
        next: 256,
        ticket: b"ticket".to_vec(),
    };
    assert_eq!(info.to_string(), "70000\n256\ndGlja2V0\n");
    assert_eq!(MirrorInfo::parse(&info.to_string()), Ok(info));
    assert!(MirrorInfo::parse("1\n2\n\n").is_ok());
    for bad in [
        "",
        "1\n2\n",
        "1\n2\n\n\n",
        "01\n2\n\n",
        "1\n2\n*\n",
        "1\n2\n",
        "-1\n2\n\n",
        "1 \n2\n\n",
    ] {
        assert!(MirrorInfo::parse(bad).is_err(), "{bad:?}");
    }
}
