//! Offline signing with somebody who lies: in the file that goes out, in what comes back (threats K70, K73,
//! K77).

use std::fs;
use std::path::PathBuf;

use cli::{CliError, Exit};
use manifests::json::{self, Json};
use support::ceremony::Signer;
use support::device::{Kind, Published};
use support::programs;
use support::publisher::{copy, done, key_uri, publisher};
use support::repository::slot;

/// A repository whose product needs two keys: CI's and that of an approver, who signs elsewhere.
struct Ceremony {
    published: Published,
    approver: Signer,
    key: String,
}

impl Ceremony {
    fn new() -> Self {
        let published = Published::new(Kind::Raw);
        let approver = Signer::new(&published.repository());
        let key = new_key(&approver, "approver.key");
        Self {
            published,
            approver,
            key,
        }
    }

    /// Stages that the product needs both keys, and lets the approver sign; not published yet.
    fn two_keys(&self) -> String {
        let file = self.file("two.stage");
        self.done(&["role", "add-key", "cam", &self.key]);
        self.done(&["role", "set-threshold", "cam", "2"]);
        self.done(&["role", "renew", "cam"]);
        self.done(&["sign"]);
        self.done(&["stage", &file]);
        assert_eq!(self.approver.sign(&file, &self.key).unwrap(), Exit::Done);
        file
    }

    fn file(&self, name: &str) -> String {
        self.approver.path(name).to_str().unwrap().to_owned()
    }

    fn repository(&self) -> PathBuf {
        self.published.repository()
    }

    fn publisher(&self, args: &[&str]) -> Result<Exit, CliError> {
        publisher(&self.repository(), args)
    }

    #[track_caller]
    fn done(&self, args: &[&str]) {
        done(&self.repository(), args);
    }
}

fn new_key(signer: &Signer, name: &str) -> String {
    let path = signer.path(name);
    let protection = cli::keyfile::NewKey::Unprotected;
    cli::keyfile::create(&path, keys::Algorithm::P256, "ceremony", protection).unwrap();
    format!("file:{}", path.display())
}

