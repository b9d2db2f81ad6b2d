//! How a log has grown, told without tiles.

use tlog::edge::Edge;
use tlog::note::Line;
use tlog::tile::Tile;
use tlog::tree::{Tiles, Tree};
use tlog::vkey::{Scheme, VerifierKey};

use super::*;

const ORIGIN: &str = "fwlog.acme.example";

/// The leaves of a log of fewer entries than a tile has.
struct Leaves(Vec<Hash>);

impl Leaves {
    fn new(word: &str, count: u64) -> Self {
        let leaf = |number| Hash::of_leaf(format!("{word} {number}").as_bytes());
        Self((0..count).map(leaf).collect())
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        let mut edge = Edge::default();
        for leaf in self.0.iter().take(usize::try_from(size).unwrap()) {
            drop(edge.append(*leaf).unwrap());
        }
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: edge.root(),
        }
    }
}

impl Tiles for Leaves {
    type Error = std::convert::Infallible;
    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        let width = tile.len() / Hash::BYTES;
        Ok(self.0.iter().take(width).copied().collect())
    }
}

/// What is told of a log of 20 entries that was shown at these sizes before.
fn view(leaves: &Leaves, sizes: &[u64]) -> LogView {
    let key = keys::SigningKey::from_secret(keys::Algorithm::Ed25519, &[1; 32]).unwrap();
    let verifier = VerifierKey::new(ORIGIN, Scheme::Note(key.public())).unwrap();
    let mut checkpoint = Note::unsigned(&leaves.checkpoint(20).to_string()).unwrap();
    let signature = key.sign(checkpoint.text().as_bytes());
    checkpoint.add(Line::new(&verifier, 0, &signature));
    let prefix = |size: &u64| {
        let root = leaves.checkpoint(*size).root;
        let proof = Tree::new(leaves, 20).consistency(*size).unwrap();
        (*size, Prefix { root, proof })
    };
    LogView {
        prefixes: sizes.iter().map(prefix).collect(),
        checkpoint,
    }
}

#[test]
fn is_read_as_it_was_written_and_refused_otherwise() {
    let leaves = Leaves::new("entry", 20);
    for sizes in [&[][..], &[8], &[1, 8, 17, 19]] {
        let view = view(&leaves, sizes);
        let text = view.to_string();
        assert_eq!(LogView::parse(text.as_bytes()), Ok(view));
        for broken in [
            text.replacen("streembit-log/1", "streembit-log/2", 1),
            text.replacen("\n\n", "\n", 1),
            text.replacen("\n8 ", "\n08 ", 1),
            text.replacen("\n17 ", "\n7 ", 1),
        ] {
            let read = LogView::parse(broken.as_bytes());
            assert!(broken == text || read.is_err(), "{broken}");
        }
    }
}

#[test]
fn growth_is_shown_from_each_size_that_is_told() {
    let leaves = Leaves::new("entry", 20);
    let (view, new) = (view(&leaves, &[1, 7, 8, 19]), leaves.checkpoint(20));
    for size in [0, 1, 7, 8, 19, 20] {
        assert_eq!(view.check(&leaves.checkpoint(size), &new), Ok(()), "{size}");
    }
    let unknown = view.check(&leaves.checkpoint(9), &new);
    assert_eq!(unknown, Err(Inconsistent::Unknown(9)));
    let newest = view.newest(1);
    assert_eq!(newest.check(&leaves.checkpoint(19), &new), Ok(()));
    assert_eq!(
        newest.check(&leaves.checkpoint(8), &new),
        Err(Inconsistent::Unknown(8))
    );
}

#[test]
fn another_history_is_told_from_a_rollback_and_from_damage() {
    let (ours, theirs) = (Leaves::new("entry", 30), Leaves::new("other", 30));
    let (mut view, new) = (view(&ours, &[7, 8]), ours.checkpoint(20));
    for size in [7, 8] {
        let forked = view.check(&theirs.checkpoint(size), &new);
        let Err(Inconsistent::Forked(at, Some(prefix))) = forked else {
            panic!("{forked:?}");
        };
        assert_eq!((at, prefix.root), (size, ours.checkpoint(size).root));
    }
    let forked = view.check(&theirs.checkpoint(20), &new);
    assert_eq!(forked, Err(Inconsistent::Forked(20, None)));
    let shrunk = view.check(&ours.checkpoint(21), &new);
    assert_eq!(shrunk, Err(Inconsistent::Shrunk { old: 21, new: 20 }));
    // A source that makes up what it tells proves nothing of the log.
    view.prefixes.get_mut(&7).unwrap().root = Hash::of_leaf(b"made up");
    let damaged = view.check(&ours.checkpoint(7), &new);
    assert_eq!(damaged, Err(Inconsistent::Damaged(7)));
}
