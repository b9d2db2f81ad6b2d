//! `export --as`: stock tools verify what the publisher signs beside an image, by the command that it
//! prints, and refuse it once a byte is another. Forms: docs/formats.md, "Detached signatures".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use clap::Parser as _;
use cli::program::Program as _;
use cli::{CliError, Exit};
use keys::Algorithm;
use support::device::{Kind, Published};
use support::programs::{self, text};
use tempfile::TempDir;

const IMAGE: &str = "cam-1.2.0.bin";

fn is_there(program: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("command -v {program}")]);
    let status = command.stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The name under which a tool is here; Debian has another one for signify. None is said aloud.
fn tool(name: &'static str) -> Option<&'static str> {
    let debian = (name == "signify").then_some("signify-openbsd");
    let found = debian.into_iter().chain([name]).find(|name| is_there(name));
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed; it verified nothing of ours");
    }
    found
}

/// An image with its signature and a key of its own.
struct Export {
    folder: TempDir,
    key: String,
    signature: String,
    verify: String,
}

impl Export {
    fn new(format: &str, algorithm: Algorithm) -> Self {
        let published = Published::shared(Kind::Raw);
        let folder = tempfile::tempdir().unwrap();
        let uri = new_key(folder.path(), algorithm);
        let repository = published.repository();
        let out = folder.path().join("out");
        let args = ["-C", repository.to_str().unwrap(), "export", "--as", format];
        let rest = ["--key", &uri, out.to_str().unwrap()];
        let shown = programs::json(
            "streembit-publisher",
            &[&args[..], &rest].concat(),
            folder.path(),
        );
        let word = |name: &str| shown[name].as_str().unwrap().to_owned();
        assert_eq!(word("file"), IMAGE);
        let image = fs::read(out.join(IMAGE)).unwrap();
        assert!(image == fs::read(published.image(2)).unwrap());
        assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
        Self {
            key: word("key"),
            signature: word("signature"),
            verify: word("verify"),
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    /// Runs a command line beside the files.
    fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.path(""));
        command.stdin(Stdio::null()).output().unwrap()
    }

    #[track_caller]
    fn accepts(&self, line: &str) -> String {
        let output = self.shell(line);
        assert!(output.status.success(), "{line}: {}", text(&output));
        text(&output)
    }

    /// Refuses while a byte of a file is another; the byte is put back.
    #[track_caller]
    fn refuses_flipped(&self, line: &str, name: &str, at: impl Fn(&[u8]) -> usize) {
        let good = fs::read(self.path(name)).unwrap();
        let (mut bad, at) = (good.clone(), at(&good));
        // Another digit of base64 as well.
        bad[at] = if bad[at] == b'B' { b'C' } else { b'B' };
        fs::write(self.path(name), bad).unwrap();
        let output = self.shell(line);
        assert!(
            !output.status.success(),
            "{line}, {name}: {}",
            text(&output)
        );
        fs::write(self.path(name), good).unwrap();
    }
}

/// A key that signs nothing else yet.
fn new_key(folder: &Path, algorithm: Algorithm) -> String {
    let path = folder.join(format!("{}.key", algorithm.name()));
    let words = ["publisher", "-q", "keys", "create", "--no-passcode"];
    let rest = [path.to_str().unwrap(), "--algorithm", algorithm.name()];
    let args = publisher::args::Args::try_parse_from([&words[..], &rest].concat()).unwrap();
    assert_eq!(args.run().unwrap(), Exit::Done);
    format!("file:{}", path.display())
}

/// Where a text stands in a file, and `after` bytes on.
fn after(bytes: &[u8], text: &str, after: usize) -> usize {
    let found = bytes
        .windows(text.len())
        .position(|it| it == text.as_bytes());
    found.unwrap() + text.len() + after
}

#[test]
fn minisign_verifies_an_image_and_refuses_another() {
    let Some(_) = tool("minisign") else { return };
    let export = Export::new("minisign", Algorithm::Ed25519);
    let said = export.accepts(&export.verify);
    assert!(
        said.contains("product:cam\tversion:1.2.0\tfile:cam-1.2.0.bin"),
        "{said}"
    );
    let key = fs::read_to_string(export.path(&export.key)).unwrap();
    let key = key.lines().nth(1).unwrap();
    export.accepts(&format!("minisign -V -P {key} -m {IMAGE}"));
    export.refuses_flipped(&export.verify, IMAGE, |bytes| bytes.len() / 2);
    let signature = &export.signature;
    export.refuses_flipped(&export.verify, signature, |bytes| after(bytes, "\nRU", 40));
    // The comment is signed too.
    export.refuses_flipped(&export.verify, signature, |bytes| {
        after(bytes, "version:", 0)
    });
}

