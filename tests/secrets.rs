//! Passcodes, PINs and keys in places where they don't belong (threats K75).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::programs::{PASSCODE, PATIENCE, command, folder, text};

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

/// A program without root's rights to look into others, as other programs of a user are.
fn confined(program: &Path, args: &[&str]) -> Command {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        let mut plain = Command::new(program);
        plain.args(args);
        return plain;
    }
    let mut confined = Command::new("setpriv");
    let rights = "-sys_ptrace,-sys_admin,-perfmon";
    confined.args(["--bounding-set", rights, "--inh-caps", rights]);
    confined.arg(program).args(args);
    confined
}

/// Whether another program of the same user can look into this one.
fn is_open(pid: u32) -> bool {
    let path = format!("/proc/{pid}/environ");
    let mut look = confined(Path::new("cat"), &[&path]);
    let output = look.output().unwrap();
    output.status.success() && !output.stdout.is_empty()
}

/// Ends it when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn memory_of_a_running_program_is_closed_to_its_own_user_k75() {
    let can_confine = confined(Path::new("true"), &[]).status();
    if !can_confine.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no rights can be given up here (setpriv)");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let start = |program: &Path, args: &[&str]| {
        let mut command = confined(program, args);
        Started(command.stdout(Stdio::null()).spawn().unwrap())
    };
    let other = start(Path::new("sleep"), &["1000"]);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_open(other.0.id()) {
        assert!(
            std::time::Instant::now() < deadline,
            "nobody sees anything here"
        );
    }
    let args = ["run", "--config", pipe.to_str().unwrap()];
    let ours = start(&folder().join("streembit"), &args);
    // Returns as soon as the program reads its configuration.
    let _writer = fs::File::options().write(true).open(&pipe).unwrap();
    assert!(!is_open(ours.0.id()));
}