/// Changes the JSON of a file.
fn edit(path: &str, change: impl FnOnce(&mut Json)) {
    let mut document = json::parse(&fs::read(path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, json::encode_pretty(&document)).unwrap();
}

/// Changes the text of a staged envelope in a file.
fn edit_staged(path: &str, role: &str, change: impl FnOnce(&mut Json)) {
    edit(path, |document| {
        let text = slot(document, &["staged", role]);
        let mut envelope = json::parse(text.as_str().unwrap().as_bytes()).unwrap();
        change(&mut envelope);
        let bytes = json::encode_pretty(&envelope);
        *text = Json::from(std::str::from_utf8(&bytes).unwrap());
    });
}

fn signatures(entries: &[(&str, &str)]) -> Json {
    let entry = |(id, signature): &(&str, &str)| {
        Json::object([("keyid", Json::from(*id)), ("sig", Json::from(*signature))])
    };
    Json::Array(entries.iter().map(entry).collect())
}

/// A file that was altered on its way says so before anything is signed.
#[test]
fn altered_file_is_refused_k77() {
    let place = Ceremony::new();
    place.done(&["root", "expire", "in 2 years"]);
    let file = place.file("change.stage");
    place.done(&["stage", &file]);
    let good = fs::read_to_string(&file).unwrap();
    let root_key = key_uri(&place.repository(), "root-1");
    for (from, to) in [
        ("streembit-stage/1", "streembit-stage/2"),
        ("\"publisher_id\": \"", "\"publisher_id\": \"0"),
        // The metadata in force, which the difference is shown against.
        ("x-streembit-account", "x-streembit-accoun7"),
        ("\\\"version\\\": 2", "\\\"version\\\": 3"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        assert!(place.approver.sign(&file, &root_key).is_err(), "{from}");
    }
    fs::write(&file, good).unwrap();
    assert_eq!(place.approver.sign(&file, &root_key).unwrap(), Exit::Done);
}

/// CI hides a release in a state that it says is in force; the approver's memory tells (K70).
#[test]
fn file_that_hides_a_change_is_refused_k70() {
    let place = Ceremony::new();
    let ci = tempfile::tempdir().unwrap();
    let ci = ci.path().join("ci");
    copy(&place.repository(), &ci);
    let file = place.two_keys();
    place.done(&["approve", &file]);
    place.done(&["publish"]);
    // CI's copy is from before: there its key alone publishes a release that the approver never saw.
    let evil = place.file("evil.img");
    fs::write(&evil, vec![7; 100_000]).unwrap();
    done(&ci, &["release", &evil, "--version", "1.9.0"]);
    done(&ci, &["role", "add-key", "cam", &place.key]);
    done(&ci, &["role", "renew", "cam"]);
    done(&ci, &["sign"]);
    let file = place.file("evil.stage");
    done(&ci, &["stage", &file]);
    let error = place.approver.sign_known(&file, &place.key).unwrap_err();
    assert_eq!(error.exit, Exit::Equivocation, "{error}");
    assert!(
        error
            .to_string()
            .contains("its cam 4 is another than the one known"),
        "{error}"
    );
    // The same state with the approver's own signature missing from it is simply older.
    let old = tempfile::tempdir().unwrap();
    let old = old.path().join("old");
    copy(&place.repository(), &old);
    for name in ["2.targets.json", "4.cam.json"] {
        assert!(old.join("metadata").join(name).exists(), "{name}");
    }
    place.done(&["role", "renew", "targets"]);
    place.done(&["role", "renew", "cam"]);
    place.done(&["sign"]);
    let file = place.file("next.stage");
    place.done(&["stage", &file]);
    assert_eq!(
        place.approver.sign_known(&file, &place.key).unwrap(),
        Exit::Done
    );
    place.done(&["approve", &file]);
    place.done(&["publish"]);
    done(&old, &["role", "set-threshold", "cam", "1"]);
    let file = place.file("old.stage");
    done(&old, &["stage", &file]);
    let error = place.approver.sign_known(&file, &place.key).unwrap_err();
    assert_eq!(error.exit, Exit::Rollback, "{error}");
    assert!(
        error
            .to_string()
            .contains("cam 4 is in force in it, 5 is known here"),
        "{error}"
    );
}

/// A change that was signed and is not published yet may be signed again, with more beside it.
#[test]
fn file_that_was_signed_before_is_signed_again() {
    let place = Ceremony::new();
    let file = place.two_keys();
    assert_eq!(
        place.approver.sign_known(&file, &place.key).unwrap(),
        Exit::Done
    );
    place.done(&["root", "expire", "in 2 years"]);
    place.done(&["stage", &file]);
    assert_eq!(
        place.approver.sign_known(&file, &place.key).unwrap(),
        Exit::Done
    );
}

/// Two signers at one machine: the second is shown what the first was shown.
#[test]
fn second_signer_of_a_machine_sees_the_change_k77() {
    let place = Ceremony::new();
    place.done(&["root", "expire", "in 2 years"]);
    let file = place.file("change.stage");
    place.done(&["stage", &file]);
    let known = place.file("known");
    for (key, words) in [("root-1", "+ /version 2"), ("root-2", "/version 1 -> 2")] {
        let key = key_uri(&place.repository(), key);
        let publisher = place.approver.publisher();
        let args = ["--json", "sign", &file, "--key", &key, "--known", &known];
        let mut command = programs::command("streembit-publisher", &place.repository());
        let output = command.args(args).args(["--publisher", publisher]).output();
        let said = programs::text(&output.unwrap());
        assert!(said.contains("/expires") && said.contains(words), "{said}");
    }
    place.done(&["approve", &file]);
    place.done(&["publish"]);
}

/// A key that comes through standard input is in no argument, no environment and no file.
#[test]
fn key_from_standard_input_signs_k75() {
    let place = Ceremony::new();
    place.done(&["role", "renew", "cam"]);
    let file = place.file("change.stage");
    place.done(&["stage", &file]);
    let key = fs::File::open(place.repository().join("keys/cam.key")).unwrap();
    let known = place.file("known");
    let args = ["sign", &file, "--key", "-", "--known", &known];
    let mut command = programs::command("streembit-publisher", &place.repository());
    let signing = command.args(args).stdin(key);
    let output = signing
        .args(["--publisher", place.approver.publisher()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", programs::text(&output));
    place.done(&["approve", &file]);
    place.done(&["publish"]);
}

/// Whose file it is, is for the signer to say: it could be anybody's (K77).
#[test]
fn unknown_publisher_has_to_be_named_k77() {
    let place = Ceremony::new();
    let other = Published::new(Kind::Raw);
    place.done(&["role", "renew", "cam"]);
    let file = place.file("change.stage");
    place.done(&["stage", &file]);
    let stranger = Signer::new(&other.repository());
    let key = key_uri(&place.repository(), "cam");
    let error = stranger.sign_known(&file, &key).unwrap_err();
    assert_eq!(error.exit, Exit::Usage, "{error}");
    assert!(
        error
            .to_string()
            .contains("nothing was signed for this publisher here"),
        "{error}"
    );
    let error = stranger.sign(&file, &key).unwrap_err();
    assert!(
        error.to_string().contains("the file is of publisher"),
        "{error}"
    );
    let before = fs::read(&file).unwrap();
    assert_eq!(place.approver.sign(&file, &key).unwrap(), Exit::Done);
    assert_ne!(fs::read(&file).unwrap(), before);
    assert_eq!(place.approver.sign_known(&file, &key).unwrap(), Exit::Done);
}

/// A document of one kind under the name of another is not signed, whatever its key may sign (K77).
#[test]
fn root_under_the_name_of_a_product_is_not_signed_k77() {
    let place = Ceremony::new();
    place.done(&["role", "renew", "cam"]);
    let file = place.file("change.stage");
    place.done(&["stage", &file]);
    let root = fs::read_to_string(place.repository().join("metadata/1.root.json")).unwrap();
    edit_staged(&file, "cam", |envelope| {
        let root = json::parse(root.as_bytes()).unwrap();
        *slot(envelope, &["signed"]) = root.member("signed").unwrap().clone();
        *slot(envelope, &["signed", "version"]) = Json::from(4_u64);
    });
    let key = key_uri(&place.repository(), "cam");
    let before = fs::read(&file).unwrap();
    let error = place.approver.sign(&file, &key).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("of type \"root\", expected \"targets\""),
        "{error}"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// Signatures that come back are taken if they are valid, and nothing else is (K73).
#[test]
fn junk_from_a_signer_changes_nothing_k73() {
    let place = Ceremony::new();
    place.done(&["root", "expire", "in 2 years"]);
    place.done(&["sign"]);
    let staged = place.repository().join("staged.json");
    let before = fs::read(&staged).unwrap();
    let good = json::parse(&before).unwrap();
    let good = good.string("root").unwrap();
    let ids: Vec<String> = json::parse(good.as_bytes())
        .unwrap()
        .items("signatures", 9)
        .unwrap()
        .iter()
        .map(|entry| entry.string("keyid").unwrap().to_owned())
        .collect();
    let long = "ab".repeat(400_000);
    let many: Vec<String> = (0..60).map(|number| format!("junk-{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|id| (id.as_str(), "00")).collect();
    for entries in [
        vec![("\u{1b}[2J-not-a-key", "zz")],
        vec![
            ("short", "00"),
            (ids[0].as_str(), "00"),
            (ids[1].as_str(), "zz"),
        ],
        vec![("long", long.as_str())],
        many,
    ] {
        let file = place.file("junk.stage");
        place.done(&["stage", &file]);
        edit_staged(&file, "root", |envelope| {
            *slot(envelope, &["signatures"]) = signatures(&entries);
        });
        place.done(&["approve", &file]);
        assert_eq!(fs::read(&staged).unwrap(), before);
    }
    place.done(&["publish"]);
    let root = fs::read_to_string(place.repository().join("metadata/2.root.json")).unwrap();
    assert!(!root.contains("junk") && !root.contains("not-a-key"));
}

/// Whatever is staged, even by another program, never stops a refresh, and can be discarded.
#[test]
fn damaged_staged_change_stops_no_refresh_k73() {
    let place = Ceremony::new();
    let staged = place.repository().join("staged.json");
    for text in ["", "{", "[]", "{\"root\": 1}", "{\"root\": \"{}\"}"] {
        fs::write(&staged, text).unwrap();
        place.done(&["refresh"]);
        assert!(place.publisher(&["publish"]).is_err(), "{text}");
        place.done(&["stage", "--discard"]);
        assert!(!staged.exists());
    }
    place.done(&["root", "expire", "in 2 years"]);
}
