//! Tests of `streembit-tuf` as a command line; what it does over HTTP is in the tests' crate.

use clap::Parser as _;
use cli::program::Program as _;
use cli::{CliError, Exit};

use super::args::Args;

fn run(args: &[&str]) -> Result<Exit, CliError> {
    Args::try_parse_from([&["streembit-tuf"], args].concat())
        .unwrap()
        .run()
}

#[test]
fn missing_options_and_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = folder.path().join("metadata");
    let metadata = metadata.to_str().unwrap();
    let place = ["--metadata-dir", metadata];
    for (args, word) in [
        (&["refresh"][..], "--metadata-url"),
        (
            &["--metadata-url", "http://127.0.0.1:1/", "refresh"],
            "root.json",
        ),
        (&["--metadata-url", "x", "download"], "--target-base-url"),
        (
            &["--metadata-url", "x", "--target-base-url", "x", "download"],
            "--target-name",
        ),
        (&["init", "no-such-file"], "no-such-file"),
    ] {
        let error = run(&[&place, args].concat()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn init_takes_a_root_that_signs_itself_and_nothing_else_m28() {
    let folder = tempfile::tempdir().unwrap();
    let metadata = folder.path().join("metadata");
    let root = folder.path().join("root");
    let good = crate::sample::pin().root;
    let init = || {
        let (metadata, root) = (metadata.to_str().unwrap(), root.to_str().unwrap());
        run(&["--metadata-dir", metadata, "init", root])
    };
    let mut changed = good.clone();
    let at = changed
        .windows(9)
        .position(|part| part == b"\"version\"")
        .unwrap();
    changed[at + 11] = b'7';
    for bad in [&b""[..], b"{}", &changed, &good[1..]] {
        std::fs::write(&root, bad).unwrap();
        assert!(init().is_err());
        assert!(!metadata.join("root.json").exists());
    }
    std::fs::write(&root, &good).unwrap();
    assert_eq!(init().unwrap(), Exit::Done);
    assert!(std::fs::read(metadata.join("root.json")).unwrap() == good);
}
