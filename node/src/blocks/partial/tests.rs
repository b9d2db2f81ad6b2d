//! Tests of what a file holds already (threats S82).

use protocol::exchange::tree::TreeBuilder;
use protocol::limits::CHUNK_BYTES;

use super::*;

/// A slot that gives nothing back, but takes what is written.
#[test]
fn what_can_not_be_read_is_missing_and_can_be_written_s82() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tree_path) = (folder.path().join("slot"), folder.path().join("tree"));
    let bytes = vec![7; usize::try_from(CHUNK_BYTES).unwrap() + 1000];
    fs::write(&path, &bytes).unwrap();
    let mut builder = TreeBuilder::new();
    builder.update(&bytes);
    let tree = builder.finish();
    let whole = Partial::open(tree.blob(), &path, &tree_path).unwrap();
    assert_eq!(whole.scan(&tree).held(), 2);
    let blind = File::options().write(true).open(&path).unwrap();
    let partial = Partial::new(tree.blob(), &path, &tree_path, blind);
    assert_eq!(partial.scan(&tree).held(), 0);
    let end = bytes.get(bytes.len() - 1000..).unwrap();
    partial.write(1, end).unwrap();
    assert!(fs::read(&path).unwrap() == bytes);
}
