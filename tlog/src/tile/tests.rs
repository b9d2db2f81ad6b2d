//! Paths, widths and bytes of tiles and bundles.

use super::*;
use crate::limits::ENTRY_BYTES_MAX;

#[test]
fn paths_are_those_of_the_specification() {
    let path = |tile: Option<Tile>| tile.unwrap().to_string();
    let huge = 1_234_068 * 256;
    assert_eq!(path(Tile::of(0, 1_234_067, huge)), "tile/0/x001/x234/067");
    assert_eq!(path(Tile::of(0, 0, 1)), "tile/0/000.p/1");
    assert_eq!(path(Tile::of(1, 0, 256)), "tile/1/000.p/1");
    assert_eq!(path(Tile::of(0, 273, 70_000)), "tile/0/273.p/112");
    assert_eq!(path(Tile::of(0, 1000, 256_256)), "tile/0/x001/000");
    let bundle = |index, size| Bundle::of(index, size).unwrap().to_string();
    assert_eq!(bundle(273, 70_000), "tile/entries/273.p/112");
    assert_eq!(bundle(272, 70_000), "tile/entries/272");
    for (level, index, size) in [
        (0, 0, 0),
        (0, 1, 256),
        (1, 0, 255),
        (8, 0, 1 << 62),
        (0, u64::MAX, 5),
    ] {
        assert_eq!(Tile::of(level, index, size), None);
    }
}

/// The example of tlog-tiles: 70,000 entries.
#[test]
fn partial_tiles_are_those_of_the_specification() {
    let partial = |size| {
        Tile::partial_of(size)
            .map(|tile| tile.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        partial(70_000),
        ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    assert_eq!(partial(256), ["tile/1/000.p/1"]);
    assert!(partial(0).is_empty());
}

#[test]
fn a_full_tile_stands_for_a_partial_one() {
    let hashes: Vec<Hash> = (0..=255)
        .map(|number| Hash::from_bytes([number; 32]))
        .collect();
    let bytes = Tile::encode(&hashes);
    let partial = Tile::of(0, 0, 7).unwrap();
    assert_eq!(partial.decode(&bytes).unwrap(), hashes[..7]);
    assert_eq!(partial.decode(&bytes[..7 * 32]).unwrap(), hashes[..7]);
    assert_eq!(partial.full().decode(&bytes).unwrap(), hashes);
    for length in [0, 31, 6 * 32, 7 * 32 + 1, 8 * 32, 255 * 32] {
        assert!(partial.decode(&bytes[..length]).is_err(), "{length}");
    }
    assert!(partial.full().decode(&bytes[..7 * 32]).is_err());
}

#[test]
fn bundles_are_read_whole_or_not_at_all() {
    let entries = [&b"one"[..], b"", &[7; 300]];
    let mut bytes = Vec::new();
    for entry in entries {
        Bundle::push(&mut bytes, entry).unwrap();
    }
    let bundle = Bundle::of(0, 3).unwrap();
    assert_eq!(bundle.decode(&bytes).unwrap(), entries);
    for length in 0..bytes.len() {
        assert!(bundle.decode(&bytes[..length]).is_err(), "{length}");
    }
    bytes.push(0);
    assert!(bundle.decode(&bytes).is_err());
    assert!(Bundle::push(&mut bytes, &vec![0; ENTRY_BYTES_MAX + 1]).is_err());
    // A full one stands for it.
    let mut full = Vec::new();
    for number in 0..256 {
        Bundle::push(&mut full, format!("{number}").as_bytes()).unwrap();
    }
    assert_eq!(bundle.decode(&full).unwrap(), [b"0", b"1", b"2"]);
    Bundle::push(&mut full, b"one too many").unwrap();
    assert!(bundle.decode(&full).is_err());
}
