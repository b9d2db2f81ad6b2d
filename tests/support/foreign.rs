//! Foreign programs and libraries, installed below Cargo's target folder and kept there from run to run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where they stay.
#[must_use]
pub fn installed() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    target.join("interop")
}

/// Runs a program silently; whether it succeeds.
pub fn runs(command: &mut Command) -> bool {
    let silent = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Installs something in a folder of its own unless it works already; one process at a time.
pub fn install(name: &str, works: impl Fn(&Path) -> bool, steps: impl Fn(&Path) -> bool) -> bool {
    let folder = installed().join(name);
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(installed().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    works(&folder) || (steps(&folder) && works(&folder))
}

/// Packages of a Debian that is newer than this machine's, unpacked and not installed: the folder of their programs.
///
/// * `packages`: with versions where those matter, as `apt-get` takes them.
/// * `program`: one of theirs that works then, asked for its help.
#[must_use]
pub fn debian(suite: &str, packages: &[&str], program: &str) -> Option<PathBuf> {
    let works = |folder: &Path| {
        let program = folder.join("root/usr/bin").join(program);
        let asked = Command::new(program).arg("--help").output();
        asked.is_ok_and(|output| !output.stdout.is_empty() || !output.stderr.is_empty())
    };
    let steps = |folder: &Path| {
        let script = include_str!("unpack_debian.sh");
        runs(
            Command::new("sh")
                .args(["-euc", script, "unpack", suite])
                .args(packages)
                .current_dir(folder),
        )
    };
    install(suite, works, steps).then(|| installed().join(suite).join("root/usr/bin"))
}

/// An interpreter that has these packages, if it can be had.
///
/// * `name`: of its virtual environment.
/// * `packages`: with versions, as `pip` takes them.
/// * `import`: a statement that works with them.
#[must_use]
pub fn python(name: &str, packages: &[&str], import: &str) -> Option<PathBuf> {
    let works = |venv: &Path| {
        let python = venv.join("bin/python");
        runs(Command::new(python).args(["-c", import]))
    };
    let steps = |venv: &Path| {
        runs(Command::new("python3").args(["-m", "venv"]).arg(venv))
            && runs(
                Command::new(venv.join("bin/python"))
                    .args(["-m", "pip", "install", "--quiet"])
                    .args(packages),
            )
    };
    install(name, works, steps).then(|| installed().join(name).join("bin/python"))
}
