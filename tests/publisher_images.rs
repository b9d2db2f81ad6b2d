//! Images given to `streembit-publisher release`: archives that are the same for the same content, and
//! images that are compressed already.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;
use support::device::noise;
use support::firmware::{Code, program};
use support::programs::text;

use crate::publisher_release::Place;

/// A tree with files, folders and a link, whose entries are made in the given order.
fn tree(root: &Path, names: &[&str], changed: &str) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = noise(name, 400_000);
        if *name == changed {
            bytes[1000..1010].copy_from_slice(b"a new line");
        }
        fs::write(&path, bytes).unwrap();
        let mode = if name.starts_with("bin/") {
            0o711
        } else {
            0o600
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("bin/a", root.join("link")).unwrap();
    fs::hard_link(root.join(names[0]), root.join("again")).unwrap();
}

#[test]
fn rebuilt_directory_gives_the_same_archive_and_a_small_change_a_small_delta() {
    let place = Place::new();
    let names = ["etc/a", "etc/b", "etc-b", "bin/a", "bin/c/d", "bin/c-d"];
    let mut turned = names;
    turned[1..].reverse();
    let [first, second, third] = ["first", "second", "third"].map(|name| place.path(name));
    tree(&first, &names, "");
    tree(&second, &turned, "");
    tree(&third, &turned, "bin/c/d");
    for name in names {
        let file = fs::File::options()
            .write(true)
            .open(second.join(name))
            .unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let one = place.release("1.0", &first, &[]);
    let two = place.release("1.1", &second, &[]);
    assert_eq!(one["name"], "cam-1.0.tar");
    assert_eq!(
        (&one["sha256"], &one["size"]),
        (&two["sha256"], &two["size"])
    );
    let three = place.release("1.2", &third, &[]);
    assert_ne!(one["sha256"], three["sha256"]);
    let best = three["deltas"].as_array().unwrap().iter();
    let best = best
        .filter_map(|row| row["percent"].as_f64())
        .fold(f64::MAX, f64::min);
    assert!(best < 1.0, "{best} % for ten bytes");
}

#[test]
fn archive_given_as_a_file_is_kept_as_it_is_and_said() {
    let place = Place::new();
    let mut header = vec![0; 1024];
    header[257..262].copy_from_slice(b"ustar");
    let archive = place.write("root.tar", &header);
    let output = place.say("1.0", &archive, &[]);
    assert!(text(&output).contains("is a tar file and is written to devices as it is"));
    assert!(text(&output).contains("cam-1.0.bin"));
    header[257] = b'U';
    let other = place.write("root.img", &header);
    assert!(!text(&place.say("1.1", &other, &[])).contains("tar file"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A compressed image is told by its content, and the delta between the unpacked images is really made.
#[test]
fn compressed_image_is_warned_of_with_the_cost_of_an_uncompressed_one() {
    let pack_by_zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).unwrap();
    for (name, pack) in [
        ("gzip", &gzip as &dyn Fn(&[u8]) -> Vec<u8>),
        ("zstd", &pack_by_zstd),
    ] {
        let place = Place::new();
        let [old, new] = [1, 2].map(|version| program(Code::Arm64, 3000, version));
        let files = [
            place.write("old", &pack(&old)),
            place.write("new", &pack(&new)),
        ];
        let first = place.release("1.0", &files[0], &[]);
        assert!(first["compressed"]["what"].as_str().unwrap().contains(name));
        assert_eq!(first["compressed"]["uncompressed_delta_size"], Value::Null);
        let output = place.say("1.1", &files[1], &["--json"]);
        let released: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let mut delta = Vec::new();
        let options = delta::CreateOptions::default();
        delta::create(&old, &new, &options, &|_| {}, &mut delta).unwrap();
        let measured = &released["compressed"]["uncompressed_delta_size"];
        assert_eq!(*measured, delta.len() as u64, "{name}");
        let mut rows: Vec<&Value> = released["deltas"].as_array().unwrap().iter().collect();
        rows.extend(released["left_out"].as_array().unwrap());
        let by_zstd = rows
            .iter()
            .find(|row| row["from"] == "1.0" && row["coder"] == "zstd");
        let made = by_zstd.unwrap()["size"].as_u64().unwrap();
        assert!(
            made > 3 * delta.len() as u64,
            "{name}: {made} against {}",
            delta.len()
        );
        for words in [
            format!("the image is compressed: it is one {name} file"),
            "% of the image".to_owned(),
            format!(
                "the delta from 1.0 would be {}",
                cli::human::bytes(delta.len() as u64)
            ),
            format!("in place of {}", cli::human::bytes(made)),
            "release it uncompressed".to_owned(),
        ] {
            assert!(said.contains(&words), "{name}: {words:?} is not in\n{said}");
        }
        assert!(!said.contains("an example"), "{said}");
        // An uncompressed image after it: no word.
        let plain = place.say("1.2", &place.write("plain", &new), &["--json"]);
        let released: Value = serde_json::from_slice(&plain.stdout).unwrap();
        assert_eq!(released["compressed"], Value::Null);
        assert!(!text(&plain).contains("compressed:"), "{}", text(&plain));
    }
}

/// What can't be unpacked is warned of with an example that says that it is one.
#[test]
fn compressed_file_system_is_warned_of_by_example() {
    let place = Place::new();
    let squashfs = |label: &str| {
        let mut image = noise(label, 1 << 20);
        image[..4].copy_from_slice(b"hsqs");
        image[20..26].copy_from_slice(&[4, 0, 0, 0, 0, 0]);
        image[28..30].copy_from_slice(&[4, 0]);
        place.write(label, &image)
    };
    place.release("1.0", &squashfs("old"), &[]);
    let output = place.say("1.1", &squashfs("new"), &["--json"]);
    let released: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(released["compressed"]["what"], "it is a squashfs by xz");
    assert_eq!(
        released["compressed"]["uncompressed_delta_size"],
        Value::Null
    );
    let said = String::from_utf8(output.stderr).unwrap();
    for words in [
        "squashfs by xz",
        "an example, not measured on this image",
        "7 to 8 times less",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
}

/// Samples that don't compress are no reason to warn if deltas are small all the same.
#[test]
fn noise_that_stays_the_same_is_not_warned_of() {
    let place = Place::new();
    let mut image = noise("pictures", 1 << 20);
    let first = place.release("1.0", &place.write("old", &image), &[]);
    let what = first["compressed"]["what"].as_str().unwrap().to_owned();
    assert!(what.contains("samples can't be compressed"), "{what}");
    image[5000..5003].copy_from_slice(b"new");
    let second = place.release("1.1", &place.write("new", &image), &[]);
    assert_eq!(second["compressed"], Value::Null);
    let other = place.release("1.2", &place.write("other", &noise("others", 1 << 20)), &[]);
    assert_eq!(other["compressed"]["what"], what);
}