#[test]
fn signify_verifies_an_image_and_refuses_another() {
    let Some(program) = tool("signify") else {
        return;
    };
    let export = Export::new("signify", Algorithm::Ed25519);
    let verify = export.verify.replacen("signify", program, 1);
    export.accepts(&verify);
    export.refuses_flipped(&verify, IMAGE, |bytes| bytes.len() / 2);
    export.refuses_flipped(&verify, &export.signature, |bytes| after(bytes, "\nRW", 40));
}

#[test]
fn ssh_keygen_verifies_an_image_and_refuses_another() {
    let Some(_) = tool("ssh-keygen") else { return };
    for algorithm in Algorithm::ALL {
        let export = Export::new("sshsig", algorithm);
        let said = export.accepts(&export.verify);
        assert!(said.contains("Good \"file\" signature for cam"), "{said}");
        export.refuses_flipped(&export.verify, IMAGE, |bytes| bytes.len() / 2);
        let in_signature = |bytes: &[u8]| after(bytes, "\n-----END", 0) - 40;
        export.refuses_flipped(&export.verify, &export.signature, in_signature);
        for (from, to) in [("-n file", "-n git"), ("-I cam", "-I router")] {
            let other = export.shell(&export.verify.replace(from, to));
            assert!(!other.status.success(), "{to}");
        }
    }
}

#[test]
fn openssl_verifies_an_image_and_refuses_another() {
    let Some(_) = tool("openssl") else { return };
    for algorithm in Algorithm::ALL {
        let export = Export::new("openssl", algorithm);
        export.accepts(&export.verify);
        export.refuses_flipped(&export.verify, IMAGE, |bytes| bytes.len() / 2);
        export.refuses_flipped(&export.verify, &export.signature, |_| 20);
    }
}

fn export(repository: &Path, args: &[&str]) -> Result<Exit, CliError> {
    let words = [
        "publisher",
        "-q",
        "-C",
        repository.to_str().unwrap(),
        "export",
    ];
    let args = publisher::args::Args::try_parse_from([&words[..], args].concat());
    args.unwrap().run()
}

/// A key that signs metadata or heads never signs files, and none signs a form that has no place for it.
#[test]
fn keys_that_sign_something_else_or_do_not_fit_are_refused() {
    let published = Published::shared(Kind::Raw);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let p256 = new_key(folder.path(), Algorithm::P256);
    let roles = [
        "root-1",
        "root-3",
        "targets",
        "cam",
        "snapshot",
        "timestamp",
    ];
    let own = roles.map(|name| ("sshsig", format!("keys/{name}.key"), "signs role"));
    let others = [
        (
            "openssl",
            "keys/account.key".to_owned(),
            "signs release heads",
        ),
        ("minisign", p256.clone(), "needs an Ed25519 key"),
        ("signify", p256.clone(), "needs an Ed25519 key"),
        ("openssl", "keys/none.key".to_owned(), "none.key"),
    ];
    for (format, key, words) in own.into_iter().chain(others) {
        let args = ["--as", format, "--key", &key, out];
        let error = export(&published.repository(), &args).unwrap_err();
        assert_eq!(error.exit, Exit::Key, "{error}");
        assert!(error.to_string().contains(words), "{key}: {error}");
    }
    let args = ["--as", "sshsig", "--key", &p256, "--version", "9.9.9", out];
    let error = export(&published.repository(), &args).unwrap_err();
    assert_eq!(error.exit, Exit::No, "{error}");
    assert!(!Path::new(out).exists(), "nothing was written");
    let args = ["--as", "sshsig", "--key", &p256, "--version", "1.1.0", out];
    assert_eq!(export(&published.repository(), &args).unwrap(), Exit::Done);
    assert!(Path::new(out).join("cam-1.1.0.bin.sshsig").exists());
}

/// What was put in place of a released image gets no signature.
#[test]
fn image_that_is_not_the_released_one_is_not_signed() {
    let published = Published::new(Kind::Raw);
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path(), Algorithm::Ed25519);
    let targets = fs::read_dir(published.repository().join("targets")).unwrap();
    let paths = targets.map(|entry| entry.unwrap().path());
    let target = paths
        .into_iter()
        .find(|path| path.to_str().unwrap().ends_with(IMAGE));
    let target = target.unwrap();
    let mut bytes = fs::read(&target).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&target, bytes).unwrap();
    let out = folder.path().join("out");
    for format in ["minisign", "openssl", "signify", "sshsig"] {
        let args = ["--as", format, "--key", &key, out.to_str().unwrap()];
        let error = export(&published.repository(), &args).unwrap_err();
        assert_eq!(error.exit, Exit::No, "{error}");
        assert!(error.to_string().contains("signed digest"), "{error}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    }
}
