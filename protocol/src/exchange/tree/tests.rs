//! Tests of the chunk level against whole-blob BLAKE3.

use super::*;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 % 251) as u8).collect()
}

fn tree(data: &[u8]) -> ChunkTree {
    let mut builder = TreeBuilder::new();
    for piece in data.chunks(100_000) {
        builder.update(piece);
    }
    builder.finish()
}

#[test]
fn root_is_the_blake3_hash_at_every_shape() {
    let chunk = CHUNK_BYTES as usize;
    for len in [
        1,
        1023,
        1024,
        1025,
        chunk - 1,
        chunk,
        chunk + 1,
        2 * chunk,
        3 * chunk + 5,
        9 * chunk,
    ] {
        let data = bytes(len);
        let tree = tree(&data);
        assert_eq!(tree.blob().root, *blake3::hash(&data).as_bytes(), "{len}");
        assert_eq!(tree.blob().size, len as u64);
        assert_eq!(
            ChunkTree::parse(tree.blob(), &tree.encode()),
            Ok(tree.clone())
        );
        for (index, chunk) in data.chunks(chunk).enumerate() {
            assert!(tree.verify(index as u32, chunk), "{len} {index}");
        }
    }
}

#[test]
fn rejects_swapped_duplicated_and_flipped_chunks_d36_p49() {
    let chunk = CHUNK_BYTES as usize;
    let data = bytes(3 * chunk);
    let tree = tree(&data);
    assert!(!tree.verify(0, &data[chunk..2 * chunk]));
    assert!(!tree.verify(3, &data[..chunk]));
    let mut flipped = data[..chunk].to_vec();
    flipped[17] ^= 1;
    assert!(!tree.verify(0, &flipped));
    assert!(!tree.verify(0, &data[..chunk - 1]));
    assert!(!tree.verify(0, &data[..chunk + 1]));
}

#[test]
fn rejects_levels_that_do_not_match_the_root() {
    let data = bytes(3 * CHUNK_BYTES as usize);
    let tree = tree(&data);
    let level = tree.encode();
    let mut flipped = level.clone();
    flipped[40] ^= 1;
    assert_eq!(
        ChunkTree::parse(tree.blob(), &flipped),
        Err(TreeError::Root)
    );
    let short = &level[..64];
    assert!(matches!(
        ChunkTree::parse(tree.blob(), short),
        Err(TreeError::Length { .. })
    ));
    for size in [0, BLOB_BYTES_MAX + 1] {
        let blob = Blob {
            size,
            ..tree.blob()
        };
        assert_eq!(ChunkTree::parse(blob, &level), Err(TreeError::Size(size)));
    }
}

#[test]
fn a_level_is_bound_to_the_size_as_well_as_the_root_p49() {
    let data = bytes(3 * CHUNK_BYTES as usize);
    let tree = tree(&data);
    let (blob, level) = (tree.blob(), tree.encode());
    // Another count of chunks is another length; within the same count the last chunk tells.
    for size in [blob.size + 1, blob.size - CHUNK_BYTES, 1] {
        let result = ChunkTree::parse(Blob { size, ..blob }, &level);
        assert!(matches!(result, Err(TreeError::Length { .. })), "{size}");
    }
    let shorter = Blob {
        size: blob.size - 1,
        ..blob
    };
    let shorter = ChunkTree::parse(shorter, &level).unwrap();
    let last = &data[2 * CHUNK_BYTES as usize..];
    assert!(!shorter.verify(2, last));
    assert!(!shorter.verify(2, &last[1..]));
    let swapped = [&level[32..64], &level[..32], &level[64..]].concat();
    assert_eq!(ChunkTree::parse(blob, &swapped), Err(TreeError::Root));
}

#[test]
fn the_only_chunk_is_hashed_as_the_root() {
    let data = bytes(1000);
    let tree = tree(&data);
    assert_eq!(tree.encode(), tree.blob().root);
    assert!(tree.verify(0, &data));
    assert!(!tree.verify(0, &data[..999]));
    assert!(!tree.verify(1, &[]));
    assert!(!tree.verify(u32::MAX, &[]));
}

#[test]
fn nodes_are_cut_at_the_end_of_the_level() {
    let tree = tree(&bytes(3 * CHUNK_BYTES as usize));
    let level = tree.encode();
    assert_eq!(tree.nodes(0, 2), level[..64]);
    assert_eq!(tree.nodes(2, 8192), level[64..]);
    assert!(tree.nodes(3, 1).is_empty());
    assert!(tree.nodes(u32::MAX, u32::MAX).is_empty());
}

#[test]
fn the_empty_blob_is_accepted_by_no_reader() {
    let tree = TreeBuilder::new().finish();
    assert_eq!(tree.blob().root, *blake3::hash(b"").as_bytes());
    assert_eq!(tree.blob().chunk_count(), 0);
    let read = ChunkTree::parse(tree.blob(), &tree.encode());
    assert_eq!(read, Err(TreeError::Size(0)));
}
