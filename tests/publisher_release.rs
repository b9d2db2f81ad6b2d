//! `streembit-publisher release`: which deltas are made and kept, and what is said of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use cli::{CliError, Exit};
use manifests::limits::DELTAS_MAX;
use manifests::release::Content;
use serde_json::Value;
use support::device::noise;
use support::firmware::{Code, program};
use support::programs::{command, json, text};
use support::publisher::{done, publisher};
use tempfile::TempDir;

/// A repository of one product and images for it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let init = ["init", "--product", "cam", "--hardware", "r3"];
        done(
            &place.repository(),
            &[&init[..], &["--no-passcode"]].concat(),
        );
        place
    }

    fn repository(&self) -> PathBuf {
        self.0.path().join("repository")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Releases bytes in this process.
    fn publish(&self, version: &str, image: &[u8], args: &[&str]) -> Result<Exit, CliError> {
        let path = self.path("image");
        fs::write(&path, image).unwrap();
        let release = ["release", path.to_str().unwrap(), "--version", version];
        publisher(&self.repository(), &[&release[..], args].concat())
    }

    /// Releases a file or directory by the program; the JSON.
    pub(crate) fn release(&self, version: &str, image: &Path, args: &[&str]) -> Value {
        let words = ["release", image.to_str().unwrap(), "--version", version];
        json(
            "streembit-publisher",
            &[&words[..], args].concat(),
            self.0.path(),
        )
    }

    /// The same in words.
    pub(crate) fn say(&self, version: &str, image: &Path, args: &[&str]) -> Output {
        let words = ["release", image.to_str().unwrap(), "--version", version];
        let output = command("streembit-publisher", self.0.path())
            .args([&words[..], args].concat())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        output
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// What the metadata say of a release's deltas.
    fn signed(&self, version: &str) -> Vec<Value> {
        let metadata = fs::read_dir(self.repository().join("metadata")).unwrap();
        let mut versions: Vec<u32> = metadata
            .filter_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.strip_suffix(".cam.json")?.parse().ok()
            })
            .collect();
        versions.sort_unstable();
        let name = format!("metadata/{}.cam.json", versions.last().unwrap());
        let role = fs::read_to_string(self.repository().join(name)).unwrap();
        let role: Value = serde_json::from_str(&role).unwrap();
        let target = &role["signed"]["targets"][format!("cam-{version}.bin")];
        target["custom"]["deltas"].as_array().unwrap().clone()
    }
}

/// A program of so many functions; versions differ a little.
fn image(version: u64) -> Vec<u8> {
    program(Code::Arm64, 1000, version)
}

