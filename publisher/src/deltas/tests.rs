//! Tests of how many deltas are made at a time, when no more are begun, and of stored images that have changed.

use std::fs;

use tempfile::TempDir;

use super::*;

const SILENT: Output = Output {
    json: false,
    quiet: true,
};

/// A repository's folders, and an image to make deltas to.
struct Store {
    folder: TempDir,
    layout: Layout,
    new: Content,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create().unwrap();
        let new = store(&layout, &image(0));
        Self {
            folder,
            layout,
            new,
        }
    }

    fn base(&self, version: u8) -> Base {
        Base {
            version: Some(version.to_string()),
            image: store(&self.layout, &image(version)),
        }
    }

    /// Flips a byte of a stored image.
    fn damage(&self, content: &Content) {
        let path = self.layout.blob(&blob_of(content));
        let mut bytes = fs::read(&path).unwrap();
        bytes[5000] ^= 0x55;
        fs::write(path, bytes).unwrap();
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.folder.path().join("blobs"))
            .unwrap()
            .count()
    }

    fn make(&self, bases: &[Base]) -> Result<Vec<Made>, CliError> {
        make(&self.layout, bases, &self.new, SILENT)
    }
}

fn store(layout: &Layout, bytes: &[u8]) -> Content {
    let stored = layout.store_blob(&mut &bytes[..], |_| {}).unwrap();
    Content {
        blake3: Blake3::new(stored.blob.root),
        size: stored.blob.size,
    }
}

/// Noise, of which versions differ by a byte.
fn image(version: u8) -> Vec<u8> {
    let mut image = vec![0; 20_000];
    blake3::Hasher::new().finalize_xof().fill(&mut image);
    image[10_000] = version;
    image
}

fn content(size: u64) -> Content {
    Content {
        blake3: Blake3::new([7; 32]),
        size,
    }
}

#[test]
fn deltas_are_made_one_by_one_if_any_image_is_large() {
    let base = |size| Base {
        version: Some("1.0".to_owned()),
        image: content(size),
    };
    let (most, more) = (PARALLEL_BYTES_MAX, PARALLEL_BYTES_MAX + 1);
    for (bases, new, expected) in [
        (&[most, most, 1, 1, 1][..], most, 4),
        (&[1, most], 1, 2),
        (&[1, 1, more], 1, 1),
        (&[1, 1, 1], more, 1),
        (&[], 1, 1),
    ] {
        let bases: Vec<Base> = bases.iter().map(|size| base(*size)).collect();
        assert_eq!(jobs(4, &bases, &content(new)), expected, "{bases:?} {new}");
    }
}

/// A base that is large makes it one job, so the second base is begun after the first has failed, or never.
#[test]
fn no_base_is_begun_after_an_error() {
    let store = Store::new();
    let missing = Base {
        version: Some("1".to_owned()),
        image: content(PARALLEL_BYTES_MAX + 1),
    };
    let bases = [missing, store.base(2), store.base(3)];
    let before = store.blobs();
    let error = store.make(&bases).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    assert!(error.fix().unwrap().contains("release 1:"));
    assert_eq!(store.blobs(), before, "no delta was stored");
    assert!(!store.make(&bases[1..]).unwrap().is_empty());
    assert!(store.blobs() > before);
}

/// Every device would refuse the delta: its header would name the damaged image.
#[test]
fn no_delta_is_stored_from_or_to_a_damaged_image() {
    for damaged_is_new in [false, true] {
        let store = Store::new();
        let base = store.base(1);
        let damaged = if damaged_is_new {
            store.new
        } else {
            base.image
        };
        store.damage(&damaged);
        let before = store.blobs();
        for bases in [vec![base.clone()], vec![base.clone(), Base::NOTHING]] {
            let error = store.make(&bases).unwrap_err();
            assert_eq!(error.exit, Exit::No);
            assert!(
                error.message().contains(&damaged.blake3.to_string()),
                "{error}"
            );
            assert!(error.fix().is_some());
        }
        if damaged_is_new {
            assert!(store.make(&[Base::NOTHING]).is_err());
        }
        assert_eq!(store.blobs(), before, "no delta was stored");
    }
}
