//! A delta between images of 5 GiB that are holes but for a few places: made, and applied to the same bytes.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use support::device::noise;
use support::programs::json;
use support::room;

const BYTES: u64 = 5 << 30;
/// What making takes, twice the image and some, and what the rebuilt image takes on the disk.
const MEMORY_KIB: u64 = 13 << 20;
const DISK_KIB: u64 = 8 << 20;

/// Three islands of content; an edit in one, new content in another.
fn images(folder: &Path) {
    for name in ["old", "new"] {
        let file = File::create(folder.join(name)).unwrap();
        file.set_len(BYTES).unwrap();
        for (number, place) in [1_000_000_000, 3_000_000_000, 4_000_000_000]
            .into_iter()
            .enumerate()
        {
            file.write_all_at(&noise(&number.to_string(), 1_000_000), place)
                .unwrap();
        }
        if name == "new" {
            file.write_all_at(b"new build", 3_000_000_100).unwrap();
            file.write_all_at(&noise("new", 5000), 4_500_000_000)
                .unwrap();
        }
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let mut readers = [one, other].map(|path| BufReader::new(File::open(path).unwrap()));
    let mut buffers = [(); 2].map(|()| vec![0; 1 << 20]);
    for _ in 0..BYTES >> 20 {
        for (reader, buffer) in readers.iter_mut().zip(&mut buffers) {
            reader.read_exact(buffer).unwrap();
        }
        if buffers[0] != buffers[1] {
            return false;
        }
    }
    true
}

#[test]
fn images_of_5_gib_that_are_mostly_holes_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let needed = [MEMORY_KIB, DISK_KIB];
    if room::is_short(needed, folder.path(), "no delta of 5 GiB was made") {
        return;
    }
    images(folder.path());
    let publisher = |words: &[&str]| json("streembit-publisher", words, folder.path());
    publisher(&["delta", "make", "old", "new", "-o", "delta"]);
    let delta = fs::metadata(folder.path().join("delta")).unwrap().len();
    assert!(delta < 1 << 20, "{delta} bytes");
    publisher(&["delta", "apply", "old", "delta", "-o", "rebuilt"]);
    let [new, rebuilt] = ["new", "rebuilt"].map(|name| folder.path().join(name));
    assert_eq!(fs::metadata(&rebuilt).unwrap().len(), BYTES);
    assert!(is_same(&new, &rebuilt));
}