/// Versions that deltas start from, each once.
fn bases(released: &Value) -> Vec<String> {
    let mut rows: Vec<&Value> = released["deltas"].as_array().unwrap().iter().collect();
    rows.extend(released["left_out"].as_array().unwrap());
    let mut names: Vec<String> = rows
        .iter()
        .filter_map(|row| row["from"].as_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn deltas_start_from_the_newest_releases_and_from_named_ones() {
    let place = Place::new();
    for version in 1..=4 {
        let name = format!("1.{version}.0");
        place
            .publish(&name, &image(version), &["--deltas", "0"])
            .unwrap();
    }
    for (version, args, expected) in [
        ("2.0", &["--deltas", "2"][..], &["1.3.0", "1.4.0"][..]),
        ("2.1", &["--deltas", "0", "--from", "1.2.0"], &["1.2.0"]),
        (
            "2.2",
            &["--deltas", "1", "--from", "1.1.0", "--from", "1.2.0"],
            &["1.1.0", "1.2.0", "2.1"],
        ),
        (
            "2.3",
            &["--deltas", "1", "--from", "2.2", "--from", "2.2"],
            &["2.2"],
        ),
        ("2.4", &["--deltas", "0"], &[]),
    ] {
        let number = version.replace('.', "").parse().unwrap();
        let new = place.write("new", &image(number));
        let released = place.release(version, &new, args);
        assert_eq!(bases(&released), expected, "{version}");
        let signed = place.signed(version);
        assert_eq!(signed.len(), released["deltas"].as_array().unwrap().len());
    }
    done(&place.repository(), &["verify"]);
}

#[test]
fn named_release_that_is_not_there_is_refused_with_those_that_are() {
    let place = Place::new();
    let error = place
        .publish("1.0", &image(1), &["--from", "0.9"])
        .unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.to_string().contains("none yet"), "{error}");
    place.publish("1.0", &image(1), &[]).unwrap();
    place.publish("1.1", &image(2), &[]).unwrap();
    let blobs = || {
        fs::read_dir(place.repository().join("blobs"))
            .unwrap()
            .count()
    };
    let before = blobs();
    let error = place
        .publish("1.2", &image(3), &["--from", "1.7"])
        .unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    for words in ["no release 1.7", "there are: 1.1 1.0"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(error.fix().is_some());
    assert_eq!(blobs(), before, "nothing is stored");
    let folder = place.path("folder");
    fs::create_dir(&folder).unwrap();
    let release = ["release", folder.to_str().unwrap(), "--version", "1.2"];
    let named = [&release[..], &["--from", "1.0"]].concat();
    let error = publisher(&place.repository(), &named).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(
        error.to_string().contains("release 1.0 is no tar image"),
        "{error}"
    );
}

/// The same image again needs no delta, whoever names it.
#[test]
fn release_with_the_same_image_is_no_base() {
    let place = Place::new();
    let first = place.write("first", &image(1));
    place.release("1.0", &first, &[]);
    let again = place.say("1.1", &first, &["--from", "1.0", "--json"]);
    let released: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(bases(&released), [""; 0]);
    assert!(
        text(&again).contains("1.0 has the very same image"),
        "{}",
        text(&again)
    );
    // Two releases share an image: one delta from it is enough.
    let second = place.write("second", &image(2));
    let released = place.release("1.2", &second, &["--deltas", "3", "--from", "1.0"]);
    assert_eq!(bases(&released), ["1.1"]);
}

#[test]
fn more_deltas_than_a_release_can_have_are_refused_before_any_is_made() {
    let place = Place::new();
    let most = (DELTAS_MAX - 1) / 2;
    let error = place.publish("1.0", b"an image", &["--deltas", &(most + 1).to_string()]);
    let error = error.unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    for words in ["too many", "a release can have 64"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(
        error
            .fix()
            .unwrap()
            .contains(&format!("at most {most} by --deltas"))
    );
    place
        .publish("1.0", b"an image", &["--deltas", &most.to_string()])
        .unwrap();
    let mut named = Vec::new();
    for count in 1..=most {
        let version = format!("1.{count}");
        let image = format!("image {count}");
        place
            .publish(&version, image.as_bytes(), &["--deltas", "0"])
            .unwrap();
        named.extend(["--from".to_owned(), version]);
    }
    let mut args: Vec<&str> = named.iter().map(String::as_str).collect();
    args.extend(["--deltas", "0"]);
    place.publish("2.0", b"all of them", &args).unwrap();
    args.extend(["--from", "1.0"]);
    let error = place.publish("2.1", b"one more", &args).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.to_string().contains("from 32 releases"), "{error}");
}

/// Every release has a delta from nothing, if that is smaller than the image: it holds all segments.
#[test]
fn delta_from_nothing_rebuilds_the_image_without_a_base() {
    let place = Place::new();
    let bytes = image(1).repeat(14);
    let new = place.write("new", &bytes);
    let released = place.release("1.0", &new, &[]);
    let [row] = released["deltas"].as_array().unwrap().as_slice() else {
        panic!("{released}");
    };
    assert_eq!(
        (&row["from"], &row["coder"]),
        (&Value::Null, &Value::from("zstd"))
    );
    let stored = bytes.len().div_ceil(1 << 20);
    let counts = serde_json::json!({ "copy": 0, "delta_z": 0, "delta_cm": 0, "raw_zstd": stored });
    assert_eq!(row["segments"], counts);
    assert!(stored > 2, "more than one segment");
    let signed = &place.signed("1.0")[0];
    assert_eq!(signed["base_size"], 0);
    assert_eq!(signed["format"], "streembit-delta/1");
    let nothing = blake3::hash(b"");
    assert_eq!(signed["base_blake3"], nothing.to_hex().as_str());
    assert_eq!(Content::NOTHING.blake3.as_bytes(), nothing.as_bytes());
    let blob = fs::read_dir(place.repository().join("blobs")).unwrap();
    let named = signed["blake3"].as_str().unwrap();
    let mut delta = blob.map(|entry| entry.unwrap().path());
    let delta = delta
        .find(|path| path.to_str().unwrap().contains(named))
        .unwrap();
    let (empty, out) = (place.write("empty", b""), place.path("out"));
    let [delta, empty, to] = [&delta, &empty, &out].map(|path| path.to_str().unwrap());
    done(
        &place.repository(),
        &["delta", "apply", empty, delta, "-o", to],
    );
    assert!(fs::read(out).unwrap() == bytes);
    // Noise is no smaller in pieces.
    let noise = place.write("noise", &noise("noise", 1 << 20));
    let released = place.release("1.1", &noise, &["--deltas", "0"]);
    assert_eq!(released["deltas"], serde_json::json!([]));
    assert_eq!(released["left_out"][0]["from"], Value::Null);
    assert!(place.signed("1.1").is_empty());
    done(&place.repository(), &["verify"]);
}

/// A delta from an image that has changed in the repository would be signed, and refused by every device.
#[test]
fn damaged_image_in_the_repository_is_no_base_and_the_file_is_named() {
    let place = Place::new();
    let old = image(1);
    place.publish("1.0", &old, &[]).unwrap();
    let path = place.repository().join("blobs");
    let path = path.join(blake3::hash(&old).to_hex().as_str());
    let mut longer = old.clone();
    longer.push(0);
    let mut flipped = old.clone();
    flipped[1000] ^= 0x55;
    let before = place.signed("1.0");
    for (damaged, word) in [
        (&old[..old.len() - 5000], "content"),
        (&flipped, "content"),
        (&longer, "longer"),
    ] {
        fs::write(&path, damaged).unwrap();
        let error = place.publish("1.1", &image(2), &[]).unwrap_err();
        assert_eq!(error.exit, Exit::No);
        for words in [path.to_str().unwrap(), word] {
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(error.fix().unwrap().contains("--deltas 0 --from"));
        assert_eq!(place.signed("1.0"), before, "nothing was signed");
    }
    // Deltas that don't start there are made all the same.
    place.publish("1.1", &image(2), &["--deltas", "0"]).unwrap();
    place
        .publish("1.2", &image(3), &["--deltas", "0", "--from", "1.1"])
        .unwrap();
    assert!(!place.signed("1.2").is_empty());
    // And so are all, once it is back.
    fs::write(&path, &old).unwrap();
    place.publish("1.3", &image(4), &["--from", "1.0"]).unwrap();
    done(&place.repository(), &["verify"]);
}

/// One line for every delta that was made; those that don't pay are marked and not signed.
#[test]
fn table_has_a_line_for_every_delta() {
    let place = Place::new();
    let (old, new) = (place.write("old", &image(1)), place.write("new", &image(2)));
    place.say("1.0", &old, &[]);
    let other = place.write("other", &noise("other", 300_000));
    place.say("1.1-a-rather-long-version", &other, &[]);
    let output = place.say("1.2", &new, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = said
        .lines()
        .skip_while(|line| !line.starts_with("FROM"))
        .collect();
    let [header, rows @ ..] = lines.as_slice() else {
        panic!("{said}");
    };
    let titles: Vec<&str> = header.split_whitespace().collect();
    assert_eq!(
        titles,
        [
            "FROM", "CODER", "SIZE", "PERCENT", "COPIED", "DELTA", "MIXED", "RAW"
        ]
    );
    let starts: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| row.split_whitespace().take(2).collect())
        .collect();
    let long = "1.1-a-rather-long-version";
    assert_eq!(
        starts,
        [
            [long, "zstd"],
            [long, "mixing"],
            ["1.0", "zstd"],
            ["1.0", "mixing"],
            ["nothing", "zstd"]
        ]
    );
    for row in rows {
        // The columns end where their titles do.
        let end = header.len();
        assert!(row.is_char_boundary(end) && row.len() >= end, "{row:?}");
        assert!(matches!(&row[end..], "" | "  left out"), "{row:?}");
    }
    let left_out = rows.iter().filter(|row| row.ends_with("left out")).count();
    assert_eq!(place.signed("1.2").len(), rows.len() - left_out);
    let shown = json("streembit-publisher", &["show", "1.2"], place.0.path());
    assert!(shown.is_object());
    // From noise nothing can be made that is smaller than from nothing; but all of it is smaller than the image.
    let released = place.release("1.3", &other, &["--deltas", "0", "--from", "1.0"]);
    assert_eq!(bases(&released), ["1.0"]);
    let all = released["left_out"].as_array().unwrap();
    assert_eq!(all.len(), 3, "{released}");
    assert!(
        all.iter()
            .all(|row| row["percent"].as_f64().unwrap() > 99.0)
    );
    assert_eq!(released["deltas"], serde_json::json!([]));
}
