//! Deltas on another machine: programs cross-built for 64-bit ARM, run by qemu-user, make the same bytes of
//! the same images and apply what was made here. Needs the target, a cross compiler and qemu; says so without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use delta::{Coder, CreateOptions};
use support::firmware::{Code, program};
use support::programs;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const COMPILER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where the cross compiler's package has the libraries of the target.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// What the machine lacks.
fn missing() -> Option<&'static str> {
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok()
    };
    if !runs(EMULATOR) {
        return Some("qemu-aarch64 is not installed");
    }
    if !runs(COMPILER) {
        return Some("aarch64-linux-gnu-gcc is not installed");
    }
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let output = rustc.current_dir(programs::repository_root()).output();
    let Ok(output) = output else {
        return Some("rustc can't be started");
    };
    if !output.status.success() {
        return Some("rustc does not know aarch64-unknown-linux-gnu");
    }
    let folder = String::from_utf8_lossy(&output.stdout).into_owned();
    (!Path::new(folder.trim()).exists())
        .then_some("rustup target aarch64-unknown-linux-gnu is not there")
}

/// Builds the examples of `delta` for the other machine; their folder.
fn build() -> PathBuf {
    let target = programs::folder().parent().unwrap().join("aarch64");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "-p",
            "delta",
            "--examples",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", COMPILER)
        .env("CC_aarch64_unknown_linux_gnu", COMPILER)
        .current_dir(programs::repository_root())
        .status();
    assert!(status.unwrap().success(), "cargo build for {TARGET}");
    target.join(TARGET).join("debug/examples")
}

/// Runs a program of the other machine in a folder.
fn emulate(program: &Path, args: &[&str], folder: &Path) -> bool {
    let mut command = Command::new(EMULATOR);
    command.args(["-L", LIBRARIES]).arg(program).args(args);
    command.current_dir(folder).status().unwrap().success()
}

#[test]
fn deltas_are_made_and_applied_alike_on_64_bit_arm() {
    if let Some(missing) = missing() {
        eprintln!("SKIPPED: {missing}; no delta was made or applied on another machine");
        return;
    }
    let programs = build();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (coder, word) in [(Coder::Zstd, "zstd"), (Coder::Mixing, "mixing")] {
        for code in [Code::Arm64, Code::X86] {
            let (base, target) = (program(code, 1500, 1), program(code, 1500, 2));
            fs::write(at("base"), &base).unwrap();
            fs::write(at("target"), &target).unwrap();
            let options = CreateOptions {
                coder,
                ..CreateOptions::default()
            };
            let mut ours = Vec::new();
            delta::create(&base, &target, &options, &|_| {}, &mut ours).unwrap();
            fs::write(at("ours"), &ours).unwrap();
            let make = programs.join("make");
            assert!(emulate(
                &make,
                &["base", "target", "theirs", "--coder", word],
                folder.path()
            ));
            assert!(fs::read(at("theirs")).unwrap() == ours, "{word} {code:?}");
            let apply = programs.join("apply");
            assert!(emulate(&apply, &["base", "ours", "out"], folder.path()));
            assert!(fs::read(at("out")).unwrap() == target, "{word} {code:?}");
            let last = ours.len() - 1;
            ours[last] ^= 0x80;
            fs::write(at("damaged"), &ours).unwrap();
            assert!(!emulate(
                &apply,
                &["base", "damaged", "refused"],
                folder.path()
            ));
        }
    }
}
