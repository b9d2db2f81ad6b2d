//! Passcodes, PINs and keys in places where they don't belong (threats K75).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::programs::{PASSCODE, command, text};

const PIN: &str = "4711-pin-of-a-token";

/// Runs the publisher with everything in its log; returns all that it printed.
fn loud(place: &Path, args: &[&str]) -> String {
    let mut command = command("streembit-publisher", place);
    let output = command
        .args(["-C", "repository", "-vv"])
        .args(args)
        .env("RUST_LOG", "trace")
        .env("STREEMBIT_PKCS11_PIN", PIN)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    text(&output)
}

/// The texts that must not appear: passcode, PIN, and what the key files hold.
fn secrets(place: &Path) -> Vec<String> {
    let mut secrets = vec![PASSCODE.to_owned(), PIN.to_owned()];
    for entry in fs::read_dir(place.join("repository/keys")).unwrap() {
        let file = fs::read_to_string(entry.unwrap().path()).unwrap();
        let longest = file.lines().max_by_key(|line| line.len()).unwrap();
        secrets.push(longest.chars().take(40).collect());
    }
    secrets
}

#[test]
fn logs_name_no_secret_k75() {
    for protection in [&[][..], &["--no-passcode"]] {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("image"), b"image").unwrap();
        let init = ["init", "--product", "cam", "--hardware", "h"];
        let mut said = loud(place.path(), &[&init[..], protection].concat());
        for args in [
            &["release", "image", "--version", "1"][..],
            &["root", "expire", "in 2 years"],
            &["sign"],
            &["publish"],
            &["keys", "list"],
            &["doctor"],
        ] {
            said.push_str(&loud(place.path(), args));
        }
        assert!(said.contains("released"), "{said}");
        for secret in secrets(place.path()) {
            assert!(secret.len() >= 15 && !said.contains(&secret), "{secret}");
        }
    }
}

/// A program that signs gets the message, and nothing that unlocks other keys.
#[test]
fn signing_program_sees_no_passcode_k75() {
    let place = tempfile::tempdir().unwrap();
    let (program, seen) = (place.path().join("kms"), place.path().join("seen"));
    let script = format!("#!/bin/sh\nenv >> {}\nexit 1\n", seen.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let key = format!("exec:{}", program.display());
    let file = place.path().join("passcode");
    let mut command = command("streembit-publisher", place.path());
    command
        .args(["root", "init", "--root-key", &key, "--root-threshold", "1"])
        .env("STREEMBIT_PKCS11_PIN", PIN)
        .env("STREEMBIT_PASSCODE_FILE", &file)
        .env("FOR_THE_KMS", "yes");
    fs::write(&file, PASSCODE).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!command.output().unwrap().status.success());
    let seen = fs::read_to_string(&seen).unwrap();
    assert!(seen.contains("FOR_THE_KMS=yes"), "{seen}");
    for secret in [PASSCODE, PIN, "STREEMBIT_PASSCODE", "STREEMBIT_PKCS11_PIN"] {
        assert!(!seen.contains(secret), "{secret}");
    }
}
