//! The chunk level of a blob: a damaged one is refused, whatever size the blob claims.
#![no_main]

use std::sync::LazyLock;

use fuzz::choices::Choices;
use fuzz::{edit, image};
use libfuzzer_sys::fuzz_target;
use protocol::exchange::tree::{Blob, ChunkTree, TreeBuilder};
use protocol::limits::CHUNK_BYTES;

/// Trees of 1 to 6 chunks, the last of 5 bytes.
static TREES: LazyLock<Vec<ChunkTree>> = LazyLock::new(|| {
    let blob = |chunks: usize| image::noise(7, chunks * CHUNK_BYTES as usize + 5);
    let tree = |chunks| {
        let mut builder = TreeBuilder::new();
        builder.update(&blob(chunks));
        builder.finish()
    };
    (0..6).map(tree).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let Some(tree) = choices.one_of(&TREES) else {
        return;
    };
    let mut blob = tree.blob();
    match choices.byte() % 4 {
        0 => blob.size = choices.number(),
        1 => {
            let (root, size) = (choices.array(), choices.number());
            let _ = ChunkTree::parse(Blob { root, size }, choices.rest());
            return;
        }
        _ => {}
    }
    let mut level = tree.encode();
    edit::damage(&mut level, &mut choices);
    let is_same = level == tree.encode() && blob.chunk_count() == tree.blob().chunk_count();
    let Ok(read) = ChunkTree::parse(blob, &level) else {
        // The root binds the nodes; only an empty blob has a right level that is refused.
        assert!(!is_same || blob.size == 0);
        return;
    };
    assert!(is_same);
    assert_eq!(read.encode(), level);
    let (first, count) = (choices.number() as u32, choices.number() as u32);
    assert!(level.len() >= read.nodes(first, count).len());
    // No such bytes are in the blob: the noise has no chunk this short but the last.
    assert!(!read.verify(first, choices.take(4)));
});
